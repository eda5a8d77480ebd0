package store_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/pap"
	"github.com/postern-authz/postern/internal/store"
	"github.com/postern-authz/postern/test/fleet"
)

// pgbouncer starts a PgBouncer in transaction mode that has two connections to
// the test's PostgreSQL, and returns its address. It ends with the test.
func pgbouncer(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer"
	}
	dir, err := os.MkdirTemp("", "pooler")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	addr := freeAddr(t)
	_, port, _ := strings.Cut(addr, ":")
	settings := fmt.Sprintf(`[databases]
* = user=postgres host=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %s
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
max_client_conn = 100
`, filepath.Dir(postgres.Socket()), port)
	path := filepath.Join(dir, "pgbouncer.ini")
	if err := os.WriteFile(path, []byte(settings), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	process, err := fleet.Start(exec.Command(program, "-q", path), owner(t), syscall.SIGINT)
	if err != nil {
		t.Fatalf("this test needs PgBouncer (apt-get install pgbouncer): %v", err)
	}
	t.Cleanup(func() { _ = process.End(syscall.SIGKILL) })
	awaitPort(t, addr)
	return addr
}

// owner is whose the socket of PostgreSQL is, whom PgBouncer runs as, too: both
// refuse to be root.
func owner(t *testing.T) *syscall.Credential {
	t.Helper()
	info, err := os.Stat(postgres.Socket())
	if err != nil {
		t.Fatal(err)
	}
	of, ok := info.Sys().(*syscall.Stat_t)
	if !ok || os.Getuid() != 0 {
		return nil
	}
	return &syscall.Credential{Uid: of.Uid, Gid: of.Gid}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func awaitPort(t *testing.T, addr string) {
	t.Helper()
	for range 500 {
		if c, err := net.Dial("tcp", addr); err == nil {
			_ = c.Close()
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("nobody listens at %s", addr)
}

// Behind a pooler that hands two connections around among many, everything
// works, and no session keeps a statement or a setting.
func TestAPoolerInTransactionModeServesAStore(t *testing.T) {
	dsn := postgres.DSN(t)
	addr := pgbouncer(t)
	s := through(t, dsn, addr, store.Options{Pooler: true})
	if err := s.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	var busy sync.WaitGroup
	for n := range 8 {
		busy.Go(func() { use(t, s, fmt.Sprint("tool", n)) })
	}
	busy.Wait()
	session := raw(t, by(t, dsn, addr)+"&default_query_exec_mode=exec")
	var kept int
	var limit string
	err := session.QueryRow("SELECT (SELECT count(*) FROM pg_prepared_statements), current_setting('statement_timeout')").Scan(&kept, &limit)
	if err != nil || kept != 0 || limit != "0" {
		t.Errorf("got %d statements kept and a limit of %s (%v), want none of either", kept, limit, err)
	}
}

// use writes and reads a tool in every way that there is.
func use(t *testing.T, s *store.Store, id string) {
	for n := range 5 {
		revision, err := s.Update(t.Context(), toolNamed(id, fmt.Sprint(n)))
		if err != nil {
			t.Error(err)
			return
		}
		documents, _, err := s.Read(t.Context(), []authz.Key{{Kind: authz.KindTool, ID: id}})
		if err != nil || documents[0].Place == nil || documents[0].Place.Tool != id {
			t.Errorf("got %+v (%v), want the tool %s", documents, err, id)
		}
		if changes, err := s.Changes(t.Context(), authz.Point{}, 0); err != nil || changes.Head.Revision < revision {
			t.Errorf("got head %v (%v), want %d or more", changes.Head, err, revision)
		}
		if _, err := s.Change(t.Context(), func(tx pap.Tx) error { _, err := tx.OpenInvitations("acme", time.Now()); return err }); err != nil {
			t.Error(err)
		}
		if _, err := s.AppKeys(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestAPoolerIsNotMistakenForPostgreSQL(t *testing.T) {
	dsn, addr := postgres.DSN(t), pgbouncer(t)
	s := through(t, dsn, addr, store.Options{Pooler: true})
	if err := s.Migrate(t.Context()); !errors.Is(err, authz.ErrInvalid) || !strings.Contains(err.Error(), "PostgreSQL itself") {
		t.Errorf("got %v, want that migrations need PostgreSQL itself", err)
	}
	s.Listen(t.Context(), func() { t.Error("something was heard") })
	if s, err := store.Open(t.Context(), store.Options{DSN: by(t, dsn, addr)}); !errors.Is(err, authz.ErrInvalid) || !strings.Contains(err.Error(), "POSTERN_DATABASE_POOLER=true") {
		t.Errorf("got %v (%v), want what to set", err, s)
	}
	refused := by(t, dsn, addr) + "&search_path=elsewhere"
	if s, err := store.Open(t.Context(), store.Options{DSN: refused, Pooler: true}); !errors.Is(err, authz.ErrInvalid) {
		t.Errorf("got %v (%v), want a refusal of parameters in the DSN", err, s)
	}
}
