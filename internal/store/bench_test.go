package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/store"
	"github.com/postern-authz/postern/internal/store/storetest"
)

const (
	benchUsers    = 5_000
	benchAccounts = 10_000
	benchEach     = 9 // account grants of a user
)

// BenchmarkImport puts a directory of 5,000 users, 10,000 accounts and 50,000
// grants into an empty database, in one update.
func BenchmarkImport(b *testing.B) {
	onBoth(b, func(b *testing.B, dsn func(testing.TB) string) {
		rows := 0
		for b.Loop() {
			b.StopTimer()
			s := storetest.Open(b, dsn(b))
			b.StartTimer()
			rows += load(b, s)
		}
		b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
	})
}

// BenchmarkRead reads the document of a user and of an account.
func BenchmarkRead(b *testing.B) {
	onBoth(b, func(b *testing.B, dsn func(testing.TB) string) {
		s := storetest.Open(b, dsn(b))
		load(b, s)
		documents, _, err := s.Read(b.Context(), []authz.Key{authz.LoginKey(benchUser(7))})
		if err != nil {
			b.Fatal(err)
		}
		keys := []authz.Key{{Kind: authz.KindUser, ID: documents[0].Login}, {Kind: authz.KindAccount, ID: benchAccount(7)}}
		for b.Loop() {
			if _, _, err := s.Read(b.Context(), keys); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkReadAccounts reads what a decision on a user of so many accounts needs
// and nothing is kept of: the user, the account and what was granted there.
func BenchmarkReadAccounts(b *testing.B) {
	onBoth(b, func(b *testing.B, dsn func(testing.TB) string) {
		for _, n := range []int{10, 1_000, 100_000} {
			s := storetest.Open(b, dsn(b))
			user := loadUser(b, s, n)
			keys := []authz.Key{{Kind: authz.KindUser, ID: user}, {Kind: authz.KindAccount, ID: benchAccount(7)}, authz.UserAccountKey(user, benchAccount(7))}
			b.Run(fmt.Sprintf("N=%d", n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					documents, _, err := s.Read(b.Context(), keys)
					if err != nil || documents[0].User.Narrow != (n > 1_000) || len(documents[2].Granted) != 2 {
						b.Fatal(documents, err)
					}
				}
			})
		}
	})
}

// loadUser puts a user with n accounts, half of them granted and the same ones on
// the list of a tool, and returns its id.
func loadUser(b *testing.B, s *store.Store, n int) string {
	b.Helper()
	_, err := s.Update(context.Background(), func(tx directory.Tx) error {
		g := directory.GrantRecord{Organization: "acme", User: benchUser(0), GrantedBy: "user"}
		inCompany, tool := g, g
		inCompany.Company, tool.Tool = "south", "wan"
		errs := []error{
			tx.PutOrganization(directory.Organization{ID: "acme", Kind: "customer", Name: "Acme"}),
			tx.PutCompany(directory.Company{ID: "south", Organization: "acme", Name: "South"}),
			tx.PutTool(directory.Tool{ID: "wan", Name: "WAN"}),
			tx.PutUser(directory.User{Kind: "personal", Username: benchUser(0)}),
			tx.PutMembership(directory.Membership{
				Organization: "acme", User: benchUser(0), Role: "regular", Affiliation: "customer", State: "active", AssignedBy: "user",
			}),
			tx.PutGrant(inCompany), tx.PutGrant(tool),
		}
		for i := range max(n/2, 8) {
			errs = append(errs, tx.PutAccount(directory.Account{ID: benchAccount(i), Company: "south", Kind: "service", Name: "Line"}))
		}
		for i := range max(n/2, 8) {
			account, listed := g, tool
			account.Account, listed.Account = benchAccount(i), benchAccount(i)
			errs = append(errs, tx.PutGrant(account), tx.PutGrant(listed))
		}
		return errors.Join(errs...)
	})
	if err != nil {
		b.Fatal(err)
	}
	documents, _, err := s.Read(b.Context(), []authz.Key{authz.LoginKey(benchUser(0))})
	if err != nil {
		b.Fatal(err)
	}
	return documents[0].Login
}

func onBoth(b *testing.B, run func(*testing.B, func(testing.TB) string)) {
	b.Run("SQLite", func(b *testing.B) { run(b, sqliteDSN) })
	b.Run("PostgreSQL", func(b *testing.B) { run(b, postgres.DSN) })
}

func benchUser(i int) string    { return fmt.Sprintf("user%06d@example.com", i) }
func benchAccount(i int) string { return fmt.Sprintf("account-%06d", i) }

// load puts everything in one update and returns how many records that were.
func load(b *testing.B, s *store.Store) (rows int) {
	b.Helper()
	_, err := s.Update(context.Background(), func(tx directory.Tx) error {
		put := func(err error) {
			if rows++; err != nil {
				b.Fatal(err)
			}
		}
		put(tx.PutOrganization(directory.Organization{ID: "acme", Kind: "customer", Name: "Acme"}))
		put(tx.PutCompany(directory.Company{ID: "south", Organization: "acme", Name: "South"}))
		for i := range benchAccounts {
			put(tx.PutAccount(directory.Account{ID: benchAccount(i), Company: "south", Kind: "service", Name: "Line"}))
		}
		for i := range benchUsers {
			put(tx.PutUser(directory.User{Kind: "personal", Username: benchUser(i), Email: benchUser(i), GivenName: "Dana", FamilyName: "Roy"}))
		}
		for i := range benchUsers {
			put(tx.PutMembership(directory.Membership{
				Organization: "acme", User: benchUser(i), Role: "regular", Affiliation: "customer", State: "active", AssignedBy: "user",
			}))
		}
		for i := range benchUsers {
			g := directory.GrantRecord{Organization: "acme", User: benchUser(i), GrantedBy: "user"}
			g.Company = "south"
			put(tx.PutGrant(g))
			for k := range benchEach {
				g.Company, g.Account = "", benchAccount((i*7+k*1013)%benchAccounts)
				put(tx.PutGrant(g))
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return rows
}
