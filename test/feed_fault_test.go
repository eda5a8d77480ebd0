package test

import (
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/postern-authz/postern/test/fleet"
)

const (
	directoryUp = `postern_dependency_up{dependency="directory"}`
	staleFor    = "postern_grants_staleness_seconds"
)

// F10 for sidecars without a database: the one listener that has the directory
// falls silent, or refuses. Decisions on what is in memory go on within the
// bound, then there are none, and they go on soon after it is back.
func TestF10SidecarsDecideWithinTheBoundWithoutTheirDirectory(t *testing.T) {
	t.Parallel()
	const bound, slack = 2 * time.Second, 900 * time.Millisecond
	c := newFleet(t)
	way := c.proxied(c.listener())
	for range 2 {
		c.follow([]*fleet.Proxy{way}, "POSTERN_MAX_STALENESS="+bound.String(), "POSTERN_DECISIONS_TIMEOUT=300ms")
	}
	c.each(t, directoryUp, is(1))
	for _, fault := range []struct {
		name   string
		break_ func()
	}{{"silent", way.Stall}, {"refused", way.Refuse}} {
		for _, s := range c.sidecars {
			s.now().decides(t, own("u0"))
		}
		c.each(t, staleFor, func(age float64) bool { return age < 0.5 })
		cut := time.Now()
		fault.break_()
		for time.Since(cut) < bound+500*time.Millisecond {
			for _, s := range c.sidecars {
				switch a := s.now().askSince(t, cut, own("u0")); {
				case a.since < bound-slack && !a.allowed():
					t.Errorf("%s, %s: got %v %s after %v, want an allow from memory", fault.name, s.name, a.err, a, a.since)
				case a.since > bound && a.status != http.StatusServiceUnavailable:
					t.Errorf("%s, %s: got %v %s after %v, want a 503", fault.name, s.name, a.err, a, a.since)
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
		c.each(t, directoryUp, is(0))
		c.each(t, staleFor, atLeast(bound.Seconds()))
		if err := way.Heal(); err != nil {
			t.Fatal(err)
		}
		back := time.Now()
		for _, s := range c.sidecars {
			for !s.now().askSince(t, cut, own("u0")).allowed() {
				if time.Since(back) > patience {
					t.Fatalf("%s: no decision after %v", s.name, patience)
				}
			}
		}
		t.Logf("%s: decided %v after it was back", fault.name, time.Since(back))
		c.each(t, directoryUp, is(1))
	}
}

// F10, F11: of two servers that have the directory, the one that sidecars ask
// hangs, is slow, cuts its connections, and is killed. No decision fails, whether
// it is in memory or not, and what the other one changes counts within the bound.
func TestF10SidecarsGoToAnotherServer(t *testing.T) {
	t.Parallel()
	c := newFleet(t)
	asked := c.management
	other := &instance{name: "the other server that administers", flags: []string{"--only=management"}, i: asked.i}
	if err := other.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.kill)
	var ways []*fleet.Proxy
	for range 3 {
		way := c.proxied(c.listener())
		ways = append(ways, way)
		c.follow([]*fleet.Proxy{way, c.proxied(address(other))})
	}
	c.management = other // who changes things and is never disturbed
	defer func() { c.management = asked }()
	w := newWatch(c)
	w.run()
	defer w.stop()
	disturb := func(line fleet.Line) {
		for _, way := range ways {
			way.Set(fleet.Line{}, line)
		}
	}
	signal := func(s syscall.Signal) {
		if err := asked.now().cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	for _, fault := range []struct {
		name        string
		break_, end func()
	}{
		{"slow", func() { disturb(fleet.Line{Latency: 500 * time.Millisecond}) }, func() { disturb(fleet.Line{}) }},
		{"cut short", func() { disturb(fleet.Line{CutAfter: 700}) }, func() { disturb(fleet.Line{}) }},
		{"frozen", func() { signal(syscall.SIGSTOP) }, func() { signal(syscall.SIGCONT) }},
		{"killed", asked.kill, func() {}},
	} {
		c.restart(t) // so that everybody asks the first one
		fault.break_()
		_, first := w.revokes(t, bounded)
		_, then := w.revokes(t, bounded)
		c.each(t, `postern_dependency_errors_total{dependency="directory"}`, atLeast(1))
		c.each(t, staleFor, func(age float64) bool { return age < bounded.Seconds()/2 })
		c.each(t, directoryUp, is(1))
		fault.end()
		t.Logf("%s: refused everywhere %v and %v after revocations", fault.name, first, then)
		w.holdsUp(t)
	}
}

// restart replaces every sidecar.
func (c *topology) restart(t *testing.T) {
	t.Helper()
	for _, s := range c.sidecars {
		s.kill()
		if err := s.start(); err != nil {
			t.Fatal(err)
		}
		if !s.now().decides(t, own("u0")) {
			t.Fatalf("%s: got a denial of what is granted", s.name)
		}
	}
}

// address is where a server administers.
func address(i *instance) string { return (&topology{management: i}).listener() }
