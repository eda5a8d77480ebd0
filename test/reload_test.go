package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	edits       = 50
	connections = 8
)

// TestPolicyReloadUnderLoad edits a policy 50 times while 8 connections ask. No
// request may fail, and every answer must be wholly of the one revision that its
// header names.
func TestPolicyReloadUnderLoad(t *testing.T) {
	policy := filepath.Join(t.TempDir(), "policy")
	edit(t, policy, 0)
	s := install(t, "POSTERN_POLICIES="+policy).serve(t)
	var load load
	stop := load.run(s)
	for n := 1; n <= edits; n++ {
		edit(t, policy, n)
		if !load.sees(n) {
			t.Errorf("edit %d is not in force after %v\n%s", n, patience, s.stderr)
			break
		}
	}
	stop()
	for _, fault := range load.faults {
		t.Error(fault)
	}
	t.Logf("%d batches over %d edits", load.answers, edits)
}

// edit writes a policy that answers with its number, in the two ways that
// editors save: in place, and by renaming.
func edit(t *testing.T, dir string, n int) {
	t.Helper()
	text := fmt.Sprintf("package postern.access\n\nimport rego.v2\n\ndecision := {\"decision\": true, \"context\": {\"edit\": %d}}\n", n)
	path := filepath.Join(dir, "policy.rego")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	written := path
	if n%2 == 1 {
		written += ".new"
	}
	if err := os.WriteFile(written, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(written, path); err != nil {
		t.Fatal(err)
	}
}

// A load asks batches on several connections and compares what it is told.
type load struct {
	newest atomic.Int64 // the highest edit that any answer was of

	mu      sync.Mutex
	edits   map[string]int // by revision
	answers int
	faults  []string
}

// run asks until the function it returns is called.
func (l *load) run(s *server) (stop func()) {
	l.edits = map[string]int{}
	done := make(chan struct{})
	var all sync.WaitGroup
	for range connections {
		all.Go(func() { l.connection(dial(strings.TrimPrefix(s.decisions.base, "http://")), done) })
	}
	return func() {
		close(done)
		all.Wait()
	}
}

// connection is one client with a connection of its own.
func (l *load) connection(e endpoint, done <-chan struct{}) {
	const batch = `{"subject":{"type":"badge","id":"7"},"action":{"name":"open"},"resource":{"type":"door","id":"lab"},"evaluations":[{},{},{},{}]}`
	defer e.client.CloseIdleConnections()
	for {
		select {
		case <-done:
			return
		default:
		}
		x, err := e.send(http.MethodPost, "/access/v1/evaluations", batch)
		if err == nil {
			err = l.note(x)
		}
		if err != nil {
			l.fault(fmt.Sprintf("%v\n%s", err, x))
			return
		}
	}
}

func (l *load) fault(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = append(l.faults, what)
}

// note compares an answer with itself and with those before it.
func (l *load) note(x exchange) error {
	var body struct {
		Evaluations []struct {
			Decision bool
			Context  struct{ Edit int }
		}
	}
	if err := json.Unmarshal([]byte(x.body), &body); err != nil || x.status != http.StatusOK || len(body.Evaluations) != 4 {
		return fmt.Errorf("this is no answer to a batch of four: %w", err)
	}
	n := body.Evaluations[0].Context.Edit
	for _, item := range body.Evaluations {
		if !item.Decision || item.Context.Edit != n {
			return fmt.Errorf("one batch was answered by two policies")
		}
	}
	return l.count(x.header.Get("Postern-Policy-Revision"), n)
}

func (l *load) count(revision string, n int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers++
	if known, ok := l.edits[revision]; revision == "" || ok && known != n {
		return fmt.Errorf("revision %q answered as edit %d and as edit %d", revision, known, n)
	}
	l.edits[revision] = n
	for newest := l.newest.Load(); int64(n) > newest; newest = l.newest.Load() {
		l.newest.CompareAndSwap(newest, int64(n))
	}
	return nil
}

// sees waits until an edit is in force, or until the load has failed.
func (l *load) sees(n int) bool {
	enough := time.Now().Add(patience)
	for time.Now().Before(enough) {
		l.mu.Lock()
		failed := len(l.faults) > 0
		l.mu.Unlock()
		if failed || l.newest.Load() >= int64(n) {
			return !failed
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}
