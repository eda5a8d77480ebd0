package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/pap"
	"github.com/postern-authz/postern/internal/store"
)

func testLists(t *testing.T, newDSN func(testing.TB) string) {
	t.Run("members are found by what is asked", func(t *testing.T) { testMemberQueries(t, furnished(t, newDSN)) })
	t.Run("pages of members leave none out and show none twice", func(t *testing.T) { testMemberPages(t, Open(t, newDSN(t))) })
	t.Run("what an organization is made of", func(t *testing.T) { testCatalogue(t, furnished(t, newDSN)) })
	t.Run("when organizations and account groups changed", func(t *testing.T) { testChanged(t, furnished(t, newDSN)) })
}

func testMemberQueries(t *testing.T, s *store.Store) {
	odd := invited("mem_1")
	odd.GivenName, odd.FamilyName, odd.TemporaryUsername, odd.Email, odd.Kind = `50%_\`, "Érik", "tmp-odd", "x@odd.example", "group"
	gone := accepted(invited("mem_2"), idOf(t, s, "otto"))
	gone.State, gone.TemporaryUsername = "removed", "tmp-gone"
	lost := invited("mem_3")
	lost.State, lost.TemporaryUsername = "superseded", "tmp-lost"
	administer(t, s, func(tx pap.Tx) error { return errors.Join(tx.PutMember(odd), tx.PutMember(gone), tx.PutMember(lost)) })
	yes, no := true, false
	for _, c := range []struct {
		name string
		q    pap.MemberQuery
		want string // names, sorted
	}{
		{"all", pap.MemberQuery{}, "Dana noc tmp-7KQ2 tmp-odd"},
		{"removed ones too", pap.MemberQuery{ShowRemoved: true}, "Dana noc otto tmp-7KQ2 tmp-odd"},
		{"removed ones alone", pap.MemberQuery{State: "removed"}, "otto"},
		{"superseded ones", pap.MemberQuery{State: "superseded"}, "tmp-lost"},
		{"invited ones", pap.MemberQuery{State: "invited"}, "tmp-7KQ2 tmp-odd"},
		{"a role", pap.MemberQuery{Role: "support"}, "noc"},
		{"an affiliation", pap.MemberQuery{Affiliation: "end_customer"}, "noc"},
		{"shared identities", pap.MemberQuery{Kind: "group"}, "noc tmp-odd"},
		{"a company", pap.MemberQuery{Company: "south"}, "Dana tmp-7KQ2"},
		{"an account", pap.MemberQuery{Account: "s1"}, "Dana"},
		{"an account group", pap.MemberQuery{AccountGroup: "lines"}, "Dana"},
		{"a tool", pap.MemberQuery{Tool: "ddos"}, "Dana"},
		{"a second factor", pap.MemberQuery{MFA: &yes}, "Dana"},
		{"no second factor", pap.MemberQuery{MFA: &no, State: "active"}, "noc"},
		{"a name", pap.MemberQuery{Text: "aNA rO"}, "Dana"},
		{"an invited one's name", pap.MemberQuery{Text: "Érik"}, "tmp-odd"},
		{"other letters only as they are", pap.MemberQuery{Text: "érik"}, ""},
		{"a username", pap.MemberQuery{Text: "NOC"}, "noc"},
		{"a temporary username", pap.MemberQuery{Text: "7kq"}, "tmp-7KQ2"},
		{"an address", pap.MemberQuery{Text: "NEW@acme"}, "tmp-7KQ2"},
		{"wildcards are text", pap.MemberQuery{Text: `0%_\`}, "tmp-odd"},
		{"wildcards find nothing else", pap.MemberQuery{Text: `%`}, "tmp-odd"},
		{"text that cannot be kept", pap.MemberQuery{Text: "\x00"}, ""},
		{"a whole temporary username", pap.MemberQuery{TemporaryUsername: "TMP-ODD"}, "tmp-odd"},
		{"two things at once", pap.MemberQuery{Role: "support", Tool: "ddos"}, ""},
		{"another organization", pap.MemberQuery{Organization: "none"}, ""},
	} {
		if c.q.Organization == "" {
			c.q.Organization = "acme"
		}
		var got []string
		for _, m := range see(t, s, func(r pap.Reader) ([]pap.Member, error) { return r.Members(c.q) }) {
			got = append(got, or(m.Username, m.TemporaryUsername))
		}
		slices.Sort(got)
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

func testMemberPages(t *testing.T, s *store.Store) {
	update(t, s, directory.Organization{ID: "acme", Kind: "customer"}, directory.Company{ID: "south", Organization: "acme"})
	var want []string
	administer(t, s, func(tx pap.Tx) error {
		for i := range 25 {
			m := invited(fmt.Sprintf("mem_%02d", i))
			m.CreatedAt = *later(time.Duration(i/4) * time.Second) // four at a time
			want = append(want, m.ID)
			if err := errors.Join(tx.PutMember(m), tx.SetGrants(m.ID, pap.Grants{Companies: []pap.CompanyGrant{{ID: "south"}}}, "user")); err != nil {
				return err
			}
		}
		return nil
	})
	slices.Reverse(want)
	var got []string
	q := pap.MemberQuery{Organization: "acme", Page: pap.Page{Size: 3}}
	for {
		page := see(t, s, func(r pap.Reader) ([]pap.Member, error) { return r.Members(q) })
		if len(page) == 0 {
			break
		}
		for _, m := range page {
			got = append(got, m.ID)
			if len(m.Grants.Companies) != 1 {
				t.Errorf("grants of %s: got %+v, want one company", m.ID, m.Grants)
			}
		}
		last := page[len(page)-1]
		q.After = &pap.Cursor{At: last.CreatedAt, ID: last.ID}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func testCatalogue(t *testing.T, s *store.Store) {
	administer(t, s, func(tx pap.Tx) error {
		// Put as an import does, and read within the same change.
		err := errors.Join(tx.PutCompany(directory.Company{ID: "west", Organization: "acme", Name: "West"}), tx.SetRecommendations("wan", []string{"lines"}))
		if c, readErr := tx.Company("west"); readErr != nil || c.Name != "West" {
			t.Errorf("west within the change: got %+v, %v", c, readErr)
		}
		return err
	})
	ids := func(read func(pap.Reader) ([]string, error)) string {
		t.Helper()
		return strings.Join(see(t, s, read), " ")
	}
	for _, c := range []struct{ name, got, want string }{
		{"organizations", ids(func(r pap.Reader) ([]string, error) {
			return idsOf(r.Organizations("acme", 5))
		}), "carrier resale"},
		{"companies", ids(func(r pap.Reader) ([]string, error) { return idsOf(r.Companies("acme", "east", 1)) }), "south"},
		{"accounts", ids(func(r pap.Reader) ([]string, error) { return idsOf(r.Accounts(pap.AccountQuery{Organization: "acme"})) }), "b1 d1 k1 s1 s2"},
		{"accounts of a kind", ids(func(r pap.Reader) ([]string, error) {
			return idsOf(r.Accounts(pap.AccountQuery{Company: "south", Kind: "service", After: "s1", Limit: 9}))
		}), "s2"},
		{"companies in a contract", ids(func(r pap.Reader) ([]string, error) { return r.EnclosedCompanies("k1") }), "east"},
		{"companies in a delivery", ids(func(r pap.Reader) ([]string, error) { return r.EnclosedCompanies("d1") }), ""},
		{"account groups", ids(func(r pap.Reader) ([]string, error) { return idsOf(r.AccountGroups("acme", "", 0)) }), "empty lines"},
		{"roles", ids(func(r pap.Reader) ([]string, error) { return idsOf(r.Roles()) }), "administrator auditor operator primary_contact read_only regular sales support"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, c.got, c.want)
		}
	}
	if got := see(t, s, func(r pap.Reader) (directory.AccountGroup, error) { return r.AccountGroup("lines") }); !slices.Equal(got.Accounts, []string{"s1", "s2"}) {
		t.Errorf("lines: got %+v, want s1 and s2", got)
	}
	want := []pap.Tool{{ID: "ddos", Name: "DDoS Shield", Restricted: true, RecommendedFor: []string{}}, {ID: "wan", Name: "WAN Analysis", RecommendedFor: []string{"lines"}}}
	if got := see(t, s, func(r pap.Reader) ([]pap.Tool, error) { return r.Tools() }); !reflect.DeepEqual(got, want) {
		t.Errorf("tools: got %+v, want %+v", got, want)
	}
	contacts := func(r pap.Reader) (int, error) { return r.PrimaryContacts("acme") }
	update(t, s, directory.Membership{Organization: "acme", User: "otto", Role: "primary_contact", Affiliation: "customer", State: "active", AssignedBy: "operator"})
	if got := see(t, s, contacts); got != 1 {
		t.Errorf("primary contacts: got %d, want 1", got)
	}
	update(t, s, directory.Membership{Organization: "acme", User: "otto", Role: "primary_contact", Affiliation: "customer", State: "suspended", AssignedBy: "operator"})
	if got := see(t, s, contacts); got != 0 {
		t.Errorf("active primary contacts: got %d, want 0", got)
	}
}

// idsOf are the ids of records, in their order.
func idsOf[T any](records []T, err error) (ids []string, _ error) {
	for _, r := range records {
		ids = append(ids, reflect.ValueOf(r).FieldByName("ID").String())
	}
	return ids, err
}

func testChanged(t *testing.T, s *store.Store) {
	organization, group := authz.Key{Kind: "organization", ID: "acme"}, authz.Key{Kind: "account_group", ID: "lines"}
	changed := func(key authz.Key) authz.Revision {
		return see(t, s, func(r pap.Reader) (authz.Revision, error) { return r.Changed(key) })
	}
	if changed(organization) != 1 || changed(group) != 1 {
		t.Errorf("after the import: got %d and %d, want 1", changed(organization), changed(group))
	}
	second := administer(t, s, func(tx pap.Tx) error {
		return errors.Join(tx.PutOrganization(directory.Organization{ID: "acme", Kind: "customer", Name: "Acme Ltd"}),
			tx.PutAccountGroup(directory.AccountGroup{ID: "lines", Organization: "acme", Kind: "service_group", Name: "Lines", Accounts: []string{"s1"}}))
	})
	if changed(organization) != second || changed(group) != second {
		t.Errorf("after a change: got %d and %d, want %d", changed(organization), changed(group), second)
	}
	third := administer(t, s, func(tx pap.Tx) error {
		return tx.PutAccountGroup(directory.AccountGroup{ID: "lines", Organization: "acme", Kind: "service_group", Name: "Lines", Accounts: []string{"s1", "b1"}})
	})
	if changed(group) != third || changed(organization) != second {
		t.Errorf("after the list grew: got %d and %d, want %d and %d", changed(group), changed(organization), third, second)
	}
	fourth := administer(t, s, func(tx pap.Tx) error { return tx.DeleteAccount("b1") })
	if changed(group) != fourth {
		t.Errorf("after an account of it was deleted: got %d, want %d", changed(group), fourth)
	}
}
