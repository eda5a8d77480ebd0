package directory_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// base is a small directory that the tests add to.
const base = `{"type":"organization","id":"carrier","kind":"operator"}
{"type":"organization","id":"acme","kind":"customer","name":"ACME"}
{"type":"organization","id":"globex","kind":"customer"}
{"type":"organization","id":"orchard","kind":"partner"}
{"type":"company","id":"acme-south","organization":"acme"}
{"type":"company","id":"acme-east","organization":"acme"}
{"type":"company","id":"globex-1","organization":"globex"}
{"type":"account","id":"k1","company":"acme-south","kind":"contract"}
{"type":"account","id":"d1","company":"acme-east","kind":"delivery"}
{"type":"account","id":"a1","company":"acme-south","kind":"service","contract":"k1","delivery":"d1"}
{"type":"account","id":"b1","company":"acme-east","kind":"billing"}
{"type":"account","id":"g1","company":"globex-1","kind":"service"}
{"type":"account","id":"gk","company":"globex-1","kind":"contract"}
{"type":"account_group","id":"south","organization":"acme","kind":"service_group","accounts":["a1"]}
{"type":"account_group","id":"globals","organization":"globex","kind":"service_group","accounts":["g1"]}
{"type":"tool","id":"wan","name":"WAN Analysis"}
{"type":"tool","id":"dnm","restricted":true}
{"type":"user","id":"usr_01900000-0000-7000-8000-000000000001","username":"Paula","email":"Paula@ACME.example"}
{"type":"user","username":"rosa","email":"rosa@acme.example"}
{"type":"user","username":"noc","kind":"group"}
{"type":"membership","id":"mem_01900000-0000-7000-8000-000000000001","organization":"acme","user":"Paula","role":"primary_contact"}
{"type":"membership","organization":"acme","user":"rosa","role":"regular"}
{"type":"membership","organization":"acme","user":"tmp-1","email":"new@acme.example","role":"regular","state":"invited"}
{"type":"grant","organization":"acme","user":"rosa","company":"acme-south"}
{"type":"grant","organization":"acme","user":"rosa","tool":"wan"}
{"type":"grant","organization":"acme","user":"rosa","tool":"wan","account":"a1"}
`

func ndjson(name, text string) directory.Source {
	return directory.Source{
		Name: name,
		Size: int64(len(text)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil },
	}
}

func csvFile(name, kind, text string) directory.Source {
	s := ndjson(name, text)
	s.CSV, s.Type = true, kind
	return s
}

func load(t rapid.TB, store directory.Store, text string) authz.Revision {
	t.Helper()
	report, err := directory.Import(context.Background(), store, directory.ImportOptions{Sources: []directory.Source{ndjson("base.ndjson", text)}})
	if err != nil {
		t.Fatalf("%v %v", err, report.Errors)
	}
	return report.Revision
}

func loaded(t testing.TB) *memory {
	t.Helper()
	store := newMemory()
	load(t, store, base)
	return store
}

func exported(t rapid.TB, store directory.Store) string {
	t.Helper()
	var b strings.Builder
	if err := directory.Export(context.Background(), store, &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func messages(errs []directory.LineError) string {
	var lines []string
	for _, err := range errs {
		lines = append(lines, err.Error())
	}
	return strings.Join(lines, "\n")
}

func TestImportRefuses(t *testing.T) {
	tests := []struct {
		name, line, want string
	}{
		// The record by itself.
		{"no JSON", `{"type":}`, `x.ndjson:1: no JSON at byte 8: `},
		{"an array", `["organization"]`, `the line is an array, want a JSON object`},
		{"a member twice", `{"type":"tool","id":"t1","id":"t2"}`, `no JSON at byte `},
		{"no type", `{"id":"acme"}`, `type is missing: one of organization, company`},
		{"a type that is near", `{"type":"acount"}`, `unknown type "acount"; did you mean "account"?`},
		{"a type that is far", `{"type":"spaceship"}`, `unknown type "spaceship"; there are organization, company`},
		{"a type of another type", `{"type":7}`, `type is the number 7, want a string`},
		{"an unknown member that is near", `{"type":"tool","id":"t","restricte":true}`, `tool: unknown member "restricte"; did you mean "restricted"?`},
		{"a member in another case", `{"type":"tool","ID":"t"}`, `unknown member "ID"`},
		{"null for nothing", `{"type":"tool","id":"t","name":null}`, `name is null, want a string`},
		{"an empty text", `{"type":"tool","id":"t","name":""}`, `want a string that is not empty; leave it out instead`},
		{"a text for a flag", `{"type":"tool","id":"t","restricted":"true"}`, `restricted is the string "true", want true or false`},
		{"a text for a number", `{"type":"organization","id":"o","kind":"customer","seat_limit":"5"}`, `seat_limit is the string "5", want a whole number`},
		{"a fraction of a seat", `{"type":"organization","id":"o","kind":"customer","seat_limit":5.5}`, `seat_limit is the number 5.5, want a whole number`},
		{"seats below none", `{"type":"organization","id":"o","kind":"customer","seat_limit":-1}`, `seat_limit -1 is not between`},
		{"settings that are no object", `{"type":"organization","id":"o","kind":"customer","settings":[]}`, `settings is an array, want an object`},
		{"a text for a list", `{"type":"account_group","id":"g","organization":"acme","kind":"service_group","accounts":"a1"}`, `accounts is the string "a1", want an array of strings`},
		{"a list of numbers", `{"type":"account_group","id":"g","organization":"acme","kind":"service_group","accounts":[1]}`, `accounts is the number 1, want an array of strings only`},
		{"a bad key", `{"type":"tool","id":"a b"}`, `tool: id: id "a b" has a character that is none of`},
		{"no key", `{"type":"tool"}`, `tool: id is missing`},
		{"a line break in a name", `{"type":"tool","id":"t","name":"a\nb"}`, `name "a\nb" has a control character`},
		{"a separator in a name", `{"type":"tool","id":"t","name":"a\u2028b"}`, `has a control character`},
		{"an organization of no kind", `{"type":"organization","id":"o","kind":"reseller"}`, `kind "reseller" is none of customer, partner, operator`},
		{"an account of no kind", `{"type":"account","id":"x","company":"acme-south","kind":"data"}`, `kind "data" is none of`},
		{"a contract account in a contract account", `{"type":"account","id":"x","company":"acme-south","kind":"contract","contract":"k1"}`, `an account of kind contract lies in no contract or delivery account`},
		{"a bad username", `{"type":"user","username":"jo hn"}`, `username "jo hn" has a character`},
		{"a bad address", `{"type":"user","username":"john","email":"john"}`, `the e-mail address does not have exactly one @`},
		{"an id of another kind", `{"type":"user","id":"mem_01900000-0000-7000-8000-000000000001","username":"x"}`, `is not usr_ and a UUID version 7`},
		{"a user of no kind", `{"type":"user","username":"x","kind":"robot"}`, `kind "robot" is none of personal, group`},
		{"an operator role that others may give", `{"type":"role","id":"primary_contact","name":"Master"}`, `role primary_contact is always operator_only`},
		{"an affiliation that is none", `{"type":"membership","organization":"acme","user":"rosa","role":"regular","affiliation":"friend"}`, `affiliation "friend" is none of`},
		{"a state that is none", `{"type":"membership","organization":"acme","user":"rosa","role":"regular","state":"asleep"}`, `state "asleep" is none of`},
		{"a giver that is none", `{"type":"membership","organization":"acme","user":"rosa","role":"regular","assigned_by":"request"}`, `assigned_by "request" is none of`},
		{"an account team member as Primary Contact (R7)", `{"type":"membership","organization":"acme","user":"rosa","role":"primary_contact","affiliation":"account_team"}`, `cannot be primary_contact; make it administrator`},
		{"an invitation without an address", `{"type":"membership","organization":"acme","user":"tmp-9","role":"regular","state":"invited"}`, `the e-mail address is empty`},
		{"a member with an address of its own", `{"type":"membership","organization":"acme","user":"rosa","role":"regular","email":"a@b.example"}`, `only an invited membership has its own`},
		{"a grant of nothing", `{"type":"grant","organization":"acme","user":"rosa"}`, `a grant gives exactly one of company, account, account_group and tool`},
		{"a grant of two things", `{"type":"grant","organization":"acme","user":"rosa","company":"acme-south","account":"a1"}`, `this one gives 2`},
		{"all accounts of a tool", `{"type":"grant","organization":"acme","user":"rosa","tool":"wan","all_accounts":true}`, `all_accounts goes with company only`},
		{"a company until", `{"type":"grant","organization":"acme","user":"rosa","company":"acme-south","expires":"2030-01-01T00:00:00Z"}`, `granted without expires`},
		{"an account of a tool until", `{"type":"grant","organization":"acme","user":"rosa","tool":"wan","account":"a1","expires":"2030-01-01T00:00:00Z"}`, `it ends with the tool`},
		{"revoked and all accounts", `{"type":"grant","organization":"acme","user":"rosa","company":"acme-south","all_accounts":true,"revoked":true}`, `a revoked grant has neither`},
		{"a time that is none", `{"type":"grant","organization":"acme","user":"rosa","account":"a1","expires":"2030-01-01"}`, `want a time of RFC 3339`},
		{"the year one, which would be never", `{"type":"grant","organization":"acme","user":"rosa","account":"a1","expires":"0001-01-01T00:00:00Z"}`, `want a time of RFC 3339 after 1970`},
		{"granted by nobody known", `{"type":"grant","organization":"acme","user":"rosa","account":"a1","granted_by":"me"}`, `granted_by "me" is none of`},

		// The record in this directory.
		{"an unknown organization", `{"type":"company","id":"c","organization":"initech"}`, `company: organization "initech" is not in the directory; put it above this line or import it first`},
		{"an unknown company", `{"type":"account","id":"x","company":"c9","kind":"service"}`, `company "c9" is not in the directory`},
		{"an unknown account in a grant", `{"type":"grant","organization":"acme","user":"rosa","account":"a9"}`, `x.ndjson:1: grant: account "a9" is not in the directory; put it above this line or import it first`},
		{"an unknown account in an account group", `{"type":"account_group","id":"g","organization":"acme","kind":"service_group","accounts":["a1","a9"]}`, `account "a9" is not in the directory`},
		{"an unknown role", `{"type":"membership","organization":"acme","user":"rosa","role":"king"}`, `role "king" is not in the directory`},
		{"an unknown user", `{"type":"membership","organization":"acme","user":"nobody","role":"regular"}`, `user "nobody" is not in the directory`},
		{"a grant to no member", `{"type":"grant","organization":"acme","user":"noc","tool":"wan"}`, `membership of "noc" in organization "acme" is not in the directory`},
		{"an unknown tool", `{"type":"grant","organization":"acme","user":"rosa","tool":"x"}`, `tool "x" is not in the directory`},
		{"an organization that changes its kind", `{"type":"organization","id":"acme","kind":"partner"}`, `organization "acme" is of kind customer, and its kind never changes`},
		{"a company that moves", `{"type":"company","id":"acme-south","organization":"globex"}`, `belongs to organization "acme" and cannot move`},
		{"an account that moves to another organization", `{"type":"account","id":"b1","company":"globex-1","kind":"billing"}`, `account "b1" belongs to organization "acme"`},
		{"an account that changes its kind", `{"type":"account","id":"b1","company":"acme-east","kind":"service"}`, `account "b1" is of kind billing, and its kind never changes`},
		{"a contract that is none", `{"type":"account","id":"x","company":"acme-south","kind":"service","contract":"d1"}`, `contract names account "d1", which is of kind delivery`},
		{"a delivery that is none", `{"type":"account","id":"x","company":"acme-south","kind":"billing","delivery":"a1"}`, `delivery names account "a1", which is of kind service`},
		{"a contract of another organization", `{"type":"account","id":"x","company":"acme-south","kind":"service","contract":"gk"}`, `contract names account "gk", which belongs to another organization`},
		{"an account group across organizations", `{"type":"account_group","id":"g","organization":"acme","kind":"service_group","accounts":["g1"]}`, `account "g1" belongs to another organization`},
		{"an account group that moves", `{"type":"account_group","id":"south","organization":"globex","kind":"service_group"}`, `account group "south" belongs to organization "acme"`},
		{"a username in another case", `{"type":"user","id":"usr_01900000-0000-7000-8000-000000000009","username":"PAULA"}`, `has the id usr_01900000-0000-7000-8000-000000000001, and an id never changes`},
		{"the name of another user", `{"type":"user","id":"usr_01900000-0000-7000-8000-000000000001","username":"rosa"}`, `username "rosa" belongs to user usr_`},
		{"the address of another user in another case", `{"type":"user","username":"ralf","email":"ROSA@acme.EXAMPLE"}`, `the e-mail address of user "ralf" belongs to user "rosa"`},
		{"a temporary username", `{"type":"user","username":"TMP-1"}`, `is the temporary username of an invitation in organization "acme"`},
		{"a Primary Contact who becomes a mailing list (R37)", `{"type":"user","username":"paula","kind":"group"}`, `cannot be of kind group`},
		{"a mailing list as administrator (R37)", `{"type":"membership","organization":"acme","user":"noc","role":"administrator"}`, `"noc" is a shared identity and cannot be administrator`},
		{"a mailing list as Primary Contact (R37)", `{"type":"membership","organization":"acme","user":"noc","role":"primary_contact"}`, `"noc" is a shared identity and cannot be primary_contact`},
		{"Sales outside a partner (R16)", `{"type":"membership","organization":"acme","user":"rosa","role":"sales"}`, `role "sales" is for partners, and organization "acme" is a customer`},
		{"an operator elsewhere", `{"type":"membership","organization":"acme","user":"rosa","role":"operator"}`, `role operator is for the operator's own organization`},
		{"a Primary Contact made by a user (R3)", `{"type":"membership","organization":"acme","user":"rosa","role":"primary_contact","assigned_by":"user"}`, `role "primary_contact" is assigned by the operator only`},
		{"an invitation under a user's name", `{"type":"membership","organization":"acme","user":"rosa","role":"regular","state":"invited","email":"a@b.example"}`, `"rosa" is a user; an invited membership has a temporary username`},
		{"an invitation under another's temporary username", `{"type":"membership","organization":"globex","user":"tmp-1","role":"regular","state":"invited","email":"a@b.example"}`, `is the temporary username of an invitation in organization "acme"`},
		{"a member under a temporary username", `{"type":"membership","organization":"acme","user":"tmp-1","role":"regular"}`, `"tmp-1" is a temporary username; a membership that is active needs the user`},
		{"a membership's id elsewhere", `{"type":"membership","id":"mem_01900000-0000-7000-8000-000000000001","organization":"acme","user":"rosa","role":"regular"}`, `is the membership of "paula" in organization "acme"`},
		{"a membership with another id", `{"type":"membership","id":"mem_01900000-0000-7000-8000-000000000002","organization":"acme","user":"paula","role":"regular"}`, `has the id mem_01900000-0000-7000-8000-000000000001, and an id never changes`},
		{"a company of another organization", `{"type":"grant","organization":"acme","user":"rosa","company":"globex-1"}`, `company "globex-1" belongs to organization "globex", and the membership to "acme"`},
		{"an account of another organization", `{"type":"grant","organization":"acme","user":"rosa","account":"g1"}`, `account "g1" belongs to organization "globex"`},
		{"an account group of another organization", `{"type":"grant","organization":"acme","user":"rosa","account_group":"globals"}`, `account group "globals" belongs to organization "globex"`},
		{"an account outside the authorized companies (R24)", `{"type":"grant","organization":"acme","user":"rosa","account":"b1"}`, `is not authorized for company "acme-east" of account "b1"; grant the company above this line`},
		{"a tool's account outside the authorized companies (R24)", `{"type":"grant","organization":"acme","user":"rosa","tool":"wan","account":"b1"}`, `is not authorized for company "acme-east"`},
		{"an account of a tool that is not held (R31)", `{"type":"grant","organization":"acme","user":"rosa","tool":"dnm","account":"a1"}`, `does not hold tool "dnm"; grant the tool above this line`},
		{"a restricted tool granted by a user (R29)", `{"type":"grant","organization":"acme","user":"rosa","tool":"dnm","granted_by":"user"}`, `tool "dnm" is restricted: only the operator grants it, and granted_by is user`},
		{"a restricted tool granted by nobody in particular (R29)", `{"type":"grant","organization":"acme","user":"rosa","tool":"dnm"}`, `granted_by is system`},

		// The record beside others of the import.
		{"one record said twice", `{"type":"tool","id":"t","name":"One"}` + "\n" + `{"type":"tool","id":"t","name":"Two"}`, `x.ndjson:2: tool: tool "t" is said otherwise at x.ndjson:1; keep one of the two lines`},
		{"one grant said twice", `{"type":"grant","organization":"acme","user":"rosa","account":"a1"}` + "\n" + `{"type":"grant","organization":"acme","user":"ROSA","account":"a1","expires":"2030-01-01T00:00:00Z"}`, `x.ndjson:2: grant: grant is said otherwise at x.ndjson:1`},
		{"one user said twice", `{"type":"user","username":"ralf"}` + "\n" + `{"type":"user","username":"RALF","mfa":true}`, `user "RALF" is said otherwise at x.ndjson:1`},
		{"one membership said twice", `{"type":"membership","organization":"acme","user":"rosa","role":"support"}` + "\n" + `{"type":"membership","organization":"acme","user":"rosa","role":"regular"}`, `membership of "rosa" in organization "acme" is said otherwise at x.ndjson:1`},
		{"a reference that was refused", `{"type":"account","id":"x","company":"c9","kind":"service"}` + "\n" + `{"type":"grant","organization":"acme","user":"rosa","account":"x"}`, `x.ndjson:2: grant: account "x" is refused at x.ndjson:1; mend that line first`},
		{"a company revoked under its accounts", `{"type":"grant","organization":"acme","user":"rosa","account":"a1"}` + "\n" + `{"type":"grant","organization":"acme","user":"rosa","company":"acme-south","revoked":true}`, `x.ndjson:2: grant: this revokes what the grant at x.ndjson:1 rests on`},
		{"an account after its company was revoked", `{"type":"grant","organization":"acme","user":"rosa","company":"acme-south","revoked":true}` + "\n" + `{"type":"grant","organization":"acme","user":"rosa","account":"a1"}`, `x.ndjson:2: grant: "rosa" in organization "acme" is not authorized for company "acme-south"`},
		{"a line that is too long", `{"type":"tool","id":"t","name":"` + strings.Repeat("x", directory.MaxLine) + `"}` + "\n" + `{"type":"tool","id":"u"}`, `x.ndjson:1: the line is longer than 1048576 bytes`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			store := loaded(t)
			before, revision := exported(t, store), store.revision
			report, err := directory.Import(context.Background(), store, directory.ImportOptions{Sources: []directory.Source{ndjson("x.ndjson", tt.line)}})
			if !errors.Is(err, authz.ErrInvalid) {
				t.Errorf("got error %v, want one of kind invalid", err)
			}
			got := messages(report.Errors)
			if !strings.Contains(got, tt.want) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if want := 1 + strings.Count(tt.want, "mend that line"); report.ErrorCount != want || report.Written != 0 {
				t.Errorf("got %d errors and %d written, want %d and 0: %s", report.ErrorCount, report.Written, want, got)
			}
			if exported(t, store) != before || store.revision != revision {
				t.Error("the directory changed")
			}
		})
	}
}

func TestImportAccepts(t *testing.T) {
	tests := []struct {
		name, lines string
	}{
		{"a blank line", "\n  \n" + `{"type":"tool","id":"t"}` + "\r\n\n"},
		{"the last line without an end", `{"type":"tool","id":"t"}`},
		{"the same record twice", `{"type":"tool","id":"t","name":"T"}` + "\n" + `{"name":"T","id":"t","type":"tool"}`},
		{"a role of one's own", `{"type":"role","id":"auditor","name":"Auditor"}` + "\n" + `{"type":"membership","organization":"acme","user":"rosa","role":"auditor"}`},
		{"a built-in role with another name", `{"type":"role","id":"primary_contact","name":"Master","operator_only":true}`},
		{"Sales in a partner", `{"type":"membership","organization":"orchard","user":"rosa","role":"sales"}`},
		{"an account team administrator (R7)", `{"type":"membership","organization":"acme","user":"noc","role":"read_only","affiliation":"account_team"}` + "\n" + `{"type":"membership","organization":"globex","user":"rosa","role":"administrator","affiliation":"account_team"}`},
		{"a mailing list as Regular", `{"type":"membership","organization":"acme","user":"noc","role":"regular"}`},
		{"a Primary Contact who steps down and becomes a mailing list", `{"type":"membership","organization":"acme","user":"paula","role":"regular"}` + "\n" + `{"type":"user","username":"paula","kind":"group"}`},
		{"a restricted tool from the operator", `{"type":"grant","organization":"acme","user":"rosa","tool":"dnm","granted_by":"operator"}` + "\n" + `{"type":"grant","organization":"acme","user":"rosa","tool":"dnm","account":"a1"}`},
		{"an expired grant", `{"type":"grant","organization":"acme","user":"rosa","account":"a1","expires":"1999-12-31T23:59:59Z"}`},
		{"grants to an invitation", `{"type":"grant","organization":"acme","user":"tmp-1","company":"acme-east","all_accounts":true}` + "\n" + `{"type":"grant","organization":"acme","user":"tmp-1","account":"b1"}`},
		{"revoking what was not granted", `{"type":"grant","organization":"acme","user":"rosa","company":"acme-east","revoked":true}`},
		{"revoking a tool and its list", `{"type":"grant","organization":"acme","user":"rosa","tool":"wan","revoked":true}`},
		{"a user with another name", `{"type":"user","id":"usr_01900000-0000-7000-8000-000000000001","username":"pauline"}` + "\n" + `{"type":"user","username":"paula"}` + "\n" + `{"type":"grant","organization":"acme","user":"pauline","tool":"wan"}`},
		{"an address that changes hands", `{"type":"user","username":"rosa"}` + "\n" + `{"type":"user","username":"ralf","email":"rosa@acme.example"}`},
		{"an account that moves within its organization", `{"type":"account","id":"a1","company":"acme-south","kind":"service"}`},
	}
	onFastStores(t, func(t *testing.T, open func(testing.TB) directory.Store) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				store := open(t)
				load(t, store, base)
				revision, after := load(t, store, tt.lines), exported(t, store)
				if revision == 1 && tt.name != "revoking what was not granted" {
					t.Error("nothing changed")
				}
				again := load(t, store, tt.lines)
				if got := exported(t, store); again != revision || got != after {
					t.Errorf("imported again: revision %d became %d, and\n%s\nbecame\n%s", revision, again, after, got)
				}
			})
		}
	})
}

func TestImportingAgainChangesNothing(t *testing.T) {
	store := loaded(t)
	load(t, store, base)
	if store.revision != 1 {
		t.Errorf("got revision %d, want 1", store.revision)
	}
}

func TestImportKeepsGoing(t *testing.T) {
	store := loaded(t)
	text := `{"type":"tool","id":"t1"}
{"type":"tool","id":"t 2"}
nonsense
{"type":"grant","organization":"acme","user":"rosa","tool":"t1"}
{"type":"account","id":"x","company":"nowhere","kind":"service"}
{"type":"grant","organization":"acme","user":"rosa","account":"x"}
`
	report, err := directory.Import(context.Background(), store, directory.ImportOptions{
		Sources:   []directory.Source{ndjson("x.ndjson", text)},
		KeepGoing: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := directory.Report{Revision: 2, Records: 6, Written: 2, ErrorCount: 4, Types: []directory.TypeCount{
		{Type: "account", Read: 1}, {Type: "tool", Read: 2, Written: 1}, {Type: "grant", Read: 2, Written: 1},
	}}
	errs := report.Errors
	report.Errors = nil
	if got, want := fmt.Sprintf("%+v", report), fmt.Sprintf("%+v", want); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if len(errs) != 4 || errs[0].Line != 2 || errs[1].Line != 3 || errs[2].Line != 5 || errs[3].Line != 6 {
		t.Errorf("got %s, want errors of lines 2, 3, 5 and 6", messages(errs))
	}
	if got := exported(t, store); !strings.Contains(got, `"tool":"t1"`) {
		t.Errorf("the good grant is missing in\n%s", got)
	}
}

func TestImportDryRunKeepsNothing(t *testing.T) {
	store := loaded(t)
	report, err := directory.Import(context.Background(), store, directory.ImportOptions{
		Sources: []directory.Source{ndjson("x.ndjson", `{"type":"tool","id":"t1"}`)},
		DryRun:  true,
	})
	if err != nil || report.Written != 1 || report.Revision != 0 {
		t.Errorf("got %+v, %v, want one record that would be written", report, err)
	}
	if store.revision != 1 {
		t.Errorf("got revision %d, want 1", store.revision)
	}
}

func TestImportCountsErrorsItDoesNotName(t *testing.T) {
	text := strings.Repeat("nonsense\n", 3000)
	report, err := directory.Import(context.Background(), newMemory(), directory.ImportOptions{Sources: []directory.Source{ndjson("x", text)}})
	if err == nil || report.ErrorCount != 3000 || len(report.Errors) != directory.MaxErrors {
		t.Errorf("got %d errors, %d of them named, and %v", report.ErrorCount, len(report.Errors), err)
	}
}

func TestImportShowsItsProgress(t *testing.T) {
	one, two := strings.Repeat("nonsense\n", 3000), `{"type":"tool","id":"t"}`
	var seen []directory.Progress
	directory.Import(context.Background(), newMemory(), directory.ImportOptions{
		Sources:  []directory.Source{ndjson("one", one), ndjson("two", two)},
		Progress: func(p directory.Progress) { seen = append(seen, p) },
	})
	total := int64(len(one) + len(two))
	want := directory.Progress{Source: "two", Bytes: total, Total: total, Records: 3001, Errors: 3000}
	if len(seen) != 4 || seen[3] != want {
		t.Errorf("got %+v, want four, the last %+v", seen, want)
	}
}

func TestImportStopsWhenItIsTold(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	store := newMemory()
	_, err := directory.Import(ctx, store, directory.ImportOptions{
		Sources:   []directory.Source{ndjson("x", strings.Repeat(`{"type":"tool","id":"t"}`+"\n", 5000))},
		KeepGoing: true,
		Progress:  func(directory.Progress) { cancel() },
	})
	if !errors.Is(err, context.Canceled) || store.revision != 0 {
		t.Errorf("got %v and revision %d, want a canceled import that kept nothing", err, store.revision)
	}
}

func TestImportOfWhatCannotBeRead(t *testing.T) {
	broken := directory.Source{Name: "x", Open: func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader(`{"type":"tool","id":"t"}`+"\n"), failing{})), nil
	}}
	store := newMemory()
	_, err := directory.Import(context.Background(), store, directory.ImportOptions{Sources: []directory.Source{broken}, KeepGoing: true})
	if err == nil || !strings.Contains(err.Error(), "import: nothing is written: read x:2: the disk is gone") || store.revision != 0 {
		t.Errorf("got %v and revision %d", err, store.revision)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the disk is gone") }

// refusing is a store whose rules refuse every tool.
type refusing struct{ *memory }

func (r refusing) Update(ctx context.Context, fn func(directory.Tx) error) (authz.Revision, error) {
	return r.memory.Update(ctx, func(tx directory.Tx) error { return fn(refusingTx{tx}) })
}

type refusingTx struct{ directory.Tx }

func (refusingTx) PutTool(directory.Tool) error {
	return fmt.Errorf("no tools today: %w", authz.ErrConflict)
}

func TestImportTheStoreRefuses(t *testing.T) {
	store := refusing{newMemory()}
	text := `{"type":"organization","id":"o","kind":"customer"}` + "\n" + `{"type":"tool","id":"t"}`
	_, err := directory.Import(context.Background(), store, directory.ImportOptions{Sources: []directory.Source{ndjson("x", text)}, KeepGoing: true})
	want := "import: nothing is written: the store refuses a record at or above x:2: no tools today: conflict"
	if err == nil || err.Error() != want || !errors.Is(err, authz.ErrConflict) {
		t.Errorf("got %v, want %s", err, want)
	}
	if store.revision != 0 {
		t.Errorf("got revision %d, want 0", store.revision)
	}
}
