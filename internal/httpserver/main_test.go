package httpserver

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),    // one per process
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2")) // ends within 10 s of a server
}

// patience is how long a test waits for what should happen at once.
const patience = 10 * time.Second

// A running server, on a free port of the loopback address.
type running struct {
	*Server
	addr string
	log  *logged
	reg  *prometheus.Registry
	stop func() error // ends Serve and returns what it returned
}

// serve runs a server with the routes of the tests until the test ends.
func serve(t testing.TB, o Options, routes func(*fiber.App)) *running {
	t.Helper()
	ln, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, ln, o, routes)
}

func serveOn(t testing.TB, ln net.Listener, o Options, routes func(*fiber.App)) *running {
	t.Helper()
	r := &running{log: &logged{}, reg: prometheus.NewRegistry(), addr: ln.Addr().String()}
	o.Name, o.Metrics = "test", r.reg
	if o.Log == nil {
		o.Log = slog.New(slog.NewJSONHandler(r.log, nil))
	}
	r.Server = New(o)
	routes(r.App)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Serve(ctx, ln) }()
	r.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("Serve got %v, want nil after its context is done", err)
		}
	})
	return r
}

// echo answers what arrived.
func echo(app *fiber.App) {
	app.Post("/echo", func(c *fiber.Ctx) error { return c.Send(append([]byte("got "), c.BodyRaw()...)) })
	app.Get("/hello/:name", func(c *fiber.Ctx) error { return c.SendString("hello") })
}

// raw sends bytes over a connection of its own and returns everything that comes
// back until the server closes it.
func (r *running) raw(t testing.TB, sent string) string {
	t.Helper()
	c := r.dial(t)
	if _, err := io.WriteString(c, sent); err != nil {
		t.Fatal(err)
	}
	return readAll(t, c)
}

func (r *running) dial(t testing.TB) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

func readAll(t testing.TB, c net.Conn) string {
	t.Helper()
	got, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("after %q: %v", got, err)
	}
	return string(got)
}

// do sends a request with a client of its own and returns the answer with its
// body read.
func (r *running) do(t testing.TB, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+r.addr+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport, Timeout: patience}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(got)
}

// responses splits what a raw connection got.
func responses(t testing.TB, text string) []*http.Response {
	t.Helper()
	var all []*http.Response
	r := bufio.NewReader(strings.NewReader(text))
	for {
		if _, err := r.Peek(1); err != nil {
			return all
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		resp.Body = io.NopCloser(strings.NewReader(string(body)))
		all = append(all, resp)
	}
}

// logged collects a log that several goroutines write.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
