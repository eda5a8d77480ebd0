// Package dependency counts how the services do that Postern leans on, such as
// Redis and PostgreSQL: whether each answers, and what it failed at. All of them
// share two metrics, so that one alert and one row of a dashboard do for all.
package dependency

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// A Meter is what is known of one dependency. It is safe for concurrent use.
type Meter struct {
	up     prometheus.Gauge
	errors *prometheus.CounterVec
}

// New returns the meter of a dependency, which counts as away until Up says
// otherwise. The operations are those that may fail: their series exist from the
// start. Several dependencies may be registered with one registerer.
func New(to prometheus.Registerer, name string, operations ...string) *Meter {
	up := register(to, prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "postern_dependency_up",
		Help: "Whether a service that this process needs answers: 1 or 0.",
	}, []string{"dependency"}))
	failed := register(to, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "postern_dependency_errors_total",
		Help: "Failed calls of a service that this process needs, by what was tried.",
	}, []string{"dependency", "operation"}))
	m := &Meter{
		up:     up.WithLabelValues(name),
		errors: failed.MustCurryWith(prometheus.Labels{"dependency": name}),
	}
	for _, operation := range operations {
		m.errors.WithLabelValues(operation)
	}
	return m
}

// register returns what was registered first under the name of c.
func register[C prometheus.Collector](to prometheus.Registerer, c C) C {
	if to == nil {
		return c
	}
	var before prometheus.AlreadyRegisteredError
	if err := to.Register(c); errors.As(err, &before) {
		return before.ExistingCollector.(C)
	}
	return c
}

// Up says whether the dependency answers.
func (m *Meter) Up(up bool) {
	if up {
		m.up.Set(1)
	} else {
		m.up.Set(0)
	}
}

// Failed counts a call that failed.
func (m *Meter) Failed(operation string) { m.errors.WithLabelValues(operation).Inc() }
