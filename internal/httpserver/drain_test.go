package httpserver

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
)

const hello = "GET /hello/x HTTP/1.1\r\nHost: x\r\n\r\n"

// greet asks on a connection that stays open afterwards, unless the server says
// otherwise.
func greet(t *testing.T, c net.Conn) *http.Response {
	t.Helper()
	if _, err := io.WriteString(c, hello); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp
}

// refusing waits until nobody can connect any more.
func (r *running) refusing(t *testing.T) {
	t.Helper()
	eventually(t, "the listener to close", func() bool {
		c, err := net.Dial("tcp", r.addr)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
}

func TestF25AnOpenConnectionMayAskOnceMore(t *testing.T) {
	server := serve(t, Options{DrainGrace: patience}, echo)
	idle, fresh := server.dial(t), server.dial(t)
	if resp := greet(t, idle); resp.Close {
		t.Error("got Connection: close from a server that goes on")
	}
	ended := make(chan error, 1)
	go func() { ended <- server.stop() }()
	server.refusing(t)
	for name, c := range map[string]net.Conn{"idle": idle, "fresh": fresh} {
		if resp := greet(t, c); resp.StatusCode != 200 || !resp.Close {
			t.Errorf("%s: got %d, close %v, want 200 with Connection: close", name, resp.StatusCode, resp.Close)
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestF25SilentConnectionsDoNotHoldTheEnd(t *testing.T) {
	ca := newAuthority(t)
	certFile, keyFile, _ := ca.files(t, t.TempDir())
	certs, err := NewCertificates(CertificateOptions{Cert: certFile, Key: keyFile, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	server := serve(t, Options{DrainGrace: 50 * time.Millisecond, ReadTimeout: time.Minute, IdleTimeout: time.Minute}, echo)
	secure := serve(t, Options{TLS: certs, DrainGrace: 50 * time.Millisecond, ReadTimeout: time.Minute}, echo)
	used := server.dial(t)
	greet(t, used)
	shaken := tls.Client(secure.dial(t), &tls.Config{RootCAs: ca.pool(), ServerName: "localhost"})
	if err := shaken.Handshake(); err != nil {
		t.Fatal(err)
	}
	silent := map[string]io.Reader{"new": server.dial(t), "used": used, "new, before TLS": secure.dial(t), "new, in TLS": shaken}
	began := time.Now()
	if err := errors.Join(server.stop(), secure.stop()); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("got %v until the end, want two times 50ms", took)
	}
	for name, c := range silent {
		if got, err := io.ReadAll(c); len(got) > 0 || err != nil {
			t.Errorf("%s: got %q, %v, want the end of the connection and nothing else", name, got, err)
		}
	}
}

func TestF25ARequestThatHasBegunIsReadToItsEnd(t *testing.T) {
	server := serve(t, Options{DrainGrace: 20 * time.Millisecond}, echo)
	fresh, used := server.dial(t), server.dial(t)
	greet(t, used)
	for _, c := range []net.Conn{fresh, used} {
		if _, err := io.WriteString(c, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-"); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(20 * time.Millisecond) // until it has arrived
	ended := make(chan error, 1)
	go func() { ended <- server.stop() }()
	server.refusing(t)
	time.Sleep(100 * time.Millisecond) // until the grace is over
	for _, c := range []net.Conn{fresh, used} {
		if _, err := io.WriteString(c, "Length: 5\r\n\r\nhello"); err != nil {
			t.Fatal(err)
		}
		if got := readAll(t, c); !strings.HasSuffix(got, "got hello") {
			t.Errorf("got %q, want the answer", got)
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestF25RequestsThatDoNotEndAreReported(t *testing.T) {
	end := make(chan struct{})
	o := Options{DrainTimeout: 50 * time.Millisecond}.withDefaults()
	o.Name = "test"
	ln, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, begun := New(o), make(chan struct{})
	s.App.Get("/slow", func(c *fiber.Ctx) error { close(begun); <-end; return nil })
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, ln) }()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
	<-begun
	stop()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "did not end within 50ms") {
		t.Errorf("got %v, want the time that was not enough", err)
	}
	close(end)
	_ = readAll(t, c)
}

// Whoever connects to a unix socket is served, or is told that it is not there.
func TestF25ASocketLosesNobodyWhoHasConnected(t *testing.T) {
	path := filepath.Join(t.TempDir(), "decisions.sock")
	ln, err := Listen(t.Context(), "unix://"+path)
	if err != nil {
		t.Fatal(err)
	}
	server := serveOn(t, ln, Options{}, echo)
	var clients sync.WaitGroup
	for range 16 {
		clients.Go(func() {
			for {
				c, err := net.Dial("unix", path)
				if errors.Is(err, fs.ErrNotExist) {
					return
				}
				if err == nil {
					err = askOnce(c)
				}
				if err != nil {
					t.Errorf("got %v, want an answer", err)
					return
				}
			}
		})
	}
	time.Sleep(50 * time.Millisecond)
	if err := server.stop(); err != nil {
		t.Error(err)
	}
	clients.Wait()
}

func askOnce(c net.Conn) error {
	defer c.Close()
	if _, err := io.WriteString(c, hello); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	if resp.StatusCode != 200 {
		return errors.New(resp.Status)
	}
	return nil
}

func TestF25ASocketIsTheNextServersAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "decisions.sock")
	listen := func() net.Listener {
		ln, err := Listen(t.Context(), "unix://"+path)
		if err != nil {
			t.Fatal(err)
		}
		return ln
	}
	begun, end := make(chan struct{}), make(chan struct{})
	old := serveOn(t, listen(), Options{}, func(app *fiber.App) {
		app.Get("/hello/x", func(c *fiber.Ctx) error { close(begun); <-end; return nil })
	})
	ended := make(chan error, 1)
	go func() { ended <- ask(path) }()
	<-begun
	go func() { ended <- old.stop() }()
	eventually(t, "the file to be removed", func() bool { _, err := os.Stat(path); return err != nil })
	serveOn(t, listen(), Options{}, echo)
	close(end)
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if err := ask(path); err != nil {
		t.Errorf("got %v, want the next server to be there after the end of the first", err)
	}
}

func ask(path string) error {
	c, err := net.Dial("unix", path)
	if err != nil {
		return err
	}
	return askOnce(c)
}
