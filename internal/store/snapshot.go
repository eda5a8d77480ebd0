package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// snapshot runs fn in a transaction that sees one state of the directory.
func (s *Store) snapshot(ctx context.Context, fn func(queryer) error) error {
	options := s.dialect.snapshot
	db, err := s.transaction(ctx, s.reader, &options)
	if err != nil {
		return s.metrics.seen("read", fmt.Errorf("begin to read: %w", err))
	}
	defer db.Rollback() //nolint:errcheck // it only read
	return s.metrics.seen("read", fn(queryer{ctx: ctx, tx: db, dialect: s.dialect}))
}

// transaction begins one with the settings that statements rely on.
func (s *Store) transaction(ctx context.Context, pool *sql.DB, options *sql.TxOptions) (*sql.Tx, error) {
	if err := s.place.check(); err != nil {
		return nil, err
	}
	db, err := s.onLive(ctx, pool, options)
	if err != nil {
		return nil, s.dialect.classify(err)
	}
	if s.dialect.settings == "" {
		return db, nil
	}
	if _, err := db.ExecContext(ctx, s.dialect.settings); err != nil {
		return nil, errors.Join(s.dialect.classify(err), db.Rollback())
	}
	return db, nil
}

// onLive begins a transaction on a connection that is alive. After a server has
// started again every idle one is dead, and only the first word on it tells so;
// that word did nothing, so it is said again on the next (F12).
func (s *Store) onLive(ctx context.Context, pool *sql.DB, options *sql.TxOptions) (*sql.Tx, error) {
	for idle := pool.Stats().Idle; ; idle-- {
		db, err := pool.BeginTx(ctx, options)
		if err == nil || idle <= 0 || ctx.Err() != nil || !s.dialect.dead(err) {
			return db, err
		}
	}
}
