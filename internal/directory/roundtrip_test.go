package directory_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postern-authz/postern/internal/directory"
)

// A drawing writes a random directory as NDJSON, every record right.
type drawing struct {
	t     *rapid.T
	lines strings.Builder

	organizations map[string]string // id to kind
	companies     map[string]string // id to organization
	accounts      map[string]string // id to company
	ends          map[string]string // id to kind, of contract and delivery accounts
	groups        map[string]string // id to organization
	tools         map[string]bool   // id to restricted
	users         map[string]string // name to kind
	members       map[[2]string]bool
}

type object = map[string]any

func (d *drawing) write(kind string, o object) {
	o["type"] = kind
	for name, value := range o {
		if value == "" || value == nil {
			delete(o, name)
		}
	}
	line, err := json.Marshal(o)
	if err != nil {
		d.t.Fatal(err)
	}
	d.lines.Write(append(line, '\n'))
}

func (d *drawing) bool() bool { return rapid.Bool().Draw(d.t, "bool") }

func (d *drawing) times(max int) int { return rapid.IntRange(0, max).Draw(d.t, "times") }

func (d *drawing) of(values ...string) string {
	if len(values) == 0 {
		return ""
	}
	return rapid.SampledFrom(values).Draw(d.t, "of")
}

func (d *drawing) text() string {
	return strings.TrimSpace(rapid.StringMatching(`[a-zA-Zäß"\\<>&,; 漢😀]{0,8}`).Draw(d.t, "text"))
}

func (d *drawing) key() string {
	return rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9._~@/-]{0,3}`).Draw(d.t, "key")
}

func keys[V any](m map[string]V, which func(string, V) bool) []string {
	found := []string{}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if which(key, m[key]) {
			found = append(found, key)
		}
	}
	return found
}

func all[V any](string, V) bool { return true }

func is[V comparable](want V) func(string, V) bool {
	return func(_ string, value V) bool { return value == want }
}

func draw(t *rapid.T) string {
	d := &drawing{
		t: t, organizations: map[string]string{}, companies: map[string]string{}, accounts: map[string]string{},
		ends: map[string]string{}, groups: map[string]string{}, tools: map[string]bool{}, users: map[string]string{},
		members: map[[2]string]bool{},
	}
	d.things()
	d.people()
	return d.lines.String()
}

func (d *drawing) things() {
	for range d.times(4) {
		d.organization()
	}
	for range d.times(5) {
		d.company()
	}
	for range d.times(12) {
		d.account()
	}
	for range d.times(4) {
		d.group()
	}
	for range d.times(4) {
		d.tool()
	}
}

func (d *drawing) organization() {
	id, kind := d.key(), d.of("customer", "partner", "operator")
	if d.organizations[id] != "" {
		return
	}
	d.organizations[id] = kind
	o := object{"id": id, "kind": kind, "name": d.text()}
	if d.bool() {
		o["seat_limit"] = rapid.IntRange(50, 99).Draw(d.t, "seats")
		o["settings"] = object{d.text(): []any{d.text(), json.Number("1.50"), nil, true, object{"b": 1, "a": 2}}}
	}
	d.write("organization", o)
}

func (d *drawing) company() {
	id, organization := d.key(), d.of(keys(d.organizations, all)...)
	if d.companies[id] == "" && organization != "" {
		d.companies[id] = organization
		d.write("company", object{"id": id, "organization": organization, "name": d.text()})
	}
}

func (d *drawing) account() {
	id, company := d.key(), d.of(keys(d.companies, all)...)
	if d.accounts[id] != "" || company == "" {
		return
	}
	kind := d.of("contract", "delivery", "billing", "service")
	o := object{"id": id, "company": company, "kind": kind, "name": d.text()}
	if kind == "contract" || kind == "delivery" {
		d.ends[id] = kind
	} else {
		near := func(kind string) func(string, string) bool {
			return func(end, k string) bool {
				return k == kind && d.companies[d.accounts[end]] == d.companies[company]
			}
		}
		o["contract"], o["delivery"] = d.of(keys(d.ends, near("contract"))...), d.of(keys(d.ends, near("delivery"))...)
	}
	d.accounts[id] = company
	d.write("account", o)
}

func (d *drawing) group() {
	id, organization := d.key(), d.of(keys(d.organizations, all)...)
	if d.groups[id] != "" || organization == "" {
		return
	}
	d.groups[id] = organization
	own := func(_, company string) bool { return d.companies[company] == organization }
	d.write("account_group", object{"id": id, "organization": organization, "name": d.text(),
		"kind":     d.of("service_group", "customer_group_identifier", "emedia_configuration"),
		"accounts": d.some(keys(d.accounts, own))})
}

func (d *drawing) tool() {
	id, restricted := d.key(), d.bool()
	if _, ok := d.tools[id]; !ok {
		d.tools[id] = restricted
		d.write("tool", object{"id": id, "name": d.text(), "restricted": restricted})
	}
}

func (d *drawing) people() {
	if d.bool() {
		d.write("role", object{"id": "auditor", "name": d.text()})
		d.write("role", object{"id": "regular", "name": "Engineer"})
	}
	for i := range d.times(5) {
		d.user(i)
	}
	for i := range d.times(8) {
		d.membership(i)
	}
}

func (d *drawing) user(i int) {
	name, kind := fmt.Sprintf("%s%d", d.of("paula", "Rosa", "B"), i), d.of("personal", "group")
	d.users[name] = kind
	o := object{"username": name, "kind": kind, "given_name": d.text(), "country": d.text(), "mfa": d.bool(), "removed": d.bool()}
	if d.bool() {
		o["id"] = fmt.Sprintf("usr_01900000-0000-7000-8000-%012d", i)
		o["email"] = name + "@Exämple.com"
	}
	d.write("user", o)
}

func (d *drawing) membership(i int) {
	organization, user := d.of(keys(d.organizations, all)...), d.of(keys(d.users, all)...)
	if organization == "" {
		return
	}
	o := object{"organization": organization, "affiliation": d.of("customer", "end_customer"), "cpni": d.bool(),
		"role": "regular", "assigned_by": d.of("operator", "user", "scim", "system")}
	if user == "" || d.bool() {
		user = fmt.Sprintf("Tmp-%d", i)
		o["state"], o["email"] = "invited", "New@example.com"
	} else {
		o["state"] = d.of("active", "suspended", "removed")
	}
	o["user"] = user
	if d.users[user] == "personal" && d.organizations[organization] == "partner" {
		o["role"] = d.of("sales", "administrator", "read_only")
	}
	if !d.members[[2]string{organization, user}] {
		d.members[[2]string{organization, user}] = true
		d.write("membership", o)
		d.grants(organization, user)
	}
}

func (d *drawing) grants(organization, user string) {
	grant := func(o object) {
		o["organization"], o["user"] = organization, user
		o["granted_by"] = "operator"
		d.write("grant", o)
	}
	var inside []string
	for _, company := range d.some(keys(d.companies, is(organization))) {
		grant(object{"company": company, "all_accounts": d.bool()})
		inside = append(inside, keys(d.accounts, is(company))...)
	}
	for _, group := range d.some(keys(d.groups, is(organization))) {
		grant(object{"account_group": group})
	}
	for _, account := range d.some(inside) {
		grant(object{"account": account, "expires": d.time()})
	}
	for _, tool := range d.some(keys(d.tools, all)) {
		grant(object{"tool": tool, "expires": d.time()})
		for _, account := range d.some(inside) {
			grant(object{"tool": tool, "account": account})
		}
	}
}

// some is a part of the values, in any order.
func (d *drawing) some(values []string) []string {
	if len(values) == 0 {
		return []string{}
	}
	return rapid.Permutation(values).Draw(d.t, "some")[:d.times(len(values))]
}

func (d *drawing) time() any {
	if d.bool() {
		return nil
	}
	ms := rapid.Int64Range(1000, 4_000_000_000_000).Draw(d.t, "ms")
	return time.UnixMilli(ms).In(time.FixedZone("", 3600)).Format(time.RFC3339Nano)
}

// checkRoundTrip imports a text into one store, its export into another, and
// wants the same directory, the same bytes, and nothing to change a second time.
func checkRoundTrip(t rapid.TB, text string, one, two directory.Store) {
	t.Helper()
	load(t, one, text)
	first := exported(t, one)
	load(t, two, first)
	if second := exported(t, two); second != first {
		t.Fatalf("exported\n%s\nand after importing that\n%s", first, second)
	}
	again, err := directory.Import(context.Background(), two, directory.ImportOptions{Sources: []directory.Source{ndjson("again", first)}})
	if err != nil {
		t.Fatalf("import again: %v %v", err, again.Errors)
	}
	back, err := directory.Import(context.Background(), one, directory.ImportOptions{Sources: []directory.Source{ndjson("back", first)}})
	if err != nil {
		t.Fatalf("import back: %v %v", err, back.Errors)
	}
	if want := min(1, again.Revision); again.Revision != want || back.Revision != want {
		t.Fatalf("got revisions %d and %d after importing again, want %d", again.Revision, back.Revision, want)
	}
}

func TestExportAndImportAreInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one, two := newMemory(), newMemory()
		checkRoundTrip(t, draw(t), one, two)
		if !reflect.DeepEqual(one.state, two.state) {
			t.Fatalf("got %+v, want %+v", two.state, one.state)
		}
	})
}

func TestExportSaysTheSameInTheSameBytes(t *testing.T) {
	store := newMemory()
	load(t, store, `{"kind":"customer","settings":{"b":1,"a":{"y":[1.50,"<&>"],"x":null}},"type":"organization","seat_limit":7,"id":"acme","name":"A \"B\" \\ \u00e4"}
{"type":"company","id":"c","organization":"acme"}
{"type":"account","id":"z-contract","company":"c","kind":"contract"}
{"type":"account","id":"a-service","company":"c","kind":"service","contract":"z-contract"}
{"type":"account_group","id":"g","organization":"acme","kind":"service_group","accounts":["z-contract","a-service","a-service"]}
{"type":"tool","id":"t","restricted":false}
{"type":"role","id":"support","name":"Support"}
{"type":"role","id":"regular","name":"Engineer"}
{"type":"user","id":"usr_01900000-0000-7000-8000-000000000001","username":"Paula","removed":false,"mfa":true}
{"type":"membership","id":"mem_01900000-0000-7000-8000-000000000001","organization":"acme","user":"paula","role":"regular"}
{"type":"grant","organization":"acme","user":"paula","tool":"t"}
{"type":"grant","organization":"acme","user":"paula","company":"c"}
{"type":"grant","organization":"acme","user":"paula","tool":"t","account":"a-service","granted_by":"user"}
{"type":"grant","organization":"acme","user":"paula","account":"a-service","expires":"2030-01-01T01:00:00.1239+01:00"}
{"type":"grant","organization":"acme","user":"paula","account_group":"g"}
`)
	want := `{"type":"organization","id":"acme","kind":"customer","name":"A \"B\" \\ ä","seat_limit":7,"settings":{"a":{"x":null,"y":[1.50,"<&>"]},"b":1}}
{"type":"company","id":"c","organization":"acme"}
{"type":"account","id":"z-contract","company":"c","kind":"contract"}
{"type":"account","id":"a-service","company":"c","kind":"service","contract":"z-contract"}
{"type":"account_group","id":"g","organization":"acme","kind":"service_group","accounts":["a-service","z-contract"]}
{"type":"tool","id":"t"}
{"type":"role","id":"regular","name":"Engineer"}
{"type":"user","id":"usr_01900000-0000-7000-8000-000000000001","kind":"personal","username":"Paula","mfa":true}
{"type":"membership","id":"mem_01900000-0000-7000-8000-000000000001","organization":"acme","user":"Paula","role":"regular","affiliation":"customer","state":"active","assigned_by":"system"}
{"type":"grant","organization":"acme","user":"Paula","company":"c","granted_by":"system"}
{"type":"grant","organization":"acme","user":"Paula","account_group":"g","granted_by":"system"}
{"type":"grant","organization":"acme","user":"Paula","account":"a-service","expires":"2030-01-01T00:00:00.123Z","granted_by":"system"}
{"type":"grant","organization":"acme","user":"Paula","tool":"t","granted_by":"system"}
{"type":"grant","organization":"acme","user":"Paula","tool":"t","account":"a-service","granted_by":"user"}
`
	if got := exported(t, store); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A new directory has the built-in roles and nothing else.
func TestExportOfANewDirectoryIsEmpty(t *testing.T) {
	onEveryStore(t, func(t *testing.T, open func(testing.TB) directory.Store) {
		if got := exported(t, open(t)); got != "" {
			t.Errorf("got\n%s", got)
		}
	})
}
