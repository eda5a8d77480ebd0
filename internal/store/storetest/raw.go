package storetest

import "testing"

// Execute runs SQL behind the store's back, as somebody with the database in
// their hands would.
func Execute(t testing.TB, dsn string, statements ...string) {
	t.Helper()
	db := rawOpen(t, dsn)
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}
