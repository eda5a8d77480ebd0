package pap_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/pap"
)

// A name is one of the people of the portal in acme.
type regrantCase struct {
	name   string
	by     string
	of     string
	patch  pap.GrantPatch
	reason string // "": it is done
}

func accounts(ids ...string) (g pap.Grants) {
	for _, id := range ids {
		g.Accounts = append(g.Accounts, pap.AccountGrant{ID: id})
	}
	return g
}

func companies(all bool, ids ...string) (g pap.Grants) {
	for _, id := range ids {
		g.Companies = append(g.Companies, pap.CompanyGrant{ID: id, AllAccounts: all})
	}
	return g
}

func tool(id string, accounts ...string) pap.Grants {
	return pap.Grants{Tools: []pap.ToolGrant{{ID: id, Accounts: accounts}}}
}

func (h *house) actor(name string) pap.Call {
	if name == "operator" {
		return h.operator()
	}
	return h.as(name)
}

func TestWhoGrantsWhat(t *testing.T) {
	h := open(t)
	soon := start.Add(time.Hour)
	h.put(`{"type":"user","username":"walt","email":"walt@acme.example"}
{"type":"membership","organization":"acme","user":"walt","role":"administrator","assigned_by":"user"}
{"type":"grant","organization":"acme","user":"walt","company":"acme-south","granted_by":"user"}
{"type":"grant","organization":"acme","user":"walt","account":"a-1002","expires":"2026-03-02T10:00:00Z","granted_by":"user"}
{"type":"grant","organization":"acme","user":"walt","account":"a-1001","granted_by":"user"}`)
	ending := func(at *time.Time) pap.Grants {
		return pap.Grants{Accounts: []pap.AccountGrant{{ID: "a-1002", ExpiresAt: at}}}
	}
	for _, c := range []regrantCase{
		{"a primary contact gives any account (R2)", "paula", "rosa", pap.GrantPatch{Add: accounts("a-2001")}, ""},
		{"and any company with all its accounts (R26)", "paula", "rosa", pap.GrantPatch{Add: companies(true, "acme-east")}, ""},
		{"and account groups of every kind (R27)", "paula", "rosa", pap.GrantPatch{Add: pap.Grants{AccountGroups: []string{"cgi-88", "south-sites"}}}, ""},
		{"and takes them back", "paula", "rosa", pap.GrantPatch{Remove: companies(false, "acme-east")}, ""},
		{"and tools", "paula", "rosa", pap.GrantPatch{Add: tool("network_manager")}, ""},
		{"but no restricted tool (R29)", "paula", "rosa", pap.GrantPatch{Add: tool("dynamic_network_manager")}, "tool-restricted"},
		{"the operator gives it (R29)", "operator", "rosa", pap.GrantPatch{Add: tool("dynamic_network_manager")}, ""},
		{"the primary contact adds no account to it", "paula", "rosa", pap.GrantPatch{Add: tool("dynamic_network_manager", "a-1001")}, "tool-restricted"},
		{"what is there already is not asked about", "paula", "rosa", pap.GrantPatch{Add: tool("dynamic_network_manager")}, ""},
		{"the primary contact takes it away", "paula", "rosa", pap.GrantPatch{Remove: tool("dynamic_network_manager")}, ""},
		{"an administrator takes an account of its own away (R6)", "adam", "regina", pap.GrantPatch{Remove: accounts("a-1001")}, ""},
		{"and gives it, with the company that it lies in (R24)", "adam", "regina", pap.GrantPatch{Add: accounts("a-1001")}, ""},
		{"and its tool there", "adam", "regina", pap.GrantPatch{Add: tool("wan_analysis", "a-1001")}, ""},
		{"V19: not another account", "adam", "regina", pap.GrantPatch{Add: accounts("a-1002")}, "scope-exceeded"},
		{"V19: nor the company that its account lies in", "adam", "regina", pap.GrantPatch{Add: companies(true, "acme-south")}, "scope-exceeded"},
		{"V19: nor an account group with its account", "adam", "regina", pap.GrantPatch{Add: pap.Grants{AccountGroups: []string{"south-sites"}}}, "scope-exceeded"},
		{"V19: nor a tool that it does not hold", "adam", "regina", pap.GrantPatch{Add: tool("network_manager")}, "scope-exceeded"},
		{"V19: nor its tool on another account", "adam", "regina", pap.GrantPatch{Add: tool("wan_analysis", "b-1001")}, "scope-exceeded"},
		{"nor takes the company away with what lies in it", "adam", "regina", pap.GrantPatch{Remove: companies(false, "acme-east")}, "scope-exceeded"},
		{"nor asks so whether somebody has an account", "adam", "regina", pap.GrantPatch{Remove: accounts("a-1002")}, "scope-exceeded"},
		{"an account until it ends, by who has it so long", "walt", "regina", pap.GrantPatch{Add: ending(&soon)}, ""},
		{"but no longer", "walt", "regina", pap.GrantPatch{Add: ending(nil)}, "scope-exceeded"},
		{"somebody without power gives nothing (R13, R14)", "rosa", "regina", pap.GrantPatch{Add: accounts("a-1001")}, "not-permitted"},
		{"nobody gives to itself (C16)", "adam", "adam", pap.GrantPatch{Add: accounts("a-1001")}, "self-change"},
		{"nobody gives to a primary contact", "adam", "paula", pap.GrantPatch{Add: accounts("a-1001")}, "operator-only"},
		{"an account of another organization is not known", "paula", "rosa", pap.GrantPatch{Add: accounts("g-3001")}, "validation"},
		{"the account team gives what it has (R7)", "tim", "paula", pap.GrantPatch{Add: accounts("a-2001")}, "operator-only"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := h.events("acme")
			_, done, err := h.PatchGrants(t.Context(), h.actor(c.by), "acme", h.member("acme", c.of), c.patch)
			added := h.trail("acme")[len(before):]
			if c.reason != "" {
				refused(t, err, c.reason)
				if len(added) != 0 {
					t.Errorf("a refusal left %v in the trail", added)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(added) != 1 || added[0].Type != "member.grants_changed" || added[0].Decision != done.Decision || done.Decision == "" {
				t.Errorf("trail: got %+v, want one event with the decision %s", added, done.Decision)
			}
		})
	}
}

// What is granted or revoked on its own counts at once (R25-R27, R74, R77).
func TestAGrantIsInTheNextDecision(t *testing.T) {
	h := open(t)
	rosa := h.user("rosa")
	patch := func(p pap.GrantPatch) pap.Change {
		t.Helper()
		_, done, err := h.PatchGrants(t.Context(), h.as("paula"), "acme", h.member("acme", "rosa"), p)
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	wants := func(account string, at pap.Change, want bool) {
		t.Helper()
		if got := h.decide(rosa, "service.view", "account", account, at.Revision); got != want {
			t.Errorf("rosa views %s: got %v, want %v", account, got, want)
		}
	}
	wants("a-2001", pap.Change{}, false)
	wants("a-2001", patch(pap.GrantPatch{Add: accounts("a-2001")}), true)     // R25, R74
	wants("a-2001", patch(pap.GrantPatch{Remove: accounts("a-2001")}), false) // R77
	wants("b-2001", patch(pap.GrantPatch{Add: companies(true, "acme-east")}), true)
	h.put(`{"type":"account","id":"a-2002","company":"acme-east","kind":"service","name":"New"}`)
	head, err := h.store.Revision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wants("a-2002", pap.Change{Revision: head}, true) // R26: accounts added later
	wants("a-2001", patch(pap.GrantPatch{Remove: companies(true, "acme-east")}), false)
	wants("a-1002", patch(pap.GrantPatch{Add: pap.Grants{AccountGroups: []string{"south-sites"}}}), true) // R27
}

func TestACompanyTakesItsAccountsAlong(t *testing.T) {
	h := open(t)
	ctx, call, regina := t.Context(), h.as("paula"), h.member("acme", "regina")
	if _, _, err := h.GrantTool(ctx, call, "acme", regina, "wan_analysis", pap.ToolGrant{Accounts: []string{"a-1001", "a-2001"}}); err != nil {
		t.Fatal(err)
	}
	dry := call
	dry.ValidateOnly = true
	m, _, err := h.PatchGrants(ctx, dry, "acme", regina, pap.GrantPatch{Remove: companies(false, "acme-south")})
	if err != nil {
		t.Fatal(err)
	}
	if g := m.Impact.Grants; len(g.Accounts) != 2 || len(g.Companies) != 1 || len(g.Tools) != 1 || !slices.Equal(g.Tools[0].Accounts, []string{"a-1001"}) {
		t.Errorf("impact: got %+v, want the accounts and what of the tool's list lies there (R24, R79)", g)
	}
	if got := h.get(call, "acme", "regina"); len(got.Grants.Accounts) != 2 {
		t.Errorf("got %+v, want nothing kept of what was only validated", got.Grants)
	}
	m, _, err = h.PatchGrants(ctx, call, "acme", regina, pap.GrantPatch{Remove: companies(false, "acme-south")})
	if err != nil || len(m.Grants.Accounts) != 0 || len(m.Grants.Companies) != 1 || !slices.Equal(m.Grants.Tools[0].Accounts, []string{"a-2001"}) {
		t.Errorf("got %+v, %v, want what lies in the other company", m.Grants, err)
	}
}

func TestAToolStartsWithNoAccounts(t *testing.T) {
	h := open(t)
	ctx, call, rosa := t.Context(), h.as("paula"), h.member("acme", "rosa")
	m, _, err := h.GrantTool(ctx, call, "acme", rosa, "network_manager", pap.ToolGrant{})
	if err != nil || len(m.Grants.Tools) != 1 || len(m.Grants.Tools[0].Accounts) != 0 {
		t.Fatalf("got %+v, %v, want an empty list (R30)", m.Grants.Tools, err)
	}
	m, _, err = h.SetToolAccounts(ctx, call, "acme", rosa, "network_manager", []string{"a-2001"})
	if err != nil || !slices.Equal(m.Grants.Tools[0].Accounts, []string{"a-2001"}) || len(m.Grants.Accounts) != 2 || len(m.Grants.Companies) != 2 {
		t.Fatalf("got %+v, %v, want its own list in a company that is authorized for it (R24, R31)", m.Grants, err)
	}
	if m, _, err = h.GrantTool(ctx, call, "acme", rosa, "network_manager", pap.ToolGrant{}); err != nil || len(m.Grants.Tools[0].Accounts) != 1 {
		t.Errorf("granted again: got %+v, %v, want its list kept", m.Grants.Tools, err)
	}
	if m, _, err = h.RevokeTool(ctx, call, "acme", rosa, "network_manager"); err != nil || len(m.Grants.Tools) != 0 {
		t.Errorf("revoked: got %+v, %v", m.Grants.Tools, err)
	}
	_, _, err = h.SetToolAccounts(ctx, call, "acme", rosa, "network_manager", nil)
	refused(t, err, "not-found")
	want := []string{"member.tool_granted", "member.grants_changed", "member.tool_granted", "member.tool_revoked"}
	if got := h.events("acme"); !slices.Equal(got, want) {
		t.Errorf("trail: got %v, want %v", got, want)
	}
}

func TestGrantsAreReplacedByWhoHasSeenThem(t *testing.T) {
	h := open(t)
	ctx, regina := t.Context(), h.member("acme", "regina")
	_, _, err := h.SetGrants(ctx, h.as("paula"), "acme", regina, pap.Grants{})
	refused(t, err, "precondition-required")
	seen := h.get(h.as("paula"), "acme", "regina")
	_, _, err = h.SetGrants(ctx, matching(h.as("paula"), seen.Revision-1), "acme", regina, seen.Grants)
	refused(t, err, "etag-mismatch")
	m, _, err := h.SetGrants(ctx, matching(h.as("paula"), seen.Revision), "acme", regina, accounts("a-1001", "a-2001"))
	if err != nil || len(m.Grants.Accounts) != 2 || len(m.Grants.Companies) != 2 {
		t.Fatalf("got %+v, %v", m.Grants, err)
	}
	// The administrator replaces what it sees; what is hidden from it stays.
	seen = h.get(h.as("adam"), "acme", "regina")
	m, _, err = h.SetGrants(ctx, matching(h.as("adam"), seen.Revision), "acme", regina, accounts("b-1001"))
	if err != nil || !m.Redacted || len(m.Grants.Accounts) != 1 {
		t.Fatalf("by the administrator: got %+v, %v", m.Grants, err)
	}
	all := h.get(h.as("paula"), "acme", "regina").Grants.Accounts
	if text, _ := json.Marshal(all); string(text) != `[{"id":"a-2001"},{"id":"b-1001"}]` {
		t.Errorf("got %s, want what was hidden and what was set", text)
	}
	_, _, err = h.SetGrants(ctx, matching(h.as("paula"), m.Revision), "acme", regina, accounts("b-1001", "b-1001"))
	refused(t, err, "validation")
}

func TestARequestNamesSoMuchAndNoMore(t *testing.T) {
	h := open(t)
	var many pap.Grants
	for n := range pap.MaxGrants + 1 {
		many.Accounts = append(many.Accounts, pap.AccountGrant{ID: fmt.Sprintf("a-%d", n)})
	}
	for name, patch := range map[string]pap.GrantPatch{"added": {Add: many}, "removed": {Remove: many}} {
		t.Run(name, func(t *testing.T) {
			_, _, err := h.PatchGrants(t.Context(), h.as("paula"), "acme", h.member("acme", "rosa"), patch)
			refused(t, err, "validation")
		})
	}
}

// A contract with services elsewhere is hidden from who has only the company that
// it lies in; what is hidden stays, and the company of it too (R24).
func TestWhatIsHiddenKeepsItsCompany(t *testing.T) {
	h := open(t)
	h.put(`{"type":"account","id":"k-3","company":"acme-south","kind":"contract","name":"Contract"}
{"type":"account","id":"s-3","company":"acme-east","kind":"service","contract":"k-3","name":"Service"}
{"type":"user","username":"carl","email":"carl@acme.example"}
{"type":"membership","organization":"acme","user":"carl","role":"administrator","assigned_by":"user"}
{"type":"grant","organization":"acme","user":"carl","company":"acme-south","all_accounts":true,"granted_by":"user"}
{"type":"grant","organization":"acme","user":"regina","account":"k-3","granted_by":"user"}`)
	carl, regina := h.as("carl"), h.member("acme", "regina")
	carl.IfMatch = new(h.get(carl, "acme", "regina").Revision)
	if _, _, err := h.SetGrants(t.Context(), carl, "acme", regina, pap.Grants{}); err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(h.get(h.as("paula"), "acme", "regina").Grants)
	if !strings.HasPrefix(string(text), `{"companies":[{"id":"acme-south","all_accounts":false}],"accounts":[{"id":"k-3"}]`) {
		t.Errorf("got %s, want the contract and its company", text)
	}
}
