package decisionlog

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics count what became of events. Every series exists from the start, so
// that the first loss is an increase.
type metrics struct {
	written, dropped, failed prometheus.Counter
}

func newMetrics(r prometheus.Registerer, sink string, buffered func() float64) *metrics {
	events := promauto.With(r).NewCounterVec(prometheus.CounterOpts{
		Name: "postern_decision_log_events_total",
		Help: "Decision log events by sink and by what became of them: written, dropped because the sink was too slow, or failed because it refused them.",
	}, []string{"sink", "result"})
	promauto.With(r).NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "postern_decision_log_buffered_events",
		Help:        "Decision log events that wait to be written.",
		ConstLabels: prometheus.Labels{"sink": sink},
	}, buffered)
	return &metrics{
		written: events.WithLabelValues(sink, "written"),
		dropped: events.WithLabelValues(sink, "dropped"),
		failed:  events.WithLabelValues(sink, "failed"),
	}
}
