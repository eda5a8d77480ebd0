package pap_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/pap"
)

// sending are all the ways to make us send a mail to an address somebody chose.
func (h *house) sending(t *testing.T, call pap.Call, made pap.Invited) map[string]func(email string) error {
	ctx := t.Context()
	mailed := func(email string) pap.NewInvitation {
		in := invitee(email)
		in.Deliver = pap.DeliverEmail
		return in
	}
	return map[string]func(string) error{
		"invite": func(email string) error { _, _, err := h.Invite(ctx, call, "acme", mailed(email)); return err },
		"invite in a batch": func(email string) error {
			results, _, err := h.InviteBatch(ctx, call, "acme", []pap.NewInvitation{mailed(email)})
			if err != nil || results[0].Outcome == pap.OutcomeCreated {
				return err
			}
			return &pap.Refusal{Reason: results[0].Reason}
		},
		"clone": func(email string) error {
			_, _, err := h.CloneMember(ctx, call, "acme", h.member("acme", "rosa"), pap.Clone{Email: email})
			return err
		},
		"send again": func(string) error {
			h.wait(time.Minute)
			_, _, err := h.ResendInvitation(ctx, call, "acme", made.Invitation.ID)
			return err
		},
		"ask for an address": func(email string) error { _, err := h.RequestEmailChange(ctx, call, email); return err },
	}
}

func TestV31NoDoorGoesAroundTheLimitOfMailsToOneAddress(t *testing.T) {
	for _, door := range []string{"invite", "invite in a batch", "clone", "send again", "ask for an address"} {
		t.Run(door, func(t *testing.T) {
			h := open(t)
			in := invitee("dana@acme.example")
			in.Deliver = pap.DeliverEmail
			var made pap.Invited
			for range 5 {
				var err error
				if made, _, err = h.Invite(t.Context(), h.as("paula"), "acme", in); err != nil {
					t.Fatal(err)
				}
			}
			h.wait(time.Minute)
			refused(t, h.sending(t, h.as("paula"), made)[door]("dana@acme.example"), "rate-limited")
			if n := len(h.mails("acme")); n != 5 {
				t.Errorf("got %d mails, want the five there were", n)
			}
			h.wait(time.Hour)
			if err := h.sending(t, h.as("paula"), made)[door]("dana@acme.example"); err != nil {
				t.Errorf("an hour later: %v", err)
			}
		})
	}
}

func TestV31NoDoorGoesAroundTheLimitOfInvitations(t *testing.T) {
	for name, limits := range map[string]pap.Limits{
		"by one actor": {InvitationsPerActor: 1}, "of one organization": {InvitationsPerOrganization: 1}, "open at once": {OpenInvitations: 1},
	} {
		for _, door := range []string{"invite", "invite in a batch", "clone"} {
			t.Run(name+", "+door, func(t *testing.T) {
				h := open(t)
				options := h.Options
				options.Limits = limits
				h.PAP = pap.New(options)
				made := h.invite("paula", "dana@acme.example")
				h.unchanged(t, func() { refused(t, h.sending(t, h.as("paula"), made)[door]("eve@acme.example"), "rate-limited") })
			})
		}
	}
}

// Where everybody may send one, all at once send one.
func TestV31LimitsHoldInARace(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		options := h.Options
		options.Limits = pap.Limits{InvitationsPerActor: 3}
		h.PAP = pap.New(options)
		call := h.as("paula")
		var made atomic.Int32
		all := make([]func(), 20)
		for i := range all {
			all[i] = func() {
				if _, _, err := h.Invite(t.Context(), call, "acme", invitee(address(i))); err == nil {
					made.Add(1)
				} else {
					refused(t, err, "rate-limited")
				}
			}
		}
		together(all...)
		if made.Load() != 3 {
			t.Errorf("got %d invitations, want 3", made.Load())
		}
	})
}

func TestV27TheTenthFailureLocksAndNoneBefore(t *testing.T) {
	h := open(t)
	h.password("regina", "regina's own")
	for round, failures := range []int{9, 9, 10} {
		for i := range failures {
			h.knows("regina", fmt.Sprintf("guess number %d", i))
		}
		if got, want := h.knows("regina", "regina's own"), failures < 10; got != want {
			t.Fatalf("round %d: got in after %d failures: %v, want %v", round, failures, got, want)
		}
	}
	h.wait(15*time.Minute - time.Millisecond)
	if h.knows("regina", "regina's own") {
		t.Error("got in before the quarter of an hour was over")
	}
	h.wait(time.Millisecond)
	if !h.knows("regina", "regina's own") {
		t.Error("got locked out for longer than a quarter of an hour")
	}
}

// Nine links of old leave an invitation open; the tenth closes it, until it is
// sent again.
func TestV27TheTenthWrongLinkLocksAnInvitation(t *testing.T) {
	h := open(t)
	for _, failures := range []int{9, 10} {
		first := h.invite("paula", fmt.Sprintf("dana%d@acme.example", failures))
		h.wait(time.Minute)
		second, _, err := h.ResendInvitation(t.Context(), h.as("paula"), "acme", first.Invitation.ID)
		if err != nil {
			t.Fatal(err)
		}
		for range failures {
			refused(t, h.tryAccept(stranger(), token(t, first), newcomer("dana")), "link-invalid")
		}
		err = h.tryAccept(stranger(), token(t, second), newcomer(fmt.Sprintf("dana%d", failures)))
		if failures < 10 {
			if err != nil {
				t.Errorf("after %d failures: %v", failures, err)
			}
			continue
		}
		refused(t, err, "link-invalid")
	}
}
