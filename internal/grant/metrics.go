package grant

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/postern-authz/postern/internal/histogram"
)

// metrics are the series of the PIP. All of them exist from the start.
type metrics struct {
	hits, misses, stale  prometheus.Counter // of the cache, by key; stale by call
	tierHits, tierMisses prometheus.Counter // of the tier, by key
	tierStale            prometheus.Counter // documents of the tier that the change log does not prove
	readHits, readMisses prometheus.Counter // of the store: keys known and not
	readErrors           prometheus.Counter
	invalidated          map[Cause]prometheus.Counter // entries dropped
	reset, regressed     prometheus.Counter           // likewise
	lag                  map[Cause]prometheus.Observer
	regressions          prometheus.Counter
	polls, pollErrors    prometheus.Counter
	age                  prometheus.Histogram
}

func newMetrics(to prometheus.Registerer, native histogram.Native, p *PIP) *metrics {
	auto := promauto.With(to)
	requests := auto.NewCounterVec(prometheus.CounterOpts{
		Name: "postern_grants_cache_requests_total",
		Help: "Keys looked up by tier and result. A stale memory is counted once per decision or batch; " +
			"in redis it is a document that the change log does not prove; in the store a miss is a key that the directory does not know.",
	}, []string{"tier", "result"})
	invalidations := auto.NewCounterVec(prometheus.CounterOpts{
		Name: "postern_grants_invalidations_total",
		Help: "Cache entries dropped, by what the look at the change log came about by, or what else caused it.",
	}, []string{"source"})
	lag := auto.NewHistogramVec(native.Options(prometheus.HistogramOpts{
		Name: "postern_grants_invalidation_lag_seconds",
		Help: "Time from when a change was written until it counted here: of the oldest that a look at the change log brought, by what the look came about by. " +
			"It is taken by two clocks: one that is ahead where the change was written hides as much of it, down to 0, and one that is back adds as much; see postern_clock_skew_seconds.",
		Buckets: []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2, 5, 30},
	}), []string{"source"})
	polls := auto.NewCounterVec(prometheus.CounterOpts{
		Name: "postern_grants_polls_total",
		Help: "Looks at the directory's change log by result.",
	}, []string{"result"})
	m := &metrics{
		hits:        requests.WithLabelValues("memory", "hit"),
		misses:      requests.WithLabelValues("memory", "miss"),
		stale:       requests.WithLabelValues("memory", "stale"),
		tierHits:    requests.WithLabelValues("redis", "hit"),
		tierMisses:  requests.WithLabelValues("redis", "miss"),
		tierStale:   requests.WithLabelValues("redis", "stale"),
		readHits:    requests.WithLabelValues("store", "hit"),
		readMisses:  requests.WithLabelValues("store", "miss"),
		readErrors:  requests.WithLabelValues("store", "error"),
		invalidated: map[Cause]prometheus.Counter{},
		lag:         map[Cause]prometheus.Observer{},
		reset:       invalidations.WithLabelValues("reset"),
		regressed:   invalidations.WithLabelValues("regression"),
		polls:       polls.WithLabelValues("ok"),
		pollErrors:  polls.WithLabelValues("error"),
		regressions: auto.NewCounter(prometheus.CounterOpts{
			Name: "postern_revision_regressions_total",
			Help: "Times the directory was found at an older revision than before: it has lost committed changes.",
		}),
		age: auto.NewHistogram(native.Options(prometheus.HistogramOpts{
			Name:    "postern_decision_grants_age_seconds",
			Help:    "Age of the grants that a decision or batch used since they were last known to be current.",
			Buckets: []float64{.001, .01, .1, .25, .5, 1, 2, 5, 10, 30, 60, 300},
		})),
	}
	for _, by := range causes() {
		m.invalidated[by], m.lag[by] = invalidations.WithLabelValues(string(by)), lag.WithLabelValues(string(by))
	}
	m.gauges(auto, p)
	return m
}

// gauges registers what is read when it is asked for.
func (m *metrics) gauges(auto promauto.Factory, p *PIP) {
	memory := prometheus.Labels{"tier": "memory"}
	auto.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "postern_grants_cache_entries", ConstLabels: memory,
		Help: "Keys held in a cache tier: users, logins, accounts and what else facts are read by.",
	}, func() float64 { return float64(p.state().entries) })
	auto.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "postern_grants_cache_bytes", ConstLabels: memory,
		Help: "Estimated memory of a cache tier.",
	}, func() float64 { return float64(p.state().bytes) })
	auto.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "postern_directory_revision",
		Help: "Revision up to which the directory's change log has been followed.",
	}, func() float64 { return float64(p.Head()) })
	auto.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "postern_grants_staleness_seconds",
		Help: "Time since the directory's change log was last read; -1 before the first time.",
	}, func() float64 { return p.state().staleness })
}

// lagged takes note of how long the oldest of the changes took to count here. If
// it is not known when it was written, or there is none, there is nothing to note.
func (m *metrics) lagged(by Cause, written, now time.Time) {
	if !written.IsZero() {
		m.lag[by].Observe(max(0, now.Sub(written).Seconds()))
	}
}

// wasRead counts a key that was read from the store.
func (m *metrics) wasRead(e *entry) {
	if e.known() {
		m.readHits.Inc()
	} else {
		m.readMisses.Inc()
	}
}

// A state is what gauges show.
type state struct {
	entries   int
	bytes     int64
	staleness float64
}

func (p *PIP) state() state {
	p.mu.RLock()
	defer p.mu.RUnlock()
	s := state{entries: len(p.cache.entries), bytes: p.cache.bytes, staleness: -1}
	if !p.seen.IsZero() {
		s.staleness = p.now().Sub(p.seen).Seconds()
	}
	return s
}
