package test

import (
	"database/sql"
	"net/http"
	"strings"
	"testing"
)

// A statement ends when it has waited for another session's lock for as long as
// it may. Told of a pooler, a server keeps no connection to listen on.
func TestSettingsOfPostgreSQLTakeEffect(t *testing.T) {
	t.Parallel()
	i := install(t, "POSTERN_DATABASE="+postgres.DSN(t), "POSTERN_DATABASE_STATEMENT_TIMEOUT=1s", "POSTERN_SECRET="+strings.Repeat("s", 32))
	i.run(t, "migrate") // which a pooler has no connection for
	i.env = append(i.env, "POSTERN_DATABASE_POOLER=true")
	o := administered(t, i)
	i.locked(t, "organizations", func() { o.does(http.StatusServiceUnavailable, http.MethodGet, "/v1/organizations/acme", "") })
	const told = "canceling statement due to statement timeout"
	if !o.stderr.await(o.done, func(text string) bool { return strings.Contains(text, told) }) {
		t.Errorf("got no word of %q in\n%s", told, o.stderr)
	}
	if got := i.sql(t, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query ILIKE 'listen%'"); got != "0" {
		t.Errorf("got %s connections that listen, want none through a pooler", got)
	}
}

// locked does something while another session has a table for itself.
func (i *installation) locked(t *testing.T, table string, do func()) {
	t.Helper()
	database, err := sql.Open("pgx", i.database())
	if err != nil {
		t.Fatal(err)
	}
	defer database.Close()
	other, err := database.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Rollback()
	if _, err := other.ExecContext(t.Context(), "LOCK TABLE "+table+" IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	do()
}
