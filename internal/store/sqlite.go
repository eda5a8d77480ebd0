package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/postern-authz/postern/internal/authz"
)

func sqliteDialect() dialect {
	return dialect{
		name:        "SQLite",
		goose:       goose.DialectSQLite3,
		migrations:  "sqlite",
		rewrite:     strings.NewReplacer("$", "?", "{rows}", "json_each(?1)", "{json}", "", "{skip locked}", ""),
		snapshot:    sql.TxOptions{ReadOnly: true},
		hasTable:    "SELECT count(*) > 0 FROM sqlite_master WHERE type = 'table' AND name = $1",
		columns:     "SELECT name, type FROM pragma_table_info($1)",
		damages:     sqliteDamages(),
		migrates:    true,
		connect:     connectSQLite,
		constraint:  sqliteConstraint,
		unavailable: sqliteUnavailable,
		dead:        func(error) bool { return false },
		unknown:     sqliteUnknown,
	}
}

// openSQLite opens the file with one connection that writes and others that
// cannot. Readers and the writer do not wait for each other (WAL), and a commit
// is on the disk before it is acknowledged (synchronous=FULL).
func openSQLite(path string, options Options) (*Store, error) {
	if path == "" {
		return nil, fmt.Errorf("sqlite: names no file: %w", authz.ErrInvalid)
	}
	if err := makePrivate(path, options.Existing); err != nil {
		return nil, fmt.Errorf("open the database file: %w", err)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open the database file: %w", err)
	}
	s := &Store{dialect: sqliteDialect()}
	if s.place, err = placeOf(abs); err != nil {
		return nil, err
	}
	if s.writer, err = sqlitePool(abs, 1, writerPages, "_txlock", "immediate", "_journal_mode", "WAL"); err != nil {
		return nil, err
	}
	if s.reader, err = sqlitePool(abs, options.ReadConns, readerPages, "_query_only", "1"); err != nil {
		return nil, errors.Join(err, s.writer.Close())
	}
	if s.follow, err = sqlitePool(abs, 1, readerPages, "_query_only", "1"); err != nil {
		return nil, errors.Join(err, s.writer.Close(), s.reader.Close())
	}
	return s, nil
}

// makePrivate makes the file before SQLite does, readable by nobody else: it
// holds who may do what, and addresses. SQLite gives its companions the same
// mode. A file that is there keeps the mode its owner gave it.
func makePrivate(path string, existing bool) error {
	flags := os.O_CREATE | os.O_RDWR
	if existing {
		flags = os.O_RDWR
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// busyTimeout is how long a connection waits for another's lock.
const busyTimeout = 2 * time.Second

// connectSQLite makes the first connection, which switches a new file to WAL.
// SQLite says at once that it is busy when several do so at the same moment: each
// waits for a lock that the other has. One of them must let go and come again.
func connectSQLite(ctx context.Context, db *sql.DB) error {
	patience, cancel := context.WithTimeout(ctx, busyTimeout)
	defer cancel()
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		err := db.PingContext(ctx)
		if !isSQLite(err, sqlite3.SQLITE_BUSY) {
			return err
		}
		select {
		case <-patience.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(wait + rand.N(wait)): // not all at the same moment again
		}
	}
}

// What one connection keeps of the file in memory, in KiB, once it has read it.
// An import wants much of it at hand; those that read are many, and what they
// have read is in the grants cache and in that of the operating system.
const (
	writerPages = 64 << 10
	readerPages = 2 << 10
)

func sqlitePool(path string, conns, pages int, settings ...string) (*sql.DB, error) {
	query := url.Values{
		"_busy_timeout": {strconv.FormatInt(busyTimeout.Milliseconds(), 10)},
		"_foreign_keys": {"1"},
		"_synchronous":  {"FULL"},
		"_dqs":          {"0"},
		// Sorting never needs a temporary file: a container may have no place for
		// one. The log of a large import is cut back to 64 MB once it is in the file.
		"_pragma": {"temp_store(MEMORY)", fmt.Sprintf("cache_size(-%d)", pages), "journal_size_limit(67108864)"},
	}
	for i := 0; i < len(settings); i += 2 {
		query.Set(settings[i], settings[i+1])
	}
	name := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, fmt.Errorf("open the SQLite database: %w", err)
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

func sqliteConstraint(err error) string {
	if !isSQLite(err, sqlite3.SQLITE_CONSTRAINT) {
		return ""
	}
	name := err.Error()
	if i := strings.LastIndex(name, "constraint failed: "); i >= 0 {
		name = name[i+len("constraint failed: "):]
	}
	name, _, _ = strings.Cut(name, " (")
	return name
}

func sqliteUnavailable(err error) bool {
	return isSQLite(err, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR,
		sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_NOMEM)
}

// isSQLite says whether the error is SQLite's and of one of the primary codes.
func isSQLite(err error, codes ...int) bool {
	var failure *sqlite.Error
	return errors.As(err, &failure) && slices.Contains(codes, failure.Code()&0xff)
}

// sqliteUnknown: the log may have been written and not have been made sure of.
func sqliteUnknown(err error) bool {
	var failure *sqlite.Error
	return errors.As(err, &failure) && failure.Code()&0xff == sqlite3.SQLITE_IOERR
}
