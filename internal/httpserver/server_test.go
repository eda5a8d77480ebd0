package httpserver

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/postern-authz/postern/internal/authz"
)

func TestRequestIDs(t *testing.T) {
	server := serve(t, Options{}, echo)
	for name, tt := range map[string]struct {
		sent   string
		path   string
		status int
		echoed bool
	}{
		"a UUID":                        {"bfe9eb29-ab87-4ca3-be83-a1d5d8305716", "/echo", 200, true},
		"any text":                      {"a b\tc; <d> \"e\"", "/echo", 200, true},
		"another script":                {"日本", "/echo", 200, true},
		"256 bytes":                     {strings.Repeat("x", 256), "/echo", 200, true},
		"257 bytes":                     {strings.Repeat("x", 257), "/echo", 400, false},
		"none":                          {"", "/echo", 200, false},
		"on a path that is not there":   {"id-1", "/nowhere", 404, true},
		"on a method that is not there": {"id-2", "/hello/x", 405, true},
	} {
		t.Run(name, func(t *testing.T) {
			header := []string{}
			if tt.sent != "" {
				header = []string{"X-Request-ID", tt.sent}
			}
			resp, _ := server.do(t, "POST", tt.path, "", header...)
			got := resp.Header.Get("X-Request-ID")
			if resp.StatusCode != tt.status {
				t.Errorf("got %d, want %d", resp.StatusCode, tt.status)
			}
			if tt.echoed && got != tt.sent {
				t.Errorf("got the request id %q, want %q", got, tt.sent)
			}
			if id, err := uuid.Parse(got); !tt.echoed && (err != nil || id.Version() != 7) {
				t.Errorf("got the request id %q, want a UUID version 7", got)
			}
		})
	}
}

func TestEveryRefusalIsAProblemWithTheRequestID(t *testing.T) {
	server := serve(t, Options{MaxBody: 100}, echo)
	for name, sent := range map[string]string{
		"a body too large":    "POST /echo HTTP/1.1\r\nHost: x\r\nX-Request-ID: mine\r\nContent-Length: 101\r\n\r\n" + strings.Repeat("x", 101),
		"a wrong version":     "POST /echo HTTP/1.0\r\nHost: x\r\nX-Request-ID: mine\r\nContent-Length: 0\r\n\r\n",
		"a packed body":       "POST /echo HTTP/1.1\r\nHost: x\r\nX-Request-ID: mine\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n",
		"an unknown method":   "FETCH /echo HTTP/1.1\r\nHost: x\r\nX-Request-ID: mine\r\nConnection: close\r\n\r\n",
		"a chunk too large":   "POST /echo HTTP/1.1\r\nHost: x\r\nX-Request-ID: mine\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n",
		"a broken chunk":      "POST /echo HTTP/1.1\r\nHost: x\r\nX-Request-ID: mine\r\nTransfer-Encoding: chunked\r\n\r\n1x\r\n",
		"two Authorizations":  "GET /hello/x HTTP/1.1\r\nHost: x\r\nX-Request-ID: mine\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n",
		"a length and chunks": "POST /echo HTTP/1.1\r\nHost: x\r\nX-Request-ID: mine\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	} {
		got := responses(t, server.raw(t, sent))
		if len(got) != 1 || got[0].Header.Get("X-Request-ID") != "mine" || got[0].StatusCode < 400 {
			t.Errorf("%s: got %d answers, %v, want one refusal with the request id", name, len(got), got[0])
		}
		if sent := got[0].Header.Get("Content-Type"); sent != "application/problem+json" {
			t.Errorf("%s: got an answer of type %q, want a problem (ruling A2)", name, sent)
		}
	}
}

func TestPrintable(t *testing.T) {
	for sent, want := range map[string]string{
		"":                       "",
		"abc-123":                "abc-123",
		"a b\tc":                 "a?b?c",
		"é":                      "??",
		"line\r\nbreak":          "line??break",
		strings.Repeat("x", 128): strings.Repeat("x", 128),
		strings.Repeat("x", 129): strings.Repeat("x", 128),
	} {
		if got := printable(sent); got != want {
			t.Errorf("printable(%q) got %q, want %q", sent, got, want)
		}
	}
}

func TestErrorsBecomeProblems(t *testing.T) {
	secret := errors.New("dial tcp 10.0.0.7:5432: password=hunter2")
	failures := map[string]struct {
		err    error
		status int
		slug   string
		detail string
		header string
	}{
		"invalid":                {fmt.Errorf("subject.id is missing: %w", authz.ErrInvalid), 400, "invalid-request", "subject.id is missing", ""},
		"unauthenticated":        {fmt.Errorf("key abc is wrong: %w", authz.ErrUnauthenticated), 401, "unauthenticated", nobody, "WWW-Authenticate"},
		"forbidden":              {fmt.Errorf("action x is not yours: %w", authz.ErrForbidden), 403, "forbidden", "action x is not yours", ""},
		"not found":              {fmt.Errorf("no user u: %w", authz.ErrNotFound), 404, "not-found", "no user u", ""},
		"conflict":               {fmt.Errorf("pending already: %w", authz.ErrConflict), 409, "conflict", "pending already", ""},
		"unavailable":            {fmt.Errorf("%w: %w", secret, authz.ErrUnavailable), 503, "unavailable", unavailable, "Retry-After"},
		"a deadline":             {context.DeadlineExceeded, 503, "unavailable", unavailable, "Retry-After"},
		"a reason of its own":    {&Problem{Status: 429, Reason: "resend-cooldown", Detail: "wait", RetryAfter: 7}, 429, "resend-cooldown", "wait", "Retry-After"},
		"anything else":          {secret, 500, "internal", internal, ""},
		"the error of a library": {&net.OpError{Op: "read", Err: secret}, 500, "internal", internal, ""},
	}
	server := serve(t, Options{}, func(app *fiber.App) {
		app.Get("/fail", func(c *fiber.Ctx) error { return failures[c.Query("how")].err })
	})
	for name, tt := range failures {
		t.Run(name, func(t *testing.T) {
			resp, body := server.do(t, "GET", "/fail?how="+strings.ReplaceAll(name, " ", "+"), "", "X-Request-ID", "id-"+name)
			var got problem
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatal(err)
			}
			want := problem{Type: "urn:postern:problem:" + tt.slug, Title: got.Title, Status: tt.status, Detail: tt.detail, Reason: tt.slug, RequestID: "id-" + name}
			if !reflect.DeepEqual(got, want) || got.Title == "" || resp.StatusCode != tt.status {
				t.Errorf("got %d %+v, want %+v with a title", resp.StatusCode, got, want)
			}
			for header, value := range map[string]string{"Content-Type": "application/problem+json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
				if resp.Header.Get(header) != value {
					t.Errorf("got %s %q, want %q", header, resp.Header.Get(header), value)
				}
			}
			if tt.header != "" && resp.Header.Get(tt.header) == "" {
				t.Errorf("got no %s header", tt.header)
			}
			if strings.Contains(body, "hunter2") {
				t.Errorf("got %s, want no internals", body)
			}
		})
	}
	if log := server.log.String(); !strings.Contains(log, "hunter2") || !strings.Contains(log, `"request_id":"id-anything?else"`) || strings.Contains(log, "no user u") {
		t.Errorf("got the log %s, want the causes of 5xx with their request ids and nothing else", log)
	}
}

func TestProblemsOfRouting(t *testing.T) {
	server := serve(t, Options{}, echo)
	resp, body := server.do(t, "GET", "/nowhere<script>", "")
	if resp.StatusCode != 404 || strings.Contains(body, "script") || !strings.Contains(body, "urn:postern:problem:not-found") {
		t.Errorf("got %d %s, want a 404 that does not quote the path", resp.StatusCode, body)
	}
	resp, body = server.do(t, "PUT", "/echo", "")
	if resp.StatusCode != 405 || resp.Header.Get("Allow") != "POST" || !strings.Contains(body, "urn:postern:problem:method-not-allowed") {
		t.Errorf("got %d %s, Allow %q, want a 405 that allows POST", resp.StatusCode, body, resp.Header.Get("Allow"))
	}
	if got := resp.Header.Get("Server"); got != "" {
		t.Errorf("got the Server header %q, want none", got)
	}
}

func TestF31APanicKeepsTheProcessAlive(t *testing.T) {
	server := serve(t, Options{}, func(app *fiber.App) {
		echo(app)
		app.Get("/panic", func(c *fiber.Ctx) error {
			c.Set("X-Half", "written")
			_ = c.SendString("half an answer")
			panic("the cause")
		})
	})
	for range 3 {
		resp, body := server.do(t, "GET", "/panic", "", "X-Request-ID", "incident-7")
		if resp.StatusCode != 500 || !strings.Contains(body, "incident-7") || strings.Contains(body, "cause") || resp.Header.Get("X-Half") != "" {
			t.Errorf("got %d %s, want a 500 with the incident and nothing of the cause", resp.StatusCode, body)
		}
	}
	if resp, body := server.do(t, "POST", "/echo", "x"); resp.StatusCode != 200 {
		t.Errorf("after panics got %d %s, want 200", resp.StatusCode, body)
	}
	if log := server.log.String(); !strings.Contains(log, "the cause") || !strings.Contains(log, "incident-7") || !strings.Contains(log, "server_test.go") {
		t.Errorf("got the log %s, want the cause, the request id and the stack", log)
	}
	if got := testutil.ToFloat64(server.metrics.panics); got != 3 {
		t.Errorf("postern_panics_total got %v, want 3", got)
	}
}

func TestF30BodiesAndHeadersAreBounded(t *testing.T) {
	server := serve(t, Options{MaxBody: 1000, MaxHeader: 12 << 10}, echo)
	for name, tt := range map[string]struct {
		body   int
		header int
		status int
	}{
		"a body of the limit":   {1000, 0, 200},
		"a body one above":      {1001, 0, 413},
		"a body of 4 MiB":       {4 << 20, 0, 413},
		"a header of 8 KiB":     {10, 8 << 10, 200},
		"a header above 12 KiB": {10, 12 << 10, 431},
		"a header of 100 KiB":   {10, 100 << 10, 431},
	} {
		t.Run(name, func(t *testing.T) {
			resp, body := server.do(t, "POST", "/echo", strings.Repeat("x", tt.body), "X-Padding", strings.Repeat("y", tt.header))
			if resp.StatusCode != tt.status {
				t.Errorf("got %d %.200s, want %d", resp.StatusCode, body, tt.status)
			}
			if strings.Contains(body, "yyyy") {
				t.Errorf("got %.200s, want nothing of the request in it", body)
			}
		})
	}
}

func TestD3PackedBodiesAreRefused(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(make([]byte, 16<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	server := serve(t, Options{}, echo)
	for _, coding := range []string{"gzip", "deflate", "br", "zstd", "identity", "x"} {
		if resp, body := server.do(t, "POST", "/echo", packed.String(), "Content-Encoding", coding); resp.StatusCode != 415 {
			t.Errorf("Content-Encoding: %s got %d %.100s, want 415", coding, resp.StatusCode, body)
		}
	}
}

// TestD2NothingOfARequestLivesOn keeps what a handler was told about its request
// while the next request is written over the same buffers.
func TestD2NothingOfARequestLivesOn(t *testing.T) {
	var kept []string
	server := serve(t, Options{}, func(app *fiber.App) {
		app.Get("/keep", func(c *fiber.Ctx) error {
			kept = append(kept, RequestID(c), stateOf(c.Context()).id)
			return nil
		})
	})
	c := server.dial(t)
	for _, id := range []string{"alice@tenant-a", "bobby@tenant-b", "eve!!@attacker"} {
		fmt.Fprintf(c, "GET /keep HTTP/1.1\r\nHost: x\r\nX-Request-ID: %s\r\n\r\n", id)
		if err := readOne(c); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"alice@tenant-a", "alice@tenant-a", "bobby@tenant-b", "bobby@tenant-b", "eve!!@attacker", "eve!!@attacker"}
	if err := server.stop(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(kept, want) {
		t.Errorf("got %q, want %q", kept, want)
	}
}

func readOne(r io.Reader) error {
	var got []byte
	for b := make([]byte, 1); !bytes.HasSuffix(got, []byte("\r\n\r\n")); got = append(got, b...) {
		if _, err := io.ReadFull(r, b); err != nil {
			return fmt.Errorf("after %q: %w", got, err)
		}
	}
	return nil
}

// TestPipelinesNeverCross runs connections beside each other, each with many
// requests in flight: every answer has the body and the id of its own request.
func TestPipelinesNeverCross(t *testing.T) {
	server := serve(t, Options{}, echo)
	var all sync.WaitGroup
	for conn := range 4 {
		c := server.dial(t)
		all.Go(func() {
			const requests = 200
			var sent strings.Builder
			for i := range requests {
				body := fmt.Sprintf("body-%d-%d-%s", conn, i, strings.Repeat("x", i%50))
				last := ""
				if i == requests-1 {
					last = "Connection: close\r\n"
				}
				fmt.Fprintf(&sent, "POST /echo HTTP/1.1\r\nHost: x\r\n%sX-Request-ID: id-%d-%d\r\nContent-Length: %d\r\n\r\n%s", last, conn, i, len(body), body)
			}
			go func() { _, _ = io.WriteString(c, sent.String()) }()
			text, err := io.ReadAll(c)
			if err != nil {
				t.Error(err)
				return
			}
			for i, got := range responses(t, string(text)) {
				body, _ := io.ReadAll(got.Body)
				want := fmt.Sprintf("got body-%d-%d-%s", conn, i, strings.Repeat("x", i%50))
				if id := fmt.Sprintf("id-%d-%d", conn, i); got.Header.Get("X-Request-ID") != id || string(body) != want {
					t.Errorf("got %q with id %q, want %q with id %q", body, got.Header.Get("X-Request-ID"), want, id)
				}
			}
		})
	}
	all.Wait()
}

func TestF28SlowClientsAreClosed(t *testing.T) {
	server := serve(t, Options{ReadTimeout: 200 * time.Millisecond, IdleTimeout: 200 * time.Millisecond}, echo)
	for name, first := range map[string]string{
		"silence":                 "",
		"half a header":           "POST /echo HTTP/1.1\r\nHost:",
		"half a body":             "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nab",
		"idle":                    "GET /hello/x HTTP/1.1\r\nHost: x\r\n\r\n",
		"half a chunk":            "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nab",
		"an unsent expected body": "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server.raw(t, first) // returns once the server has closed
		})
	}
}

func TestADripIsNotActivity(t *testing.T) {
	server := serve(t, Options{ReadTimeout: 300 * time.Millisecond}, echo)
	c := server.dial(t)
	if _, err := io.WriteString(c, "POST /echo HTTP/1.1\r\nHost: x\r\n"); err != nil {
		t.Fatal(err)
	}
	drip := time.NewTicker(20 * time.Millisecond)
	defer drip.Stop()
	for range drip.C {
		if _, err := io.WriteString(c, "X: y\r\n"); err != nil {
			return // closed, although bytes came all the time
		}
	}
}

func TestF29ConnectionsAreBounded(t *testing.T) {
	for name, tt := range map[string]struct {
		options Options
		reason  string
	}{
		"in all":           {Options{MaxConns: 2}, refusedTotal},
		"from one address": {Options{MaxConnsPerIP: 2}, refusedPerIP},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, tt.options, echo)
			const ask = "GET /hello/x HTTP/1.1\r\nHost: x\r\n\r\n"
			first, second := server.dial(t), server.dial(t)
			for _, c := range []net.Conn{first, second} {
				_, _ = io.WriteString(c, ask)
				if err := readOne(c); err != nil {
					t.Fatal(err)
				}
			}
			third := server.dial(t)
			if err := readOne(third); err == nil {
				t.Error("a third connection was served")
			}
			if got := testutil.ToFloat64(server.metrics.refused.WithLabelValues(tt.reason)); got != 1 {
				t.Errorf("refused connections got %v, want 1", got)
			}
			_ = first.Close()
			eventually(t, "a place to be free again", func() bool {
				c := server.dial(t)
				_, _ = io.WriteString(c, ask)
				return readOne(c) == nil
			})
		})
	}
}

// eventually waits until something has come true.
func eventually(t testing.TB, what string, true func() bool) {
	t.Helper()
	tick, end := time.NewTicker(10*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for !true() {
		select {
		case <-end:
			t.Fatalf("waited %s for %s", patience, what)
		case <-tick.C:
		}
	}
}

func TestEveryRequestHasADeadline(t *testing.T) {
	var left time.Duration
	server := serve(t, Options{Timeout: time.Minute}, func(app *fiber.App) {
		app.Get("/deadline", func(c *fiber.Ctx) error {
			deadline, _ := c.UserContext().Deadline()
			left = time.Until(deadline)
			return nil
		})
		app.Get("/wait", func(c *fiber.Ctx) error {
			ctx, cancel := context.WithTimeout(c.UserContext(), time.Nanosecond)
			defer cancel()
			<-ctx.Done()
			return ctx.Err()
		})
	})
	server.do(t, "GET", "/deadline", "")
	if resp, _ := server.do(t, "GET", "/wait", ""); resp.StatusCode != 503 {
		t.Errorf("a passed deadline got %d, want 503", resp.StatusCode)
	}
	if err := server.stop(); err != nil {
		t.Fatal(err)
	}
	if left <= 0 || left > time.Minute {
		t.Errorf("got a deadline in %s, want it within a minute", left)
	}
}

func TestMetricsHaveBoundedLabels(t *testing.T) {
	server := serve(t, Options{}, echo)
	server.do(t, "GET", "/hello/alice", "")
	server.do(t, "GET", "/hello/bob", "")
	for i := range 5 {
		server.do(t, "GET", "/nowhere/"+strconv.Itoa(i), "")
		server.raw(t, fmt.Sprintf("METHOD%d /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", i))
	}
	server.raw(t, "nonsense\r\n\r\n")
	want := `
# HELP postern_http_requests_total HTTP requests by listener, route template, method and status code.
# TYPE postern_http_requests_total counter
postern_http_requests_total{code="200",listener="test",method="GET",route="/hello/:name"} 2
postern_http_requests_total{code="400",listener="test",method="GET",route="none"} 1
postern_http_requests_total{code="404",listener="test",method="GET",route="none"} 5
postern_http_requests_total{code="400",listener="test",method="other",route="none"} 5
`
	if err := server.stop(); err != nil {
		t.Fatal(err)
	}
	if err := testutil.GatherAndCompare(server.reg, strings.NewReader(want), "postern_http_requests_total"); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.GatherAndLint(server.reg); err != nil || len(problems) > 0 {
		t.Errorf("got %v, %v, want metrics that promlint likes", problems, err)
	}
	if got := testutil.ToFloat64(server.metrics.inFlight); got != 0 {
		t.Errorf("requests in flight got %v, want 0", got)
	}
}

func TestF25ShutdownLetsRequestsEnd(t *testing.T) {
	begun, end := make(chan struct{}), make(chan struct{})
	server := serve(t, Options{DrainDelay: 50 * time.Millisecond}, func(app *fiber.App) {
		echo(app)
		app.Get("/slow", func(c *fiber.Ctx) error { close(begun); <-end; return c.SendString("done") })
	})
	slow, idle := server.dial(t), server.dial(t)
	_, _ = io.WriteString(slow, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
	_, _ = io.WriteString(idle, "GET /hello/x HTTP/1.1\r\nHost: x\r\n\r\n")
	<-begun
	ended := make(chan error, 1)
	go func() { ended <- server.stop() }()
	eventually(t, "the server to drain", server.draining.Load)
	if resp, _ := server.do(t, "GET", "/hello/x", ""); resp.StatusCode != 200 || !resp.Close {
		t.Errorf("while draining got %d, close %v, want 200 with Connection: close", resp.StatusCode, resp.Close)
	}
	close(end)
	if got := readAll(t, slow); !strings.HasSuffix(got, "done") {
		t.Errorf("the request in flight got %q, want its answer", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("Serve got %v, want nil", err)
	}
	if _, err := net.Dial("tcp", server.addr); err == nil {
		t.Error("after the end somebody still listens")
	}
}

func TestServeEndsEvenIfItNeverBegan(t *testing.T) {
	ln, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := New(Options{Name: "test"}).Serve(ctx, ln); err != nil {
		t.Errorf("got %v, want nil", err)
	}
}

func TestServeReportsALostListener(t *testing.T) {
	ln, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	if err := New(Options{Name: "test"}).Serve(t.Context(), ln); err == nil {
		t.Error("got nil, want an error when the listener is gone")
	}
}

func TestUnixSockets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "decisions.sock")
	ln, err := Listen(t.Context(), "unix://"+path)
	if err != nil {
		t.Fatal(err)
	}
	server := serveOn(t, ln, Options{MaxConnsPerIP: 1}, echo)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("got %v, %v, want mode 0660", info.Mode(), err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	resp, err := client.Get("http://localhost/hello/x")
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("got %v, %v, want 200", resp, err)
	}
	_ = resp.Body.Close()
	if _, err := Listen(t.Context(), "unix://"+path); err == nil || !strings.Contains(err.Error(), "another server listens there") {
		t.Errorf("got %v, want the socket of a living server left alone", err)
	}
	if err := server.stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket is left behind")
	}
}

func TestStaleSocketsAreRemovedAndNothingElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stale.sock")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	_ = dead.Close()
	ln, err := Listen(t.Context(), "unix://"+path)
	if err != nil {
		t.Fatalf("got %v, want a stale socket replaced", err)
	}
	_ = ln.Close()
	file := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(t.Context(), "unix://"+file); err == nil {
		t.Error("got nil, want a file left alone")
	}
	if got, _ := os.ReadFile(file); string(got) != "precious" {
		t.Errorf("got %q, want the file as it was", got)
	}
}

func TestHandedOverSockets(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := tcp.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	_ = tcp.Close()
	handed, err := syscall.Dup(int(file.Fd())) // Listen owns it
	if err != nil {
		t.Fatal(err)
	}
	_ = file.Close()
	ln, err := Listen(t.Context(), fmt.Sprintf("fd://%d", handed))
	if err != nil {
		t.Fatal(err)
	}
	server := serveOn(t, ln, Options{}, echo)
	if resp, _ := server.do(t, "GET", "/hello/x", ""); resp.StatusCode != 200 {
		t.Errorf("got %d, want 200", resp.StatusCode)
	}
	for _, wrong := range []string{"fd://", "fd://x", "fd://-1", "fd://0", "fd://60000"} {
		if _, err := Listen(t.Context(), wrong); err == nil {
			t.Errorf("Listen(%q) got nil, want an error", wrong)
		}
	}
}

func TestARefusalArrivesWhole(t *testing.T) {
	server := serve(t, Options{MaxBody: 1000}, echo)
	body := strings.Repeat("x", 900_000)
	got := responses(t, server.raw(t, fmt.Sprintf("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)))
	if len(got) != 1 || got[0].StatusCode != 413 {
		t.Errorf("got %v, want one 413", got)
	}
}
