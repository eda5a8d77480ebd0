package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/dependency"
)

// Metrics are the series of the database, also while none is open. A nil
// Metrics counts nothing.
type Metrics struct {
	registry prometheus.Registerer
	meter    *dependency.Meter
}

// NewMetrics registers the series, which exist from the start.
func NewMetrics(to prometheus.Registerer) *Metrics {
	return &Metrics{to, dependency.New(to, "database", "open", "changes", "read", "write", "listen")}
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
		m.meter.Failed(operation)
	}
	if operation == "open" || operation == "changes" {
		m.meter.Up(!failed)
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
