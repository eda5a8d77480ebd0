// Package store is the system of record: all SQL of the product, on SQLite and
// on PostgreSQL. Every write to the directory makes one revision and says in
// the change log whose documents it changed, in the same transaction.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// Options say which database to open and how.
type Options struct {
	// DSN is "sqlite:PATH", or "postgres://USER:PASSWORD@HOST:PORT/DATABASE"
	// with the parameters of libpq. An SQLite file is made if it is missing.
	DSN string
	// Existing refuses an SQLite file that is missing, in place of making it.
	Existing bool
	// Log gets a line for each migration. Nil: nothing is logged.
	Log *slog.Logger
	// Now is the clock that times records. Nil: time.Now.
	Now func() time.Time
	// ReadConns bounds the connections that read. 0: 8.
	ReadConns int
	// StatementTimeout ends a PostgreSQL statement that takes longer. 0: 30 s.
	StatementTimeout time.Duration
	// LookTimeout ends a look at the change log that takes longer, so that the next
	// one, on another connection, still comes in time. 0: there is no such limit.
	LookTimeout time.Duration
	// Pooler says that the DSN leads to a pooler that lends connections for one
	// transaction, such as PgBouncer: nothing is kept on a connection for longer.
	// Migrate is then refused, and Listen hears nothing.
	Pooler bool
	// Metrics count what the database refuses. Nil: nothing is counted.
	Metrics *Metrics
	// ChangeLog is how many entries the change log keeps at least. A follower
	// further behind is told to forget everything. 0: 100,000.
	ChangeLog int
	// Listed is how many accounts the document of a user lists at most, those
	// granted and those on the lists of its tools counted together. One with
	// more is Narrow. 0: 1,000; less than 0: none.
	Listed int
}

// A Store keeps the directory in one database. It is safe for use by many
// goroutines; Close ends it.
type Store struct {
	dialect dialect
	log     *slog.Logger
	now     func() time.Time
	keep    int // entries of the change log
	listed  int // accounts in a user's document
	metrics *Metrics
	look    time.Duration // how long a look at the change log may take; 0: as long as it wants
	place   place         // of an SQLite file

	writer *sql.DB // one connection on SQLite, so writers queue here and not on its lock
	reader *sql.DB
	follow *sql.DB // one connection of its own, so that readers cannot keep a follower out

	told chan struct{} // holds one for each look that another server has

	listener *pgx.ConnConfig // of the connection that listens; nil: there is nothing to hear
	pooled   []prometheus.Collector
}

var _ directory.Store = (*Store)(nil)

// Open opens the database and connects to it. It neither makes nor checks the
// schema: that is Prepare. Errors never carry the DSN's password; a database
// that cannot be reached is of kind authz.ErrUnavailable, a DSN that cannot be
// read of kind authz.ErrInvalid.
func Open(ctx context.Context, options Options) (*Store, error) {
	options = withDefaults(options)
	s, err := connect(options)
	if err != nil {
		return nil, err
	}
	s.log, s.now, s.metrics = options.Log, options.Now, options.Metrics
	s.told = make(chan struct{}, maxTold)
	s.keep, s.listed, s.look = options.ChangeLog, options.Listed, options.LookTimeout
	if err := s.reach(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open the %s database: %w", s.dialect.name, err), s.Close())
	}
	s.metrics.watch(s)
	return s, nil
}

// reach connects to the database for the first time.
func (s *Store) reach(ctx context.Context) error {
	err := s.dialect.connect(ctx, s.writer)
	if wrong := misdirected(err); wrong != nil {
		return wrong
	}
	return s.metrics.seen("open", s.dialect.classify(err))
}

func withDefaults(o Options) Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.ReadConns == 0 {
		o.ReadConns = 8
	}
	if o.StatementTimeout == 0 {
		o.StatementTimeout = 30 * time.Second
	}
	if o.ChangeLog == 0 {
		o.ChangeLog = 100_000
	}
	if o.Listed == 0 {
		o.Listed = 1000
	}
	return o
}

// Close closes all connections. Transactions that run are rolled back.
func (s *Store) Close() error {
	s.metrics.unwatch(s)
	return errors.Join(s.writer.Close(), s.reader.Close(), s.follow.Close())
}

// Ping says whether the directory can be read now.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.Revision(ctx)
	return err
}

// Revision is the number of the directory's newest state.
func (s *Store) Revision(ctx context.Context) (authz.Revision, error) {
	var revision int64
	err := s.reader.QueryRowContext(ctx, "SELECT revision FROM directory").Scan(&revision)
	if err != nil {
		return 0, fmt.Errorf("read the revision: %w", s.metrics.seen("read", s.dialect.classify(err)))
	}
	return authz.Revision(revision), nil
}

// DirectoryID names this directory among all directories: 32 hexadecimal
// digits, made at random with the schema. Revisions of different directories
// have nothing to do with each other.
func (s *Store) DirectoryID(ctx context.Context) (string, error) {
	var id string
	err := s.reader.QueryRowContext(ctx, "SELECT directory_id FROM directory").Scan(&id)
	if err != nil {
		return "", fmt.Errorf("read the directory's id: %w", s.dialect.classify(err))
	}
	return id, nil
}

func (s *Store) milliseconds() int64 { return s.now().UnixMilli() }
