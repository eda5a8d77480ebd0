package pap_test

import (
	"slices"
	"testing"

	"github.com/postern-authz/postern/internal/pap"
)

func TestR24ACompanyThatAListLeavesOutComesAlongWithItsAccount(t *testing.T) {
	h := open(t)
	call := h.as("paula")
	seen := h.get(call, "acme", "regina")
	g := companies(true, "acme-east")
	g.Accounts = accounts("a-1001").Accounts
	m, done, err := h.SetGrants(t.Context(), matching(call, seen.Revision), "acme", h.member("acme", "regina"), g)
	want := []pap.CompanyGrant{{ID: "acme-east", AllAccounts: true}, {ID: "acme-south"}}
	if err != nil || !slices.Equal(m.Grants.Companies, want) {
		t.Fatalf("got %+v, %v, want no account outside an authorized company", m.Grants, err)
	}
	for account, may := range map[string]bool{"a-1001": true, "a-1002": false, "a-2001": true} {
		if got := h.decide(h.user("regina"), "service.view", "account", account, done.Revision); got != may {
			t.Errorf("%s: got %v, want %v", account, got, may)
		}
	}
}

func TestR37ASharedIdentityManagesNobodyAndIsMarked(t *testing.T) {
	h := open(t)
	in := invitee("noc@acme.example")
	in.Kind = "group"
	made, _, err := h.Invite(t.Context(), h.as("paula"), "acme", in)
	if err != nil {
		t.Fatal(err)
	}
	link := token(t, made)
	refused(t, h.tryAccept(stranger(), link, pap.Acceptance{Username: "noc"}), "validation") // it needs a password of its own
	h.accept(made, "noc")
	for _, e := range h.trail("acme") {
		if e.Type == "invitation.accepted" && !e.Actor.SharedIdentity {
			t.Errorf("got %+v, want it marked", e.Actor)
		}
	}
	if _, _, err := h.SetPreferences(t.Context(), h.as("noc"), "acme", made.Member.ID, []byte(`{"language":"lv"}`)); err != nil {
		t.Fatal(err)
	}
	trail := h.trail("acme")
	if last := trail[len(trail)-1]; !last.Actor.SharedIdentity {
		t.Errorf("got %+v, want it marked", last.Actor)
	}
	for _, role := range []string{"administrator", "primary_contact"} {
		refused(t, second(h.AssignRole(t.Context(), h.operator(), "acme", made.Member.ID, role)), "shared-identity")
	}
}

func TestR78AnOldUsernameIsNobodysEver(t *testing.T) {
	h := open(t)
	name := func(s string) pap.MemberPatch { return pap.MemberPatch{Username: &s} }
	id := h.user("rosa")
	if err := second(h.UpdateMember(t.Context(), h.as("paula"), "acme", h.member("acme", "rosa"), name("rosalind"))); err != nil {
		t.Fatal(err)
	}
	if h.user("rosalind") != id {
		t.Error("got another user by the new name")
	}
	in := nina()
	in.Username = "Rosa"
	refused(t, second(h.CreateMember(t.Context(), h.as("paula"), "acme", in)), "username-taken")
	refused(t, h.tryAccept(stranger(), token(t, h.invite("paula", "dana@acme.example")), newcomer("ROSA")), "username-taken")
	refused(t, second(h.UpdateMember(t.Context(), h.operator(), "acme", h.member("acme", "adam"), name("rosa"))), "username-taken")
}

func TestR82RemovalEndsTheInvitationsOfTheAddress(t *testing.T) {
	h := open(t)
	one, two := h.invite("paula", "dana@acme.example"), h.invite("paula", "dana@acme.example")
	other := h.invite("paula", "eve@acme.example")
	call := h.as("paula")
	if err := second(h.CreateMember(t.Context(), call, "acme", func() pap.NewMember { in := nina(); in.Email = "dana@acme.example"; return in }())); err != nil {
		t.Fatal(err)
	}
	r, _, err := h.RemoveMember(t.Context(), call, "acme", h.member("acme", "nina"))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Impact.Invitations) != 2 {
		t.Errorf("got %v, want both of the address", r.Impact.Invitations)
	}
	for _, made := range []pap.Invited{one, two} {
		if state := h.invitation(made.Invitation.ID).State; state != pap.InvitationRevoked {
			t.Errorf("got %s, want it closed, and %v told", state, r.Impact.Invitations)
		}
		refused(t, h.tryAccept(stranger(), token(t, made), newcomer("dana")), "link-invalid")
	}
	h.accept(other, "eve")
}

func TestReactivatingGivesCPNIBackByWhoHoldsItAlone(t *testing.T) { // R23
	h := open(t)
	rosa := h.member("acme", "rosa")
	if err := second(h.AuthorizeCPNI(t.Context(), h.operator(), "acme", rosa, true)); err != nil {
		t.Fatal(err)
	}
	if err := second(h.Suspend(t.Context(), h.as("paula"), "acme", rosa)); err != nil {
		t.Fatal(err)
	}
	refused(t, second(h.Reactivate(t.Context(), h.as("paula"), "acme", rosa)), "cpni-not-held")
	if err := second(h.Reactivate(t.Context(), h.operator(), "acme", rosa)); err != nil {
		t.Error(err)
	}
}
