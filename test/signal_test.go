package test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// F25: a client that goes elsewhere when it is told to loses nothing, also when
// there is no delay in which it could hear of the end otherwise.
func TestF25NoRequestFailsWhenAServerEnds(t *testing.T) {
	for _, delay := range []string{"500ms", "0s"} {
		for _, network := range []string{"tcp", "unix"} {
			t.Run(network+" with a delay of "+delay, func(t *testing.T) {
				t.Parallel()
				i := install(t, "POSTERN_DRAIN_DELAY="+delay)
				if network == "unix" {
					i.env = append(i.env, "POSTERN_DECISIONS_LISTEN=unix://"+filepath.Join(i.dir, "pdp.sock"))
				}
				i.run(t, "import", acme(t))
				endUnderLoad(t, i.serve(t))
			})
		}
	}
}

// endUnderLoad ends a server that several clients ask, each on a connection of
// its own, until they are told to connect elsewhere.
func endUnderLoad(t *testing.T, s *server) {
	var clients, begun sync.WaitGroup
	for range 4 {
		begun.Add(1)
		clients.Go(func() {
			own, answered := s.decisions.alone(), sync.OnceFunc(begun.Done)
			defer answered()
			for last := false; !last; answered() {
				var err error
				if _, last, err = own.once(evaluation, viewing); err != nil {
					t.Errorf("a request failed: %v", err)
				}
			}
		})
	}
	begun.Wait()
	s.terminate(t)
	clients.Wait()
	s.ends(t)
}

// terminate tells the server to end.
func (s *server) terminate(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}

// ends waits for the end, which has to be a good one.
func (s *server) ends(t *testing.T) {
	t.Helper()
	<-s.done
	if s.err != nil {
		t.Errorf("the server ended with %v, want nil\n%s", s.err, s.stderr)
	}
}

// F25: the longest batch is answered whole, also when it came just before the
// end and there is no delay.
func TestF25ABatchUnderWayIsAnswered(t *testing.T) {
	i := install(t, "POSTERN_DRAIN_DELAY=0s", "POSTERN_DECISION_LOG=stdout")
	i.run(t, "import", acme(t))
	for after := range 4 {
		s := i.serve(t)
		answered := make(chan error, 1)
		go func() {
			got, _, err := s.decisions.once(evaluation+"s", viewings(1000))
			if n := bytes.Count(got, []byte(`"decision":true`)); err == nil && n != 1000 {
				err = fmt.Errorf("got %d allows, want 1000", n)
			}
			answered <- err
		}()
		s.awaitAsked(t, answered)
		time.Sleep(time.Duration(after) * 2 * time.Millisecond)
		s.terminate(t)
		if err := <-answered; err != nil {
			t.Errorf("%d ms after it was sent: %v", 2*after, err)
		}
		s.ends(t)
		if n := strings.Count(s.stdout.String(), `"decision_id"`); n != 1000 {
			t.Errorf("got %d decisions in the log, want 1000", n)
		}
	}
}

// awaitAsked waits until a request is under way, or answered.
func (s *server) awaitAsked(t *testing.T, answered chan error) {
	t.Helper()
	for len(answered) == 0 {
		x, err := s.ops.send(http.MethodGet, "/metrics", "")
		if err != nil {
			t.Fatal(err)
		}
		if sum(x.body, "postern_http_requests_in_flight") > 0 {
			return
		}
	}
}

// F25: a server that is told to end before it serves does so, and well: it waits
// for a database, or is anywhere in its start.
func TestF25ASignalBeforeItServes(t *testing.T) {
	waiting := install(t, "POSTERN_DATABASE=postgres://nobody@127.0.0.1:1/none?sslmode=disable")
	starting := install(t, "POSTERN_DRAIN_DELAY=5m")
	for after := range 10 {
		i := starting
		if after%5 == 0 {
			i = waiting
		}
		s := &server{cmd: i.command("serve"), stdout: newRecord(), stderr: newRecord(), done: make(chan struct{})}
		s.cmd.Stdout, s.cmd.Stderr = s.stdout, s.stderr
		if err := s.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go func() { s.err = s.cmd.Wait(); close(s.done) }()
		if !s.stderr.await(s.done, func(text string) bool { return strings.Contains(text, "serving ops") }) {
			t.Fatalf("the server does not start: %v\n%s", s.kill(), s.stderr)
		}
		time.Sleep(time.Duration(after) * time.Millisecond)
		s.terminate(t)
		s.ends(t)
		if strings.Contains(s.stderr.String(), "serving decisions") {
			t.Logf("%d ms after its first listener it served", after)
		}
	}
}

// F26: a server that was killed leaves nothing behind that keeps the next one
// from serving on the same socket.
func TestF26AKilledServerIsReplaced(t *testing.T) {
	i := install(t)
	i.env = append(i.env, "POSTERN_DECISIONS_LISTEN=unix://"+filepath.Join(i.dir, "pdp.sock"))
	i.run(t, "import", acme(t))
	for range 3 {
		s := i.serve(t)
		go func() { _, _, _ = s.decisions.once(evaluation+"s", viewings(1000)) }() // it is cut off
		if !s.decides(t, "login:rosa service.view account:a-1001") {
			t.Error("got a denial of what was granted")
		}
		_ = s.kill()
	}
}

// viewing is something that rosa may do.
const viewing = `{"subject":{"type":"login","id":"rosa"},"action":{"name":"service.view"},"resource":{"type":"account","id":"a-1001"}}`

func TestF25ASecondSignalEndsTheDrain(t *testing.T) {
	s := install(t, "POSTERN_DRAIN_DELAY=5m").serve(t)
	for range 2 {
		s.terminate(t)
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
