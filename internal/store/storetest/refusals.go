package storetest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/store"
)

// testRefusals puts what the schema refuses through the store: the error has a
// kind, says what is wrong, and nothing is kept.
func testRefusals(t *testing.T, newDSN func(testing.TB) string) {
	member := directory.Membership{Organization: "acme", User: "otto", Role: "regular", Affiliation: "customer", State: "active", AssignedBy: "user"}
	with := func(change func(*directory.Membership)) directory.Membership {
		m := member
		change(&m)
		return m
	}
	cases := []struct {
		name   string
		record any
		says   string
	}{
		{"an organization changes its kind", directory.Organization{ID: "acme", Kind: "partner"}, "organization acme is of kind customer"},
		{"an unknown kind of organization", directory.Organization{ID: "x", Kind: "tenant"}, "organization_kind"},
		{"settings that are no object", directory.Organization{ID: "acme", Kind: "customer", Settings: []byte(`[]`)}, "not a JSON object"},
		{"a company without its organization", directory.Company{ID: "c", Organization: "none"}, "company c: the directory has no organization none"},
		{"an account without its company", directory.Account{ID: "a", Company: "none", Kind: "service"}, "account a: the directory has no company none"},
		{"an account in a contract account that is none", directory.Account{ID: "a", Company: "south", Kind: "service", Contract: "s2"}, "no contract account s2"},
		{"an account in another organization's delivery account", directory.Account{ID: "a", Company: "shop", Kind: "service", Delivery: "d1"}, "no delivery account d1"},
		{"a contract account in a contract account", directory.Account{ID: "a", Company: "south", Kind: "contract", Contract: "k1"}, "neither billing nor service"},
		{"an account others lie in changes its kind", directory.Account{ID: "k1", Company: "south", Kind: "service"}, ""},
		{"an account moves out of what its holders may access", directory.Account{ID: "k1", Company: "shop", Kind: "contract"}, ""},
		{"an account group with another organization's account", directory.AccountGroup{ID: "g", Organization: "resale", Kind: "service_group", Accounts: []string{"s1"}}, "organization resale has no account s1"},
		{"a username that is another's", directory.User{ID: "usr_x", Kind: "personal", Username: "DANA"}, "the username is that of user"},
		{"an address that is another's", directory.User{Kind: "personal", Username: "x", Email: "DANA@acme.example"}, "e-mail address"},
		{"a username that is a temporary one", directory.User{Kind: "personal", Username: "TMP-7KQ2"}, "temporary"},
		{"a temporary username that is a username", with(func(m *directory.Membership) { m.User, m.State = "Dana", "invited" }), "temporary"},
		{"a member whom nobody knows", with(func(m *directory.Membership) { m.User = "nobody" }), "no user nobody"},
		{"a role that nobody knows", with(func(m *directory.Membership) { m.Role = "king" }), "no role king"},
		{"a member of an organization that nobody knows", with(func(m *directory.Membership) { m.Organization = "none" }), "no organization none"},
		{"a user makes a primary contact (R3)", with(func(m *directory.Membership) { m.Role = "primary_contact" }), "only the operator"},
		{"the account team as primary contact (R7)", with(func(m *directory.Membership) {
			m.Role, m.Affiliation, m.AssignedBy = "primary_contact", "account_team", "operator"
		}), "account team"},
		{"sales in a customer organization (R16)", with(func(m *directory.Membership) { m.Role = "sales" }), "partner"},
		{"a second id for a membership", directory.Membership{ID: "mem_x", Organization: "acme", User: "dana", Role: "regular", Affiliation: "customer", State: "active", AssignedBy: "user"}, "and not mem_x"},
		{"a role that becomes the operator's while users gave it", directory.Role{ID: "regular", Name: "Regular", OperatorOnly: true}, "only the operator"},
		{"a grant to nobody", directory.GrantRecord{Organization: "acme", User: "otto", Company: "south", GrantedBy: "user"}, "no such member"},
		{"a grant of another organization's company (R24)", directory.GrantRecord{Organization: "acme", User: "dana", Company: "shop", GrantedBy: "user"}, "no company shop"},
		{"an account outside the companies (R24)", directory.GrantRecord{Organization: "acme", User: "noc", Account: "s1", GrantedBy: "user"}, "account s1 is in a company that was not granted"},
		{"an account for a tool that is not held (R31)", directory.GrantRecord{Organization: "acme", User: "tmp-7kq2", Tool: "wan", Account: "s1", GrantedBy: "user"}, "for a tool"},
		{"a restricted tool from a user (R29)", directory.GrantRecord{Organization: "acme", User: "noc", Tool: "ddos", GrantedBy: "user"}, "restricted tool"},
		{"a tool becomes restricted that users granted (R29)", directory.Tool{ID: "wan", Name: "WAN", Restricted: true}, "restricted tool"},
		{"a grant of two things", directory.GrantRecord{Organization: "acme", User: "dana", Company: "south", Account: "s1", GrantedBy: "user"}, "exactly one"},
		{"a company until a time", directory.GrantRecord{Organization: "acme", User: "dana", Company: "south", Expires: deadline(), GrantedBy: "user"}, "until a time"},
		{"an unknown granter", directory.GrantRecord{Organization: "acme", User: "dana", Company: "south", GrantedBy: "chance"}, "granted_by"},
		{"text that is not UTF-8", directory.Company{ID: "c", Organization: "acme", Name: "\xff"}, "not UTF-8"},
		{"text with a NUL", directory.Tool{ID: "x", Name: "a\x00b"}, "NUL"},
	}
	s := Open(t, newDSN(t))
	update(t, s, portal()...)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { wantRefusal(t, s, c.record, c.says) })
	}
	t.Run("a seat too many, and one that was given back", func(t *testing.T) {
		update(t, s, directory.Organization{ID: "acme", Kind: "customer", Name: "Acme", SeatLimit: 3})
		wantRefusal(t, s, member, "no free seat")
		gone := directory.Membership{Organization: "acme", User: "noc", Role: "support", Affiliation: "end_customer", State: "removed", AssignedBy: "scim"}
		update(t, s, gone, member)
		gone.State = "active"
		wantRefusal(t, s, gone, "no free seat")
	})
	t.Run("an update goes no further after a refusal, even one that was ignored", func(t *testing.T) {
		_, err := s.Update(context.Background(), func(tx directory.Tx) error {
			for range 5000 {
				_ = tx.PutCompany(directory.Company{ID: "c", Organization: "none"})
			}
			return nil
		})
		if !errors.Is(err, authz.ErrConflict) {
			t.Errorf("got %v, want a conflict", err)
		}
	})
}

func wantRefusal(t *testing.T, s *store.Store, record any, says string) {
	t.Helper()
	before := revisionOf(t, s)
	_, err := s.Update(context.Background(), putting(record))
	if !errors.Is(err, authz.ErrConflict) && !errors.Is(err, authz.ErrInvalid) {
		t.Fatalf("got %v, want a conflict or something invalid", err)
	}
	if !strings.Contains(err.Error(), says) {
		t.Errorf("the error says %q, want %q in it", err, says)
	}
	if strings.Contains(err.Error(), "@acme") {
		t.Errorf("the error repeats an address: %q", err)
	}
	if got := revisionOf(t, s); got != before {
		t.Errorf("revision: got %d, want %d", got, before)
	}
}
