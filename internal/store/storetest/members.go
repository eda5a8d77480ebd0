package storetest

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/pap"
	"github.com/postern-authz/postern/internal/store"
)

func memberOf(id string) func(pap.Reader) (pap.Member, error) {
	return func(r pap.Reader) (pap.Member, error) { return r.Member("acme", id) }
}

func noGrants() pap.Grants {
	return pap.Grants{Companies: []pap.CompanyGrant{}, Accounts: []pap.AccountGrant{}, AccountGroups: []string{}, Tools: []pap.ToolGrant{}}
}

func testMembers(t *testing.T, newDSN func(testing.TB) string) {
	t.Run("somebody invited becomes a member", func(t *testing.T) { testAcceptance(t, furnished(t, newDSN)) })
	t.Run("what a member can be is read back", func(t *testing.T) { testMemberRoundTrip(t, furnished(t, newDSN)) })
	t.Run("a change is in decisions by the change log", func(t *testing.T) { testMemberChanges(t, furnished(t, newDSN)) })
	t.Run("a superseded membership leaves its place to another", func(t *testing.T) { testSuperseding(t, furnished(t, newDSN)) })
	t.Run("the directory's rules hold for changes too", func(t *testing.T) { testMemberRefusals(t, furnished(t, newDSN)) })
	t.Run("an account team takes no seat (R7)", func(t *testing.T) { testSeats(t, Open(t, newDSN(t))) })
	t.Run("a purge leaves nothing personal", func(t *testing.T) { testPurge(t, furnished(t, newDSN)) })
	t.Run("an import that gives a membership to a user ends its invitation", func(t *testing.T) { testImportOverInvitation(t, furnished(t, newDSN)) })
	t.Run("a change that writes nothing makes no revision", func(t *testing.T) {
		s := furnished(t, newDSN)
		before := revisionOf(t, s)
		if got := administer(t, s, func(tx pap.Tx) error {
			if tx.Revision() != before+1 {
				t.Errorf("revision within: got %d, want %d", tx.Revision(), before+1)
			}
			_, err := tx.Member("acme", "mem_none")
			return ignore(err, authz.ErrNotFound)
		}); got != before {
			t.Errorf("got revision %d, want %d", got, before)
		}
	})
	t.Run("what fn fails with comes back unchanged and nothing is kept", func(t *testing.T) {
		s, enough := furnished(t, newDSN), errors.New("enough")
		_, err := s.Change(context.Background(), func(tx pap.Tx) error {
			if err := tx.PutPerson(person("usr_1", "nobody")); err != nil {
				return err
			}
			return enough
		})
		if err != enough || idOf(t, s, "nobody") != "" { //nolint:errorlint // unchanged is the promise
			t.Errorf("got %v and user %q, want %v and none", err, idOf(t, s, "nobody"), enough)
		}
	})
}

func ignore(err, kind error) error {
	if errors.Is(err, kind) {
		return nil
	}
	return err
}

func testAcceptance(t *testing.T, s *store.Store) {
	before := see(t, s, func(r pap.Reader) (int, error) { return r.SeatsUsed("acme") })
	at := administer(t, s, func(tx pap.Tx) error {
		return errors.Join(tx.PutMember(invited("mem_1")), tx.PutInvitation(offer("inv_1", "mem_1")),
			tx.SetGrants("mem_1", pap.Grants{Companies: []pap.CompanyGrant{{ID: "south", AllAccounts: true}}}, "user"))
	})
	want := invited("mem_1")
	want.RoleName, want.Invitation, want.Revision, want.Preferences = "Regular", "inv_1", at, []byte("{}")
	want.Grants = noGrants()
	want.Grants.Companies = []pap.CompanyGrant{{ID: "south", AllAccounts: true}}
	if got := see(t, s, memberOf("mem_1")); !reflect.DeepEqual(got, want) {
		t.Errorf("invited\ngot  %+v\nwant %+v", got, want)
	}
	seats := see(t, s, func(r pap.Reader) (int, error) { return r.SeatsUsed("acme") })
	newcomer := person("usr_1", "Newcomer")
	at = administer(t, s, func(tx pap.Tx) error {
		return errors.Join(tx.PutPerson(newcomer), tx.PutMember(accepted(want, "usr_1")))
	})
	want = accepted(want, "usr_1")
	want.Username, want.Email, want.Profile, want.CanSignIn, want.Revision = "Newcomer", "Newcomer@acme.example", pap.Profile{}, true, at
	if got := see(t, s, memberOf("mem_1")); !reflect.DeepEqual(got, want) {
		t.Errorf("accepted\ngot  %+v\nwant %+v", got, want)
	}
	if got := see(t, s, func(r pap.Reader) (int, error) { return r.SeatsUsed("acme") }); got != seats || seats != before+1 {
		t.Errorf("seats: got %d, then %d, then %d; want one more and then the same", before, seats, got)
	}
	if u := userOf(t, s, "newcomer"); len(u.Memberships) != 1 || len(u.Memberships[0].Grants) != 1 {
		t.Errorf("the document: got %+v, want one membership with one grant", u)
	}
}

func testMemberRoundTrip(t *testing.T, s *store.Store) {
	m := invited("mem_1")
	m.Affiliation, m.State, m.CPNI, m.Role, m.User = "end_customer", "removed", true, "support", "usr_1"
	m.ActivatedAt, m.SuspendedAt, m.RemovedAt = later(time.Minute), later(time.Hour), later(2*time.Hour)
	m.Preferences, m.Kind = []byte(`{"language":"lv"}`), "group"
	p := person("usr_1", "lists")
	p.Kind, p.MFA, p.Profile, p.EmailVerifiedAt = "group", true, m.Profile, later(time.Second)
	first := administer(t, s, func(tx pap.Tx) error { return errors.Join(tx.PutPerson(p), tx.PutMember(m)) })

	m.Username, m.Email, m.RoleName, m.MFA.Enrolled, m.Revision, m.Grants = "lists", "lists@acme.example", "Support", true, first, noGrants()
	if got := see(t, s, memberOf("mem_1")); !reflect.DeepEqual(got, m) {
		t.Errorf("member\ngot  %+v\nwant %+v", got, m)
	}
	of := see(t, s, func(r pap.Reader) (pap.Member, error) { return r.MemberOf("acme", "usr_1") })
	if of.ID != "mem_1" {
		t.Errorf("member of acme: got %q, want mem_1", of.ID)
	}
	p.Revision, p.Memberships = first, []pap.MembershipRef{{ID: "mem_1", Organization: "acme", State: "removed"}}
	for name, read := range map[string]func(pap.Reader) (pap.Person, error){
		"by id":       func(r pap.Reader) (pap.Person, error) { return r.Person("usr_1") },
		"by address":  func(r pap.Reader) (pap.Person, error) { return r.PersonByEmail("lists@acme.example") },
		"by username": func(r pap.Reader) (pap.Person, error) { return r.PersonByUsername("LISTS") },
	} {
		if got := see(t, s, read); !reflect.DeepEqual(got, p) {
			t.Errorf("person %s\ngot  %+v\nwant %+v", name, got, p)
		}
	}
	p.Phone = "2"
	second := administer(t, s, func(tx pap.Tx) error { return tx.PutPerson(p) })
	if got := see(t, s, memberOf("mem_1")).Revision; got != second {
		t.Errorf("revision after the person changed: got %d, want %d", got, second)
	}
}

// testMemberChanges wants the keys of changed documents in the change log.
func testMemberChanges(t *testing.T, s *store.Store) {
	dana := idOf(t, s, "dana")
	m := see(t, s, func(r pap.Reader) (pap.Member, error) { return r.MemberOf("acme", dana) })
	p := see(t, s, func(r pap.Reader) (pap.Person, error) { return r.Person(dana) })
	user := []authz.Key{{Kind: authz.KindUser, ID: dana}}
	cases := []struct {
		name   string
		change func(pap.Tx) error
		want   []authz.Key
	}{
		{"a role", func(tx pap.Tx) error { m.Role = "support"; return tx.PutMember(m) }, user},
		{"a suspension", func(tx pap.Tx) error { m.State = "suspended"; return tx.PutMember(m) }, user},
		{"CPNI", func(tx pap.Tx) error { m.CPNI = !m.CPNI; return tx.PutMember(m) }, user},
		{"preferences", func(tx pap.Tx) error { m.Preferences = []byte(`{"a":1}`); return tx.PutMember(m) }, nil},
		{"a phone number", func(tx pap.Tx) error { p.Phone = "9"; return tx.PutPerson(p) }, nil},
		{"a second factor", func(tx pap.Tx) error { p.MFA = !p.MFA; return tx.PutPerson(p) }, user},
		{"a username", func(tx pap.Tx) error { p.Username = "dana.roy"; return tx.PutPerson(p) },
			[]authz.Key{{Kind: "login", ID: "dana"}, {Kind: "login", ID: "dana.roy"}}},
		{"its capitals", func(tx pap.Tx) error { p.Username = "Dana.Roy"; return tx.PutPerson(p) }, nil},
		{"no grants", func(tx pap.Tx) error { return tx.SetGrants(m.ID, pap.Grants{}, "user") }, user},
		{"somebody invited", func(tx pap.Tx) error { return tx.PutMember(invited("mem_9")) }, nil},
		{"an account group that goes", func(tx pap.Tx) error { return tx.DeleteAccountGroup("lines") },
			[]authz.Key{{Kind: "account", ID: "s1"}, {Kind: "account", ID: "s2"}, {Kind: "account_group", ID: "lines"}}},
		{"an account that goes", func(tx pap.Tx) error { return tx.DeleteAccount("b1") }, []authz.Key{{Kind: "account", ID: "b1"}}},
		{"a company that goes", func(tx pap.Tx) error { return tx.DeleteCompany("east") }, []authz.Key{{Kind: "company", ID: "east"}}},
		{"a role that goes", func(tx pap.Tx) error { return tx.DeleteRole("auditor") }, nil},
		{"a recommendation", func(tx pap.Tx) error { return tx.SetRecommendations("wan", []string{"lines"}) }, nil},
	}
	for _, c := range cases {
		before := revisionOf(t, s)
		administer(t, s, c.change)
		var got []authz.Key
		changes := changesAfter(t, s, before)
		for _, change := range changes.Keys {
			got = append(got, change.Key)
		}
		if changes.Head.Revision != before+1 || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %+v, want %v at %d", c.name, changes, c.want, before+1)
		}
	}
}

func testSuperseding(t *testing.T, s *store.Store) {
	dana := idOf(t, s, "dana")
	m := see(t, s, func(r pap.Reader) (pap.Member, error) { return r.MemberOf("acme", dana) })
	sibling, again := invited("mem_1"), invited("mem_2")
	administer(t, s, func(tx pap.Tx) error {
		m.State, m.RemovedAt = "removed", later(0)
		return errors.Join(tx.PutMember(m), tx.PutMember(sibling), tx.PutMember(again))
	})
	refuse(t, s, authz.ErrConflict, func(tx pap.Tx) error { return tx.PutMember(accepted(again, dana)) })
	administer(t, s, func(tx pap.Tx) error {
		m.State, sibling.State = "superseded", "superseded"
		return errors.Join(tx.PutMember(m), tx.PutMember(sibling), tx.PutMember(accepted(again, dana)))
	})
	if got := see(t, s, func(r pap.Reader) (pap.Member, error) { return r.MemberOf("acme", dana) }).ID; got != "mem_2" {
		t.Errorf("dana's membership: got %s, want mem_2", got)
	}
	if got := see(t, s, memberOf("mem_1")); got.Email != sibling.Email || got.GivenName != "Ina" {
		t.Errorf("the sibling: got %+v, want who was invited", got)
	}
	if got := len(userOf(t, s, "dana").Memberships); got != 2 {
		t.Errorf("memberships in the document: got %d, want mem_2 and that in resale", got)
	}
}

func testMemberRefusals(t *testing.T, s *store.Store) {
	dana, otto := idOf(t, s, "dana"), idOf(t, s, "otto")
	with := func(change func(*pap.Member)) func(pap.Tx) error {
		m := accepted(invited("mem_1"), otto)
		change(&m)
		return func(tx pap.Tx) error { return tx.PutMember(m) }
	}
	for _, c := range []struct {
		name   string
		change func(pap.Tx) error
	}{
		{"an unknown organization", with(func(m *pap.Member) { m.Organization = "none" })},
		{"an unknown role", with(func(m *pap.Member) { m.Role = "king" })},
		{"an unknown user", with(func(m *pap.Member) { m.User = "usr_none" })},
		{"a user who is a member", with(func(m *pap.Member) { m.User = dana })},
		{"an active member without a user", with(func(m *pap.Member) { m.User = "" })},
		{"a primary contact by a user (R3)", with(func(m *pap.Member) { m.Role = "primary_contact" })},
		{"an account team as primary contact (R7)", with(func(m *pap.Member) {
			m.Role, m.RoleAssignedBy, m.Affiliation = "primary_contact", "operator", "account_team"
		})},
		{"sales at a customer (R16)", with(func(m *pap.Member) { m.Role = "sales" })},
		{"an invitation without a temporary username", with(func(m *pap.Member) { m.User, m.State, m.TemporaryUsername = "", "invited", "" })},
		{"a temporary username that was given (R33)", with(func(m *pap.Member) { m.TemporaryUsername = "TMP-7kq2" })},
		{"a temporary username that is a username", with(func(m *pap.Member) { m.TemporaryUsername = "dana" })},
		{"an unknown state", with(func(m *pap.Member) { m.State = "asleep" })},
		{"an unknown kind", with(func(m *pap.Member) { m.Kind = "robot" })},
		{"another organization", func(tx pap.Tx) error {
			m, err := tx.MemberOf("acme", dana)
			m.Organization = "resale"
			return errors.Join(err, tx.PutMember(m))
		}},
		{"an address that is another's", func(tx pap.Tx) error {
			p := person("usr_1", "new")
			p.Email = "DANA@acme.example"
			return tx.PutPerson(p)
		}},
		{"a username that is another's", func(tx pap.Tx) error { return tx.PutPerson(person("usr_1", "DANA")) }},
		{"a username that is temporary", func(tx pap.Tx) error { return tx.PutPerson(person("usr_1", "tmp-7kq2")) }},
		{"a member who is not removed is purged", func(tx pap.Tx) error {
			m, err := tx.MemberOf("acme", dana)
			return errors.Join(err, tx.Purge(m.ID))
		}},
		{"an organization's company that is granted", func(tx pap.Tx) error { return tx.DeleteCompany("south") }},
		{"an account that is granted", func(tx pap.Tx) error { return tx.DeleteAccount("s1") }},
		{"an account that others lie in", func(tx pap.Tx) error { return tx.DeleteAccount("d1") }},
		{"a role that is held", func(tx pap.Tx) error { return tx.DeleteRole("regular") }},
	} {
		t.Run(c.name, func(t *testing.T) { refuse(t, s, authz.ErrConflict, c.change) })
	}
	t.Run("what is not there", func(t *testing.T) {
		for _, change := range []func(pap.Tx) error{
			func(tx pap.Tx) error { return tx.DeleteAccount("none") },
			func(tx pap.Tx) error { return tx.DeleteWebhook("none") },
			func(tx pap.Tx) error { return tx.SetGrants("none", pap.Grants{}, "user") },
			func(tx pap.Tx) error { return tx.SetRecommendations("none", nil) },
			func(tx pap.Tx) error { _, err := tx.Organization("no\x00ne"); return err },
		} {
			refuse(t, s, authz.ErrNotFound, change)
		}
	})
	t.Run("text that cannot be kept", func(t *testing.T) {
		refuse(t, s, authz.ErrInvalid, func(tx pap.Tx) error {
			return tx.PutPerson(pap.Person{ID: "usr_1", Kind: "personal", Username: "a\x00"})
		})
		refuse(t, s, authz.ErrInvalid, with(func(m *pap.Member) { m.Preferences = []byte("[]") }))
	})
}

func testSeats(t *testing.T, s *store.Store) {
	update(t, s, directory.Organization{ID: "acme", Kind: "customer", SeatLimit: 1})
	seats := func(want int) {
		t.Helper()
		if got := see(t, s, func(r pap.Reader) (int, error) { return r.SeatsUsed("acme") }); got != want {
			t.Errorf("seats: got %d, want %d", got, want)
		}
	}
	put := func(m pap.Member) func(pap.Tx) error { return func(tx pap.Tx) error { return tx.PutMember(m) } }
	m, team := invited("mem_1"), invited("mem_2")
	team.Affiliation = "account_team"
	administer(t, s, put(m))
	administer(t, s, put(team))
	seats(1)
	team.Affiliation = "customer"
	refuse(t, s, authz.ErrConflict, put(team))
	m.Affiliation = "account_team"
	administer(t, s, put(m))
	seats(0)
	administer(t, s, put(team))
	seats(1)
	team.State = "superseded"
	administer(t, s, put(team))
	seats(0)
	update(t, s, directory.User{Username: "ann", Kind: "personal"},
		directory.Membership{Organization: "acme", User: "ann", Role: "regular", Affiliation: "account_team", State: "active", AssignedBy: "user"})
	seats(0)
	update(t, s, directory.Membership{Organization: "acme", User: "ann", Role: "regular", Affiliation: "customer", State: "active", AssignedBy: "user"})
	seats(1)
	update(t, s, directory.Membership{Organization: "acme", User: "ann", Role: "regular", Affiliation: "account_team", State: "active", AssignedBy: "user"})
	seats(0)
}

func testPurge(t *testing.T, s *store.Store) {
	dana := idOf(t, s, "dana")
	remove := func(organization string) string {
		m := see(t, s, func(r pap.Reader) (pap.Member, error) { return r.MemberOf(organization, dana) })
		administer(t, s, func(tx pap.Tx) error {
			m.State, m.RemovedAt, m.Preferences = "removed", later(0), []byte(`{"a":1}`)
			return errors.Join(tx.PutMember(m), tx.PutCredential(pap.Credential{User: dana, Hash: "$x", SetAt: noon(), SetBy: "user"}))
		})
		return m.ID
	}
	first, second := remove("acme"), remove("resale")
	administer(t, s, func(tx pap.Tx) error { return tx.Purge(first) })
	if got := see(t, s, memberOf(first)); got.PurgedAt == nil || string(got.Preferences) != "{}" || got.GivenName != "Dana" {
		t.Errorf("the first of two: got %+v, want it purged and the person kept", got)
	}
	before := revisionOf(t, s)
	administer(t, s, func(tx pap.Tx) error { return tx.Purge(second) })
	p := see(t, s, func(r pap.Reader) (pap.Person, error) { return r.Person(dana) })
	if p.Email != "" || p.Profile != (pap.Profile{}) || !p.Removed || p.Username == "Dana" || directory.CheckUsername(p.Username) != nil {
		t.Errorf("the person: got %+v, want nothing personal", p)
	}
	var keys []authz.Key
	for _, change := range changesAfter(t, s, before).Keys {
		keys = append(keys, change.Key)
	}
	want := []authz.Key{{Kind: "login", ID: "dana"}, {Kind: "login", ID: authz.LoginKey(p.Username).ID}, {Kind: "user", ID: dana}}
	if !slices.Equal(keys, want) {
		t.Errorf("changed: got %v, want %v", keys, want)
	}
	refuse(t, s, authz.ErrNotFound, func(tx pap.Tx) error { _, err := tx.Credential(dana); return err })
	refuse(t, s, authz.ErrConflict, func(tx pap.Tx) error { return tx.PutPerson(person("usr_1", "dana")) }) // the name stays taken
	administer(t, s, func(tx pap.Tx) error {                                                                // the address is free
		p := person("usr_1", "dana2")
		p.Email = "dana@acme.example"
		return tx.PutPerson(p)
	})
	records := all(t, s)
	other := Open(t, "sqlite:"+t.TempDir()+"/copy.db")
	update(t, other, records...)
	if got := all(t, other); !reflect.DeepEqual(got, records) {
		t.Errorf("exported and imported\ngot  %+v\nwant %+v", got, records)
	}
}

func testImportOverInvitation(t *testing.T, s *store.Store) {
	administer(t, s, func(tx pap.Tx) error {
		return errors.Join(tx.PutMember(invited("mem_1")), tx.PutInvitation(offer("inv_1", "mem_1")))
	})
	update(t, s, directory.Membership{ID: "mem_1", Organization: "acme", User: "otto", Role: "regular", Affiliation: "customer", State: "active", AssignedBy: "user"})
	i := see(t, s, func(r pap.Reader) (pap.Invitation, error) { return r.Invitation("acme", "inv_1") })
	m := see(t, s, memberOf("mem_1"))
	if i.State != "superseded" || m.Username != "otto" || m.GivenName != "" || m.TemporaryUsername != "tmp-mem_1" {
		t.Errorf("got invitation %+v of member %+v, want it superseded and otto's", i, m)
	}
}
