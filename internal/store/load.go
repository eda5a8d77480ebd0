package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/backup"
)

var _ backup.Target = (*Store)(nil)

// Load makes the schema of the backup, brings its rows in with one transaction,
// and migrates what came. See backup.Target. The transaction makes one revision
// more than the backup has, in which everything changed, so that followers
// forget what they knew.
func (s *Store) Load(ctx context.Context, h backup.Header, rows func(backup.Sink) error) (authz.Revision, error) {
	if err := s.unpooled(); err != nil {
		return 0, err
	}
	if err := s.migrateFor(ctx, h.Schema); err != nil {
		return 0, err
	}
	revision, err := s.write(ctx, func(t *tx) error {
		if err := t.unhurried(); err != nil {
			return err
		}
		return t.load(rows)
	})
	if err != nil {
		return 0, err
	}
	return revision, s.Migrate(ctx)
}

// migrateFor brings an empty database to the schema of a backup.
func (s *Store) migrateFor(ctx context.Context, schema int64) error {
	provider, current, target, err := s.versions(ctx)
	switch {
	case err != nil:
		return err
	case schema > target:
		return fmt.Errorf("the backup's schema has version %d and this binary knows only %d; restore it with the Postern that wrote it, or a newer one: %w", schema, target, authz.ErrConflict)
	case current > 0:
		if err := s.snapshot(ctx, queryer.wantEmpty); err != nil {
			return err
		}
	}
	if current > schema {
		return fmt.Errorf("the database's schema has version %d and the backup's has %d; give a database without a schema, which the restore makes and then migrates: %w", current, schema, authz.ErrConflict)
	}
	if _, err := provider.UpTo(ctx, schema); err != nil {
		return fmt.Errorf("make the schema of version %d: %w", schema, s.dialect.classify(err))
	}
	return nil
}

// wantEmpty refuses a database in which somebody wrote.
func (q queryer) wantEmpty() error {
	for _, t := range tables() {
		fields, err := q.fields(t.name)
		if err != nil {
			return err
		}
		if t.born() || len(fields) == 0 {
			continue
		}
		err = q.all(`SELECT 1 FROM `+t.name+` LIMIT 1`, func(*sql.Rows) error {
			return fmt.Errorf("the database is not empty: %s has rows; restore into a new SQLite file or a new PostgreSQL database, and start no server on it before: %w", t.name, authz.ErrConflict)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// load brings rows in beside the transaction's revision, and goes on after
// theirs.
func (t *tx) load(rows func(backup.Sink) error) error {
	if err := t.wantEmpty(); err != nil {
		return err
	}
	for _, born := range []string{"roles", "changes"} {
		if _, err := t.run(`DELETE FROM ` + born); err != nil {
			return err
		}
	}
	l := &loader{tx: t}
	if err := rows(l); err != nil {
		return err
	}
	if err := l.flush(); err != nil {
		return err
	}
	log, err := t.fields("changes")
	if err != nil {
		return err
	}
	const bump = `UPDATE directory SET revision = revision + 1 RETURNING revision`
	t.changed, t.dirty.overflow = true, true
	t.untimed = !slices.ContainsFunc(log, func(f field) bool { return f.name == "written_at" })
	return t.all(bump, func(row *sql.Rows) error { return scan(row, &t.revision) })
}

// What a statement of a restore takes at most.
const (
	loadRows  = 4000
	loadBytes = 4 << 20
)

// A loader is the Sink that writes rows, many at a time.
type loader struct {
	*tx
	insert string // of the table that is being read
	table  string
	rows   rowset
}

// Begin takes the header, which Load has read.
func (l *loader) Begin(backup.Header) error { return nil }

// Table wants the columns that the schema has, no more and no fewer.
func (l *loader) Table(t backup.Table) error {
	if err := l.flush(); err != nil {
		return err
	}
	fields, err := l.fields(t.Name)
	if err != nil {
		return err
	}
	known := slices.ContainsFunc(tables(), func(k table) bool { return k.name == t.Name })
	if !known || !slices.Equal(columnsOf(fields), t.Columns) {
		return fmt.Errorf("the backup's table %s is not the one of this schema; restore it with the Postern that wrote it: %w", t.Name, authz.ErrConflict)
	}
	l.table, l.insert = t.Name, insertion(t.Name, fields)
	return nil
}

// insertion writes rows into a table. The directory has its one row already,
// which others may wait for.
func insertion(table string, fields []field) string {
	values := make([]string, len(fields))
	for i, f := range fields {
		values[i] = f.from(i)
	}
	if table == "directory" {
		for i, f := range fields {
			values[i] = `"` + f.name + `" = ` + values[i]
		}
		return `UPDATE directory SET ` + strings.Join(values, ", ") + ` FROM {rows}`
	}
	return `INSERT INTO ` + table + ` (` + names(fields) + `) SELECT ` + strings.Join(values, ", ") + ` FROM {rows}`
}

// Row keeps a row back until there are many.
func (l *loader) Row(values []any) error {
	l.rows.add(values...)
	if l.rows.rows < loadRows && len(l.rows.json) < loadBytes {
		return nil
	}
	return l.flush()
}

func (l *loader) flush() error {
	if err := l.exec(l.insert, &l.rows); err != nil {
		return fmt.Errorf("table %s: %w", l.table, err)
	}
	l.rows.json, l.rows.rows = l.rows.json[:0], 0
	return nil
}
