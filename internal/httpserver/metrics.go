package httpserver

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-authz/postern/internal/histogram"
)

// noRoute is the route of what no route took.
const noRoute = "none"

// metrics are the series of one listener. Label values are route templates,
// known methods and status codes: nothing that a caller could choose.
type metrics struct {
	requests *prometheus.CounterVec   // by route, method, code
	duration *prometheus.HistogramVec // by route
	inFlight prometheus.Gauge
	panics   prometheus.Counter
	refused  *prometheus.CounterVec // connections, by reason

	mu     sync.RWMutex
	series map[seriesKey]series // requests and duration, resolved
}

type seriesKey struct {
	route, method string
	code          int
}

type series struct {
	count    prometheus.Counter
	duration prometheus.Observer
}

func newMetrics(listener string, reg prometheus.Registerer, native histogram.Native) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postern_http_requests_total", Help: "HTTP requests by listener, route template, method and status code.",
		}, []string{"route", "method", "code"}),
		duration: prometheus.NewHistogramVec(native.Options(prometheus.HistogramOpts{
			Name: "postern_http_request_duration_seconds", Help: "Time from a request having been read to its answer being ready.",
			Buckets: []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1},
		}), []string{"route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "postern_http_requests_in_flight", Help: "HTTP requests being answered.",
		}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "postern_panics_total", Help: "Handlers that panicked; each is a bug, and has its stack in the log.",
		}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postern_http_connections_refused_total", Help: "Connections closed at once because there were too many, in all or from one address.",
		}, []string{"reason"}),
		series: map[seriesKey]series{},
	}
	for _, reason := range []string{refusedTotal, refusedPerIP} {
		m.refused.WithLabelValues(reason)
	}
	prometheus.WrapRegistererWith(prometheus.Labels{"listener": listener}, reg).
		MustRegister(m.requests, m.duration, m.inFlight, m.panics, m.refused)
	return m
}

// answered counts one request.
func (m *metrics) answered(r *request, method string, code int, took time.Duration) {
	s := m.of(seriesKey{r.route, method, code})
	s.count.Inc()
	r.trace.Observe(s.duration, took.Seconds())
}

func (m *metrics) of(key seriesKey) series {
	m.mu.RLock()
	s, ok := m.series[key]
	m.mu.RUnlock()
	if ok {
		return s
	}
	s = series{
		m.requests.WithLabelValues(key.route, key.method, strconv.Itoa(key.code)),
		m.duration.WithLabelValues(key.route),
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.series[key] = s
	return s
}
