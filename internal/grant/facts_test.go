package grant_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/grant"
)

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// plain is a value as JSON has it, with its grants sorted.
func plain(v ast.Value) object {
	raw, err := ast.JSON(v)
	if err != nil {
		return object{"err": err.Error()}
	}
	var facts object
	if err := json.Unmarshal([]byte(text(raw)), &facts); err != nil {
		return object{"err": err.Error()}
	}
	if grants, ok := facts["grants"].([]any); ok {
		sortGrants(grants)
	}
	return facts
}

// A failer is a test of testing or of rapid.
type failer interface {
	Helper()
	Errorf(format string, args ...any)
}

// follow starts a PIP over a source and waits until it has looked once. The
// returned function stops it.
func follow(t failer, o grant.Options) (*grant.PIP, func()) {
	t.Helper()
	p := grant.New(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- p.Follow(ctx) }()
	for p.Fresh() != nil {
		time.Sleep(time.Millisecond)
	}
	return p, func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Follow: got %v, want nil", err)
		}
	}
}

var today = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return today }

// carrier is a directory with one of each: an operator, two customers, a
// partner.
func carrier() model {
	none, ended, later := time.Time{}, today, today.Add(time.Millisecond)
	one := func(m membership) []membership { return []membership{m} }
	return model{
		organizations: map[string]string{"carrier": "operator", "acme": "customer", "globex": "customer", "reseller": "partner"},
		companies:     map[string]string{"acme-south": "acme", "acme-east": "acme", "globex-one": "globex", "carrier-own": "carrier"},
		accounts: map[string]account{
			"a1": {company: "acme-south", kind: "service", contract: "k1", delivery: "d1"},
			"a2": {company: "acme-south", kind: "billing", contract: "k1"},
			"k1": {company: "acme-south", kind: "contract"},
			"d1": {company: "acme-east", kind: "delivery"},
			"d2": {company: "acme-south", kind: "delivery"},
			"g1": {company: "globex-one", kind: "contract"},
			"o1": {company: "carrier-own", kind: "service"},
		},
		groups: map[string]group{
			"east":  {"acme", []string{"a1"}},
			"kin":   {"acme", []string{"k1"}},
			"docks": {"acme", []string{"a1", "d1"}},
			"empty": {"acme", nil},
		},
		tools:  map[string]bool{"wan_analysis": false, "lawful_intercept": true},
		logins: map[string]string{"rita": "u-regular", "gone": "u-unwritten"},
		users: map[string]user{
			"u-primary": {kind: "personal", mfa: true, members: one(membership{organization: "acme", affiliation: "customer", state: "active", role: "primary_contact", cpni: true,
				grants: map[authz.Scope]time.Time{"account:a1": none}})},
			"u-regular": {kind: "personal", members: one(membership{organization: "acme", affiliation: "customer", state: "active", role: "regular",
				grants: map[authz.Scope]time.Time{"account:a1": none, "company:acme-east": none, "account_group:kin": none, "account:d1": ended, "account_group:docks": later},
				tools:  map[string]tool{"wan_analysis": {accounts: []string{"a1", "a2"}}, "lawful_intercept": {expires: ended, accounts: []string{"a1"}}, "empty_tool": {}}})},
			"u-staff": {kind: "personal", members: []membership{
				{organization: "acme", affiliation: "account_team", state: "suspended", role: "administrator", grants: map[authz.Scope]time.Time{"account:a1": none}},
				{organization: "carrier", affiliation: "customer", state: "active", role: "operator_support", grants: map[authz.Scope]time.Time{"company:globex-one": none}}}},
			"u-exstaff": {kind: "personal", members: one(membership{organization: "carrier", affiliation: "customer", state: "suspended", role: "operator_admin"})},
			"u-team":    {kind: "personal", members: one(membership{organization: "acme", affiliation: "account_team", state: "active", role: "administrator", grants: map[authz.Scope]time.Time{"account:a1": none}})},
			"u-removed": {kind: "group", removed: true, members: one(membership{organization: "acme", affiliation: "customer", state: "active", role: "regular", grants: map[authz.Scope]time.Time{"account:a1": none}})},
			"u-two": {kind: "personal", members: []membership{
				{organization: "acme", affiliation: "customer", state: "removed", role: "regular", grants: map[authz.Scope]time.Time{"account:a1": none}},
				{organization: "globex", affiliation: "customer", state: "active", role: "sales", cpni: true, grants: map[authz.Scope]time.Time{"account:g1": none},
					tools: map[string]tool{"wan_analysis": {accounts: []string{"g1"}}}}}},
			"u-bare": {kind: "personal"},
			"u-end":  endCustomer(map[authz.Scope]time.Time{"account:k1": none, "account:d1": none}),
			"u-half": endCustomer(map[authz.Scope]time.Time{"account:k1": none}),
			"u-side": endCustomer(map[authz.Scope]time.Time{"account_group:kin": none, "account:d1": none, "account_group:east": none}),
		},
	}
}

func endCustomer(grants map[authz.Scope]time.Time) user {
	return user{kind: "personal", members: []membership{{organization: "acme", affiliation: "end_customer", state: "active", role: "read_only", grants: grants}}}
}

const placeOfA1 = `["account:a1","contract:k1+delivery:d1","account:k1","account:d1","account_group:docks","account_group:east",` +
	`"account_group:kin","company:acme-south","organization:acme","realm:customer"]`

func TestFacts(t *testing.T) {
	whole, stop := follow(t, grant.Options{Source: newSource(carrier()), Now: clock})
	defer stop()
	narrow, end := follow(t, grant.Options{Source: newNarrow(carrier(), -1), Now: clock})
	defer end()
	regular := `{"id":"u-regular","kind":"personal","status":"active","realm":"customer","organization":"acme","affiliation":"customer","role":"regular",` +
		`"cpni":false,"mfa":false,"tools":{"wan_analysis":2,"empty_tool":0}}`
	a1 := resource("account", "a1", nil)
	for _, c := range []struct {
		name    string
		request authz.Request
		want    map[string]string // fact to its JSON; "" means absent
	}{
		{"A user by id, an account with everything around it.", ask("user", "u-regular", a1), map[string]string{
			"user": regular, "place": placeOfA1, "account": `{"id":"a1","kind":"service"}`, "tool": "",
			"grants": `[{"role":"regular","scope":"account:a1"},{"role":"regular","scope":"account_group:docks"},{"role":"regular","scope":"account_group:kin"},{"scope":"account:a1","tool":"wan_analysis"}]`}},
		{"The same user by login.", ask("login", "rita", a1), map[string]string{"user": regular, "place": placeOfA1}},
		{"A login nobody has.", ask("login", "nobody", a1), map[string]string{"user": "", "grants": "", "place": placeOfA1}},
		{"A login whose user is not there.", ask("login", "gone", a1), map[string]string{"user": "", "grants": ""}},
		{"An unknown user, and the account stays known.", ask("user", "u-nobody", a1), map[string]string{"user": "", "grants": "", "place": placeOfA1, "account": `{"id":"a1","kind":"service"}`}},
		{"A subject of another type is unknown even with a user's id.", ask("device", "u-regular", a1), map[string]string{"user": "", "grants": ""}},
		{"An empty id is nobody's.", ask("user", "", resource("account", "", nil)), map[string]string{"user": "", "place": ""}},
		{"An unknown resource: no grants count.", ask("user", "u-regular", resource("account", "nowhere", nil)), map[string]string{"place": "", "account": "", "grants": "[]", "user": regular}},

		{"A Primary Contact's role counts in the organization, not in accounts (R1).", ask("user", "u-primary", a1), map[string]string{"grants": `[{"role":"primary_contact","scope":"organization:acme"}]`}},
		{"A Primary Contact has nothing elsewhere.", ask("user", "u-primary", resource("account", "g1", nil)), map[string]string{
			"grants": "[]", "user": `{"id":"u-primary","kind":"personal","status":"active","realm":"customer","cpni":false,"mfa":true,"tools":{}}`}},
		{"Operator staff count with every customer.", ask("user", "u-staff", resource("account", "g1", nil)), map[string]string{
			"grants": `[{"role":"operator_support","scope":"realm:customer"}]`,
			"user":   `{"id":"u-staff","kind":"personal","status":"active","realm":"operator","organization":"carrier","affiliation":"customer","role":"operator_support","cpni":false,"mfa":false,"tools":{}}`}},
		{"Operator staff have no grants in the operator's own organization.", ask("user", "u-staff", resource("account", "o1", nil)), map[string]string{
			"grants": "[]", "place": `["account:o1","company:carrier-own","organization:carrier","realm:operator"]`}},
		{"The membership in the place's organization governs, and its grants count whatever its state.", ask("user", "u-staff", a1), map[string]string{
			"grants": `[{"role":"administrator","scope":"account:a1"},{"role":"operator_support","scope":"realm:customer"}]`,
			"user":   `{"id":"u-staff","kind":"personal","status":"suspended","realm":"operator","organization":"acme","affiliation":"account_team","role":"administrator","cpni":false,"mfa":false,"tools":{}}`}},
		{"Suspended staff are suspended everywhere.", ask("user", "u-exstaff", a1), map[string]string{
			"user": `{"id":"u-exstaff","kind":"personal","status":"suspended","realm":"operator","organization":"carrier","affiliation":"customer","role":"operator_admin","cpni":false,"mfa":false,"tools":{}}`}},
		{"An account team is of the operator's realm (R7).", ask("user", "u-team", a1), map[string]string{
			"user":   `{"id":"u-team","kind":"personal","status":"active","realm":"operator","organization":"acme","affiliation":"account_team","role":"administrator","cpni":false,"mfa":false,"tools":{}}`,
			"grants": `[{"role":"administrator","scope":"account:a1"}]`}},
		{"A removed user is removed whatever the membership says (R80).", ask("user", "u-removed", a1), map[string]string{
			"user": `{"id":"u-removed","kind":"group","status":"removed","realm":"customer","organization":"acme","affiliation":"customer","role":"regular","cpni":false,"mfa":false,"tools":{}}`}},
		{"A removed membership governs its organization.", ask("user", "u-two", a1), map[string]string{
			"user": `{"id":"u-two","kind":"personal","status":"removed","realm":"customer","organization":"acme","affiliation":"customer","role":"regular","cpni":false,"mfa":false,"tools":{}}`}},
		{"Without a place the first active membership governs.", ask("user", "u-two", resource("invoice", "i", nil)), map[string]string{
			"user": `{"id":"u-two","kind":"personal","status":"active","realm":"customer","organization":"globex","affiliation":"customer","role":"sales","cpni":true,"mfa":false,"tools":{"wan_analysis":1}}`}},
		{"A user without memberships is active and has nothing.", ask("user", "u-bare", a1), map[string]string{
			"user": `{"id":"u-bare","kind":"personal","status":"active","realm":"customer","cpni":false,"mfa":false,"tools":{}}`, "grants": "[]"}},

		{"An end customer needs contract and delivery together (R36).", ask("user", "u-end", a1), map[string]string{"grants": `[{"role":"read_only","scope":"contract:k1+delivery:d1"}]`}},
		{"An end customer with no delivery account sees nothing (R36).", ask("user", "u-half", a1), map[string]string{"grants": "[]"}},
		{"An end customer sees the contract account itself.", ask("user", "u-half", resource("account", "k1", nil)), map[string]string{"grants": `[{"role":"read_only","scope":"account:k1"}]`}},
		{"Where there is only a contract account there is no pair.", ask("user", "u-half", resource("account", "a2", nil)), map[string]string{"grants": `[{"role":"read_only","scope":"account:k1"}]`,
			"place": `["account:a2","account:k1","account_group:kin","company:acme-south","organization:acme","realm:customer"]`}},
		{"A group that holds the contract account is a side of the pair, one that holds the service counts alone.", ask("user", "u-side", a1), map[string]string{
			"grants": `[{"role":"read_only","scope":"account_group:east"},{"role":"read_only","scope":"contract:k1+delivery:d1"}]`}},

		{"A service that is an account.", ask("user", "u-bare", resource("service", "a1", nil)), map[string]string{"place": placeOfA1}},
		{"A service that the directory does not hold names its account (ruling 17).", ask("user", "u-bare", resource("service", "s9", authz.Properties{"account": "a1"})), map[string]string{"place": placeOfA1, "account": `{"id":"a1","kind":"service"}`}},
		{"An account of another kind is not the service asked about.", ask("user", "u-bare", resource("service", "k1", nil)), map[string]string{"place": "", "account": ""}},
		{"A billing account.", ask("user", "u-bare", resource("billing_account", "a2", nil)), map[string]string{"account": `{"id":"a2","kind":"billing"}`}},
		{"A contract account lies in itself once.", ask("user", "u-bare", resource("contract", "k1", nil)), map[string]string{"place": `["account:k1","account_group:kin","company:acme-south","organization:acme","realm:customer"]`}},
		{"A known account is not placed by what the caller says.", ask("user", "u-bare", resource("account", "a2", authz.Properties{"account": "g1"})), map[string]string{"account": `{"id":"a2","kind":"billing"}`}},
		{"An unknown account is not placed by what the caller says.", ask("user", "u-bare", resource("account", "nowhere", authz.Properties{"account": "a1"})), map[string]string{"place": ""}},
		{"An unknown company is not placed by what the caller says.", ask("user", "u-bare", resource("company", "nowhere", authz.Properties{"company": "acme-south"})), map[string]string{"place": ""}},
		{"A company.", ask("user", "u-bare", resource("company", "acme-south", nil)), map[string]string{"place": `["company:acme-south","organization:acme","realm:customer"]`, "account": ""}},
		{"An organization.", ask("user", "u-bare", resource("organization", "reseller", nil)), map[string]string{"place": `["organization:reseller","realm:customer"]`}},
		{"An account group.", ask("user", "u-regular", resource("account_group", "kin", nil)), map[string]string{"place": `["account_group:kin","organization:acme","realm:customer"]`, "grants": `[{"role":"regular","scope":"account_group:kin"}]`}},
		{"An invoice names its account.", ask("user", "u-bare", resource("invoice", "i1", authz.Properties{"account": "a1", "company": "globex-one"})), map[string]string{"place": placeOfA1}},
		{"The narrowest thing named is used alone.", ask("user", "u-bare", resource("invoice", "i1", authz.Properties{"account": "nowhere", "company": "acme-south"})), map[string]string{"place": ""}},
		{"An account that is not a string is nowhere.", ask("user", "u-bare", resource("invoice", "i1", authz.Properties{"account": json.Number("1"), "company": "acme-south"})), map[string]string{"place": ""}},
		{"An account that is null is nowhere.", ask("user", "u-bare", resource("invoice", "i1", authz.Properties{"account": nil, "company": "acme-south"})), map[string]string{"place": ""}},
		{"An invoice names its company.", ask("user", "u-bare", resource("invoice", "i1", authz.Properties{"company": "acme-south", "organization": "globex"})), map[string]string{"place": `["company:acme-south","organization:acme","realm:customer"]`}},
		{"An invoice names its organization.", ask("user", "u-bare", resource("invoice", "i1", authz.Properties{"organization": "globex"})), map[string]string{"place": `["organization:globex","realm:customer"]`}},
		{"A case-changed name names nothing.", ask("user", "u-bare", resource("invoice", "i1", authz.Properties{"Account": "a1"})), map[string]string{"place": ""}},
		{"A contract and a delivery account named together, in two companies.", ask("user", "u-end", resource("quote", "q", authz.Properties{"contract": "k1", "delivery": "d1"})), map[string]string{
			"place":   `["contract:k1+delivery:d1","account:k1","account:d1","account_group:kin","account_group:docks","organization:acme","realm:customer"]`,
			"account": "", "grants": `[{"role":"read_only","scope":"contract:k1+delivery:d1"}]`}},
		{"A contract and a delivery account of one company.", ask("user", "u-bare", resource("quote", "q", authz.Properties{"contract": "k1", "delivery": "d2"})), map[string]string{
			"place": `["contract:k1+delivery:d2","account:k1","account:d2","account_group:kin","company:acme-south","organization:acme","realm:customer"]`}},
		{"A contract without a delivery account is nowhere.", ask("user", "u-bare", resource("quote", "q", authz.Properties{"contract": "k1", "company": "acme-south"})), map[string]string{"place": ""}},
		{"A pair with an unknown half is nowhere.", ask("user", "u-bare", resource("quote", "q", authz.Properties{"contract": "k1", "delivery": "d9"})), map[string]string{"place": ""}},
		{"A pair of the wrong kinds is nowhere.", ask("user", "u-bare", resource("quote", "q", authz.Properties{"contract": "d1", "delivery": "k1"})), map[string]string{"place": ""}},
		{"A pair of two organizations is nowhere.", ask("user", "u-bare", resource("quote", "q", authz.Properties{"contract": "g1", "delivery": "d1"})), map[string]string{"place": ""}},

		{"A tool held, asked about alone.", ask("user", "u-regular", resource("tool", "wan_analysis", nil)), map[string]string{
			"place": `["tool:wan_analysis"]`, "account": "", "tool": `{"id":"wan_analysis","restricted":false}`, "user": regular,
			"grants": `[{"scope":"tool:wan_analysis","tool":"wan_analysis"}]`}},
		{"A tool with an expired grant.", ask("user", "u-regular", resource("tool", "lawful_intercept", nil)), map[string]string{"grants": "[]", "tool": `{"id":"lawful_intercept","restricted":true}`}},
		{"A tool for an account.", ask("user", "u-regular", resource("tool", "wan_analysis", authz.Properties{"account": "a2"})), map[string]string{
			"place":   `["tool:wan_analysis","account:a2","account:k1","account_group:kin","company:acme-south","organization:acme","realm:customer"]`,
			"account": `{"id":"a2","kind":"billing"}`,
			"grants":  `[{"role":"regular","scope":"account_group:kin"},{"scope":"account:a2","tool":"wan_analysis"},{"scope":"tool:wan_analysis","tool":"wan_analysis"}]`}},
		{"A tool for an account with a pair keeps the pair.", ask("user", "u-end", resource("tool", "wan_analysis", authz.Properties{"account": "a1"})), map[string]string{"grants": `[{"role":"read_only","scope":"contract:k1+delivery:d1"}]`}},
		{"A tool for an unknown account is nowhere.", ask("user", "u-regular", resource("tool", "wan_analysis", authz.Properties{"account": "nowhere"})), map[string]string{"place": "", "tool": `{"id":"wan_analysis","restricted":false}`}},
		{"A tool for an account that is not a string is nowhere.", ask("user", "u-regular", resource("tool", "wan_analysis", authz.Properties{"account": true})), map[string]string{"place": ""}},
		{"An unknown tool.", ask("user", "u-regular", resource("tool", "empty_tool", nil)), map[string]string{"place": "", "tool": "", "grants": "[]"}},
		{"The tool in the context.", in(ask("user", "u-regular", a1), "lawful_intercept"), map[string]string{"tool": `{"id":"lawful_intercept","restricted":true}`, "place": placeOfA1}},
		{"A tool in the context that is not a string.", in(ask("user", "u-regular", a1), 7), map[string]string{"tool": ""}},
		{"An unknown tool in the context.", in(ask("user", "u-regular", a1), "telepathy"), map[string]string{"tool": ""}},
		{"A tool as resource is in question, whatever the context says.", in(ask("user", "u-bare", resource("tool", "nothing", nil)), "wan_analysis"), map[string]string{"tool": ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			values, asOf, err := whole.Gather(t.Context(), []authz.Request{c.request}, 0)
			if err != nil || asOf.Revision != 0 {
				t.Fatalf("got revision %d, error %v, want 0 and none", asOf.Revision, err)
			}
			got := plain(values[0])
			for name, want := range c.want {
				if w := decoded(t, want); !reflect.DeepEqual(got[name], w) {
					t.Errorf("%s of %+v:\n got %s\nwant %s", name, c.request, text(got[name]), want)
				}
			}
			other, _, err := narrow.Gather(t.Context(), []authz.Request{c.request}, 0)
			if err != nil || other[0].Compare(values[0]) != 0 {
				t.Errorf("of a narrow document:\n got %v, %v\nwant %v", other, err, values)
			}
			if naive := carrier().naive(c.request, today); !reflect.DeepEqual(got, naive) {
				t.Errorf("the naive model differs:\n got %s\nwant %s", text(got), text(naive))
			}
		})
	}
}

func decoded(t *testing.T, s string) any {
	t.Helper()
	if s == "" {
		return nil
	}
	var v any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func ask(subjectType, id string, r authz.Resource) authz.Request {
	return authz.Request{Subject: authz.Subject{Type: subjectType, ID: id}, Action: authz.Action{Name: "service.view"}, Resource: r}
}

func resource(kind, id string, p authz.Properties) authz.Resource {
	return authz.Resource{Type: kind, ID: id, Properties: p}
}

func in(r authz.Request, tool any) authz.Request {
	r.Context = authz.Properties{"tool": tool}
	return r
}

// TestExpereoSixServices is the table of the Expereo portal (R36).
func TestExpereoSixServices(t *testing.T) {
	m := model{
		organizations: map[string]string{"expereo": "customer"},
		companies:     map[string]string{"acme": "expereo"},
		accounts: map[string]account{
			"south-k": {company: "acme", kind: "contract"}, "east-k": {company: "acme", kind: "contract"},
			"south-d": {company: "acme", kind: "delivery"}, "east-d": {company: "acme", kind: "delivery"}, "pear-d": {company: "acme", kind: "delivery"},
		},
		users: map[string]user{},
	}
	for i, at := range [][2]string{{"south-k", "pear-d"}, {"south-k", "pear-d"}, {"south-k", "south-d"}, {"east-k", "pear-d"}, {"east-k", "pear-d"}, {"east-k", "east-d"}} {
		m.accounts[fmt.Sprint("SVC-", i+1)] = account{company: "acme", kind: "service", contract: at[0], delivery: at[1]}
	}
	for _, c := range []struct {
		name, affiliation string
		grants            []authz.Scope
		want              string
	}{
		{"An end customer with contract South and delivery PEAR.", "end_customer", []authz.Scope{"account:south-k", "account:pear-d"}, "[1 2]"},
		{"An end customer with an empty delivery list.", "end_customer", []authz.Scope{"account:south-k"}, "[]"},
		{"An end customer with an empty contract list.", "end_customer", []authz.Scope{"account:pear-d"}, "[]"},
		{"An end customer with both contracts and delivery PEAR.", "end_customer", []authz.Scope{"account:south-k", "account:east-k", "account:pear-d"}, "[1 2 4 5]"},
		{"A user of the own organization with contract South.", "customer", []authz.Scope{"account:south-k"}, "[1 2 3]"},
		{"A user of the own organization with delivery PEAR.", "customer", []authz.Scope{"account:pear-d"}, "[1 2 4 5]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			mem := membership{organization: "expereo", affiliation: c.affiliation, state: "active", role: "regular", grants: map[authz.Scope]time.Time{}}
			for _, scope := range c.grants {
				mem.grants[scope] = time.Time{}
			}
			m.users["u"] = user{kind: "personal", members: []membership{mem}}
			p, stop := follow(t, grant.Options{Source: newNarrow(m, 1)})
			defer stop()
			sees := []int{}
			for i := range 6 {
				values, _, err := p.Gather(t.Context(), []authz.Request{ask("user", "u", resource("service", fmt.Sprint("SVC-", i+1), nil))}, 0)
				if err != nil {
					t.Fatal(err)
				}
				if len(plain(values[0])["grants"].([]any)) > 0 {
					sees = append(sees, i+1)
				}
			}
			if fmt.Sprint(sees) != c.want {
				t.Errorf("got services %v, want %s", sees, c.want)
			}
		})
	}
}
