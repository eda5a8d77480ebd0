package demo_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/demo"
	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/store"
	"github.com/postern-authz/postern/internal/store/storetest"
)

func open(t testing.TB) *store.Store {
	t.Helper()
	return storetest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "directory.db"))
}

func load(t testing.TB, s directory.Store, source directory.Source) directory.Report {
	t.Helper()
	report, err := directory.Import(context.Background(), s, directory.ImportOptions{Sources: []directory.Source{source}})
	if err != nil {
		t.Fatal(err, report.Errors)
	}
	return report
}

func TestTheDemoPortalImports(t *testing.T) {
	s := open(t)
	report := load(t, s, demo.Source())
	if report.Revision != 1 || len(report.Types) != 8 || report.Written != report.Records {
		t.Errorf("got %+v, want every type but role, in one revision", report)
	}
	if again := load(t, s, demo.Source()); again.Revision != report.Revision {
		t.Errorf("importing again made revision %d", again.Revision)
	}
	checkExport(t, s)
}

// checkExport: what the portal exports as, another store imports and exports in
// the same bytes.
func checkExport(t *testing.T, s directory.Store) {
	t.Helper()
	var first, second bytes.Buffer
	if err := directory.Export(context.Background(), s, &first); err != nil {
		t.Fatal(err)
	}
	other := open(t)
	load(t, other, source(first.Bytes()))
	if err := directory.Export(context.Background(), other, &second); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Errorf("exported %d bytes, and after importing them %d other ones", first.Len(), second.Len())
	}
}

func source(b []byte) directory.Source {
	return directory.Source{Name: "export", Size: int64(len(b)), Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }}
}

func TestTheReadmeTellsWhoIsWho(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	in, err := demo.Source().Open()
	if err != nil {
		t.Fatal(err)
	}
	records, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	_, readme, _ = bytes.Cut(readme, []byte("## Who is who"))
	names := regexp.MustCompile(`"(?:username|user)":"([^"]+)"`).FindAllSubmatch(records, -1)
	for _, name := range names {
		if !bytes.Contains(readme, fmt.Appendf(nil, "\n| `%s` | ", name[1])) {
			t.Errorf("%s is in the demo and not in the table", name[1])
		}
	}
	for _, name := range regexp.MustCompile("(?m)^\\| `([a-z0-9-]+)` \\| [a-z]+(, [a-z]+)? \\| [A-Z]").FindAllSubmatch(readme, -1) {
		if !bytes.Contains(records, fmt.Appendf(nil, `"user":"%s"`, name[1])) {
			t.Errorf("%s is in the table and not in the demo", name[1])
		}
	}
}

func generated(t testing.TB, size demo.Size, seed uint64) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := demo.Generate(&b, size, seed); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestAGeneratedDirectoryImports(t *testing.T) {
	sizes := []demo.Size{
		{Users: 1, Accounts: 1, Grants: 1},
		{Users: 7, Accounts: 3, Grants: 60},
		{Users: 1000, Accounts: 2000, Grants: 10_000},
		{Users: 3, Accounts: 1000, Grants: 20_000},
	}
	for _, size := range sizes {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			report := load(t, open(t), source(generated(t, size, 1)))
			got := map[string]int{}
			for _, count := range report.Types {
				got[count.Type] = count.Written
			}
			if got["user"] != size.Users || got["membership"] != size.Users || got["account"] != size.Accounts || got["grant"] != size.Grants {
				t.Errorf("got %v, want %+v", got, size)
			}
		})
	}
}

func TestGenerateSaysNoGrantTwice(t *testing.T) {
	seen := map[string]bool{}
	for line := range strings.Lines(string(generated(t, demo.Size{Users: 20, Accounts: 50, Grants: 4000}, 3))) {
		if seen[line] {
			t.Fatalf("twice: %s", line)
		}
		seen[line] = true
	}
}

// The same seed makes the same bytes on every machine: figures of load tests
// are compared over years.
func TestGenerateIsDeterministic(t *testing.T) {
	size := demo.Size{Users: 500, Accounts: 900, Grants: 5000}
	const want = "234ecc69dc6186e8"
	if got := fmt.Sprintf("%x", sha256.Sum256(generated(t, size, 1)))[:16]; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if bytes.Equal(generated(t, size, 1), generated(t, size, 2)) {
		t.Error("two seeds make the same directory")
	}
}

func TestGenerateRefusesWhatCannotBe(t *testing.T) {
	for _, size := range []demo.Size{{}, {Users: 1}, {Users: 1, Accounts: 1, Grants: 100}, {Users: 1, Accounts: 1, Grants: -1}} {
		if err := demo.Generate(io.Discard, size, 1); !errors.Is(err, authz.ErrInvalid) {
			t.Errorf("%+v: got %v, want an error of kind invalid", size, err)
		}
	}
}
