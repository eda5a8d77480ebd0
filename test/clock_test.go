package test

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/test/fleet"
)

// F24: the time of day of one server after the other steps by an hour, ahead and
// back, so that no two of a fleet agree. Decisions go on, a revocation counts
// everywhere within the bound, the token of a change is accepted, and the trail
// holds.
func TestF24ClocksStep(t *testing.T) {
	t.Parallel()
	c := newFleet(t)
	for range 2 {
		c.follow([]*fleet.Proxy{c.proxied(c.listener())})
	}
	w := newWatch(c)
	w.run()
	defer w.stop()
	off := map[*instance]time.Duration{}
	for _, step := range []struct {
		name string
		of   *instance
		by   time.Duration
	}{
		{"one sidecar is ahead", c.sidecars[0], time.Hour},
		{"the other is back", c.sidecars[1], -time.Hour},
		{"the server that administers is ahead", c.management, time.Hour},
		{"and then back", c.management, -time.Hour},
	} {
		if err := fleet.StepClock(step.of.now().cmd.Process.Pid, step.by); err != nil {
			t.Fatal(err)
		}
		_, took := w.revokes(t, bounded)
		if by := dated(t, step.of.now()); by < step.by-time.Minute || by > step.by+time.Minute {
			t.Fatalf("%s: its clock is off by %v, want %v: nothing was tested", step.name, by, step.by)
		}
		off[step.of] = step.by
		x := w.o.does(http.StatusOK, http.MethodPatch, "/v1/organizations/acme", `{"name":"ACME"}`)
		for _, s := range c.sidecars {
			if !s.now().allows(t, own("u0"), x.header.Get("Postern-Consistency-Token")) {
				t.Errorf("%s: %s denies what is granted", step.name, s.name)
			}
			if age := s.now().metric(t, staleFor); age < 0 || age > bounded.Seconds()/2 {
				t.Errorf("%s: %s says that its grants are %v s old", step.name, s.name, age)
			}
			want := off[c.management] - off[s]
			s.now().awaitMetric(t, "postern_clock_skew_seconds", func(got float64) bool { return math.Abs(got-want.Seconds()) < 10 })
		}
		lagged(t, c, "feed", "token")
		t.Logf("%s: refused everywhere %v after a revocation", step.name, took)
		w.holdsUp(t)
	}
	if trail := w.o.events("acme"); !strings.Contains(strings.Join(trail, " "), "organization") {
		t.Errorf("got a trail of %v, want the changes of the organization", trail)
	}
}

// lagged wants that each sidecar has observed how long changes took to count there.
func lagged(t *testing.T, c *topology, by ...string) {
	t.Helper()
	const lag = "postern_grants_invalidation_lag_seconds"
	for _, s := range c.sidecars {
		page, observed := s.now().page(t), 0.0
		for _, source := range by {
			observed += sum(page, fmt.Sprintf("%s_count{source=%q}", lag, source))
		}
		if all, total := sum(page, lag+"_count"), sum(page, lag+"_sum"); observed < 1 || all != observed || total < 0 {
			t.Errorf("%s has observed %v lags, %v of them by %v, of %v s in all: want some, all by these, and none negative", s.name, all, observed, by, total)
		}
	}
}

// dated is how far a server's time of day is from ours.
func dated(t *testing.T, s *server) time.Duration {
	t.Helper()
	x, err := s.ops.send(http.MethodGet, "/livez", "")
	if err != nil {
		t.Fatal(err)
	}
	at, err := http.ParseTime(x.header.Get("Date"))
	if err != nil {
		t.Fatal(err)
	}
	return time.Until(at)
}
