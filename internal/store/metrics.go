package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/postern-authz/postern/internal/authz"
)

// Metrics are the series of the database, also while none is open. A nil
// Metrics counts nothing.
type Metrics struct {
	registry prometheus.Registerer
	up       prometheus.Gauge
	errors   *prometheus.CounterVec
}

// operations are what the database is asked for.
var operations = [...]string{"open", "changes", "read", "write", "listen"}

// NewMetrics registers the series, which exist from the start.
func NewMetrics(to prometheus.Registerer) *Metrics {
	database := prometheus.Labels{"dependency": "database"}
	m := &Metrics{
		registry: to,
		up: promauto.With(to).NewGauge(prometheus.GaugeOpts{
			Name: "postern_dependency_up", ConstLabels: database,
			Help: "Whether what this process depends on answered when it was last asked: 1 or 0.",
		}),
		errors: promauto.With(to).NewCounterVec(prometheus.CounterOpts{
			Name: "postern_dependency_errors_total", ConstLabels: database,
			Help: "Operations that what this process depends on did not do, or not in time.",
		}, []string{"operation"}),
	}
	for _, operation := range operations {
		m.errors.WithLabelValues(operation)
	}
	return m
}

// seen counts what became of an operation, and returns err. Whether the database
// is up is told by opening it and by looks at its change log, several of them a
// second; other operations may have had too little time.
func (m *Metrics) seen(operation string, err error) error {
	failed := errors.Is(err, authz.ErrUnavailable)
	if m == nil || errors.Is(err, context.Canceled) {
		return err
	}
	if failed {
		m.errors.WithLabelValues(operation).Inc()
	}
	if operation == "open" || operation == "changes" {
		m.up.Set(map[bool]float64{true: 0, false: 1}[failed])
	}
	return err
}

// watch adds the state of a store's pools (go_sql_*).
func (m *Metrics) watch(s *Store) {
	if m == nil {
		return
	}
	for name, pool := range map[string]*sql.DB{"writer": s.writer, "reader": s.reader, "follower": s.follow} {
		pooled := collectors.NewDBStatsCollector(pool, name)
		if m.registry.Register(pooled) == nil {
			s.pooled = append(s.pooled, pooled)
		}
	}
}

func (m *Metrics) unwatch(s *Store) {
	for _, pooled := range s.pooled {
		m.registry.Unregister(pooled)
	}
}
