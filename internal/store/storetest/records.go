package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/store"
)

func testRecords(t *testing.T, newDSN func(testing.TB) string) {
	ctx := context.Background()

	t.Run("a new directory is at revision 0 and has an id of its own", func(t *testing.T) {
		s, other := Open(t, newDSN(t)), Open(t, newDSN(t))
		if got := revisionOf(t, s); got != 0 {
			t.Errorf("revision: got %d, want 0", got)
		}
		id, err := s.DirectoryID(ctx)
		otherID, otherErr := other.DirectoryID(ctx)
		if err := errors.Join(err, otherErr, s.Ping(ctx)); err != nil {
			t.Fatal(err)
		}
		if len(id) != 32 || strings.Trim(id, "0123456789abcdef") != "" || id == otherID {
			t.Errorf("ids: got %q and %q, want two of 32 hexadecimal digits", id, otherID)
		}
	})
	t.Run("what was put is read back in order, and can be put again elsewhere", func(t *testing.T) {
		s, other := Open(t, newDSN(t)), Open(t, newDSN(t))
		update(t, s, portal()...)
		records := all(t, s)
		update(t, other, records...)
		if got := all(t, other); !reflect.DeepEqual(got, records) {
			t.Errorf("after putting them elsewhere\ngot  %+v\nwant %+v", got, records)
		}
		wantInOrder(t, records)
	})
	t.Run("putting the same again changes nothing", func(t *testing.T) {
		s := Open(t, newDSN(t))
		update(t, s, portal()...)
		before := all(t, s)
		if got := update(t, s, portal()...); got != 1 {
			t.Errorf("the same without ids: got revision %d, want 1", got)
		}
		if got := update(t, s, before...); got != 1 {
			t.Errorf("the same with ids: got revision %d, want 1", got)
		}
		if got := changesAfter(t, s, 0); got.Head.Revision != 1 {
			t.Errorf("head: got %d, want 1", got.Head.Revision)
		}
	})
	t.Run("each update that changes something makes the next revision", func(t *testing.T) {
		s := Open(t, newDSN(t))
		for want := authz.Revision(1); want <= 5; want++ {
			if got := update(t, s, directory.Tool{ID: "t", Name: fmt.Sprint(want)}); got != want {
				t.Errorf("got revision %d, want %d", got, want)
			}
			if got := update(t, s); got != want {
				t.Errorf("an empty update: got revision %d, want %d", got, want)
			}
		}
	})
	t.Run("an update that fails keeps nothing and gives its error back", func(t *testing.T) {
		s := Open(t, newDSN(t))
		update(t, s, portal()...)
		before, failure := all(t, s), errors.New("the caller's")
		_, err := s.Update(ctx, func(tx directory.Tx) error {
			if err := putting(directory.Tool{ID: "new"}, directory.User{Username: "dana", Kind: "group"})(tx); err != nil {
				return err
			}
			return failure
		})
		if err != failure { //nolint:errorlint // unchanged is the promise
			t.Errorf("got %v, want %v", err, failure)
		}
		if got := all(t, s); !reflect.DeepEqual(got, before) || revisionOf(t, s) != 1 {
			t.Errorf("something was kept: %+v", got)
		}
	})
	t.Run("an update whose context ends keeps nothing", func(t *testing.T) {
		s := Open(t, newDSN(t))
		ctx, cancel := context.WithCancel(ctx)
		_, err := s.Update(ctx, func(tx directory.Tx) error {
			cancel()
			return putting(portal()...)(tx)
		})
		if !errors.Is(err, authz.ErrUnavailable) && !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want unavailable", err)
		}
		if got := revisionOf(t, s); got != 0 {
			t.Errorf("revision: got %d, want 0", got)
		}
	})
	t.Run("ten thousand records go in together, whatever their order", func(t *testing.T) {
		s := Open(t, newDSN(t))
		update(t, s, many(2000)...)
		grants := 0
		for _, record := range all(t, s) {
			if _, ok := record.(directory.GrantRecord); ok {
				grants++
			}
		}
		if want := 2000 * 3; grants != want {
			t.Errorf("grants: got %d, want %d", grants, want)
		}
		if got := update(t, s, many(2000)...); got != 1 {
			t.Errorf("again: got revision %d, want 1", got)
		}
	})
	t.Run("a username changes and leaves its old name to another", func(t *testing.T) {
		s := Open(t, newDSN(t))
		update(t, s, portal()...)
		dana := idOf(t, s, "dana")
		update(t, s,
			directory.User{ID: dana, Kind: "personal", Username: "dana.roy"},
			directory.User{Kind: "personal", Username: "DANA"})
		if got := idOf(t, s, "dana.roy"); got != dana {
			t.Errorf("dana.roy: got %q, want %q", got, dana)
		}
		if got := idOf(t, s, "dana"); got == dana || got == "" {
			t.Errorf("dana: got %q, want another user", got)
		}
		update(t, s, directory.GrantRecord{Organization: "acme", User: "Dana.Roy", Account: "s2", GrantedBy: "user"})
		if got := len(userOf(t, s, "dana.roy").Memberships[0].Grants); got != 5 {
			t.Errorf("grants under the new name: got %d, want 5", got)
		}
	})
	t.Run("an invitation becomes a membership with its grants", func(t *testing.T) {
		s := Open(t, newDSN(t))
		update(t, s, portal()...)
		var invited directory.Membership
		for _, record := range all(t, s) {
			if m, ok := record.(directory.Membership); ok && m.State == "invited" {
				invited = m
			}
		}
		if invited.User != "tmp-7KQ2" || invited.Email != "new@acme.example" {
			t.Fatalf("the invitation: got %+v", invited)
		}
		invited.User, invited.State = "newcomer", "active"
		update(t, s, directory.User{Kind: "personal", Username: "newcomer"}, invited)
		user := userOf(t, s, "newcomer")
		if len(user.Memberships) != 1 || user.Memberships[0].ID != invited.ID || len(user.Memberships[0].Grants) != 1 {
			t.Errorf("got %+v, want the membership %s with one grant", user, invited.ID)
		}
	})
	t.Run("a company that is revoked takes its accounts along", func(t *testing.T) {
		s := Open(t, newDSN(t))
		update(t, s, portal()...)
		update(t, s,
			directory.GrantRecord{Organization: "acme", User: "dana", Company: "south", Revoked: true},
			directory.GrantRecord{Organization: "acme", User: "dana", Company: "south", GrantedBy: "user"},
			directory.GrantRecord{Organization: "acme", User: "dana", Account: "s2", GrantedBy: "user"})
		m := userOf(t, s, "dana").Memberships[0]
		want := []authz.Grant{{Scope: "account:s2"}, {Scope: "account_group:lines"}, {Scope: "company:east"}}
		if !reflect.DeepEqual(m.Grants, want) || len(m.Tools[1].Accounts) != 0 {
			t.Errorf("got %+v, want grants %v and a tool without accounts", m, want)
		}
	})
	t.Run("granting and revoking in one update", func(t *testing.T) {
		s := Open(t, newDSN(t))
		update(t, s, portal()...)
		update(t, s,
			directory.GrantRecord{Organization: "acme", User: "dana", Tool: "wan", Revoked: true},
			directory.GrantRecord{Organization: "acme", User: "dana", AccountGroup: "empty", GrantedBy: "user"},
			directory.GrantRecord{Organization: "acme", User: "dana", AccountGroup: "lines", Revoked: true},
			directory.GrantRecord{Organization: "acme", User: "dana", Account: "s1", Revoked: true},
			directory.GrantRecord{Organization: "acme", User: "dana", Account: "b1", GrantedBy: "user"},
			directory.GrantRecord{Organization: "acme", User: "nobody", Account: "b1", Revoked: true})
		m := userOf(t, s, "dana").Memberships[0]
		want := []authz.Grant{{Scope: "account:b1"}, {Scope: "account:k1"}, {Scope: "account_group:empty"}, {Scope: "company:east"}}
		if !reflect.DeepEqual(m.Grants, want) || len(m.Tools) != 1 || m.Tools[0].ID != "ddos" {
			t.Errorf("got %+v, want grants %v and the tool ddos", m, want)
		}
	})
	t.Run("an id made by the store is a user's or a membership's", func(t *testing.T) {
		s := Open(t, newDSN(t))
		update(t, s, portal()...)
		dana := userOf(t, s, "dana")
		if err := errors.Join(authz.CheckID(authz.PrefixUser, dana.ID), authz.CheckID(authz.PrefixMembership, dana.Memberships[0].ID)); err != nil {
			t.Error(err)
		}
	})
	t.Run("a view within an update shows the state before it", func(t *testing.T) {
		s := Open(t, newDSN(t))
		update(t, s, portal()...)
		before := all(t, s)
		_, err := s.Update(ctx, func(tx directory.Tx) error {
			err := putting(many(1000)...)(tx)
			if got := all(t, s); !reflect.DeepEqual(got, before) {
				t.Errorf("got %d records, want %d", len(got), len(before))
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	t.Run("reading ends with the reader's error", func(t *testing.T) {
		s := Open(t, newDSN(t))
		update(t, s, portal()...)
		enough := errors.New("enough")
		err := s.View(ctx, func(r directory.Reader) error {
			return r.Accounts(func(directory.Account) error { return enough })
		})
		if err != enough { //nolint:errorlint // unchanged is the promise
			t.Errorf("got %v, want %v", err, enough)
		}
	})
	t.Run("a view does not see what is written meanwhile", func(t *testing.T) {
		s := Open(t, newDSN(t))
		update(t, s, portal()...)
		err := s.View(ctx, func(r directory.Reader) error {
			before, err := records(r)
			if err != nil {
				return err
			}
			update(t, s, directory.Tool{ID: "later"})
			after, err := records(r)
			if !reflect.DeepEqual(after, before) {
				t.Errorf("got %+v, want %+v", after, before)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// all are the records of the directory, in the order of a Reader.
func all(t testing.TB, s *store.Store) []any {
	t.Helper()
	var found []any
	err := s.View(context.Background(), func(r directory.Reader) (err error) {
		found, err = records(r)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func records(r directory.Reader) (found []any, err error) {
	err = errors.Join(
		r.Organizations(func(o directory.Organization) error { found = append(found, o); return nil }),
		r.Companies(func(c directory.Company) error { found = append(found, c); return nil }),
		r.Accounts(func(a directory.Account) error { found = append(found, a); return nil }),
		r.AccountGroups(func(g directory.AccountGroup) error { found = append(found, g); return nil }),
		r.Tools(func(tool directory.Tool) error { found = append(found, tool); return nil }),
		r.Roles(func(role directory.Role) error { found = append(found, role); return nil }),
		r.Users(func(u directory.User) error { found = append(found, u); return nil }),
		r.Memberships(func(m directory.Membership) error { found = append(found, m); return nil }),
		r.Grants(func(g directory.GrantRecord) error { found = append(found, g); return nil }),
	)
	return found, err
}

// wantInOrder checks the order of keys within each kind.
func wantInOrder(t *testing.T, records []any) {
	t.Helper()
	byKind := map[string][]string{}
	for _, record := range records {
		kind, key := "", ""
		switch r := record.(type) {
		case directory.Organization:
			kind, key = "organization", r.ID
		case directory.Company:
			kind, key = "company", r.ID
		case directory.Account:
			kind, key = "account", r.ID
		case directory.AccountGroup:
			kind, key = "account group", r.ID
		case directory.User:
			kind, key = "user", strings.ToLower(r.Username)
		case directory.Membership:
			kind, key = "membership", r.Organization+" "+strings.ToLower(r.User)
		case directory.GrantRecord:
			kind, key = "grant", r.Organization+" "+strings.ToLower(r.User)
		}
		byKind[kind] = append(byKind[kind], key)
	}
	for kind, keys := range byKind {
		if !slices.IsSorted(keys) {
			t.Errorf("%ss are not in order: %q", kind, keys)
		}
	}
}

// many are records of n members whose order is as unhelpful as allowed: each
// kind is put among the others.
func many(n int) []any {
	records := []any{
		directory.Organization{ID: "big", Kind: "customer", Name: "Big"},
		directory.Company{ID: "bigger", Organization: "big", Name: "Bigger"},
	}
	for i := range n {
		user := fmt.Sprintf("user%d", i)
		records = append(records,
			directory.Account{ID: fmt.Sprintf("service%d", i), Company: "bigger", Kind: "service", Contract: fmt.Sprintf("contract%d", (i+1)%n)},
			directory.Account{ID: fmt.Sprintf("contract%d", i), Company: "bigger", Kind: "contract"},
			directory.User{Username: user, Kind: "personal"},
			directory.Membership{Organization: "big", User: user, Role: "regular", Affiliation: "customer", State: "active", AssignedBy: "system"},
			directory.GrantRecord{Organization: "big", User: user, Company: "bigger", GrantedBy: "system"},
			directory.GrantRecord{Organization: "big", User: user, Account: fmt.Sprintf("service%d", i), GrantedBy: "system"},
			directory.GrantRecord{Organization: "big", User: user, Account: fmt.Sprintf("contract%d", i), GrantedBy: "system"},
		)
	}
	return records
}
