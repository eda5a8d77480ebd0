package redis

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/test/fleet"
)

func TestMain(m *testing.M) {
	Quiet()
	goleak.VerifyTestMain(m)
}

// A rig is a tier that runs, with what it logs and counts.
type rig struct {
	*Tier
	t        testing.TB
	registry *prometheus.Registry
	log      *lines
}

// slow is how long a call may take beyond its limit on a busy machine.
const slow = 60 * time.Millisecond

// start runs a tier until the test ends. It need not find Redis.
func start(t testing.TB, o Options) *rig {
	t.Helper()
	r := &rig{t: t, registry: prometheus.NewRegistry(), log: &lines{}}
	o.Registerer, o.Log = r.registry, slog.New(slog.NewTextHandler(r.log, nil))
	if o.Secret == nil {
		o.Secret = []byte(strings.Repeat("s", 32))
	}
	if o.Directory == "" {
		o.Directory = "dir"
	}
	tier, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.Tier = tier
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); tier.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	return r
}

// found is start, and waits for Redis.
func found(t testing.TB, addrs ...string) *rig {
	t.Helper()
	r := start(t, Options{Addrs: addrs, Timeout: 200 * time.Millisecond})
	r.await("Redis is found", r.breaker.closed)
	return r
}

func server(t testing.TB, options ...string) *fleet.Redis {
	t.Helper()
	s, err := fleet.NewRedis(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

func proxy(t testing.TB, target string) *fleet.Proxy {
	t.Helper()
	p, err := fleet.NewProxy(target, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// await waits until something is so.
func (r *rig) await(what string, so func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !so(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("waited in vain: %s; Redis is away: %v\n%s", what, !r.breaker.closed(), r.log)
		}
	}
}

// put writes a document, and waits until the write is counted.
func (r *rig) put(key authz.Key, d authz.Document, asOf authz.Point) {
	r.t.Helper()
	before := r.written()
	r.Put([]authz.Key{key}, []authz.Document{d}, asOf)
	r.await("a write", func() bool { return r.written() > before })
}

func (r *rig) written() float64 {
	return r.metric("postern_redis_writes_total", "")
}

// get is Get of one key, which must not take longer than the limit and what a
// busy machine adds.
func (r *rig) get(key authz.Key) authz.Kept {
	r.t.Helper()
	began := time.Now()
	kept := r.Get(context.Background(), []authz.Key{key})
	if took := time.Since(began); took > r.timeout+slow {
		r.t.Errorf("Get took %s, want %s at most", took, r.timeout)
	}
	return kept[0]
}

// want compares what Redis holds of a key.
func (r *rig) want(key authz.Key, want authz.Kept) {
	r.t.Helper()
	if got := r.get(key); !reflect.DeepEqual(got, want) {
		r.t.Errorf("%v: got %+v, want %+v", key, got, want)
	}
}

// metric is the sum of a metric's series whose last label has a value, or of
// all.
func (r *rig) metric(name, value string) float64 {
	r.t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		for _, m := range f.Metric {
			labels := m.GetLabel()
			if f.GetName() == name && (value == "" || labels[len(labels)-1].GetValue() == value) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

func (r *rig) wantMetric(name, value string, want float64) {
	r.t.Helper()
	if got := r.metric(name, value); got != want {
		r.t.Errorf("%s %s: got %v, want %v", name, value, got, want)
	}
}

// lines is a log.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func userKey(i int) authz.Key {
	return authz.Key{Kind: authz.KindUser, ID: fmt.Sprintf("usr_%d", i)}
}

func at(revision authz.Revision) authz.Point {
	return authz.Point{Revision: revision, Stamp: uint64(revision) * 7}
}

func keptAt(d authz.Document, revision authz.Revision) authz.Kept {
	return authz.Kept{Document: d, AsOf: at(revision), OK: true}
}
