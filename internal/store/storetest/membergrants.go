package storetest

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/pap"
	"github.com/postern-authz/postern/internal/store"
)

func testMemberGrants(t *testing.T, newDSN func(testing.TB) string) {
	t.Run("grants are exactly what was set", func(t *testing.T) { testSetGrants(t, furnished(t, newDSN)) })
	t.Run("a company that is not wanted takes its accounts along", func(t *testing.T) {
		s := furnished(t, newDSN)
		m, g := danasGrants(t, s)
		g.Companies = g.Companies[:1] // east
		g.Accounts, g.Tools[1].Accounts = nil, nil
		g = set(t, s, m, g, "user")
		if len(g.Companies) != 1 || len(g.Accounts) != 0 || len(g.Tools) != 2 {
			t.Errorf("got %+v, want the company east, and tools without accounts", g)
		}
	})
	t.Run("what stays keeps who granted it, what changes does not", func(t *testing.T) { testGranters(t, furnished(t, newDSN)) })
	t.Run("the directory's rules hold for grants that are set", func(t *testing.T) { testGrantRefusals(t, furnished(t, newDSN)) })
}

// danasGrants are those of the portal.
func danasGrants(t *testing.T, s *store.Store) (member string, g pap.Grants) {
	t.Helper()
	m := see(t, s, func(r pap.Reader) (pap.Member, error) { return r.MemberOf("acme", idOf(t, s, "dana")) })
	end := deadline()
	want := pap.Grants{
		Companies:     []pap.CompanyGrant{{ID: "east", AllAccounts: true}, {ID: "south"}},
		Accounts:      []pap.AccountGrant{{ID: "k1"}, {ID: "s1", ExpiresAt: &end}},
		AccountGroups: []string{"lines"},
		Tools:         []pap.ToolGrant{{ID: "ddos", Accounts: []string{}, ExpiresAt: &end}, {ID: "wan", Accounts: []string{"s1", "s2"}}},
	}
	if !reflect.DeepEqual(m.Grants, want) {
		t.Fatalf("grants of the portal\ngot  %+v\nwant %+v", m.Grants, want)
	}
	return m.ID, m.Grants
}

// set sets grants and returns what there is then.
func set(t *testing.T, s *store.Store, member string, g pap.Grants, by string) pap.Grants {
	t.Helper()
	at := administer(t, s, func(tx pap.Tx) error { return tx.SetGrants(member, g, by) })
	m := see(t, s, memberOf(member))
	if m.Revision != at {
		t.Errorf("revision of the member: got %d, want %d", m.Revision, at)
	}
	return m.Grants
}

func testSetGrants(t *testing.T, s *store.Store) {
	member, g := danasGrants(t, s)
	if got := set(t, s, member, g, "user"); !reflect.DeepEqual(got, g) {
		t.Errorf("the same again: got %+v, want %+v", got, g)
	}
	end := deadline().Add(time.Hour)
	want := pap.Grants{
		Companies:     []pap.CompanyGrant{{ID: "east"}, {ID: "south", AllAccounts: true}},
		Accounts:      []pap.AccountGrant{{ID: "b1"}, {ID: "k1", ExpiresAt: &end}, {ID: "s1"}},
		AccountGroups: []string{"empty"},
		Tools:         []pap.ToolGrant{{ID: "wan", Accounts: []string{"b1", "s2"}, ExpiresAt: &end}},
	}
	if got := set(t, s, member, want, "user"); !reflect.DeepEqual(got, want) {
		t.Errorf("other grants\ngot  %+v\nwant %+v", got, want)
	}
	if got := set(t, s, member, pap.Grants{}, "user"); !reflect.DeepEqual(got, noGrants()) {
		t.Errorf("none: got %+v", got)
	}
	if got := set(t, s, member, want, "user"); !reflect.DeepEqual(got, want) {
		t.Errorf("from none\ngot  %+v\nwant %+v", got, want)
	}
}

// granters are who granted each thing that dana holds.
func granters(t *testing.T, s *store.Store) map[string]string {
	by := map[string]string{}
	for _, record := range all(t, s) {
		if g, ok := record.(directory.GrantRecord); ok && g.User == "Dana" {
			by[g.Company+g.AccountGroup+g.Tool+" "+g.Account] = g.GrantedBy
		}
	}
	return by
}

func testGranters(t *testing.T, s *store.Store) {
	member, g := danasGrants(t, s)
	g.Accounts[1].ExpiresAt = nil
	g.Companies[1].AllAccounts = true
	g.AccountGroups = append(g.AccountGroups, "empty")
	set(t, s, member, g, "operator")
	got := granters(t, s)
	for thing, want := range map[string]string{
		" k1": "request", "lines ": "user", "ddos ": "operator", "wan ": "user", "wan s1": "user", "east ": "user",
		" s1": "operator", "south ": "operator", "empty ": "operator",
	} {
		if got[thing] != want {
			t.Errorf("%q: got granted by %q, want %q", thing, got[thing], want)
		}
	}
}

func testGrantRefusals(t *testing.T, s *store.Store) {
	member, _ := danasGrants(t, s)
	south := pap.Grants{Companies: []pap.CompanyGrant{{ID: "south"}}}
	with := func(change func(*pap.Grants)) pap.Grants {
		g := south
		change(&g)
		return g
	}
	for _, c := range []struct {
		name string
		g    pap.Grants
	}{
		{"a company of another organization (R24)", with(func(g *pap.Grants) { g.Companies = []pap.CompanyGrant{{ID: "shop"}} })},
		{"an account whose company is not granted (R24)", with(func(g *pap.Grants) { g.Accounts = []pap.AccountGrant{{ID: "b1"}} })},
		{"an account whose company goes with the same change", pap.Grants{Accounts: []pap.AccountGrant{{ID: "k1"}}}},
		{"an account of another organization", with(func(g *pap.Grants) { g.Accounts = []pap.AccountGrant{{ID: "none"}} })},
		{"an unknown account group", with(func(g *pap.Grants) { g.AccountGroups = []string{"none"} })},
		{"an unknown tool", with(func(g *pap.Grants) { g.Tools = []pap.ToolGrant{{ID: "none"}} })},
		{"a tool's account outside the companies (R31)", with(func(g *pap.Grants) { g.Tools = []pap.ToolGrant{{ID: "wan", Accounts: []string{"b1"}}} })},
		{"a restricted tool until another time, by a user (R29)", with(func(g *pap.Grants) { g.Tools = []pap.ToolGrant{{ID: "ddos"}} })},
	} {
		t.Run(c.name, func(t *testing.T) {
			refuse(t, s, authz.ErrConflict, func(tx pap.Tx) error { return tx.SetGrants(member, c.g, "user") })
		})
	}
	t.Run("and after a refusal that is ignored nothing is kept", func(t *testing.T) {
		refuse(t, s, authz.ErrConflict, func(tx pap.Tx) error {
			_ = tx.SetGrants(member, with(func(g *pap.Grants) { g.Tools = []pap.ToolGrant{{ID: "ddos"}} }), "user")
			return errors.Join(tx.PutPerson(person("usr_1", "new")))
		})
	})
}
