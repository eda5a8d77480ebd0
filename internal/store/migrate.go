package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/postern-authz/postern/internal/authz"
)

//go:embed migrations
var migrations embed.FS

// versionTable is where goose writes which migrations were applied.
const versionTable = "schema_versions"

// Prepare makes the database ready to serve: it migrates an SQLite file, and
// checks that PostgreSQL has the schema this binary works with.
func (s *Store) Prepare(ctx context.Context) error {
	if s.dialect.migrates {
		return s.Migrate(ctx)
	}
	return s.CheckSchema(ctx)
}

// Migrate applies the migrations that are missing, each in a transaction of its
// own. Several processes may do so at once: one of them works, the others find
// it done. A schema from a newer Postern is left alone and is ErrSchemaAhead.
func (s *Store) Migrate(ctx context.Context) error {
	if err := s.unpooled(); err != nil {
		return err
	}
	return s.migrate(ctx, 30)
}

// migrate tries again up to so many times while another process is at it.
func (s *Store) migrate(ctx context.Context, again int) error {
	provider, current, target, err := s.versions(ctx)
	if err != nil {
		return err
	}
	if current > target {
		return aheadError(current, target)
	}
	results, err := provider.Up(ctx)
	if err != nil {
		// SQLite has no lock that outlives a transaction: two processes may start
		// the same migration, and the second then waits in vain, or fails on what
		// the first made. It goes on from there.
		_, now, _, failed := s.versions(ctx)
		if again > 0 && failed == nil && (now > current || isSQLite(err, sqlite3.SQLITE_BUSY)) {
			return s.migrate(ctx, again-1)
		}
		return fmt.Errorf("migrate the schema from version %d to %d: %w", current, target, s.dialect.classify(err))
	}
	for _, r := range results {
		s.log.InfoContext(ctx, "migrated the schema", "version", r.Source.Version, "duration", r.Duration)
	}
	return nil
}

// unpooled refuses to migrate through a pooler.
func (s *Store) unpooled() error {
	if s.dialect.settings == "" {
		return nil
	}
	return fmt.Errorf("a pooler lends connections for a transaction only, and a migration holds a lock for longer; "+
		"run this command with a POSTERN_DATABASE that names PostgreSQL itself, and POSTERN_DATABASE_POOLER=false: %w", authz.ErrInvalid)
}

// CheckSchema says whether the schema is the one this binary works with. It is
// ErrSchemaBehind or ErrSchemaAhead if not, and changes nothing.
func (s *Store) CheckSchema(ctx context.Context) error {
	_, current, target, err := s.versions(ctx)
	switch {
	case err != nil:
		return err
	case current < target:
		return fmt.Errorf("the database's schema has version %d and this binary needs %d; run `postern migrate`: %w", current, target, ErrSchemaBehind)
	case current > target:
		return aheadError(current, target)
	}
	return nil
}

func aheadError(current, target int64) error {
	return fmt.Errorf("the database's schema has version %d and this binary knows only %d; run the Postern that migrated it, or a newer one: %w", current, target, ErrSchemaAhead)
}

// versions are that of the schema and that of the newest migration, which the
// provider has. They are read without goose, which would make its table on a
// database that has none.
func (s *Store) versions(ctx context.Context) (provider *goose.Provider, current, target int64, err error) {
	provider, err = s.provider()
	if err != nil {
		return nil, 0, 0, err
	}
	sources := provider.ListSources()
	target = sources[len(sources)-1].Version
	var exists bool
	if err := s.writer.QueryRowContext(ctx, s.dialect.sql(s.dialect.hasTable), versionTable).Scan(&exists); err != nil {
		return nil, 0, 0, fmt.Errorf("look for the schema: %w", s.dialect.classify(err))
	}
	if !exists {
		return provider, 0, target, nil
	}
	var version sql.NullInt64
	if err := s.writer.QueryRowContext(ctx, "SELECT max(version_id) FROM "+versionTable).Scan(&version); err != nil {
		return nil, 0, 0, fmt.Errorf("read the schema's version: %w", s.dialect.classify(err))
	}
	return provider, version.Int64, target, nil
}

func (s *Store) provider() (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations/"+s.dialect.migrations)
	if err != nil {
		return nil, err
	}
	options := []goose.ProviderOption{goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true)}
	if !s.dialect.migrates {
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
		if err != nil {
			return nil, err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(s.dialect.goose, s.writer, files, options...)
	if err != nil {
		return nil, errors.Join(errors.New("read the embedded migrations"), err)
	}
	return provider, nil
}
