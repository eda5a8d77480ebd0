package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/drift"
)

var _ drift.Source = (*Store)(nil)

// Inspect runs fn on one unchanging state of the directory. See drift.Source.
func (s *Store) Inspect(ctx context.Context, fn func(drift.State) error) error {
	return s.snapshot(ctx, func(q queryer) error {
		if err := q.unhurried(); err != nil {
			return err
		}
		return fn(inspection{readerOf(q, 0), s.listed})
	})
}

// An inspection reads plain rows, by statements that have nothing in common with
// those by which decisions read.
type inspection struct {
	reader
	listed int
}

// After reads a page of a table.
func (i inspection) After(table string, columns []string, after string, limit int) ([]drift.Row, error) {
	query := `SELECT ` + strings.Join(columns, ", ") + ` FROM ` + table + ` WHERE ` + columns[0] + ` > $1 ORDER BY ` + columns[0] + ` LIMIT $2`
	return i.rows(columns, query, after, limit)
}

// Of reads what belongs to the values, in their order.
func (i inspection) Of(table string, columns, values []string) ([]drift.Row, error) {
	if len(values) == 0 {
		return nil, nil
	}
	var wanted rowset
	for _, value := range values {
		wanted.add(value)
	}
	argument, err := wanted.argument()
	if err != nil {
		return nil, err
	}
	query := `
		SELECT t.` + strings.Join(columns, ", t.") + `
		FROM (SELECT value->>0 AS wanted FROM {rows}) r CROSS JOIN ` + table + ` t WHERE t.` + columns[0] + ` = r.wanted`
	return i.rows(columns, query, argument)
}

func (i inspection) rows(columns []string, query string, arguments ...any) (rows []drift.Row, err error) {
	err = i.q.all(query, func(row *sql.Rows) error {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for n := range values {
			into[n] = &values[n]
		}
		err := scan(row, into...)
		rows = append(rows, drift.Row{Columns: columns, Values: neutral(values)})
		return err
	}, arguments...)
	return rows, err
}

// Documents reads as Read does.
func (i inspection) Documents(keys []authz.Key) ([]authz.Document, error) {
	documents := make([]authz.Document, len(keys))
	return documents, readDocuments(i.q, keys, documents, i.listed)
}

// Log reads the whole change log, also what is before its floor or beyond its
// head.
func (i inspection) Log(fn func(drift.Entry) error) (log drift.Log, err error) {
	const head = `SELECT directory_id, revision, change_floor FROM directory`
	err = i.q.all(head, func(row *sql.Rows) error { return scan(row, &log.Directory, &log.Head, &log.Floor) })
	if err != nil {
		return log, err
	}
	return log, i.q.all(`SELECT revision, seq, kind, key FROM changes ORDER BY revision, seq`, func(row *sql.Rows) error {
		var e drift.Entry
		if err := scan(row, &e.Revision, &e.Seq, &e.Kind, &e.Key); err != nil {
			return err
		}
		return fn(e)
	})
}

// NextTrail finds the organization by one step into the index.
func (i inspection) NextTrail(after *string) (organization string, found bool, err error) {
	query, arguments := `SELECT min(organization_id) FROM audit_events`, []any(nil)
	if after != nil {
		query, arguments = query+` WHERE organization_id > $1`, []any{*after}
	}
	err = i.q.all(query, func(row *sql.Rows) error {
		var next *string
		if err := scan(row, &next); err != nil || next == nil {
			return err
		}
		organization, found = *next, true
		return nil
	}, arguments...)
	return organization, found, err
}

// Damages asks the engine to check itself, and wants what the schema has to
// defend it with.
func (i inspection) Damages(fn func(about, says string) error) error {
	for _, check := range i.q.dialect.damages {
		var found [][2]string
		err := i.q.all(check, func(row *sql.Rows) error {
			var about, says string
			err := scan(row, &about, &says)
			found = append(found, [2]string{about, says})
			return err
		})
		if err != nil {
			return fmt.Errorf("ask %s to check itself: %w", i.q.dialect.name, err)
		}
		for _, f := range found {
			if err := fn(f[0], f[1]); err != nil {
				return err
			}
		}
	}
	if i.q.dialect.examine == nil {
		return nil
	}
	return i.q.dialect.examine(i.q, fn)
}
