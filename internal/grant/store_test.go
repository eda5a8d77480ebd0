package grant_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/grant"
	"github.com/postern-authz/postern/internal/store"
	"github.com/postern-authz/postern/internal/store/storetest"
)

// TestTheStoreTellsEverythingThatChanged writes at random to a real directory
// and compares, after each write, facts that came by the change log with facts
// that nothing was cached for: a document that changed without its key being
// logged would differ. The first ones come by narrow documents, and these do not.
func TestTheStoreTellsEverythingThatChanged(t *testing.T) {
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "directory.db")
	s := storetest.Open(t, dsn)
	warm, stop := follow(t, grant.Options{Source: storetest.OpenListing(t, dsn, 2), PollInterval: time.Hour})
	defer stop()
	random := rand.New(rand.NewPCG(1, 2))
	asked := everybodyAboutEverything()
	written := 0
	for i := range 400 {
		what, token := write(t, s, random, i == 0)
		if token == 0 {
			continue
		}
		written++
		got, revision, err := patiently(t, warm, asked, token)
		if err != nil || revision != token {
			t.Fatalf("after %s: got revision %d, error %v, want %d", what, revision, err, token)
		}
		cold, done := follow(t, grant.Options{Source: s})
		want, _, err := patiently(t, cold, asked, token)
		done()
		if err != nil {
			t.Fatal(err)
		}
		for j := range asked {
			if got[j].Compare(want[j]) != 0 {
				t.Fatalf("after %s, %+v:\n got %v\nwant %v", what, asked[j], got[j], want[j])
			}
		}
	}
	if written < 150 {
		t.Errorf("got %d writes that were accepted, want enough to prove something", written)
	}
}

func everybodyAboutEverything() []authz.Request {
	var all []authz.Request
	for _, login := range []string{"Ann", "bo", "cy", "dee"} {
		for _, id := range accounts {
			all = append(all, in(ask("login", login, resource("account", id, nil)), "t1"))
		}
		all = append(all,
			ask("login", login, resource("company", "c1", nil)),
			ask("login", login, resource("account_group", "g1", nil)),
			ask("login", login, resource("tool", "t1", authz.Properties{"account": "a1"})),
			ask("login", login, resource("quote", "q", authz.Properties{"contract": "k1", "delivery": "d1"})))
	}
	return all
}

// write writes one record at random, or the first ones that others need. It
// returns revision 0 if nothing changed, as the directory's rules refuse much.
func write(t *testing.T, s *store.Store, random *rand.Rand, first bool) (what string, made authz.Revision) {
	t.Helper()
	before, err := s.Revision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	record := drawRecord(random)
	made, err = s.Update(context.Background(), func(tx directory.Tx) error {
		if first {
			return writeFirst(tx)
		}
		return putRecord(tx, record)
	})
	what = fmt.Sprintf("%T%+v", record, record)
	refused := errors.Is(err, authz.ErrConflict) || errors.Is(err, authz.ErrInvalid) || errors.Is(err, authz.ErrNotFound)
	switch {
	case err != nil && !refused:
		t.Fatalf("%s: %v", what, err)
	case refused, made == before:
		return what, 0
	}
	return what, made
}

func putRecord(tx directory.Tx, record any) error {
	switch r := record.(type) {
	case directory.Account:
		return tx.PutAccount(r)
	case directory.AccountGroup:
		return tx.PutAccountGroup(r)
	case directory.Tool:
		return tx.PutTool(r)
	case directory.User:
		return tx.PutUser(r)
	case directory.Membership:
		return tx.PutMembership(r)
	default:
		return tx.PutGrant(record.(directory.GrantRecord))
	}
}

// A chooser chooses at random.
type chooser struct{ *rand.Rand }

func (c chooser) of(names ...string) string { return names[c.IntN(len(names))] }
func (c chooser) once(in int) bool          { return c.IntN(in) == 0 }

func drawRecord(random *rand.Rand) any {
	c := chooser{random}
	switch n := c.IntN(12); {
	case n < 2:
		return c.account()
	case n == 2:
		return c.accountGroup()
	case n == 3:
		return directory.Tool{ID: "t1", Name: "Tool", Restricted: c.once(2)}
	case n == 4:
		return directory.User{Kind: "personal", Username: c.of("ANN", "bo", "cy", "Dee"), MFA: c.once(2), Removed: c.once(8)}
	case n < 7:
		return directory.Membership{
			Organization: c.of("acme", "acme", "globex"), User: c.of("ann", "bo", "cy"), AssignedBy: "operator",
			Role: c.of("regular", "administrator", "read_only"), Affiliation: c.of("customer", "end_customer", "account_team"),
			State: c.of("active", "active", "suspended", "removed"), CPNI: c.once(2),
		}
	}
	return c.grant()
}

func kindOf(id string) string {
	return map[byte]string{'a': "service", 'k': "contract", 'd': "delivery"}[id[0]]
}

func (c chooser) account() directory.Account {
	id := c.of(accounts...)
	a := directory.Account{ID: id, Company: c.of("c1", "c2"), Kind: kindOf(id), Name: id}
	if a.Kind == "service" {
		a.Contract, a.Delivery = c.of("", "k1", "k2"), c.of("", "d1", "d2")
	}
	return a
}

func (c chooser) accountGroup() directory.AccountGroup {
	g := directory.AccountGroup{ID: c.of("g1", "g2"), Organization: "acme", Kind: "service_group", Name: "Group"}
	for _, id := range accounts {
		if c.once(3) {
			g.Accounts = append(g.Accounts, id)
		}
	}
	return g
}

func (c chooser) grant() directory.GrantRecord {
	g := directory.GrantRecord{Organization: "acme", User: c.of("ann", "bo", "cy"), GrantedBy: "operator", Revoked: c.once(4)}
	switch c.IntN(5) {
	case 0:
		g.Company, g.AllAccounts = c.of("c1", "c2"), c.once(2)
	case 1:
		g.AccountGroup = c.of("g1", "g2")
	case 2:
		g.Tool = "t1"
	case 3:
		g.Tool, g.Account = "t1", c.of(accounts...)
	case 4:
		g.Account = c.of(accounts...)
	}
	return g
}

func writeFirst(tx directory.Tx) error {
	errs := []error{
		tx.PutOrganization(directory.Organization{ID: "acme", Kind: "customer", Name: "Acme"}),
		tx.PutOrganization(directory.Organization{ID: "globex", Kind: "customer", Name: "Globex"}),
		tx.PutCompany(directory.Company{ID: "c1", Organization: "acme", Name: "One"}),
		tx.PutCompany(directory.Company{ID: "c2", Organization: "acme", Name: "Two"}),
		tx.PutTool(directory.Tool{ID: "t1", Name: "Tool"}),
	}
	for _, id := range []string{"k1", "k2", "d1", "d2", "a1", "a2"} {
		errs = append(errs, tx.PutAccount(directory.Account{ID: id, Company: "c1", Kind: kindOf(id), Name: id}))
	}
	for _, name := range []string{"ann", "bo", "cy"} {
		errs = append(errs,
			tx.PutUser(directory.User{Kind: "personal", Username: name}),
			tx.PutMembership(directory.Membership{Organization: "acme", User: name, Role: "regular", Affiliation: "customer", State: "active", AssignedBy: "operator"}),
			tx.PutGrant(directory.GrantRecord{Organization: "acme", User: name, Company: "c1", GrantedBy: "operator"}))
	}
	return errors.Join(errs...)
}
