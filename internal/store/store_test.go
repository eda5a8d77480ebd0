package store_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/store"
	"github.com/postern-authz/postern/internal/store/storetest"
)

var postgres storetest.Postgres

func TestMain(m *testing.M) {
	code := m.Run()
	postgres.Stop()
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func sqliteDSN(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "directory.db") }

func TestSQLite(t *testing.T) { storetest.Run(t, sqliteDSN) }

func TestPostgreSQL(t *testing.T) { storetest.Run(t, postgres.DSN) }

func TestOpenRefusesWhatItCannotRead(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	cases := []struct {
		name, dsn string
		want      error
	}{
		{"nothing", "", authz.ErrInvalid},
		{"another database", "mysql://root:s3cret@localhost/x", authz.ErrInvalid},
		{"no file", "sqlite:", authz.ErrInvalid},
		{"a DSN that cannot be read", "postgres://app:s3cret%zz@db/x", authz.ErrInvalid},
		{"a port that cannot be read", "postgres://app:s3cret@db:port/x", authz.ErrInvalid},
		{"the simple protocol", "postgres://app:s3cret@db/x?default_query_exec_mode=simple_protocol", authz.ErrInvalid},
		{"a server that is not there", "postgres:///x?host=" + dir + "&user=app&password=s3cret", authz.ErrUnavailable},
		{"a folder that is not there", "sqlite:" + filepath.Join(dir, "none", "x.db"), os.ErrNotExist},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s, err := store.Open(ctx, store.Options{DSN: c.dsn})
			if !errors.Is(err, c.want) || s != nil {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error tells the password: %v", err)
			}
		})
	}
}

func TestOpenTakesWhatIsNoDatabaseForBroken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "directory.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("not a database. ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := store.Open(context.Background(), store.Options{DSN: "sqlite:" + path}); err == nil {
		t.Errorf("got no error, and %v", s)
	}
}

func TestSQLiteFileIsPrivateAndDurable(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "odd name?#%41&.db")
	s := storetest.Open(t, "sqlite:"+path)
	if _, err := s.Revision(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} { // WAL is on if it has its files
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o600 {
			t.Errorf("mode of %q: got %v, want 0600", info.Name(), got)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 3 {
		t.Errorf("files: got %v, %v, want the database and its two companions", files, err)
	}
}

func TestWritersWaitForAnotherProcessAndThenGiveUp(t *testing.T) {
	dsn := sqliteDSN(t)
	s, other := storetest.Open(t, dsn), storetest.Open(t, dsn)
	put := func(s *store.Store) error {
		_, err := s.Update(context.Background(), func(tx directory.Tx) error { return tx.PutTool(directory.Tool{ID: "t"}) })
		return err
	}
	_, err := s.Update(context.Background(), func(directory.Tx) error {
		if err := put(other); !errors.Is(err, authz.ErrUnavailable) {
			t.Errorf("while another writes: got %v, want unavailable", err)
		}
		return other.Ping(context.Background()) // reading goes on
	})
	if err := errors.Join(err, put(other)); err != nil {
		t.Errorf("afterwards: got %v", err)
	}
}

// The engines order and compare text alike only if PostgreSQL does so by bytes,
// whatever the database's own collation is.
func TestPostgreSQLComparesBytes(t *testing.T) {
	dsn := postgres.DSN(t)
	storetest.Open(t, dsn)
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // it only read
	rows, err := db.Query(`
		SELECT table_name || '.' || column_name, collation_name IS NOT DISTINCT FROM 'C' FROM information_schema.columns
		WHERE table_schema = 'public' AND data_type = 'text'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // Err below says the same
	columns := 0
	for ; rows.Next(); columns++ {
		var column string
		var bytewise bool
		if err := rows.Scan(&column, &bytewise); err != nil {
			t.Fatal(err)
		}
		if !bytewise {
			t.Errorf("%s: want COLLATE \"C\"", column)
		}
	}
	if err := rows.Err(); err != nil || columns < 50 {
		t.Errorf("columns: got %d, %v, want those of the whole schema", columns, err)
	}
}

// A writer that is killed at any moment leaves every revision it reported, and
// none of them in parts (F16).
func TestKilledWriterLosesNothing(t *testing.T) {
	if dsn := os.Getenv("POSTERN_TEST_WRITE_TO"); dsn != "" { //nolint:forbidigo // how the test talks to itself
		writeUntilKilled(t, dsn)
	}
	for name, dsn := range map[string]string{"SQLite": sqliteDSN(t), "PostgreSQL": postgres.DSN(t)} {
		t.Run(name, func(t *testing.T) {
			s := storetest.Open(t, dsn)
			for round := range 5 {
				acknowledged := killWriter(t, dsn, 20+7*round)
				checkWritten(t, s, acknowledged)
			}
		})
	}
}

// writeUntilKilled makes revisions whose number is the name of two tools, and
// says each one that was committed.
func writeUntilKilled(t *testing.T, dsn string) {
	s := storetest.Open(t, dsn)
	at, err := s.Revision(context.Background())
	for err == nil {
		name := fmt.Sprint(at + 1)
		at, err = s.Update(context.Background(), func(tx directory.Tx) error {
			return errors.Join(tx.PutTool(directory.Tool{ID: "first", Name: name}), tx.PutTool(directory.Tool{ID: "second", Name: name}))
		})
		fmt.Println("committed", at)
	}
	t.Fatal(err)
}

// killWriter starts a writer, kills it after it has said so many revisions, and
// returns the last one it said.
func killWriter(t *testing.T, dsn string, after int) authz.Revision {
	t.Helper()
	writer := exec.Command(os.Args[0], "-test.run=^TestKilledWriterLosesNothing$")
	writer.Env = append(os.Environ(), "POSTERN_TEST_WRITE_TO="+dsn)
	said, err := writer.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Start(); err != nil {
		t.Fatal(err)
	}
	var last authz.Revision
	lines := bufio.NewScanner(said)
	for n := 0; lines.Scan(); n++ {
		if n == after {
			if err := writer.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := fmt.Sscanf(lines.Text(), "committed %d", &last); err != nil {
			t.Fatalf("the writer said %q", lines.Text())
		}
	}
	_ = writer.Wait() // it was killed
	return last
}

// checkWritten wants both tools of one revision, no older than the one that was
// reported: the last may have been committed and not reported.
func checkWritten(t *testing.T, s *store.Store, acknowledged authz.Revision) {
	t.Helper()
	var found []authz.Revision
	err := s.View(context.Background(), func(r directory.Reader) error {
		return r.Tools(func(tool directory.Tool) error {
			revision, err := strconv.ParseUint(tool.Name, 10, 64)
			found = append(found, authz.Revision(revision))
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 2 || found[0] != found[1] || found[0] < acknowledged || acknowledged == 0 {
		t.Errorf("got tools of revisions %d, want two of one that is at least %d", found, acknowledged)
	}
}
