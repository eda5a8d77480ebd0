// Package storetest is what a store must do, as tests: the same on every engine.
package storetest

import (
	"context"
	"testing"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/store"
)

// Run checks an engine. newDSN returns the DSN of a database of its own, without a
// schema, that lives as long as the test.
func Run(t *testing.T, newDSN func(testing.TB) string) {
	for _, group := range []struct {
		name string
		run  func(*testing.T, func(testing.TB) string)
	}{
		{"invariants", testInvariants},
		{"records", testRecords},
		{"refusals", testRefusals},
		{"documents", testDocuments},
		{"changes", testChanges},
		{"followers", testFollowers},
		{"schema", testSchema},
		{"app keys", testAppKeys},
		{"members", testMembers},
		{"usernames", testUsernames},
		{"grants of members", testMemberGrants},
		{"lists", testLists},
		{"administration", testAdministered},
		{"outbox", testOutbox},
		{"census", testCensus},
		{"races", testRaces},
		{"migration", testMigration},
	} {
		t.Run(group.name, func(t *testing.T) { group.run(t, newDSN) })
	}
}

// Open opens the database of the DSN, migrates it, and closes it with the test.
func Open(t testing.TB, dsn string) *store.Store {
	t.Helper()
	return open(t, store.Options{DSN: dsn})
}

// OpenListing is Open of a store whose users' documents list no more accounts.
func OpenListing(t testing.TB, dsn string, listed int) *store.Store {
	t.Helper()
	return open(t, store.Options{DSN: dsn, Listed: listed})
}

func open(t testing.TB, options store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	if err := s.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s
}

// update puts the records and fails the test if that fails.
func update(t testing.TB, s *store.Store, records ...any) authz.Revision {
	t.Helper()
	revision, err := s.Update(context.Background(), putting(records...))
	if err != nil {
		t.Fatalf("update: %v", err)
	}
	return revision
}

func putting(records ...any) func(directory.Tx) error {
	return func(tx directory.Tx) error {
		for _, record := range records {
			if err := putRecord(tx, record); err != nil {
				return err
			}
		}
		return nil
	}
}

func putRecord(tx directory.Tx, record any) error {
	switch r := record.(type) {
	case directory.Organization:
		return tx.PutOrganization(r)
	case directory.Company:
		return tx.PutCompany(r)
	case directory.Account:
		return tx.PutAccount(r)
	case directory.AccountGroup:
		return tx.PutAccountGroup(r)
	case directory.Tool:
		return tx.PutTool(r)
	case directory.Role:
		return tx.PutRole(r)
	case directory.User:
		return tx.PutUser(r)
	case directory.Membership:
		return tx.PutMembership(r)
	case directory.GrantRecord:
		return tx.PutGrant(r)
	}
	panic("not a record of the directory")
}

// read returns the documents of the keys.
func read(t testing.TB, s *store.Store, keys ...authz.Key) []authz.Document {
	t.Helper()
	documents, _, err := s.Read(context.Background(), keys)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return documents
}

// idOf returns the id of the user with that username.
func idOf(t testing.TB, s *store.Store, username string) string {
	t.Helper()
	return read(t, s, authz.Key{Kind: authz.KindLogin, ID: username})[0].Login
}

// userOf returns the document of the user with that username.
func userOf(t testing.TB, s *store.Store, username string) *authz.User {
	t.Helper()
	return read(t, s, authz.Key{Kind: authz.KindUser, ID: idOf(t, s, username)})[0].User
}

func revisionOf(t testing.TB, s *store.Store) authz.Revision {
	t.Helper()
	revision, err := s.Revision(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

func changesAfter(t testing.TB, s *store.Store, after authz.Revision) authz.Changes {
	t.Helper()
	changes, err := s.Changes(context.Background(), authz.Point{Revision: after}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return changes
}
