package pap_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/pap"
)

// together runs all of them at once.
func together(all ...func()) {
	var wait sync.WaitGroup
	gate := make(chan struct{})
	for _, one := range all {
		wait.Go(func() { <-gate; one() })
	}
	close(gate)
	wait.Wait()
}

func TestV09OfFiftyAcceptancesOneCounts(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		link := token(t, h.invite("paula", "dana@acme.example"))
		var won atomic.Int32
		all := make([]func(), 50)
		for i := range all {
			all[i] = func() {
				switch err := h.tryAccept(stranger(), link, newcomer(fmt.Sprintf("dana%d", i))); {
				case err == nil:
					won.Add(1)
				default:
					refused(t, err, "link-invalid")
				}
			}
		}
		together(all...)
		if won.Load() != 1 {
			t.Errorf("got %d acceptances, want 1", won.Load())
		}
		if got := h.memberships("dana@acme.example"); got != 1 {
			t.Errorf("got %d members, want 1", got)
		}
	})
}

// memberships counts living members with that address.
func (h *house) memberships(email string) (n int) {
	h.t.Helper()
	h.look(func(r pap.Reader) error {
		list, err := r.Members(pap.MemberQuery{Organization: "acme", State: directory.StateActive, Page: pap.Page{Size: 200}})
		for _, m := range list {
			if m.Email == email {
				n++
			}
		}
		return err
	})
	return n
}

func TestV10AnInvitationIsEitherAcceptedOrRevoked(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		for round := range 10 {
			email := fmt.Sprintf("dana%d@acme.example", round)
			made := h.invite("paula", email)
			var accepted, revoked error
			together(
				func() { accepted = h.tryAccept(stranger(), token(t, made), newcomer(fmt.Sprintf("dana%d", round))) },
				func() { _, _, revoked = h.RevokeInvitation(t.Context(), h.as("paula"), "acme", made.Invitation.ID) },
			)
			if (accepted == nil) == (revoked == nil) {
				t.Errorf("got %v and %v, want one of them", accepted, revoked)
			}
			if got := h.memberships(email) == 1; got != (accepted == nil) {
				t.Errorf("got a member: %v, after %v", got, accepted)
			}
		}
	})
}

func TestAnInviterWhoIsDemotedMeanwhile(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		adam := h.member("acme", "adam")
		for round := range 10 {
			role(h, adam, "administrator")
			made := h.invite("adam", fmt.Sprintf("dana%d@acme.example", round))
			var accepted error
			var joined, demoted pap.Change
			together(
				func() {
					_, joined, accepted = h.AcceptInvitation(t.Context(), stranger(), token(t, made), newcomer(fmt.Sprintf("dana%d", round)))
				},
				func() { demoted = role(h, adam, "regular") },
			)
			switch {
			case accepted == nil && joined.Revision > demoted.Revision:
				t.Errorf("got an acceptance at %d, after the inviter was demoted at %d", joined.Revision, demoted.Revision)
			case accepted != nil:
				refused(t, accepted, "invitation-not-honoured")
			}
		}
	})
}

func role(h *house, member, role string) pap.Change {
	_, change, err := h.AssignRole(h.t.Context(), h.as("paula"), "acme", member, role)
	if err != nil {
		h.t.Error(err)
	}
	return change
}

func TestV22SeatsAreNeverOvercommitted(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		var used int
		h.look(func(r pap.Reader) (err error) { used, err = r.SeatsUsed("acme"); return err })
		h.seats("acme", used+5)
		var made sync.Map
		all := make([]func(), 50)
		options := h.Options
		options.Limits.InvitationsPerActor = -1
		h.PAP = pap.New(options)
		paula := h.as("paula")
		for i := range all {
			all[i] = func() {
				one, _, err := h.Invite(t.Context(), paula, "acme", invitee(address(i)))
				if err == nil {
					made.Store(i, one)
					return
				}
				refused(t, err, "seat-limit")
			}
		}
		together(all...)
		n := 0
		made.Range(func(i, one any) bool {
			n++
			h.accept(one.(pap.Invited), fmt.Sprintf("guest%d", i))
			return true
		})
		if n != 5 {
			t.Errorf("got %d invitations, want 5", n)
		}
		h.look(func(r pap.Reader) error {
			now, err := r.SeatsUsed("acme")
			if now != used+5 {
				t.Errorf("got %d seats used, want %d: an acceptance takes the seat it waited in", now, used+5)
			}
			return err
		})
	})
}

// seats limits an organization.
func (h *house) seats(organization string, limit int) {
	h.t.Helper()
	_, err := h.store.Update(h.t.Context(), func(tx directory.Tx) error {
		return tx.PutOrganization(directory.Organization{ID: organization, Kind: "customer", Name: "ACME", SeatLimit: limit})
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

func TestARevokedInvitationGivesItsSeatBack(t *testing.T) {
	h := open(t)
	var used int
	h.look(func(r pap.Reader) (err error) { used, err = r.SeatsUsed("acme"); return err })
	h.seats("acme", used+1)
	made := h.invite("paula", "dana@acme.example")
	_, _, err := h.Invite(t.Context(), h.as("paula"), "acme", invitee("eve@acme.example"))
	refused(t, err, "seat-limit")
	if _, _, err := h.RevokeInvitation(t.Context(), h.as("paula"), "acme", made.Invitation.ID); err != nil {
		t.Fatal(err)
	}
	h.invite("paula", "eve@acme.example")
	in := invitee("tom@harbour.example")
	in.Affiliation = directory.AffiliationAccountTeam
	_, _, err = h.Invite(t.Context(), h.as("paula"), "acme", in)
	refused(t, err, "operator-only")
	if _, _, err := h.Invite(t.Context(), h.as("olga"), "acme", in); err != nil {
		t.Errorf("got %v, want that account teams take no seat (R7)", err)
	}
}
