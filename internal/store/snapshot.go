package store

import (
	"context"
	"fmt"
)

// snapshot runs fn in a transaction that sees one state of the directory.
func (s *Store) snapshot(ctx context.Context, fn func(queryer) error) error {
	options := s.dialect.snapshot
	db, err := s.reader.BeginTx(ctx, &options)
	if err != nil {
		return fmt.Errorf("begin to read: %w", s.dialect.classify(err))
	}
	defer db.Rollback() //nolint:errcheck // it only read
	return fn(queryer{ctx: ctx, tx: db, dialect: s.dialect})
}
