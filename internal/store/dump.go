package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"

	"github.com/postern-authz/postern/internal/backup"
)

var _ backup.Source = (*Store)(nil)

// Dump hands over every table of one unchanging state, while others read and
// write. See backup.Source. A schema that is older than this binary's is handed
// over as it is; a database without one is ErrSchemaBehind.
func (s *Store) Dump(ctx context.Context, to backup.Sink) error {
	schema, err := s.schema(ctx)
	if err != nil {
		return err
	}
	return s.snapshot(ctx, func(q queryer) error {
		if err := q.unhurried(); err != nil {
			return err
		}
		h := backup.Header{Schema: schema}
		err := q.all(`SELECT directory_id, revision FROM directory`, func(row *sql.Rows) error { return scan(row, &h.Directory, &h.Revision) })
		if err != nil {
			return err
		}
		if err := to.Begin(h); err != nil {
			return err
		}
		for _, t := range tables() {
			if err := q.dump(t, to); err != nil {
				return err
			}
		}
		return nil
	})
}

// schema is the version of a schema that this binary can read as it is.
func (s *Store) schema(ctx context.Context) (int64, error) {
	_, current, target, err := s.versions(ctx)
	switch {
	case err != nil:
		return 0, err
	case current > target:
		return 0, aheadError(current, target)
	case current == 0:
		return 0, fmt.Errorf("the database has no directory: is POSTERN_DATABASE the right one? %w", ErrSchemaBehind)
	}
	return current, nil
}

func (q queryer) dump(t table, to backup.Sink) error {
	fields, err := q.fields(t.name)
	if err != nil || len(fields) == 0 {
		return err
	}
	if err := to.Table(backup.Table{Name: t.name, Columns: columnsOf(fields)}); err != nil {
		return err
	}
	values, into := make([]any, len(fields)), make([]any, len(fields))
	for i := range values {
		into[i] = &values[i]
	}
	query := `SELECT ` + names(fields) + ` FROM ` + t.name + ` ORDER BY ` + t.key
	err = q.all(query, func(row *sql.Rows) error {
		if err := scan(row, into...); err != nil {
			return err
		}
		return to.Row(neutral(values))
	})
	if err != nil {
		return fmt.Errorf("table %s: %w", t.name, err)
	}
	return nil
}

// neutral changes values to what they are whatever the engine.
func neutral(values []any) []any {
	for i, value := range values {
		switch v := value.(type) {
		case bool:
			values[i] = truth(v)
		case []byte:
			values[i] = hex.EncodeToString(v)
		}
	}
	return values
}

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
