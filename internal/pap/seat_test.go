package pap_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/postern-authz/postern/internal/pap"
)

func (h *house) seatsUsed() (used int) {
	h.t.Helper()
	h.look(func(r pap.Reader) (err error) { used, err = r.SeatsUsed("acme"); return err })
	return used
}

// limit is how the operator sets the seats of acme.
func (h *house) limit(seats int) error {
	_, _, err := h.UpdateOrganization(h.t.Context(), h.operator(), "acme", pap.OrganizationPatch{SeatLimit: &seats})
	return err
}

func TestV22ALowerLimitKeepsNobodyOutWhoWasInvited(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		used := h.seatsUsed()
		if err := h.limit(used + 2); err != nil {
			t.Fatal(err)
		}
		one, two := h.invite("paula", "dana@acme.example"), h.invite("paula", "eve@acme.example")
		if err := h.limit(used + 1); err != nil {
			t.Fatal(err)
		}
		h.accept(one, "dana")
		_, _, err := h.Invite(t.Context(), h.as("paula"), "acme", invitee("fay@acme.example"))
		refused(t, err, "seat-limit")
		h.accept(two, "eve")
		if got := h.seatsUsed(); got != used+2 {
			t.Errorf("got %d seats used, want %d: both were promised one", got, used+2)
		}
		_, _, err = h.CreateMember(t.Context(), h.as("paula"), "acme", nina())
		refused(t, err, "seat-limit")
	})
}

// Who accepts while the organization is full takes the seat that was kept.
func TestV22AnAcceptanceDoesNotCountItself(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		used := h.seatsUsed()
		if err := h.limit(used + 1); err != nil {
			t.Fatal(err)
		}
		made := h.invite("paula", "dana@acme.example")
		if accepted, _ := h.accept(made, "dana"); !accepted.Member.CanSignIn {
			t.Errorf("got %+v", accepted.Member)
		}
	})
}

func TestV22NoDoorGoesAroundTheLimit(t *testing.T) {
	h := open(t)
	h.employ("gone", "regular", "removed")
	h.put(`{"type":"user","username":"tess","email":"tess@acme.example"}
{"type":"membership","organization":"acme","user":"tess","role":"regular","affiliation":"account_team","assigned_by":"operator"}`)
	if err := h.limit(h.seatsUsed()); err != nil {
		t.Fatal(err)
	}
	ctx, customer := t.Context(), "customer"
	for door, try := range map[string]func() error{
		"invite": func() error {
			_, _, err := h.Invite(ctx, h.operator(), "acme", invitee("new@acme.example"))
			return err
		},
		"create": func() error { return second(h.CreateMember(ctx, h.operator(), "acme", nina())) },
		"clone": func() error {
			_, _, err := h.CloneMember(ctx, h.operator(), "acme", h.member("acme", "rosa"), pap.Clone{Email: "new@acme.example"})
			return err
		},
		"restore": func() error {
			return second(h.Restore(ctx, h.operator(), "acme", h.member("acme", "gone"), pap.Restoration{}))
		},
		"leave the account team": func() error {
			return second(h.UpdateMember(ctx, h.operator(), "acme", h.member("acme", "tess"), pap.MemberPatch{Affiliation: &customer}))
		},
	} {
		t.Run(door, func(t *testing.T) { h.unchanged(t, func() { refused(t, try(), "seat-limit") }) })
	}
	results, _, err := h.InviteBatch(ctx, h.operator(), "acme", []pap.NewInvitation{invitee("new@acme.example")})
	if err != nil || results[0].Reason != "seat-limit" {
		t.Errorf("a batch: got %+v, %v, want it refused", results, err)
	}
}

// Seats that come free, by removals and revocations, meet those who want them.
func TestV22SeatsComeAndGoAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		limit := h.seatsUsed() + 1
		made := h.invite("paula", "first@acme.example")
		if err := h.limit(limit); err != nil {
			t.Fatal(err)
		}
		rosa, call := h.member("acme", "rosa"), h.as("paula")
		var won atomic.Int32
		all := []func(){
			func() {
				if _, _, err := h.RemoveMember(t.Context(), call, "acme", rosa); err != nil {
					t.Error(err)
				}
			},
			func() {
				if _, _, err := h.RevokeInvitation(t.Context(), call, "acme", made.Invitation.ID); err != nil {
					t.Error(err)
				}
			},
		}
		for i := range 10 {
			all = append(all, func() {
				if _, _, err := h.Invite(t.Context(), call, "acme", invitee(fmt.Sprintf("p%d@acme.example", i))); err == nil {
					won.Add(1)
				} else {
					refused(t, err, "seat-limit")
				}
			})
		}
		together(all...)
		if got := h.seatsUsed(); got > limit || got != limit-2+int(won.Load()) {
			t.Errorf("got %d seats used after %d invitations, want %d and no more than %d", got, won.Load(), limit-2+int(won.Load()), limit)
		}
	})
}
