package store_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/postern-authz/postern/internal/store/storetest"
)

var postgres storetest.Postgres

func TestMain(m *testing.M) {
	code := m.Run()
	postgres.Stop()
	os.Exit(code)
}

func sqliteDSN(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "directory.db") }

func TestSQLite(t *testing.T) { storetest.Run(t, sqliteDSN) }

func TestPostgreSQL(t *testing.T) { storetest.Run(t, postgres.DSN) }
