package directory_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/store/storetest"
)

var postgres storetest.Postgres

func TestMain(m *testing.M) {
	code := m.Run()
	postgres.Stop()
	os.Exit(code)
}

func sqlite(t testing.TB) directory.Store {
	return storetest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "directory.db"))
}

// onEveryStore runs a test on the maps of memory_test.go and on both engines.
func onEveryStore(t *testing.T, test func(t *testing.T, open func(testing.TB) directory.Store)) {
	onFastStores(t, test)
	t.Run("PostgreSQL", func(t *testing.T) {
		test(t, func(t testing.TB) directory.Store { return storetest.Open(t, postgres.DSN(t)) })
	})
}

func TestExportAndImportAreInverseOnEveryStore(t *testing.T) {
	onEveryStore(t, func(t *testing.T, open func(testing.TB) directory.Store) {
		for seed := range 5 {
			checkRoundTrip(t, rapid.Custom(draw).Example(seed), open(t), open(t))
		}
	})
}

// Two engines and the maps export one directory in the same bytes.
func TestEveryStoreExportsTheSame(t *testing.T) {
	for seed := range 3 {
		memory := newMemory()
		load(t, memory, rapid.Custom(draw).Example(100+seed))
		want := exported(t, memory)
		onEveryStore(t, func(t *testing.T, open func(testing.TB) directory.Store) {
			s := open(t)
			load(t, s, want)
			if got := exported(t, s); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// onFastStores leaves PostgreSQL out, where a database takes a second to make.
func onFastStores(t *testing.T, test func(t *testing.T, open func(testing.TB) directory.Store)) {
	t.Run("memory", func(t *testing.T) { test(t, func(testing.TB) directory.Store { return newMemory() }) })
	t.Run("SQLite", func(t *testing.T) { test(t, sqlite) })
}

// What only the store can see, it refuses in a sentence, and nothing is kept.
func TestImportTheEnginesRefuse(t *testing.T) {
	tests := []struct{ name, lines, want string }{
		{
			"a seat too many",
			`{"type":"organization","id":"acme","kind":"customer","seat_limit":1}` + "\n" +
				`{"type":"user","username":"one-more","email":"one-more@acme.example"}` + "\n" +
				`{"type":"membership","organization":"acme","user":"one-more","role":"regular"}`,
			"no free seat",
		},
		{
			"an account that moves away from who it is granted to",
			`{"type":"account","id":"a1","company":"acme-east","kind":"service"}`,
			"nothing is written", // each engine knows this one by another constraint
		},
		{
			"a tool that becomes restricted while a user granted it",
			`{"type":"tool","id":"wan","restricted":true}`,
			"a restricted tool was granted by somebody else than the operator",
		},
		{
			"a role that becomes the partners' while others have it",
			`{"type":"role","id":"regular","partner_only":true}`,
			"a role that exists only in partner organizations was given in another",
		},
	}
	onEveryStore(t, func(t *testing.T, open func(testing.TB) directory.Store) {
		if strings.HasSuffix(t.Name(), "memory") {
			return // it keeps no such rules
		}
		s := open(t)
		load(t, s, base)
		before := exported(t, s)
		for _, tt := range tests {
			_, err := directory.Import(context.Background(), s, directory.ImportOptions{
				Sources:   []directory.Source{ndjson("x", `{"type":"tool","id":"other"}`+"\n"+tt.lines)},
				KeepGoing: true,
			})
			if !errors.Is(err, authz.ErrConflict) || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "import: nothing is written") {
				t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
			}
			if exported(t, s) != before {
				t.Errorf("%s: something was kept", tt.name)
			}
		}
	})
}
