package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/pap"
	"github.com/postern-authz/postern/internal/store"
)

// errLate ends a change that finds that another was there first.
var errLate = errors.New("another was first")

// testRaces: while a change runs nobody else writes, so what it read stays true.
func testRaces(t *testing.T, newDSN func(testing.TB) string) {
	t.Run("of many acceptances one counts", func(t *testing.T) { testManyAcceptances(t, furnished(t, newDSN)) })
	t.Run("no more members than seats", func(t *testing.T) {
		s := Open(t, newDSN(t))
		update(t, s, directory.Organization{ID: "acme", Kind: "customer", SeatLimit: 3})
		done := race(t, s, 12, authz.ErrConflict, func(n int, tx pap.Tx) error { return tx.PutMember(invited(fmt.Sprintf("mem_%d", n))) })
		members := see(t, s, func(r pap.Reader) ([]pap.Member, error) { return r.Members(pap.MemberQuery{Organization: "acme"}) })
		if done != 3 || len(members) != 3 {
			t.Errorf("got %d done and %d members, want 3", done, len(members))
		}
	})
	t.Run("the last primary contact stays", func(t *testing.T) { testLastPrimaryContact(t, furnished(t, newDSN)) })
	t.Run("the trail has no gap and no branch", func(t *testing.T) {
		s := Open(t, newDSN(t))
		race(t, s, 24, nil, func(n int, tx pap.Tx) error { return putEvent(tx, "acme", fmt.Sprintf("evt_%d", n)) })
		var chain pap.Chain
		events := see(t, s, func(r pap.Reader) ([]pap.Event, error) { return r.Events(pap.EventQuery{Organization: "acme"}) })
		for i, e := range events {
			if err := chain.Next(e); err != nil || e.Revision != authz.Revision(i+1) {
				t.Errorf("event %d at revision %d: %v", e.Sequence, e.Revision, err)
			}
		}
		if len(events) != 24 {
			t.Errorf("events: got %d, want 24", len(events))
		}
	})
}

// race runs n changes at once and says how many were done. The others have to
// fail with that error; nil: none may fail.
func race(t *testing.T, s *store.Store, n int, late error, change func(int, pap.Tx) error) int {
	t.Helper()
	var done atomic.Int64
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			_, err := s.Change(context.Background(), func(tx pap.Tx) error { return change(i, tx) })
			switch {
			case err == nil:
				done.Add(1)
			case late == nil || !errors.Is(err, late):
				t.Errorf("change %d: %v", i, err)
			}
		})
	}
	group.Wait()
	return int(done.Load())
}

func testManyAcceptances(t *testing.T, s *store.Store) {
	administer(t, s, func(tx pap.Tx) error {
		return errors.Join(tx.PutMember(invited("mem_1")), tx.PutInvitation(offer("inv_1", "mem_1")))
	})
	done := race(t, s, 24, errLate, func(n int, tx pap.Tx) error {
		i, err := tx.Invitation("acme", "inv_1")
		if err != nil {
			return err
		}
		if i.State != "pending" {
			return errLate
		}
		p := person(fmt.Sprintf("usr_%d", n), fmt.Sprintf("newcomer%d", n))
		i.State, i.AcceptedAt, i.AcceptedUser = "accepted", later(1), p.ID
		return errors.Join(tx.PutPerson(p), tx.PutMember(accepted(invited("mem_1"), p.ID)), tx.PutInvitation(i))
	})
	i := see(t, s, func(r pap.Reader) (pap.Invitation, error) { return r.Invitation("acme", "inv_1") })
	m := see(t, s, memberOf("mem_1"))
	if done != 1 || m.User != i.AcceptedUser {
		t.Errorf("got %d accepted, member %s and invitation %s; want 1 and the same user", done, m.User, i.AcceptedUser)
	}
}

// testLastPrimaryContact: two who remove each other leave one.
func testLastPrimaryContact(t *testing.T, s *store.Store) {
	contacts := []string{"dana", "otto"}
	for _, user := range contacts {
		update(t, s, directory.Membership{Organization: "acme", User: user, Role: "primary_contact", Affiliation: "customer", State: "active", AssignedBy: "operator"})
	}
	other := [2]string{idOf(t, s, "otto"), idOf(t, s, "dana")}
	done := race(t, s, 2, errLate, func(n int, tx pap.Tx) error {
		left, err := tx.PrimaryContacts("acme")
		if err != nil {
			return err
		}
		if left < 2 {
			return errLate
		}
		m, err := tx.MemberOf("acme", other[n])
		m.State = "removed"
		return errors.Join(err, tx.PutMember(m))
	})
	if left := see(t, s, func(r pap.Reader) (int, error) { return r.PrimaryContacts("acme") }); done != 1 || left != 1 {
		t.Errorf("got %d removed and %d left, want 1 and 1", done, left)
	}
}
