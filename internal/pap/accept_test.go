package pap_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/pap"
)

func TestAPreviewShowsNothingOfTheInvited(t *testing.T) {
	h := open(t)
	made := h.invite("paula", "dana@acme.example")
	got, err := h.PreviewInvitation(t.Context(), stranger(), token(t, made))
	want := pap.Preview{Organization: "ACME", Inviter: "Paula Price", Email: "d***@acme.example", ExpiresAt: start.Add(168 * time.Hour)}
	if err != nil || !got.ExpiresAt.Equal(want.ExpiresAt) || got.Organization != want.Organization || got.Inviter != want.Inviter || got.Email != want.Email {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func TestAnInvitationOfSomebodyDemotedIsNotHonoured(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		made := h.invite("adam", "dana@acme.example")
		if _, _, err := h.AssignRole(t.Context(), h.as("paula"), "acme", h.member("acme", "adam"), "regular"); err != nil {
			t.Fatal(err)
		}
		_, _, err := h.AcceptInvitation(t.Context(), stranger(), token(t, made), newcomer("dana"))
		refused(t, err, "invitation-not-honoured")
		if state := h.invitation(made.Invitation.ID).State; state != pap.InvitationPending {
			t.Errorf("got state %s, want pending", state)
		}
		if !slices.Contains(h.events("acme"), "invitation.not_honoured") {
			t.Errorf("got events %v", h.events("acme"))
		}
		mails := h.mails("acme")
		if len(mails) != 1 || mails[0].Type != pap.MailInvitationNotHonoured || mails[0].Recipient != "paula@acme.example" {
			t.Errorf("got %+v, want a mail to the Primary Contact", mails)
		}
		h.wait(time.Minute)
		again, _, err := h.ResendInvitation(t.Context(), h.as("paula"), "acme", made.Invitation.ID)
		if err != nil {
			t.Fatal(err)
		}
		h.accept(again, "dana") // Paula vouches for it now
	})
}

func TestAnInvitationOfARevokedTokenIsNotHonoured(t *testing.T) {
	h := open(t)
	token1 := pap.Token{ID: "token-1", Name: "import", Kind: pap.ServiceToken, Scopes: []pap.Scope{pap.ScopeOperator}, CreatedAt: start}
	h.write(func(tx pap.Tx) error { return tx.PutToken(token1) })
	var made []pap.Invited
	for _, email := range []string{"dana@acme.example", "eve@acme.example"} {
		one, _, err := h.Invite(t.Context(), h.operator(), "acme", invitee(email))
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, one)
	}
	h.accept(made[0], "dana")
	token1.RevokedAt = start
	h.write(func(tx pap.Tx) error { return tx.PutToken(token1) })
	_, _, err := h.AcceptInvitation(t.Context(), stranger(), token(t, made[1]), newcomer("eve"))
	refused(t, err, "invitation-not-honoured")
}

func TestSomebodyWithAnAccountJoinsBySigningIn(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		made := h.invite("paula", "gustav@globex.example")
		h.verify("gustav")
		_, _, err := h.AcceptInvitation(t.Context(), h.as("gustav"), token(t, made), newcomer("gustav2"))
		refused(t, err, "validation")
		accepted, _, err := h.AcceptInvitation(t.Context(), h.as("gustav"), token(t, made), pap.Acceptance{})
		if err != nil {
			t.Fatal(err)
		}
		if accepted.User != h.user("gustav") || accepted.Member.Username != "gustav" || accepted.Member.GivenName != "Gustav" {
			t.Errorf("got %+v, want the account as it is", accepted)
		}
		var by pap.Actor
		for _, e := range h.trail("acme") {
			if e.Type == "invitation.accepted" {
				by = e.Actor
			}
		}
		if by.ID != h.user("gustav") || by.Kind != "user" {
			t.Errorf("got %+v in the trail, want the user", by)
		}
	})
}

func TestWhoInvitedIsToldThatItWasAccepted(t *testing.T) {
	h := open(t)
	h.accept(h.invite("paula", "dana@acme.example"), "dana")
	mails := h.mails("acme")
	if len(mails) != 1 || mails[0].Type != pap.MailActivated || mails[0].Recipient != "paula@acme.example" {
		t.Fatalf("got %+v, want one to Paula (R51)", mails)
	}
	var m pap.Mail
	if err := json.Unmarshal(mails[0].Payload, &m); err != nil || m.Member != "Dana Roy" || m.Name != "Paula Price" {
		t.Errorf("got %+v, %v", m, err)
	}
}

func TestAcceptingRefuses(t *testing.T) {
	h := open(t)
	h.settle("acme", `{"profile":{"accept":["phone"]}}`)
	link := token(t, h.invite("paula", "dana@acme.example"))
	full := pap.Acceptance{Username: "dana", Password: "correct horse", Profile: pap.Profile{Phone: "+371 1"}}
	for _, tt := range []struct {
		name   string
		change func(*pap.Acceptance)
		reason string
	}{
		{"without a username", func(a *pap.Acceptance) { a.Username = "" }, "validation"},
		{"with one that cannot be", func(a *pap.Acceptance) { a.Username = "da na" }, "validation"},
		{"with one that is taken", func(a *pap.Acceptance) { a.Username = "PAULA" }, "username-taken"},
		{"without a password", func(a *pap.Acceptance) { a.Password = "" }, "validation"},
		{"with a short password", func(a *pap.Acceptance) { a.Password = "1234567" }, "validation"},
		{"without a required phone", func(a *pap.Acceptance) { a.Phone = "" }, "validation"},
		{"with a country that is none", func(a *pap.Acceptance) { a.Country = "latvia" }, "validation"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := full
			tt.change(&in)
			_, _, err := h.AcceptInvitation(t.Context(), stranger(), link, in)
			refused(t, err, tt.reason)
		})
	}
	if _, _, err := h.AcceptInvitation(t.Context(), stranger(), link, full); err != nil {
		t.Error(err)
	}
}

// Where credentials are kept elsewhere, a portal makes the account, or its user
// has one.
func TestAcceptingWithoutCredentials(t *testing.T) {
	h := open(t)
	options := h.Options
	options.Passwords = nil
	h.PAP = pap.New(options)
	link := token(t, h.invite("paula", "dana@acme.example"))
	_, _, err := h.AcceptInvitation(t.Context(), stranger(), link, pap.Acceptance{Username: "dana"})
	refused(t, err, "sign-in-required")
	_, _, err = h.AcceptInvitation(t.Context(), with(pap.ScopeSync), link, pap.Acceptance{Username: "dana"})
	refused(t, err, "sign-in-required")
	_, _, err = h.AcceptInvitation(t.Context(), with(pap.ScopeAct), link, newcomer("dana"))
	refused(t, err, "validation")
	accepted, _, err := h.AcceptInvitation(t.Context(), with(pap.ScopeAct), link, pap.Acceptance{Username: "dana"})
	if err != nil || accepted.Member.Username != "dana" {
		t.Errorf("got %+v, %v", accepted, err)
	}
	_, err = h.VerifyPassword(t.Context(), with(pap.ScopeIdentity), "dana", "correct horse")
	refused(t, err, "not-found")
}

func TestARemovedMemberIsInvitedAgainOnlyWhereSettingsSaySo(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		h.verify("regina")
		h.put(`{"type":"membership","organization":"acme","user":"regina","role":"regular","state":"removed","assigned_by":"user"}`)
		_, _, err := h.Invite(t.Context(), h.as("paula"), "acme", invitee("regina@acme.example"))
		refused(t, err, "member-removed")
		h.settle("acme", `{"removal":{"readd":"customer_reinvite"}}`)
		made := h.invite("paula", "regina@acme.example")
		accepted, _, err := h.AcceptInvitation(t.Context(), h.as("regina"), token(t, made), pap.Acceptance{})
		if err != nil {
			t.Fatal(err)
		}
		if accepted.User != h.user("regina") || accepted.Member.ID != made.Member.ID {
			t.Errorf("got %+v, want a membership anew", accepted)
		}
		h.look(func(r pap.Reader) error {
			m, err := r.MemberOf("acme", accepted.User)
			if m.ID != made.Member.ID || m.State != directory.StateActive {
				t.Errorf("got %s %s, want the new membership", m.ID, m.State)
			}
			return err
		})
	})
}

// Nothing that is kept or told holds a link or a password (C17): no audit event,
// no mail that waits, no answer.
func TestV37NoLinkIsKept(t *testing.T) {
	h := open(t)
	in := invitee("dana@acme.example")
	in.Deliver = pap.DeliverEmail
	made, _, err := h.Invite(t.Context(), h.as("paula"), "acme", in)
	if err != nil {
		t.Fatal(err)
	}
	link := links(t).Make(pap.ForInvitation, made.Invitation.ID, 1)
	if _, _, err := h.AcceptInvitation(t.Context(), stranger(), link, newcomer("dana")); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal([]any{h.trail("acme"), h.trail(""), h.mails("acme"), made})
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"pst_", "correct horse"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("got %q in what is kept", secret)
		}
	}
}
