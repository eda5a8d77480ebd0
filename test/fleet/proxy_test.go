package fleet_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/postern-authz/postern/test/fleet"
)

// echo is a server that sends back what it is sent.
func echo(t *testing.T, network, addr string) string {
	t.Helper()
	listener, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(c, c)
				_ = c.Close()
			}()
		}
	}()
	return listener.Addr().String()
}

func proxyOf(t *testing.T, target string) *fleet.Proxy {
	t.Helper()
	p, err := fleet.NewProxy(target, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func connect(t *testing.T, p *fleet.Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// hears sends a word and returns what comes back in time.
func hears(t *testing.T, c net.Conn, word string, within time.Duration) (string, error) {
	t.Helper()
	if _, err := io.WriteString(c, word); err != nil {
		return "", err
	}
	_ = c.SetReadDeadline(time.Now().Add(within))
	b := make([]byte, len(word))
	n, err := io.ReadFull(c, b)
	return string(b[:n]), err
}

// wantHeard wants a word to come back as it was sent.
func wantHeard(t *testing.T, c net.Conn) {
	t.Helper()
	if got, err := hears(t, c, "hello", 5*time.Second); got != "hello" || err != nil {
		t.Errorf("got %q, %v, want hello", got, err)
	}
}

func TestAProxyPassesEverythingOn(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	for _, target := range []string{echo(t, "tcp", "127.0.0.1:0"), echo(t, "unix", socket)} {
		c := connect(t, proxyOf(t, target))
		sent := bytes.Repeat([]byte("0123456789"), 100_000)
		go func() {
			_, _ = c.Write(sent)
			_ = c.(*net.TCPConn).CloseWrite()
		}()
		if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, sent) {
			t.Errorf("%s: got %d bytes, %v, want the %d that were sent", target, len(got), err, len(sent))
		}
	}
}

func TestAStallHoldsUpAndLosesNothing(t *testing.T) {
	for name, set := range map[string]func(p *fleet.Proxy){
		"both ways":       (*fleet.Proxy).Stall,
		"to the server":   func(p *fleet.Proxy) { p.Set(fleet.Line{Stall: true}, fleet.Line{}) },
		"from the server": func(p *fleet.Proxy) { p.Set(fleet.Line{}, fleet.Line{Stall: true}) },
	} {
		t.Run(name, func(t *testing.T) {
			p := proxyOf(t, echo(t, "tcp", "127.0.0.1:0"))
			c := connect(t, p)
			wantHeard(t, c)
			set(p)
			if got, err := hears(t, c, "hello", 50*time.Millisecond); got != "" || err == nil {
				t.Errorf("got %q while it stalls, want nothing", got)
			}
			if err := p.Heal(); err != nil {
				t.Fatal(err)
			}
			if got, err := hears(t, c, "again", 5*time.Second); got != "hello" || err != nil {
				t.Errorf("got %q, %v, want what was held up", got, err)
			}
		})
	}
}

func TestLatencyComesLate(t *testing.T) {
	p := proxyOf(t, echo(t, "tcp", "127.0.0.1:0"))
	c := connect(t, p)
	p.Set(fleet.Line{Latency: 30 * time.Millisecond}, fleet.Line{Latency: 30 * time.Millisecond})
	begun := time.Now()
	wantHeard(t, c)
	if took := time.Since(begun); took < 60*time.Millisecond {
		t.Errorf("took %v, want 60ms and more", took)
	}
}

func TestOneBitIsFlipped(t *testing.T) {
	p := proxyOf(t, echo(t, "tcp", "127.0.0.1:0"))
	p.Set(fleet.Line{}, fleet.Line{Corrupt: 1})
	got, err := hears(t, connect(t, p), "hello", 5*time.Second)
	differ := 0
	for i := range got {
		if got[i] != "hello"[i] {
			differ++
		}
	}
	if err != nil || differ != 1 {
		t.Errorf("got %q, %v, want one byte of hello to differ", got, err)
	}
}

func TestAConnectionIsCutAfterSomeBytes(t *testing.T) {
	p := proxyOf(t, echo(t, "tcp", "127.0.0.1:0"))
	c := connect(t, p)
	wantHeard(t, c)
	p.Set(fleet.Line{}, fleet.Line{CutAfter: 7})
	wantHeard(t, c)
	got, err := hears(t, c, "hello", 5*time.Second)
	if len(got) > 2 || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %q, %v, want a reset after 2 bytes", got, err)
	}
}

func TestRefusedConnections(t *testing.T) {
	p := proxyOf(t, echo(t, "tcp", "127.0.0.1:0"))
	before := connect(t, p)
	wantHeard(t, before)
	p.Refuse()
	if _, err := net.Dial("tcp", p.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v, want a refused connection", err)
	}
	if _, err := hears(t, before, "hello", 5*time.Second); err == nil {
		t.Error("a connection outlived Refuse")
	}
	if err := p.Heal(); err != nil {
		t.Fatal(err)
	}
	wantHeard(t, connect(t, p))
}

func TestAServerThatIsAwayResets(t *testing.T) {
	p := proxyOf(t, "127.0.0.1:1")
	if c, err := net.Dial("tcp", p.Addr()); err == nil { // it may be reset as early as that
		if got, err := hears(t, c, "hello", 5*time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %q, %v, want a reset", got, err)
		}
	}
	p.Redirect(echo(t, "tcp", "127.0.0.1:0"))
	wantHeard(t, connect(t, p))
}
