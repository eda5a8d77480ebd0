package pap_test

import (
	"testing"

	"github.com/postern-authz/postern/internal/pap"
)

// An organization that asked for another address of a person that was its alone
// does not get it once the person is somebody else's too.
func TestAnAddressThatWasAskedForDoesNotOutliveThatThePersonIsShared(t *testing.T) {
	for name, hold := range map[string]string{"asked": `{}`, "asked and held": `{"email_change":{"hold":"24h"}}`} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			h.settle("acme", hold)
			h.verify("regina")
			evil := "paula+mine@acme.example"
			if _, _, err := h.UpdateMember(t.Context(), h.as("paula"), "acme", h.member("acme", "regina"), pap.MemberPatch{Email: &evil}); err != nil {
				t.Fatal(err)
			}
			if name != "asked" {
				if err := h.confirm("regina", 1); err != nil {
					t.Fatal(err)
				}
			}
			made, _, err := h.Invite(t.Context(), h.as("gustav"), "globex", pap.NewInvitation{Email: "regina@acme.example", Role: "administrator", Deliver: pap.DeliverReturnLink})
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := h.AcceptInvitation(t.Context(), h.as("regina"), token(t, made), pap.Acceptance{}); err != nil {
				t.Fatal(err)
			}
			if name == "asked" {
				refused(t, h.confirm("regina", 1), "link-invalid")
			}
			h.wait(25 * 3600e9)
			if _, err := h.GiveHeldAddresses(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := h.email("regina"); got != "regina@acme.example" {
				t.Errorf("got %s, want the address it had", got)
			}
		})
	}
}

// A link that is asked for and cannot be mailed leaves the one before as it is.
func TestAResetThatIsNotMailedKillsNoLink(t *testing.T) {
	h := open(t)
	ask := func() {
		t.Helper()
		if err := h.RequestPasswordReset(t.Context(), stranger(), "", "regina"); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 { // other mails
		h.wish("rosa", "regina@acme.example")
	}
	ask()
	ask() // one too many for the address
	if _, err := h.ConfirmPasswordReset(t.Context(), stranger(), h.linkOf(pap.ForPasswordReset, "regina", 1), "regina's new one"); err != nil {
		t.Errorf("got %v, want the link that was mailed to be good", err)
	}
}
