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
)

func TestImportCSV(t *testing.T) {
	store := newMemory()
	report, err := directory.Import(context.Background(), store, directory.ImportOptions{Sources: []directory.Source{
		csvFile("organizations.csv", "organization", "\xEF\xBB\xBFid,kind,name,seat_limit,settings\r\nacme,customer,\"ACME, Inc.\",5,\"{\"\"a\"\":1}\"\r\n"),
		csvFile("companies.csv", "company", "id,organization\nc,acme\n"),
		csvFile("my-accounts.csv", "", "type,id,company,kind,contract\naccount,k,c,contract,\naccount,a,c,service,k\n"),
		csvFile("account_groups.csv", "account_group", "id,organization,kind,accounts\ng,acme,service_group,k;a\n"),
		csvFile("users.csv", "user", "username,mfa,removed\npaula,true,false\n"),
		csvFile("memberships.csv", "membership", "organization,user,role\nacme,paula,regular\n"),
		csvFile("grants.csv", "grant", "organization,user,company,account,expires\nacme,paula,c,,\n\nacme,paula,,a,2030-01-01T00:00:00Z\n"),
	}})
	if err != nil {
		t.Fatal(err, messages(report.Errors))
	}
	want := []string{
		`{"type":"organization","id":"acme","kind":"customer","name":"ACME, Inc.","seat_limit":5,"settings":{"a":1}}`,
		`{"type":"account","id":"a","company":"c","kind":"service","contract":"k"}`,
		`"accounts":["a","k"]`,
		`"username":"paula","mfa":true}`,
		`"account":"a","expires":"2030-01-01T00:00:00Z"`,
	}
	for _, want := range want {
		if got := exported(t, store); !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

func TestImportCSVRefuses(t *testing.T) {
	tests := []struct{ name, kind, text, want string }{
		{"no type anywhere", "", "id,name\nt,T\n", `x.csv:1: the file has no column "type", and its name does not begin with a type such as accounts`},
		{"a column that is near", "tool", "id,nam\nt,T\nu,U\n", `x.csv:1: the header has an unknown member "nam"; did you mean "name"?`},
		{"a column that is near, with the type in the first row", "", "type,id,nam\ntool,t,T\ntool,u,U\n", `x.csv:2: the header has an unknown member "nam"`},
		{"a column twice", "tool", "id,name,id\nt,T,t\n", `x.csv:1: column "id" stands twice in the header`},
		{"a cell too few", "tool", "id,name\nt\n", `x.csv:2: no CSV at column 1: wrong number of fields`},
		{"a cell too many", "tool", "id,name\nt,T,\n", `x.csv:2: no CSV at column 1: wrong number of fields`},
		{"a quote within", "tool", "id,name\nt,T\"T\n", `x.csv:2: no CSV at column 4: bare " in non-quoted-field`},
		{"a flag that is none", "tool", "id,restricted\nt,yes\n", `x.csv:2: tool: restricted is the string "yes", want true or false`},
		{"a number that is none", "organization", "id,kind,seat_limit\no,customer,five\n", `seat_limit is the string "five", want a whole number`},
		{"an object that is none", "organization", "id,kind,settings\no,customer,5\n", `settings is the number 5, want an object`},
		{"an object that is no JSON", "organization", "id,kind,settings\no,customer,{\n", `settings is the string "{", want a JSON object`},
		{"no UTF-8", "tool", "id,name\nt,\xff\n", `name is not UTF-8`},
		{"what NDJSON could not say", "tool", "id,name\nt,\uFFFE\n", `name "\ufffe" has a control character`},
		{"two types in one file", "", "type,id\ntool,t\nrole,r\n", `x.csv:3: type "role" in a file of type tool`},
		{"an unknown type", "", "type,id\ntol,t\n", `x.csv:2: unknown type "tol"; did you mean "tool"?`},
		{"a line break in a cell", "tool", "id,name\nt,\"a\nb\"\n", `x.csv:2: tool: name "a\nb" has a control character`},
		{"a row after a row of two lines", "tool", "id,name\nt,\"a\nb\"\nu,U\n u,U\n", `x.csv:5: tool: id: id " u" does not begin with`},
		{"an empty place in a list", "account_group", "id,organization,kind,accounts\ng,acme,service_group,a1;\n", `accounts`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			store := loaded(t)
			report, err := directory.Import(context.Background(), store, directory.ImportOptions{Sources: []directory.Source{csvFile("x.csv", tt.kind, tt.text)}})
			if !errors.Is(err, authz.ErrInvalid) || store.revision != 1 {
				t.Errorf("got error %v and revision %d, want one of kind invalid and 1", err, store.revision)
			}
			if got := messages(report.Errors); !strings.Contains(got, tt.want) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestImportCSVEndsARowThatNeverEnds(t *testing.T) {
	text := "id,name\nt,\"" + strings.Repeat("x\n", directory.MaxLine)
	_, err := directory.Import(context.Background(), newMemory(), directory.ImportOptions{Sources: []directory.Source{csvFile("x.csv", "tool", text)}})
	if err == nil || !strings.Contains(err.Error(), "read x.csv:2: a row is longer than 1048576 bytes; is a quote missing?") {
		t.Errorf("got %v", err)
	}
}

func TestExportCSVAndImportAreInverse(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		one, two, folder := newMemory(), newMemory(), t.TempDir()
		load(rt, one, draw(rt))
		if err := directory.ExportCSV(context.Background(), one, folder); err != nil {
			rt.Fatal(err)
		}
		sources, err := directory.Sources([]string{folder}, nil)
		if err != nil || len(sources) != 9 {
			rt.Fatalf("got %d sources, %v, want 9", len(sources), err)
		}
		report, err := directory.Import(context.Background(), two, directory.ImportOptions{Sources: sources})
		if err != nil {
			rt.Fatal(err, messages(report.Errors))
		}
		if got, want := exported(rt, two), exported(rt, one); got != want {
			rt.Fatalf("got\n%s\nwant\n%s", got, want)
		}
	})
}

func TestExportCSVOverwritesNothing(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "tools.csv")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := directory.ExportCSV(context.Background(), newMemory(), folder)
	if !errors.Is(err, os.ErrExist) {
		t.Errorf("got %v, want that the file exists", err)
	}
	if got, _ := os.ReadFile(path); string(got) != "mine" {
		t.Errorf("got %q in tools.csv", got)
	}
}

func TestSources(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{
		"users.csv", "accounts-2.ndjson", "accounts-1.csv", "account_groups.csv", "accountsextra.csv", "notes.txt",
		"grants.ndjson", "organizations.ndjson", "all.ndjson", "memberships.CSV",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("12345"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sources, err := directory.Sources([]string{folder, "-"}, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range sources {
		got = append(got, strings.TrimPrefix(s.Name, folder+"/")+":"+s.Type)
	}
	want := "accountsextra.csv: all.ndjson: organizations.ndjson:organization accounts-1.csv:account accounts-2.ndjson:account " +
		"account_groups.csv:account_group users.csv:user memberships.CSV:membership grants.ndjson:grant stdin:"
	if got := strings.Join(got, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if s := sources[8]; s.CSV || s.Size != 5 || !sources[7].CSV {
		t.Errorf("got %+v", s)
	}
}

func TestSourcesThatAreNotThere(t *testing.T) {
	empty := t.TempDir()
	_, err := directory.Sources([]string{"nowhere.ndjson", empty}, nil)
	if !errors.Is(err, authz.ErrNotFound) || !strings.Contains(err.Error(), "nowhere.ndjson") || !strings.Contains(err.Error(), empty) {
		t.Errorf("got %v, want both named", err)
	}
}
