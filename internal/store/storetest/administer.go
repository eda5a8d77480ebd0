package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/pap"
	"github.com/postern-authz/postern/internal/store"
)

// noon is a moment as the directory keeps it.
func noon() time.Time { return time.Date(2026, 5, 4, 12, 0, 0, 7_000_000, time.UTC) }

// later is a moment after noon.
func later(d time.Duration) *time.Time {
	t := noon().Add(d)
	return &t
}

// administer changes the directory and fails the test if that fails.
func administer(t testing.TB, s *store.Store, fn func(pap.Tx) error) authz.Revision {
	t.Helper()
	revision, err := s.Change(context.Background(), fn)
	if err != nil {
		t.Fatalf("change: %v", err)
	}
	return revision
}

// see reads one thing and fails the test if that fails.
func see[T any](t testing.TB, s *store.Store, read func(pap.Reader) (T, error)) (seen T) {
	t.Helper()
	err := s.Look(context.Background(), func(r pap.Reader) (err error) {
		seen, err = read(r)
		return err
	})
	if err != nil {
		t.Fatalf("look: %v", err)
	}
	return seen
}

// refuse wants a change to be refused with that kind of error, and nothing kept.
func refuse(t testing.TB, s *store.Store, kind error, fn func(pap.Tx) error) {
	t.Helper()
	before := revisionOf(t, s)
	if _, err := s.Change(context.Background(), fn); !errors.Is(err, kind) {
		t.Errorf("got %v, want %v", err, kind)
	}
	if got := revisionOf(t, s); got != before {
		t.Errorf("revision: got %d, want %d", got, before)
	}
}

// furnished is a store with the portal in it.
func furnished(t testing.TB, newDSN func(testing.TB) string) *store.Store {
	t.Helper()
	s := Open(t, newDSN(t))
	update(t, s, portal()...)
	return s
}

// person is an active user, who is nobody's member yet.
func person(id, username string) pap.Person {
	return pap.Person{ID: id, Kind: "personal", Username: username, Email: username + "@acme.example"}
}

// invited is a membership in waiting in acme.
func invited(id string) pap.Member {
	return pap.Member{
		ID: id, Organization: "acme", Kind: "personal", TemporaryUsername: "tmp-" + id, Email: id + "@acme.example",
		Profile: pap.Profile{GivenName: "Ina", FamilyName: "Vited", Country: "LV", Address: &pap.Address{City: "Riga"}},
		Role:    "regular", Affiliation: "customer", State: "invited", RoleAssignedBy: "user", CreatedAt: noon(),
	}
}

// accepted is the membership once that user has it.
func accepted(m pap.Member, user string) pap.Member {
	m.User, m.State, m.ActivatedAt = user, "active", later(time.Hour)
	return m
}

// offer is the invitation of a membership in waiting.
func offer(id, member string) pap.Invitation {
	return pap.Invitation{
		ID: id, Organization: "acme", Member: member, Email: "Ina@acme.example", EmailKey: "ina@acme.example", State: "pending",
		Inviter: pap.Actor{ID: "usr_1", Kind: "user", IP: "::1"}, Generation: 1, Deliver: "email", TTL: 7 * 24 * time.Hour,
		Delivery: pap.Delivery{State: "queued"}, CreatedAt: noon(), ExpiresAt: *later(7 * 24 * time.Hour),
	}
}
