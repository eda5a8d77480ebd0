package managementapi

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-authz/postern/internal/httpserver"
)

func TestC14ACallerIsLimitedAlone(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := newLimiter(10.0/60, 10, func() time.Time { return now }, prometheus.NewCounter(prometheus.CounterOpts{}))
	for i := range 10 {
		if err := l.take("a"); err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
	}
	var p *httpserver.Problem
	if err := l.take("a"); !errors.As(err, &p) || p.Status != 429 || p.RetryAfter != 6 {
		t.Errorf("got %+v, want 429 and to wait 6 seconds", p)
	}
	if err := l.take("b"); err != nil {
		t.Errorf("another caller: %v", err)
	}
	now = now.Add(6 * time.Second)
	if err := l.take("a"); err != nil {
		t.Errorf("after waiting: %v", err)
	}
}

func TestALimiterForgetsWhoAskedLongestAgo(t *testing.T) {
	l := newLimiter(1, 1, time.Now, prometheus.NewCounter(prometheus.CounterOpts{}))
	for i := range maxBuckets + 10 {
		_ = l.take(fmt.Sprint(i))
	}
	if got := len(l.known); got != maxBuckets || l.recent.Len() != got {
		t.Errorf("got %d callers, want %d", got, maxBuckets)
	}
	if l.known["0"] != nil || l.known[fmt.Sprint(maxBuckets+9)] == nil {
		t.Error("the wrong callers were forgotten")
	}
}

func TestAStrangerIsANetwork(t *testing.T) {
	for one, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "2001:db8::1": "2001:db8::/64", "2001:db8::2:3": "2001:db8::/64",
	} {
		if got := network(netip.MustParseAddr(one)); got != want {
			t.Errorf("%s: got %s, want %s", one, got, want)
		}
	}
}
