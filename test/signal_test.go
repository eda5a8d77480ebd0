package test

import (
	"errors"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// F25: a client that goes elsewhere when it is told to loses nothing.
func TestF25NoRequestFailsWhenAServerEnds(t *testing.T) {
	i := install(t, "POSTERN_DRAIN_DELAY=2s")
	i.run(t, "import", acme(t))
	s := i.serve(t)
	var clients sync.WaitGroup
	answered := make(chan struct{}, 1)
	for range 4 {
		clients.Go(func() {
			for last := false; !last; {
				resp, err := s.decisions.client.Post(s.decisions.base+evaluation, "application/json", strings.NewReader(viewing))
				if err != nil {
					t.Errorf("a request failed: %v", err)
					return
				}
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Errorf("got %s, want 200", resp.Status)
				}
				last = resp.Close
				select {
				case answered <- struct{}{}:
				default:
				}
			}
		})
	}
	<-answered
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	clients.Wait()
	<-s.done
	if s.err != nil {
		t.Errorf("the server ended with %v, want nil", s.err)
	}
}

// viewing is something that rosa may do.
const viewing = `{"subject":{"type":"login","id":"rosa"},"action":{"name":"service.view"},"resource":{"type":"account","id":"a-1001"}}`

func TestASecondSignalEndsTheDrain(t *testing.T) {
	s := install(t, "POSTERN_DRAIN_DELAY=5m").serve(t)
	for range 2 {
		if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		s.drains()
	}
	<-s.done
	var exit *exec.ExitError
	if !errors.As(s.err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("the server ended with %v, want the signal", s.err)
	}
}

// drains waits until the server says that it is ending, or has ended.
func (s *server) drains() {
	for {
		resp, err := s.ops.client.Get(s.ops.base + "/readyz")
		if err != nil {
			return
		}
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusServiceUnavailable {
			return
		}
	}
}
