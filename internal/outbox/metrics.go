package outbox

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/postern-authz/postern/internal/pap"
)

// A result is what came of one attempt.
type result string

const (
	delivered result = "delivered"
	retried   result = "retried"  // it will be tried again
	failed    result = "failed"   // given up
	obsolete  result = "obsolete" // there was no point any more
)

// metrics count attempts and measure what waits. Every series exists from the
// start; channels and results are closed lists.
type metrics struct {
	attempts *prometheus.CounterVec
	backlog  map[string]*atomic.Pointer[pap.Backlog]
}

func newMetrics(r prometheus.Registerer, now func() time.Time) *metrics {
	f := promauto.With(r)
	m := &metrics{backlog: map[string]*atomic.Pointer[pap.Backlog]{}, attempts: f.NewCounterVec(prometheus.CounterOpts{
		Name: "postern_outbox_deliveries_total",
		Help: "Attempts to deliver a message by channel and by what came of them: delivered, retried later, failed for good, or obsolete before it left.",
	}, []string{"channel", "result"})}
	for _, channel := range channels {
		for _, r := range []result{delivered, retried, failed, obsolete} {
			m.attempts.WithLabelValues(channel, string(r))
		}
		waits := &atomic.Pointer[pap.Backlog]{}
		waits.Store(&pap.Backlog{})
		m.backlog[channel] = waits
		of := prometheus.Labels{"channel": channel}
		f.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "postern_outbox_waiting_messages", ConstLabels: of,
			Help: "Messages that are neither delivered nor given up, by channel.",
		}, func() float64 { return float64(waits.Load().Waiting) })
		f.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "postern_outbox_oldest_message_age_seconds", ConstLabels: of,
			Help: "Age of the oldest message that waits, by channel; 0 if none waits.",
		}, func() float64 { return age(*waits.Load(), now()) })
	}
	return m
}

func age(b pap.Backlog, now time.Time) float64 {
	if b.Waiting == 0 || b.Oldest.IsZero() {
		return 0
	}
	return max(0, now.Sub(b.Oldest).Seconds())
}

func (m *metrics) count(channel string, r result) {
	m.attempts.WithLabelValues(channel, string(r)).Inc()
}
