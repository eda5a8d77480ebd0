package storetest

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/postern-authz/postern/test/fleet"
)

// A Postgres is a PostgreSQL server of a test binary's own: in a temporary
// directory, on a unix socket only, started when a test first asks for a
// database. Declare one in the test package and stop it in TestMain:
//
//	var postgres storetest.Postgres
//
//	func TestMain(m *testing.M) {
//		code := m.Run()
//		postgres.Stop()
//		os.Exit(code)
//	}
//
// It needs the binaries of PostgreSQL 14 or newer; without them a test fails
// and says what to install.
type Postgres struct {
	// Settings are more of its own (-c), such as "max_connections=20". It keeps
	// nothing through a power cut unless "synchronous_commit=on" is among them.
	Settings []string

	start   sync.Once
	failure error
	dir     string
	owner   *syscall.Credential
	admin   *sql.DB
	process *fleet.Process

	mu        sync.Mutex
	databases int
}

// DSN returns the DSN of a new, empty database that lives as long as the server.
func (p *Postgres) DSN(t testing.TB) string {
	t.Helper()
	return p.Copy(t, "")
}

// Copy returns the DSN of a new database that holds what the one of a DSN does,
// to which nobody is connected; of an empty one, nothing.
func (p *Postgres) Copy(t testing.TB, dsn string) string {
	t.Helper()
	p.start.Do(func() { p.failure = p.run() })
	if p.failure != nil {
		t.Fatal(p.failure)
	}
	p.mu.Lock()
	p.databases++
	name := "test" + strconv.Itoa(p.databases)
	p.mu.Unlock()
	create := "CREATE DATABASE " + name
	if from, err := url.Parse(dsn); err == nil && dsn != "" {
		create += " TEMPLATE " + strings.TrimPrefix(from.Path, "/")
	}
	if _, err := p.admin.ExecContext(t.Context(), create); err != nil {
		t.Fatalf("make a database for the test: %v", err)
	}
	return p.dsn(name)
}

// Stop ends the server and removes its files. It may be called when none ran.
func (p *Postgres) Stop() {
	if p.admin != nil {
		_ = p.admin.Close()
	}
	if p.process != nil {
		p.process.Thaw()
		_ = p.process.End(syscall.SIGQUIT) // at once: nothing is worth keeping
	}
	if p.dir != "" {
		_ = os.RemoveAll(p.dir)
	}
}

func (p *Postgres) dsn(database string) string {
	query := url.Values{"host": {p.dir}, "user": {"postgres"}}
	return "postgres:///" + database + "?" + query.Encode()
}

func (p *Postgres) run() error {
	initdb, postgres, err := binaries()
	if err != nil {
		return err
	}
	owner, err := p.makeDir()
	if err != nil {
		return err
	}
	data := filepath.Join(p.dir, "data")
	prepare := exec.Command(initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync", "--no-instructions")
	prepare.Dir, prepare.SysProcAttr = p.dir, &syscall.SysProcAttr{Credential: owner}
	if out, err := prepare.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	p.owner = owner
	if p.admin, err = sql.Open("pgx", p.dsn("postgres")); err != nil {
		return err
	}
	return p.launch(postgres)
}

// launch starts the server on its directory and waits until it answers.
func (p *Postgres) launch(postgres string) error {
	server := exec.Command(postgres, "-D", filepath.Join(p.dir, "data"), "-k", p.dir)
	for _, setting := range append([]string{"listen_addresses=", "fsync=off", "synchronous_commit=off",
		"full_page_writes=off", "max_wal_size=4GB", "log_min_messages=fatal"}, p.Settings...) {
		server.Args = append(server.Args, "-c", setting)
	}
	server.Dir = p.dir
	var said bytes.Buffer
	server.Stderr = &said
	var err error
	if p.process, err = fleet.Start(server, p.owner, syscall.SIGQUIT); err != nil {
		return err
	}
	return p.connect(&said)
}

// Process is the running server, to be frozen or killed.
func (p *Postgres) Process() *fleet.Process { return p.process }

// Socket is the path of the unix socket that it listens on.
func (p *Postgres) Socket() string { return filepath.Join(p.dir, ".s.PGSQL.5432") }

// Restart starts the server again that was killed, with all its databases.
func (p *Postgres) Restart(t testing.TB) {
	t.Helper()
	_, postgres, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.launch(postgres); err != nil {
		t.Fatal(err)
	}
}

// connect waits until the server answers.
func (p *Postgres) connect(said *bytes.Buffer) error {
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := p.admin.Ping()
		if err == nil {
			return nil
		}
		select {
		case <-p.process.Done():
			return fmt.Errorf("PostgreSQL ended at once: %s", said)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("PostgreSQL does not answer: %w", err)
		}
	}
}

// makeDir makes the server's directory. PostgreSQL refuses to run as root, so
// root gives it to another user, who is returned.
func (p *Postgres) makeDir() (*syscall.Credential, error) {
	dir, err := os.MkdirTemp("", "postern") // short: the path of a socket has 107 bytes
	if err != nil {
		return nil, err
	}
	p.dir = dir
	if os.Getuid() != 0 {
		return nil, nil
	}
	owner, err := unprivileged()
	if err != nil {
		return nil, err
	}
	return owner, os.Chown(dir, int(owner.Uid), int(owner.Gid))
}

func unprivileged() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errU := strconv.ParseUint(u.Uid, 10, 32)
		gid, errG := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(errU, errG); err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
}

// binaries finds initdb and postgres: in PATH, or where Debian puts them.
func binaries() (initdb, postgres string, err error) {
	dirs, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", "", err
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	for i := len(dirs) - 1; i >= 0; i-- {
		initdb, postgres = filepath.Join(dirs[i], "initdb"), filepath.Join(dirs[i], "postgres")
		if isFile(initdb) && isFile(postgres) {
			return initdb, postgres, nil
		}
	}
	return "", "", errors.New("this test needs PostgreSQL: install the package postgresql (apt-get install postgresql), or put initdb and postgres into PATH")
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
