package test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// F10 with POSTERN_SERVE_STALE_FOR: the directory is killed, and decisions on
// what is in memory go on beyond the bound, marked, and end when that time does.
// The server is ready meanwhile. What is not in memory and what changes anything
// is a 503.
func TestF10StaleDecisionsAreMarkedAndEnd(t *testing.T) {
	const bound, more = time.Second, 3 * time.Second
	i := onFaulty(t, "POSTERN_MAX_STALENESS="+bound.String(), "POSTERN_SERVE_STALE_FOR="+more.String(), "POSTERN_MANAGEMENT_TIMEOUT=1s")
	s := i.serve(t)
	for !s.decides(t, viewed) || s.metric(t, "postern_grants_staleness_seconds") > 0.5 {
		time.Sleep(20 * time.Millisecond)
	}
	faulty.Process().Kill()
	defer faulty.Restart(t)
	cut := time.Now()
	time.Sleep(bound + 200*time.Millisecond)
	if a := s.askSince(t, cut, viewed); !a.allowed() || !strings.Contains(a.body, `"stale":true`) {
		t.Errorf("got %v %s after %v, want an allow that says it is stale", a.err, a, a.since)
	}
	if a := s.askSince(t, cut, "login:rosa service.view account:a-2001"); a.status != http.StatusServiceUnavailable {
		t.Errorf("got %v %s, want a 503 for what is not in memory", a.err, a)
	}
	awaitAnswer(t, s.ops, "/readyz?verbose", http.StatusOK, "[+]directory ok, but stale")
	s.awaitMetric(t, "postern_decisions_stale_total", atLeast(1))
	o := office{s, t, s.operatorKey()}
	if x, err := o.asks(http.MethodPatch, "/v1/organizations/acme", `{"name":"ACME"}`); err != nil || x.status != http.StatusServiceUnavailable {
		t.Errorf("got %v %s, want a 503: administration is never stale", err, x)
	}
	time.Sleep(time.Until(cut.Add(bound + more + 100*time.Millisecond)))
	if a := s.askSince(t, cut, viewed); a.status != http.StatusServiceUnavailable {
		t.Errorf("got %v %s after %v, want a 503", a.err, a, a.since)
	}
	awaitAnswer(t, s.ops, "/readyz", http.StatusServiceUnavailable, "POSTERN_SERVE_STALE_FOR")
}
