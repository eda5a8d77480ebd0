package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/pap"
	"github.com/postern-authz/postern/internal/store"
	"github.com/postern-authz/postern/internal/store/storetest"
	"github.com/postern-authz/postern/test/fleet"
)

// toolNamed is an update that gives a tool a name.
func toolNamed(id, name string) func(directory.Tx) error {
	return func(tx directory.Tx) error { return tx.PutTool(directory.Tool{ID: id, Name: name}) }
}

// by is the DSN of the same database by way of an address.
func by(t *testing.T, dsn, addr string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return "postgres://postgres@" + addr + u.Path + "?sslmode=disable"
}

// raw is a connection to the database past the store.
func raw(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// through opens the database by way of an address, once it has its schema.
func through(t *testing.T, dsn, addr string, options store.Options) *store.Store {
	t.Helper()
	storetest.Open(t, dsn)
	options.DSN = by(t, dsn, addr)
	s, err := store.Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// F12: when the connection is lost between COMMIT and its answer nobody can tell
// whether the change was kept, and nobody says that it was or was not.
func TestF12ACommitWithoutAnAnswerIsOfUnknownOutcome(t *testing.T) {
	dsn := postgres.DSN(t)
	commits, err := fleet.NewCommits(postgres.Socket())
	if err != nil {
		t.Fatal(err)
	}
	defer commits.Close()
	s := through(t, dsn, commits.Addr(), store.Options{})
	for how, want := range map[fleet.Loss]authz.Revision{fleet.Kept: 1, fleet.Undone: 0} {
		before, err := s.Revision(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		commits.Lose(how)
		name := fmt.Sprint("lost ", how)
		if _, err = s.Update(t.Context(), toolNamed("t", name)); !errors.Is(err, pap.ErrOutcomeUnknown) || !errors.Is(err, authz.ErrUnavailable) {
			t.Errorf("%s: got %v, want that the outcome is unknown", name, err)
		}
		if got, err := s.Revision(t.Context()); err != nil || got != before+want {
			t.Errorf("%s: got revision %d (%v), want %d", name, got, err, before+want)
		}
		if got, err := s.Update(t.Context(), toolNamed("t", name)); err != nil || got != before+1 {
			t.Errorf("%s, again: got revision %d (%v), want %d", name, got, err, before+1)
		}
	}
	if got := commits.Lost(); got != 2 {
		t.Errorf("got %d commits lost, want 2", got)
	}
}

// What certainly was not kept is no unknown outcome: a caller that gave up
// before COMMIT, a constraint, a server that only reads.
func TestACommitThatWasNotSentIsUndone(t *testing.T) {
	s := storetest.Open(t, postgres.DSN(t))
	ctx, stop := context.WithCancel(t.Context())
	_, err := s.Update(ctx, func(tx directory.Tx) error {
		err := tx.PutTool(directory.Tool{ID: "t"})
		stop()
		return err
	})
	if !errors.Is(err, authz.ErrUnavailable) || errors.Is(err, pap.ErrOutcomeUnknown) {
		t.Errorf("given up: got %v, want one that is unavailable and undone", err)
	}
}

// F12: a server that only reads refuses writes and lets everybody read, and the
// connection is given up, as the next may lead to the new primary.
func TestF12WritesAreRefusedByAServerThatOnlyReads(t *testing.T) {
	dsn := postgres.DSN(t)
	s := storetest.Open(t, dsn)
	db := raw(t, dsn)
	name := strings.TrimPrefix(mustParse(t, dsn).Path, "/")
	for only, want := range map[string]error{"on": authz.ErrUnavailable, "off": nil} {
		if _, err := db.Exec("ALTER DATABASE " + name + " SET default_transaction_read_only = " + only); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"); err != nil {
			t.Fatal(err)
		}
		var err error
		for range 3 { // the connections that were ended are found out first
			if _, err = s.Update(t.Context(), toolNamed("t", only)); errors.Is(err, want) {
				break
			}
		}
		if !errors.Is(err, want) || errors.Is(err, pap.ErrOutcomeUnknown) {
			t.Errorf("read only %s: got %v, want %v", only, err, want)
		}
		if _, err := s.Changes(t.Context(), authz.Point{}, 0); err != nil {
			t.Errorf("read only %s: the change log: got %v", only, err)
		}
	}
}

// F10: a host that falls silent is left for the next one while that is of use.
// Nothing tells that it is gone: its connections stay open.
func TestF10ASilentHostIsLeftForAnother(t *testing.T) {
	dsn := postgres.DSN(t)
	hosts := make([]*fleet.Proxy, 2)
	for n := range hosts {
		var err error
		if hosts[n], err = fleet.NewProxy(postgres.Socket(), 1); err != nil {
			t.Fatal(err)
		}
		defer hosts[n].Close()
	}
	storetest.Open(t, dsn)
	both := by(t, dsn, hosts[0].Addr()+","+hosts[1].Addr()) + "&connect_timeout=1"
	s, err := store.Open(t.Context(), store.Options{DSN: both, LookTimeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Changes(t.Context(), authz.Point{}, 0); err != nil {
		t.Fatal(err)
	}
	hosts[0].Stall()
	silent := time.Now()
	for err = authz.ErrUnavailable; err != nil && time.Since(silent) < 20*time.Second; {
		_, err = s.Changes(t.Context(), authz.Point{}, 0)
	}
	if err != nil {
		t.Errorf("got %v, want the other host", err)
	}
	if got := time.Since(silent); got > 10*time.Second {
		t.Errorf("got a look after %v, want one look lost and one connection", got)
	}
	t.Logf("the change log was read again %v after a host fell silent", time.Since(silent))
	closing := time.Now()
	if err := s.Close(); err != nil || time.Since(closing) > 5*time.Second {
		t.Errorf("close: got %v after %v, want no wait for a farewell", err, time.Since(closing))
	}
	if err := hosts[0].Heal(); err != nil {
		t.Fatal(err)
	}
}

func mustParse(t *testing.T, dsn string) *url.URL {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// said is a log that several goroutines write.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) count(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Count(s.text.String(), what)
}

// F12: a server that has started again has closed every idle connection, and the
// next read does not fail for it.
func TestF12ClosedConnectionsFailNoRead(t *testing.T) {
	dsn := postgres.DSN(t)
	storetest.Open(t, dsn)
	s, err := store.Open(t.Context(), store.Options{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // it only read
	var all sync.WaitGroup
	for range 64 { // as many at once as there are connections
		all.Go(func() { s.Read(t.Context(), []authz.Key{{Kind: authz.KindTool, ID: "wan"}}) }) //nolint:errcheck // looked at below
	}
	all.Wait()
	var closed int
	const others = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
	if err := raw(t, dsn).QueryRow(others).Scan(&closed); err != nil || closed < 4 {
		t.Fatalf("got %d connections closed, %v, want several", closed, err)
	}
	for n := range 20 {
		if _, _, err := s.Read(t.Context(), []authz.Key{{Kind: authz.KindTool, ID: "wan"}}); err != nil {
			t.Fatalf("read %d: got %v", n+1, err)
		}
	}
}

// Whoever listens hears of a commit of any process, and again after the
// connection was lost, which is said once.
func TestListenersHearOfCommits(t *testing.T) {
	dsn := postgres.DSN(t)
	writer := storetest.Open(t, dsn)
	log := &said{}
	s, err := store.Open(t.Context(), store.Options{DSN: dsn, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // it only listened
	ctx, stop := context.WithCancel(t.Context())
	heard, ended := make(chan struct{}, 100), make(chan struct{})
	go func() { defer close(ended); s.Listen(ctx, func() { heard <- struct{}{} }) }()
	hears := func(why string) {
		t.Helper()
		select {
		case <-heard:
		case <-time.After(20 * time.Second):
			t.Fatalf("nothing was heard: %s", why)
		}
	}
	hears("it begins")
	for n := range 3 {
		if _, err := writer.Update(t.Context(), toolNamed("t", fmt.Sprint(n))); err != nil {
			t.Fatal(err)
		}
		hears("a commit")
	}
	for range 2 {
		if _, err := raw(t, dsn).Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"); err != nil {
			t.Fatal(err)
		}
		hears("it is back, and may have missed something")
	}
	if _, err := writer.Update(t.Context(), toolNamed("t", "after")); err != nil {
		t.Fatal(err)
	}
	hears("a commit afterwards")
	stop()
	<-ended
	if lost, back := log.count("level=WARN"), log.count("heard of again"); lost != 2 || back != 2 {
		t.Errorf("got %d lines of a loss and %d of a return, want 2 of each\n%s", lost, back, &log.text)
	}
}
