package redis

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/postern-authz/postern/internal/dependency"
)

// What may fail.
const (
	opGet       = "get"
	opPut       = "put"
	opRemove    = "remove"
	opPublish   = "publish"
	opSubscribe = "subscribe"
	opProbe     = "probe"
)

// metrics are the series of the tier that it alone knows. All of them exist from
// the start.
type metrics struct {
	dependency                            *dependency.Meter
	open                                  prometheus.Gauge
	forged                                prometheus.Counter
	ok, older, tooLarge, dropped, refused prometheus.Counter // writes
	wakes                                 prometheus.Counter
}

func newMetrics(to prometheus.Registerer) *metrics {
	auto := promauto.With(to)
	writes := auto.NewCounterVec(prometheus.CounterOpts{
		Name: "postern_redis_writes_total",
		Help: "Documents offered to Redis by result. An older one does not replace a newer one; " +
			"those that are dropped found Redis away or its queue full.",
	}, []string{"result"})
	return &metrics{
		dependency: dependency.New(to, "redis", opGet, opPut, opRemove, opPublish, opSubscribe, opProbe),
		open: auto.NewGauge(prometheus.GaugeOpts{
			Name: "postern_redis_breaker_open",
			Help: "Whether requests leave Redis alone because it does not answer: 1 or 0.",
		}),
		forged: auto.NewCounter(prometheus.CounterOpts{
			Name: "postern_cache_auth_failures_total",
			Help: "Values in Redis that were not sealed for their keys with this secret: somebody writes to it, or its network is at fault. None was used.",
		}),
		ok:       writes.WithLabelValues("ok"),
		older:    writes.WithLabelValues("older"),
		tooLarge: writes.WithLabelValues("too_large"),
		dropped:  writes.WithLabelValues("dropped"),
		refused:  writes.WithLabelValues("error"),
		wakes: auto.NewCounter(prometheus.CounterOpts{
			Name: "postern_redis_wakes_total",
			Help: "Times Redis said that the directory changed, many at once counted as one.",
		}),
	}
}

func (m *metrics) opened(open bool) {
	m.dependency.Up(!open)
	if open {
		m.open.Set(1)
	} else {
		m.open.Set(0)
	}
}
