package storetest

import (
	"strings"
	"testing"
)

// Execute runs SQL behind the store's back, as somebody with the database in
// their hands would.
func Execute(t testing.TB, dsn string, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if err := TryExecute(t, dsn, statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// TryExecute runs SQL behind the store's back and says what refused it.
func TryExecute(t testing.TB, dsn, statement string) error {
	t.Helper()
	_, err := rawOpen(t, dsn).Exec(statement)
	return err
}

// Tables are the names of all tables, without the one of the migrations.
func Tables(t testing.TB, dsn string) (tables []string) {
	t.Helper()
	query := `SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() AND table_name <> 'schema_versions'`
	if strings.HasPrefix(dsn, "sqlite:") {
		query = `SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'schema_versions' AND name NOT LIKE 'sqlite_%'`
	}
	rows, err := rawOpen(t, dsn).Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // Err below says the same
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			t.Fatal(err)
		}
		tables = append(tables, table)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return tables
}
