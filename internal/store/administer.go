package store

import (
	"context"
	"database/sql"
	"fmt"
	"math"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/pap"
)

var (
	_ pap.Store = (*Store)(nil)
	_ pap.Tx    = change{}
)

// Change runs fn in one transaction and returns the revision it made, or the
// current one if it wrote nothing. See pap.Store. Unlike in an Update, what fn
// writes it can read, and the time of a statement is limited.
func (s *Store) Change(ctx context.Context, fn func(pap.Tx) error) (authz.Revision, error) {
	return s.write(ctx, func(t *tx) error {
		if err := fn(change{t, reader{q: t.queryer, revision: t.revision, settle: t.settle}}); err != nil {
			return err
		}
		return t.forget()
	})
}

// Look runs fn on one unchanging state of the directory. See pap.Store.
func (s *Store) Look(ctx context.Context, fn func(pap.Reader) error) error {
	return s.snapshot(ctx, func(q queryer) error {
		revision, err := readRevision(q)
		if err != nil {
			return err
		}
		return fn(readerOf(q, revision))
	})
}

// readerOf reads what a transaction sees, in which nothing is kept back.
func readerOf(q queryer, revision authz.Revision) reader {
	return reader{q: q, revision: revision, settle: func() error { return nil }}
}

// A change is a tx that also reads, what it wrote included, and writes the
// records that only administration has. Those are written at once.
type change struct {
	*tx
	reader
}

// A reader reads one state for administration.
type reader struct {
	q        queryer
	revision authz.Revision
	settle   func() error // writes what is kept back
}

func (r reader) Revision() authz.Revision { return r.revision }

func (r reader) Documents(keys []authz.Key) ([]authz.Document, error) {
	if err := r.settle(); err != nil {
		return nil, err
	}
	documents := make([]authz.Document, len(keys))
	return documents, readDocuments(r.q, keys, documents, math.MaxInt)
}

// list reads all rows of a query; there may be none.
func list[T any](r reader, read func(*sql.Rows) (T, error), query string, arguments ...any) ([]T, error) {
	found := []T{}
	if !canBeKept(arguments) {
		return found, nil // nothing is kept under such text
	}
	if err := r.settle(); err != nil {
		return nil, err
	}
	err := r.q.all(query, func(row *sql.Rows) error {
		one, err := read(row)
		found = append(found, one)
		return err
	}, arguments...)
	return found, err
}

// one reads the row that a query finds. Without one the error is of kind
// authz.ErrNotFound and says what is missing.
func one[T any](r reader, missing string, read func(*sql.Rows) (T, error), query string, arguments ...any) (T, error) {
	found, err := list(r, read, query, arguments...)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("%s: %w", missing, authz.ErrNotFound)
	}
	if err != nil {
		var none T
		return none, err
	}
	return found[0], nil
}

// number reads the one number that a query gives.
func (r reader) number(query string, arguments ...any) (int, error) {
	return one(r, "a count", func(row *sql.Rows) (n int, err error) { return n, scan(row, &n) }, query, arguments...)
}

// canBeKept says whether the engines take all text of the arguments.
func canBeKept(arguments []any) bool {
	for _, a := range arguments {
		if text, ok := a.(string); ok && !storable(text) {
			return false
		}
	}
	return true
}

// atMost is a number of rows, for LIMIT; 0 is no limit.
func atMost(limit int) int64 {
	if limit <= 0 {
		return math.MaxInt64
	}
	return int64(limit)
}

// settle writes what is kept back, if anything is.
func (t *tx) settle() error {
	if t.err != nil || t.held == 0 {
		return t.err
	}
	return t.flush()
}

// run writes at once, after what was kept back, and says how many rows it wrote.
func (t *tx) run(query string, arguments ...any) (int64, error) {
	if err := t.settle(); err != nil {
		return 0, err
	}
	n, err := t.queryer.run(query, arguments...)
	t.err, t.changed = err, true
	return n, err
}
