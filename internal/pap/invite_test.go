package pap_test

import (
	"regexp"
	"testing"

	"github.com/postern-authz/postern/internal/pap"
)

// invitee is who tests invite when they do not care.
func invitee(email string) pap.NewInvitation {
	return pap.NewInvitation{
		Email: email, Profile: pap.Profile{GivenName: "Dana", FamilyName: "Roy"}, Role: "regular",
		Grants: pap.Grants{Accounts: []pap.AccountGrant{{ID: "a-1001"}}}, Deliver: pap.DeliverReturnLink,
	}
}

// newcomer is what somebody new says of itself.
func newcomer(username string) pap.Acceptance {
	return pap.Acceptance{Username: username, Password: "correct horse"}
}

// stranger is a call by whoever has a link.
func stranger() pap.Call { return pap.Call{RequestID: "request-1"} }

// token is the link in what an invitation answered with.
func token(t testing.TB, made pap.Invited) string {
	t.Helper()
	found := regexp.MustCompile(`^https://portal\.example/invitation#token=(pst_inv_[^ ]+)$`).FindStringSubmatch(made.Link)
	if found == nil {
		t.Fatalf("got link %q, want one to the portal", made.Link)
	}
	return found[1]
}

func (h *house) invite(as, email string) pap.Invited {
	h.t.Helper()
	made, _, err := h.Invite(h.t.Context(), h.as(as), "acme", invitee(email))
	if err != nil {
		h.t.Fatal(err)
	}
	return made
}

func TestAnInvitedPersonJoinsWithAllThatWasOffered(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		made, change, err := h.Invite(t.Context(), h.as("paula"), "acme", invitee("Dana@acme.example"))
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`^tmp-[0-9A-HJKMNP-TV-Z]{8}$`).MatchString(made.Member.TemporaryUsername) || made.Member.State != "invited" {
			t.Errorf("got %+v", made.Member)
		}
		if change.Revision == 0 || change.Decision == "" {
			t.Errorf("got %+v, want the revision and the decision", change)
		}
		accepted, done, err := h.AcceptInvitation(t.Context(), stranger(), token(t, made), newcomer("dana"))
		if err != nil {
			t.Fatal(err)
		}
		if accepted.Member.State != "active" || accepted.Member.Username != "dana" || !accepted.Member.CanSignIn || accepted.Member.ID != made.Member.ID {
			t.Errorf("got %+v", accepted.Member)
		}
		if !h.decide(accepted.User, "service.view", "account", "a-1001", done.Revision) {
			t.Errorf("the newcomer may not view its account with the revision of the acceptance (R50)")
		}
	})
}
