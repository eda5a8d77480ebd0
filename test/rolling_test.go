package test

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var rolls = flag.Int("rolls", 5, "restarts of TestF25RollingRestarts")

// F25: servers without a database that follow one directory are restarted in
// turn, one on TCP and one on a unix socket, while clients ask. A client keeps its connections, asks a
// server only while that says it is ready, and asks nothing twice. No request
// fails, and each decision is in a decision log.
func TestF25RollingRestarts(t *testing.T) {
	c := &topology{t: t, binary: program(t)}
	t.Cleanup(c.stop)
	text, err := os.ReadFile(acme(t))
	if err != nil {
		t.Fatal(err)
	}
	c.manage(string(text))
	i := install(t, "POSTERN_DRAIN_DELAY=300ms", "POSTERN_DECISION_LOG=stdout", "POSTERN_SECRET="+strings.Repeat("s3cr3t", 8),
		"POSTERN_DIRECTORY_URL=http://"+c.listener(), "POSTERN_DIRECTORY_TOKEN="+c.office().replicate())
	fleet := []*replica{{installation: i}, {installation: i}}
	fleet[1].env = append(i.env[:len(i.env):len(i.env)], "POSTERN_DECISIONS_LISTEN=unix://"+filepath.Join(i.dir, "pdp.sock"))
	for _, r := range fleet {
		r.begin(t)
	}
	var load rolling
	stop := load.run(fleet)
	var slowest time.Duration
	for n := range *rolls {
		r := fleet[n%len(fleet)]
		slowest = max(slowest, r.end(t))
		r.begin(t)
		load.grows(t)
	}
	stop()
	logged := 0
	for _, r := range fleet {
		r.end(t)
		logged += r.logged
	}
	for _, fault := range load.faults {
		t.Error(fault)
	}
	if asked := int(load.decisions.Load()); logged != asked {
		t.Errorf("got %d decisions in the logs, want the %d that were answered", logged, asked)
	}
	t.Logf("%d restarts: %d of %d requests failed, the slowest end took %v", *rolls, len(load.faults), load.requests.Load(), slowest)
}

// A replica is one place of a fleet, at which one server runs after the other.
type replica struct {
	installation
	current *server
	now     atomic.Pointer[server] // nil: none that is ready
	logged  int                    // decisions in the logs of the servers that have ended
}

// begin starts a server and lets clients see it once it is ready, for as long as
// that.
func (r *replica) begin(t *testing.T) {
	t.Helper()
	s := r.serve(t)
	s.decisions.client.Transport.(*http.Transport).MaxIdleConnsPerHost = 2 * askers
	for !s.ready() {
		time.Sleep(time.Millisecond)
	}
	r.current = s
	r.now.Store(s)
	go func() {
		for s.ready() {
			time.Sleep(20 * time.Millisecond)
		}
		r.now.CompareAndSwap(s, nil)
	}()
}

func (s *server) ready() bool {
	resp, err := s.ops.client.Get(s.ops.base + "/readyz")
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// end ends the server, which has to end well, and returns how long that took.
func (r *replica) end(t *testing.T) time.Duration {
	t.Helper()
	s, began := r.current, time.Now()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-s.done
	took := time.Since(began)
	if s.err != nil {
		t.Errorf("the server ended with %v, want nil\n%s", s.err, s.stderr)
	}
	r.logged += strings.Count(s.stdout.String(), `"decision_id"`)
	return took
}

// rolling is the load on a fleet.
type rolling struct {
	requests, decisions atomic.Int64

	mu     sync.Mutex
	faults []string
}

const askers = 8

// run asks until the function it returns is called.
func (l *rolling) run(fleet []*replica) (stop func()) {
	done := make(chan struct{})
	var all sync.WaitGroup
	for n := range askers {
		all.Go(func() {
			for ; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				if s := fleet[n%len(fleet)].now.Load(); s != nil {
					l.ask(s, n%3 == 0)
				}
				time.Sleep(time.Duration(n%7) * time.Millisecond)
			}
		})
	}
	return func() { close(done); all.Wait() }
}

// ask asks once, one decision or a batch of ten.
func (l *rolling) ask(s *server, batch bool) {
	path, body, decisions := evaluation, viewing, 1
	if batch {
		path, decisions = evaluation+"s", 10
		body = viewings(decisions)
	}
	got, _, err := s.decisions.once(path, body)
	if err == nil && bytes.Count(got, []byte(`"decision":true`)) != decisions {
		err = fmt.Errorf("got %.200s, want %d allows", got, decisions)
	}
	l.requests.Add(1)
	l.decisions.Add(int64(decisions))
	if err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.faults = append(l.faults, err.Error())
	}
}

// viewings is a batch of what rosa may do.
func viewings(n int) string {
	return strings.TrimSuffix(viewing, "}") + `,"evaluations":[{}` + strings.Repeat(",{}", n-1) + "]}"
}

// once posts a body that Go's client cannot send again, and wants a 200. It also
// returns whether it was told to connect elsewhere.
func (e endpoint) once(path, body string) (got []byte, last bool, err error) {
	req, err := http.NewRequest(http.MethodPost, e.base+path, struct{ io.Reader }{strings.NewReader(body)})
	if err != nil {
		return nil, true, err
	}
	req.ContentLength = int64(len(body))
	req.Header.Set("Content-Type", "application/json")
	resp, err := e.client.Do(req)
	if err != nil {
		return nil, true, err
	}
	defer resp.Body.Close()
	got, err = io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("got %s\n%.200s", resp.Status, got)
	}
	return got, resp.Close, err
}

// alone is the endpoint over connections of its own.
func (e endpoint) alone() endpoint {
	return endpoint{e.base, &http.Client{Transport: e.client.Transport.(*http.Transport).Clone(), Timeout: patience}}
}

// grows waits until more was asked, so that every restart is one under load.
func (l *rolling) grows(t *testing.T) {
	t.Helper()
	for before, enough := l.requests.Load(), time.Now().Add(patience); l.requests.Load() < before+100; time.Sleep(time.Millisecond) {
		if time.Now().After(enough) {
			t.Fatalf("got no 100 requests in %v", patience)
		}
	}
}
