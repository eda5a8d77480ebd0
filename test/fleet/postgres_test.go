package fleet_test

import (
	"os/exec"
	"testing"

	"github.com/postern-authz/postern/internal/store/storetest"
)

// What PostgreSQL said that it has committed is there after a power cut, if it
// is told to keep it.
func TestAPostgreSQLThatIsKilledComesBack(t *testing.T) {
	t.Parallel()
	p := storetest.Postgres{Settings: []string{"synchronous_commit=on"}}
	defer p.Stop()
	dsn := p.DSN(t)
	psql := func(words string) string {
		t.Helper()
		out, err := exec.Command("psql", "-XtAq", "-c", words, dsn).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", words, err, out)
		}
		return string(out)
	}
	psql("CREATE TABLE kept (n int)")
	for range 5 {
		psql("INSERT INTO kept VALUES (1)")
		p.Process().Freeze()
		p.Process().Thaw()
		p.Process().Kill()
		p.Restart(t)
	}
	if got := psql("SELECT count(*) FROM kept"); got != "5\n" {
		t.Errorf("got %s rows, want 5", got)
	}
}
