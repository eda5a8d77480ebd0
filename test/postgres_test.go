package test

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/postern-authz/postern/internal/store/storetest"
)

// postgres is a PostgreSQL server for the time of all tests.
var postgres storetest.Postgres

// TestScriptsOnPostgreSQL runs the scripts about what is decided and kept once
// more, each on a database of its own.
func TestScriptsOnPostgreSQL(t *testing.T) {
	testscript.Run(t, params(t, testscript.Params{Files: kept(t), Setup: usePostgreSQL}))
}

// kept lists the scripts that do not choose their database themselves.
func kept(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/r[0-9]*.txtar")
	if err != nil || len(files) < 20 {
		t.Fatalf("got %d scripts of requirements, want 20 and more: %v", len(files), err)
	}
	files = slices.DeleteFunc(files, func(f string) bool { return f == "testdata/r62_default_deny.txtar" })
	for _, name := range []string{"unknown", "other_organization", "import_errors", "keys", "decide", "administration", "admin_commands"} {
		files = append(files, "testdata/"+name+".txtar")
	}
	return files
}

func usePostgreSQL(env *testscript.Env) error {
	t, ok := env.T().(testing.TB)
	if !ok {
		return fmt.Errorf("%T is no testing.TB", env.T())
	}
	env.Setenv("POSTERN_DATABASE", postgres.DSN(t))
	migrate := exec.Command(env.Values[sessionKey{}].(*session).binary, "migrate")
	migrate.Env = env.Vars
	if out, err := migrate.CombinedOutput(); err != nil {
		return fmt.Errorf("migrate: %w\n%s", err, bytes.TrimSpace(out))
	}
	return nil
}
