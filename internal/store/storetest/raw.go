package storetest

import "testing"

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
