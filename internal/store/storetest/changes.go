package storetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/store"
)

func testChanges(t *testing.T, newDSN func(testing.TB) string) {
	t.Run("each change names the documents it changed", func(t *testing.T) { testChangeCases(t, Open(t, newDSN(t))) })
	t.Run("whatever is put, no changed document is missing", func(t *testing.T) {
		dsn := newDSN(t)
		s, narrow, db := Open(t, dsn), OpenListing(t, dsn, 1), rawOpen(t, dsn)
		rapid.Check(t, func(rt *rapid.T) { changeProperty(rt, s, narrow, db) })
	})
}

func testChangeCases(t *testing.T, s *store.Store) {
	update(t, s, portal()...)
	dana := authz.Key{Kind: "user", ID: idOf(t, s, "dana")}
	noc := authz.Key{Kind: "user", ID: idOf(t, s, "noc")}
	danaRecord := directory.User{Kind: "personal", Username: "Dana", Email: "dana@acme.example", MFA: true}
	cases := []struct {
		name    string
		records []any
		want    []authz.Key
	}{
		{"a profile is in no document", []any{danaRecord}, nil},
		{"a name of an account is in no document", []any{directory.Account{ID: "s2", Company: "south", Kind: "service", Name: "New"}}, nil},
		{"a second factor", []any{directory.User{Kind: "personal", Username: "Dana", Email: "dana@acme.example"}}, []authz.Key{dana}},
		{"a username", []any{directory.User{ID: noc.ID, Kind: "group", Username: "noc2"}},
			[]authz.Key{{Kind: "login", ID: "noc"}, {Kind: "login", ID: "noc2"}}},
		{"a role", []any{directory.Membership{Organization: "acme", User: "noc2", Role: "read_only", Affiliation: "customer", State: "active", AssignedBy: "scim"}}, []authz.Key{noc}},
		{"who may see CPNI", []any{directory.Membership{Organization: "acme", User: "noc2", Role: "read_only", Affiliation: "customer", State: "active", CPNI: true, AssignedBy: "scim"}}, []authz.Key{noc}},
		{"an affiliation", []any{directory.Membership{Organization: "acme", User: "noc2", Role: "read_only", Affiliation: "end_customer", State: "active", CPNI: true, AssignedBy: "scim"}}, []authz.Key{noc}},
		{"a suspension", []any{directory.Membership{Organization: "acme", User: "noc2", Role: "read_only", Affiliation: "end_customer", State: "suspended", CPNI: true, AssignedBy: "scim"}}, []authz.Key{noc}},
		{"who assigned the role is in no document", []any{directory.Membership{Organization: "acme", User: "noc2", Role: "read_only", Affiliation: "end_customer", State: "suspended", CPNI: true, AssignedBy: "user"}}, nil},
		{"an invitation", []any{directory.Membership{Organization: "acme", User: "tmp-2", Role: "regular", Affiliation: "customer", State: "invited", AssignedBy: "user"}}, nil},
		{"a grant to somebody invited", []any{directory.GrantRecord{Organization: "acme", User: "tmp-2", Company: "south", GrantedBy: "user"}}, nil},
		{"a company without its accounts", []any{directory.GrantRecord{Organization: "acme", User: "noc2", Company: "south", GrantedBy: "user"}}, nil},
		{"a company with all its accounts", []any{directory.GrantRecord{Organization: "acme", User: "noc2", Company: "south", AllAccounts: true, GrantedBy: "user"}}, []authz.Key{noc}},
		{"a grant", []any{directory.GrantRecord{Organization: "acme", User: "noc2", Account: "s1", GrantedBy: "user"}}, []authz.Key{noc}},
		{"who granted is in no document", []any{directory.GrantRecord{Organization: "acme", User: "noc2", Account: "s1", GrantedBy: "operator"}}, nil},
		{"a grant that ends", []any{directory.GrantRecord{Organization: "acme", User: "noc2", Account: "s1", Expires: deadline(), GrantedBy: "operator"}}, []authz.Key{noc}},
		{"a company taken back", []any{directory.GrantRecord{Organization: "acme", User: "noc2", Company: "south", Revoked: true}}, []authz.Key{noc}},
		{"an account group's accounts", []any{directory.AccountGroup{ID: "lines", Organization: "acme", Kind: "service_group", Name: "Lines", Accounts: []string{"s2", "b1"}}},
			[]authz.Key{{Kind: "account", ID: "b1"}, {Kind: "account", ID: "s1"}}},
		{"a restriction", []any{directory.Tool{ID: "ddos", Name: "DDoS Shield"}}, []authz.Key{{Kind: "tool", ID: "ddos"}}},
		{"an account moves", []any{directory.Account{ID: "d1", Company: "east", Kind: "delivery", Name: "Delivery"}}, []authz.Key{{Kind: "account", ID: "d1"}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			before := revisionOf(t, s)
			update(t, s, c.records...)
			changes := changesAfter(t, s, before)
			var got []authz.Key
			for _, change := range changes.Keys {
				if change.Revision != before+1 {
					t.Errorf("revision of %v: got %d, want %d", change.Key, change.Revision, before+1)
				}
				got = append(got, change.Key)
			}
			if changes.Head.Revision != before+1 || changes.Reset || !slices.Equal(got, c.want) {
				t.Errorf("got %+v, want keys %v at %d", changes, c.want, before+1)
			}
		})
	}
}

// changeProperty puts random records a few at a time and compares all documents
// before and after with what the change log says. Narrow documents are read, and
// compared with the whole ones of the other store.
func changeProperty(t *rapid.T, s, narrow *store.Store, db *sql.DB) {
	empty(t, db)
	ctx := context.Background()
	if _, err := s.Update(ctx, putting(portal()...)); err != nil {
		t.Fatal(err)
	}
	users := map[string]bool{"usr_1": true, "usr_2": true}
	revision, before := documents(t, narrow, users)
	for range 4 {
		var at authz.Revision
		var err error
		records := []any{"administration"}
		if rapid.Bool().Draw(t, "by administration") {
			at, err = s.Change(ctx, administering(t, users))
		} else {
			records = rapid.SliceOfN(record(), 1, 3).Draw(t, "records")
			at, err = s.Update(ctx, putting(records...))
		}
		refused := errors.Is(err, authz.ErrConflict) || errors.Is(err, authz.ErrInvalid) || errors.Is(err, authz.ErrNotFound)
		if err != nil && !refused {
			t.Fatalf("put %+v: %v", records, err)
		}
		now, after := documents(t, narrow, users)
		sameNarrow(t, s, after)
		changes, err := s.Changes(ctx, authz.Point{Revision: revision}, 0)
		switch {
		case err != nil:
			t.Fatal(err)
		case refused && now != revision:
			t.Fatalf("refused, but the revision is %d after %d", now, revision)
		case !refused && (at != now || now > revision+1):
			t.Fatalf("revision: Update said %d, the directory %d after %d", at, now, revision)
		case changes.Head.Revision != now || changes.Reset:
			t.Fatalf("changes: got %+v, want head %d", changes, now)
		}
		listed := map[authz.Key]bool{}
		for _, change := range changes.Keys {
			listed[change.Key] = true
		}
		for key, document := range after {
			if !listed[key.Logged()] && !reflect.DeepEqual(document, before[key]) {
				t.Fatalf("%v changed and is not listed, after %+v\nfrom %+v\nto   %+v", key, records, before[key], document)
			}
		}
		revision, before = now, after
	}
}

// documents reads everything there is to know, of users also under the ids seen
// before.
func documents(t *rapid.T, s *store.Store, users map[string]bool) (authz.Revision, map[authz.Key]authz.Document) {
	var keys []authz.Key
	for kind, ids := range map[authz.Kind][]string{
		authz.KindOrganization: organizations(), authz.KindCompany: companies(), authz.KindAccount: accounts(),
		authz.KindAccountGroup: accountGroups(), authz.KindTool: tools(), authz.KindLogin: logins(),
	} {
		for _, id := range ids {
			keys = append(keys, authz.Key{Kind: kind, ID: id})
		}
	}
	found := map[authz.Key]authz.Document{}
	for range 2 { // the second time with the users that the logins name
		for user := range users {
			keys = append(keys, authz.Key{Kind: authz.KindUser, ID: user})
			for _, account := range accounts() {
				keys = append(keys, authz.UserAccountKey(user, account))
			}
		}
		documents, at, err := s.Read(context.Background(), keys)
		if err != nil {
			t.Fatal(err)
		}
		for i, document := range documents {
			found[keys[i]] = document
			if document.Login != "" {
				users[document.Login] = true
			}
		}
		if at.Revision == 0 || at.Stamp == 0 {
			t.Fatalf("got point %+v, want one that was written and stamped", at)
		}
	}
	revision, err := s.Revision(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return revision, found
}

// sameNarrow compares documents that list one account at most with whole ones.
func sameNarrow(t *rapid.T, s *store.Store, found map[authz.Key]authz.Document) {
	keys := slices.Collect(maps.Keys(found))
	logged := make([]authz.Key, len(keys))
	for i, key := range keys {
		logged[i] = key.Logged()
	}
	whole, _, err := s.Read(context.Background(), logged)
	if err != nil {
		t.Fatal(err)
	}
	for i, key := range keys {
		want := Narrowed(whole[i], 1)
		if _, account := key.UserAccount(); account != "" {
			want = PartOf(whole[i], account)
		}
		if !reflect.DeepEqual(found[key], want) {
			t.Fatalf("%v:\ngot  %+v %+v\nwant %+v %+v", key, found[key], found[key].User, want, want.User)
		}
	}
}

func organizations() []string { return []string{"carrier", "acme", "resale"} }
func companies() []string     { return []string{"south", "east", "shop", "west"} }
func accounts() []string      { return []string{"s1", "s2", "k1", "d1", "b1", "s3"} }
func accountGroups() []string { return []string{"lines", "empty", "third"} }
func tools() []string         { return []string{"wan", "ddos", "nm"} }
func logins() []string        { return []string{"dana", "noc", "otto", "eve", "tmp-7kq2", "tmp-2"} }

// record is any record about those things, most of them allowed.
func record() *rapid.Generator[any] {
	pick := func(ids ...string) *rapid.Generator[string] { return rapid.SampledFrom(ids) }
	flag := rapid.Bool()
	by := pick("user", "operator", "operator")
	return rapid.OneOf(
		rapid.Custom(func(t *rapid.T) any {
			kinds := map[string]string{"carrier": "operator", "acme": "customer", "resale": "partner"}
			id := pick(organizations()...).Draw(t, "organization")
			return directory.Organization{ID: id, Kind: kinds[id], Name: pick("x", "y").Draw(t, "name"), SeatLimit: rapid.IntRange(0, 4).Draw(t, "seats")}
		}),
		rapid.Custom(func(t *rapid.T) any {
			return directory.Company{ID: pick(companies()...).Draw(t, "company"), Organization: pick("acme", "acme", "resale").Draw(t, "organization")}
		}),
		rapid.Custom(func(t *rapid.T) any {
			return directory.Account{
				ID: pick(accounts()...).Draw(t, "account"), Company: pick(companies()...).Draw(t, "company"),
				Kind:     pick("service", "service", "billing", "contract", "delivery").Draw(t, "kind"),
				Contract: pick("", "", "k1", "s1").Draw(t, "contract"), Delivery: pick("", "", "d1").Draw(t, "delivery"),
			}
		}),
		rapid.Custom(func(t *rapid.T) any {
			return directory.AccountGroup{
				ID: pick(accountGroups()...).Draw(t, "group"), Organization: pick("acme", "acme", "acme", "resale").Draw(t, "organization"),
				Kind: "service_group", Accounts: rapid.SliceOfN(pick(accounts()...), 0, 3).Draw(t, "accounts"),
			}
		}),
		rapid.Custom(func(t *rapid.T) any {
			return directory.Tool{ID: pick(tools()...).Draw(t, "tool"), Restricted: flag.Draw(t, "restricted")}
		}),
		rapid.Custom(func(t *rapid.T) any {
			return directory.Role{ID: pick("auditor", "regular").Draw(t, "role"), OperatorOnly: flag.Draw(t, "operator only")}
		}),
		rapid.Custom(func(t *rapid.T) any {
			return directory.User{
				ID: pick("", "", "", "usr_1", "usr_2").Draw(t, "id"), Kind: pick("personal", "group").Draw(t, "kind"),
				Username: pick("dana", "DANA", "noc", "otto", "eve", "tmp-2").Draw(t, "username"),
				MFA:      flag.Draw(t, "mfa"), Removed: flag.Draw(t, "removed"), Phone: pick("", "1").Draw(t, "phone"),
			}
		}),
		rapid.Custom(func(t *rapid.T) any {
			m := directory.Membership{
				ID: pick("", "", "", "mem_1").Draw(t, "id"), Organization: pick("acme", "acme", "resale", "carrier").Draw(t, "organization"),
				User: pick("dana", "noc", "otto", "eve").Draw(t, "user"), Role: pick("regular", "auditor", "sales", "primary_contact").Draw(t, "role"),
				Affiliation: pick("customer", "end_customer", "account_team").Draw(t, "affiliation"),
				State:       pick("active", "active", "suspended", "removed", "invited").Draw(t, "state"),
				CPNI:        flag.Draw(t, "cpni"), AssignedBy: by.Draw(t, "by"),
			}
			if m.State == "invited" {
				m.User = pick("tmp-2", "TMP-7kq2").Draw(t, "temporary")
			}
			return m
		}),
		rapid.Custom(func(t *rapid.T) any { return grant(t, pick, by) }),
		rapid.Custom(func(t *rapid.T) any { return grant(t, pick, by) }),
		rapid.Custom(func(t *rapid.T) any { return grant(t, pick, by) }),
	)
}

func grant(t *rapid.T, pick func(...string) *rapid.Generator[string], by *rapid.Generator[string]) directory.GrantRecord {
	g := directory.GrantRecord{
		Organization: pick("acme", "acme", "acme", "resale").Draw(t, "organization"), User: pick("dana", "dana", "noc", "tmp-7KQ2").Draw(t, "user"),
		GrantedBy: by.Draw(t, "by"), Revoked: rapid.Bool().Draw(t, "revoked"),
	}
	ends := rapid.Bool().Draw(t, "ends")
	switch pick("company", "account", "group", "tool", "list").Draw(t, "kind") {
	case "company":
		g.Company, g.AllAccounts, ends = pick("south", "south", "east", "shop").Draw(t, "company"), rapid.Bool().Draw(t, "all"), false
	case "account":
		g.Account = pick(accounts()...).Draw(t, "account")
	case "group":
		g.AccountGroup, ends = pick(accountGroups()...).Draw(t, "group"), false
	case "tool":
		g.Tool = pick(tools()...).Draw(t, "tool")
	case "list":
		g.Tool, g.Account, ends = pick(tools()...).Draw(t, "tool"), pick(accounts()...).Draw(t, "account"), false
	}
	if ends {
		g.Expires = deadline()
	}
	return g
}

// empty makes the database what it was before the first update.
func empty(t *rapid.T, db *sql.DB) {
	statements := []string{
		"UPDATE directory SET revision = 0, change_floor = 0",
		"UPDATE roles SET partner_only = FALSE, operator_only = FALSE WHERE id = 'regular'",
		"DELETE FROM roles WHERE id = 'auditor'",
	}
	for _, table := range []string{
		"changes", "tools", "organizations", "companies", "accounts", "account_groups", "account_group_members", "users", "usernames",
		"memberships", "membership_companies", "account_grants", "account_group_grants", "tool_grants", "tool_account_grants",
	} {
		statements = append(statements, "DELETE FROM "+table)
	}
	slices.Reverse(statements) // what refers to others goes first
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(fmt.Errorf("%s: %w", statement, err))
		}
	}
}
