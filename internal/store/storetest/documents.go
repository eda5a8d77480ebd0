package storetest

import (
	"context"
	"reflect"
	"testing"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

func testDocuments(t *testing.T, newDSN func(testing.TB) string) {
	dsn := newDSN(t)
	s := Open(t, dsn)
	update(t, s, portal()...)
	acme := func(p authz.Place) authz.Document {
		p.Organization, p.OrganizationKind = "acme", "customer"
		return authz.Document{Place: &p}
	}
	cases := []struct {
		name string
		key  authz.Key
		want authz.Document
	}{
		{"a service account in a contract and a delivery account", authz.Key{Kind: "account", ID: "s1"},
			acme(authz.Place{Account: "s1", AccountKind: "service", Contract: "k1", Delivery: "d1", AccountGroups: []string{"lines"}, Company: "south"})},
		{"a contract account is its own", authz.Key{Kind: "account", ID: "k1"},
			acme(authz.Place{Account: "k1", AccountKind: "contract", Contract: "k1", Company: "south"})},
		{"a delivery account is its own", authz.Key{Kind: "account", ID: "d1"},
			acme(authz.Place{Account: "d1", AccountKind: "delivery", Delivery: "d1", Company: "south"})},
		{"a billing account", authz.Key{Kind: "account", ID: "b1"},
			acme(authz.Place{Account: "b1", AccountKind: "billing", Contract: "k1", Company: "east"})},
		{"a company", authz.Key{Kind: "company", ID: "east"}, acme(authz.Place{Company: "east"})},
		{"an organization", authz.Key{Kind: "organization", ID: "acme"}, acme(authz.Place{})},
		{"an account group", authz.Key{Kind: "account_group", ID: "empty"}, acme(authz.Place{AccountGroups: []string{"empty"}})},
		{"a restricted tool", authz.Key{Kind: "tool", ID: "ddos"}, authz.Document{Place: &authz.Place{Tool: "ddos", Restricted: true}}},
		{"an unknown account", authz.Key{Kind: "account", ID: "none"}, authz.Document{}},
		{"an id of another kind", authz.Key{Kind: "company", ID: "acme"}, authz.Document{}},
		{"an id in another case", authz.Key{Kind: "account", ID: "S1"}, authz.Document{}},
		{"an id that nothing can have", authz.Key{Kind: "account", ID: "s1\x00"}, authz.Document{}},
		{"an id that is not UTF-8", authz.Key{Kind: "user", ID: "\xff"}, authz.Document{}},
		{"an unknown kind", authz.Key{Kind: "planet", ID: "acme"}, authz.Document{}},
		{"an unknown user", authz.Key{Kind: "user", ID: "usr_x"}, authz.Document{}},
		{"an unknown login", authz.Key{Kind: "login", ID: "nobody"}, authz.Document{}},
		{"a temporary username is no login (R33)", authz.Key{Kind: "login", ID: "tmp-7KQ2"}, authz.Document{}},
		{"a login in another case", authz.Key{Kind: "login", ID: "DANA"}, authz.Document{Login: idOf(t, s, "dana")}},
		{"a login in letters that only look the same", authz.Key{Kind: "login", ID: "noc\u212a"}, authz.Document{}},
	}
	keys := make([]authz.Key, 0, len(cases))
	for _, c := range cases {
		keys = append(keys, c.key)
	}
	together, revision, err := s.Read(context.Background(), keys)
	if err != nil || revision.Revision != 1 {
		t.Fatalf("read all: got revision %d, %v, want 1", revision, err)
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if !reflect.DeepEqual(together[i], c.want) {
				t.Errorf("among others: got %+v %+v, want %+v", together[i], together[i].Place, c.want)
			}
			if alone := read(t, s, c.key)[0]; !reflect.DeepEqual(alone, c.want) {
				t.Errorf("alone: got %+v, want %+v", alone, c.want)
			}
		})
	}
	t.Run("no keys have no documents", func(t *testing.T) {
		if got := read(t, s); len(got) != 0 {
			t.Errorf("got %+v, want none", got)
		}
	})
	t.Run("a user in two organizations", func(t *testing.T) {
		got := userOf(t, s, "dana")
		want := &authz.User{ID: got.ID, Kind: "personal", MFA: true, Memberships: []authz.Membership{
			{
				ID: got.Memberships[0].ID, Organization: "acme", OrganizationKind: "customer", Affiliation: "customer",
				State: "active", Role: "regular", CPNI: true,
				Grants: []authz.Grant{
					{Scope: "account:k1"}, {Scope: "account:s1", Expires: deadline()}, {Scope: "account_group:lines"}, {Scope: "company:east"},
				},
				Tools: []authz.Tool{{ID: "ddos", Expires: deadline()}, {ID: "wan", Accounts: []string{"s1", "s2"}}},
			},
			{
				ID: got.Memberships[1].ID, Organization: "resale", OrganizationKind: "partner", Affiliation: "customer",
				State: "suspended", Role: "sales",
			},
		}}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("\ngot  %+v\nwant %+v", got, want)
		}
	})
	t.Run("the same user asked for twice", func(t *testing.T) {
		key := authz.Key{Kind: "user", ID: idOf(t, s, "dana")}
		got := read(t, s, key, authz.Key{Kind: "user", ID: idOf(t, s, "noc")}, key)
		if !reflect.DeepEqual(got[0], got[2]) || got[1].User.Kind != "group" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("a user with more accounts than are listed", func(t *testing.T) { testNarrow(t, dsn, userOf(t, s, "dana")) })
	t.Run("a removed user and a removed membership keep their documents (R80)", func(t *testing.T) {
		update(t, s,
			directory.User{Kind: "personal", Username: "dana", Removed: true},
			directory.Membership{Organization: "acme", User: "noc", Role: "support", Affiliation: "end_customer", State: "removed", AssignedBy: "scim"})
		if got := userOf(t, s, "dana"); !got.Removed || len(got.Memberships) != 2 {
			t.Errorf("the user: got %+v, want it removed with two memberships", got)
		}
		if got := userOf(t, s, "noc"); got.Removed || got.Memberships[0].State != "removed" {
			t.Errorf("the membership: got %+v, want it removed", got)
		}
	})
	t.Run("an invitation of a known user, or one in whose place another was accepted, is in no document (R50, R54)", func(t *testing.T) {
		for _, state := range []string{"invited", "superseded"} {
			statement := `UPDATE memberships SET state = '` + state + `', user_id = (SELECT id FROM users WHERE username_key = 'otto'), login_key = 'otto'
				WHERE temporary_username = 'tmp-7KQ2'`
			if _, err := rawOpen(t, dsn).Exec(statement); err != nil {
				t.Fatal(err)
			}
			otto := userOf(t, s, "otto")
			if got := otto.Memberships; len(got) != 1 || got[0].Organization != "carrier" {
				t.Errorf("%s: got %+v, want the membership in carrier only", state, got)
			}
			for _, account := range accounts() {
				if got := read(t, s, authz.UserAccountKey(otto.ID, account))[0]; got.Granted != nil {
					t.Errorf("%s: got %+v on account %s, want nothing", state, got.Granted, account)
				}
			}
		}
	})
}

// testNarrow reads dana, who was granted two accounts and has two more on the
// list of a tool, by stores that list more or fewer than these four.
func testNarrow(t *testing.T, dsn string, whole *authz.User) {
	dana := authz.Key{Kind: authz.KindUser, ID: whole.ID}
	for _, listed := range []int{-1, 3, 4} {
		narrow := OpenListing(t, dsn, listed)
		if got, want := read(t, narrow, dana)[0], Narrowed(authz.Document{User: whole}, listed); !reflect.DeepEqual(got, want) {
			t.Errorf("%d listed:\ngot  %+v\nwant %+v", listed, got.User, want.User)
		}
		if got := read(t, narrow, dana)[0].User; got.Narrow != (listed < 4) {
			t.Errorf("%d listed: got narrow %v", listed, got.Narrow)
		}
	}
	s := Open(t, dsn)
	keys := []authz.Key{{Kind: authz.KindUserAccount, ID: whole.ID}, authz.UserAccountKey("usr_x", "s1"), authz.UserAccountKey(whole.ID, "s1 ")}
	for _, got := range read(t, s, keys...) {
		if !reflect.DeepEqual(got, authz.Document{}) {
			t.Errorf("a key that names nothing: got %+v", got)
		}
	}
	for _, account := range append(accounts(), "none") {
		key := authz.UserAccountKey(whole.ID, account)
		if got, want := read(t, s, key)[0], PartOf(authz.Document{User: whole}, account); !reflect.DeepEqual(got, want) {
			t.Errorf("on account %s: got %+v, want %+v", account, got, want)
		}
	}
}
