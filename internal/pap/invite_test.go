package pap_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"testing"
	"time"

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

// accept lets somebody new follow the link of an invitation.
func (h *house) accept(made pap.Invited, username string) (pap.Accepted, pap.Change) {
	h.t.Helper()
	accepted, change, err := h.AcceptInvitation(h.t.Context(), stranger(), token(h.t, made), newcomer(username))
	if err != nil {
		h.t.Fatal(err)
	}
	return accepted, change
}

// invitation reads an invitation as Paula sees it.
func (h *house) invitation(id string) pap.Invitation {
	h.t.Helper()
	inv, err := h.Invitation(h.t.Context(), h.as("paula"), "acme", id)
	if err != nil {
		h.t.Fatal(err)
	}
	return inv
}

// verify says that the address of a user was confirmed.
func (h *house) verify(name string) {
	h.t.Helper()
	h.write(func(tx pap.Tx) error {
		p, err := tx.Person(h.user(name))
		if err != nil {
			return err
		}
		p.EmailVerifiedAt = &start
		return tx.PutPerson(p)
	})
}

func (h *house) write(fn func(pap.Tx) error) {
	h.t.Helper()
	if _, err := h.Store.Change(h.t.Context(), fn); err != nil {
		h.t.Fatal(err)
	}
}

func TestInvitingRefuses(t *testing.T) {
	h := open(t)
	h.settle("globex", `{"profile":{"invite":["given_name","phone"]},"acknowledgement":{"required":true}}`)
	soon := start.Add(time.Hour)
	for _, tt := range []struct {
		name, as, organization string
		change                 func(*pap.NewInvitation)
		reason, pointer        string
	}{
		{"without an address", "paula", "acme", func(n *pap.NewInvitation) { n.Email = "" }, "validation", "/email"},
		{"without a role", "paula", "acme", func(n *pap.NewInvitation) { n.Role = "" }, "validation", "/role"},
		{"to a role there is not", "paula", "acme", func(n *pap.NewInvitation) { n.Role = "boss" }, "validation", "/role"},
		{"of a kind there is not", "paula", "acme", func(n *pap.NewInvitation) { n.Kind = "robot" }, "validation", "/kind"},
		{"of an affiliation there is not", "paula", "acme", func(n *pap.NewInvitation) { n.Affiliation = "friend" }, "validation", "/affiliation"},
		{"a shared mailbox to be administrator (R37)", "paula", "acme", func(n *pap.NewInvitation) { n.Kind, n.Role = "group", "administrator" }, "shared-identity", ""},
		{"a Primary Contact by a Primary Contact (R3)", "paula", "acme", func(n *pap.NewInvitation) { n.Role = "primary_contact" }, "operator-only", ""},
		{"V17: an administrator by an administrator", "adam", "acme", func(n *pap.NewInvitation) { n.Role = "administrator" }, "scope-exceeded", ""},
		{"V19: to an account outside the inviter's", "adam", "acme", func(n *pap.NewInvitation) { n.Grants.Accounts[0].ID = "a-2001" }, "scope-exceeded", ""},
		{"V19: to all accounts of a company by who has one", "adam", "acme", func(n *pap.NewInvitation) {
			n.Grants = pap.Grants{Companies: []pap.CompanyGrant{{ID: "acme-south", AllAccounts: true}}}
		}, "scope-exceeded", ""},
		{"with CPNI by who has none (R23)", "paula", "acme", func(n *pap.NewInvitation) { n.CPNI = true }, "cpni-not-held", ""},
		{"with a restricted tool (R29)", "paula", "acme", func(n *pap.NewInvitation) { n.Grants.Tools = []pap.ToolGrant{{ID: "dynamic_network_manager"}} }, "tool-restricted", ""},
		{"to an account of another organization", "paula", "acme", func(n *pap.NewInvitation) { n.Grants.Accounts[0].ID = "g-3001" }, "validation", "/grants/accounts/0"},
		{"to one account twice", "paula", "acme", func(n *pap.NewInvitation) { n.Grants.Accounts = append(n.Grants.Accounts, n.Grants.Accounts[0]) }, "validation", "/grants/accounts/1"},
		{"with a grant that has ended", "paula", "acme", func(n *pap.NewInvitation) { n.Grants.Accounts[0].ExpiresAt = &start }, "validation", "/grants/accounts/0/expires_at"},
		{"sales in an organization that is no partner (R16)", "paula", "acme", func(n *pap.NewInvitation) { n.Role = "sales" }, "role-not-assignable", ""},
		{"by who manages nobody", "regina", "acme", func(*pap.NewInvitation) {}, "not-permitted", ""},
		{"into another organization", "paula", "globex", func(*pap.NewInvitation) {}, "not-found", ""},
		{"a member", "paula", "acme", func(n *pap.NewInvitation) { n.Email = "Regina@ACME.example" }, "already-member", ""},
		{"for less than an hour", "paula", "acme", func(n *pap.NewInvitation) { n.TTL = "59m" }, "validation", "/ttl"},
		{"for more than thirty days", "paula", "acme", func(n *pap.NewInvitation) { n.TTL = "721h" }, "validation", "/ttl"},
		{"by pigeon", "paula", "acme", func(n *pap.NewInvitation) { n.Deliver = "pigeon" }, "validation", "/deliver"},
		{"with preferences that are no object", "paula", "acme", func(n *pap.NewInvitation) { n.Preferences = []byte(`[1]`) }, "validation", "/preferences"},
		{"with a name that breaks a line", "paula", "acme", func(n *pap.NewInvitation) { n.GivenName = "Dana\r\nBcc: x@y.example" }, "validation", "/given_name"},
		{"without a required phone (R22)", "gustav", "globex", func(n *pap.NewInvitation) {
			n.Grants, n.Acknowledgement = pap.Grants{}, "v3"
		}, "validation", "/phone"},
		{"without a required acknowledgement (R43)", "gustav", "globex", func(n *pap.NewInvitation) {
			n.Grants, n.Phone = pap.Grants{}, "+371 1"
		}, "validation", "/acknowledgement"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := invitee("dana@acme.example")
			in.Grants.Accounts = slices.Clone(in.Grants.Accounts)
			tt.change(&in)
			_, _, err := h.Invite(t.Context(), h.as(tt.as), tt.organization, in)
			var r *pap.Refusal
			if !errors.As(err, &r) || tt.reason != "" && r.Reason != tt.reason {
				t.Fatalf("got %v, want a refusal for the reason %s", err, tt.reason)
			}
			if tt.pointer != "" && (len(r.Fields) == 0 || r.Fields[0].Pointer != tt.pointer) {
				t.Errorf("got %+v, want %s", r.Fields, tt.pointer)
			}
		})
	}
	if n := len(h.mails("acme")) + len(h.events("acme")); n != 0 {
		t.Errorf("got %d mails and events of refusals, want none", n)
	}
	in := invitee("dana@acme.example")
	in.Grants.Accounts[0].ExpiresAt = &soon
	if _, _, err := h.Invite(t.Context(), h.as("adam"), "acme", in); err != nil {
		t.Errorf("got %v, want that an administrator invites to what it has", err)
	}
}

func TestAMailHoldsNoLinkAndEveryOtherFact(t *testing.T) {
	h := open(t)
	h.settle("acme", `{"roles":{"regular":{"name":"Editor"}},"invitation":{"from":"ACME portal"}}`)
	in := invitee("dana@acme.example")
	in.Deliver, in.Acknowledgement = "", "CPNI notice v3"
	made, _, err := h.Invite(t.Context(), h.as("paula"), "acme", in)
	if err != nil {
		t.Fatal(err)
	}
	if made.Link != "" || made.Invitation.Delivery.State != "queued" || made.Invitation.SendCount != 1 {
		t.Errorf("got %+v, want a mail and no link", made)
	}
	mails := h.mails("acme")
	if len(mails) != 1 || mails[0].Type != pap.MailInvitation || mails[0].Recipient != "dana@acme.example" {
		t.Fatalf("got %+v", mails)
	}
	var m pap.Mail
	if err := json.Unmarshal(mails[0].Payload, &m); err != nil {
		t.Fatal(err)
	}
	ends := start.Add(168 * time.Hour)
	if !m.ExpiresAt.Equal(ends) {
		t.Errorf("got %v, want seven days (R47)", m.ExpiresAt)
	}
	m.ExpiresAt = nil
	want := pap.Mail{About: made.Invitation.ID, Generation: 1, Name: "Dana Roy", Organization: "ACME", Inviter: "Paula Price", Role: "Editor", From: "ACME portal", PortalURL: "https://portal.example"}
	if m != want {
		t.Errorf("got %+v, want %+v", m, want)
	}
	// The trail keeps what the inviter agreed to (R43).
	if last := h.trail("acme")[0]; last.Acknowledgement != "CPNI notice v3" || last.Decision == "" || last.Type != "invitation.created" {
		t.Errorf("got %+v", last)
	}
}

func TestABatchKeepsWhatIsRight(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		call := h.as("paula")
		call.Route, call.Idempotency = "POST /batch", &pap.Idempotency{Key: "k"}
		bad := invitee("mara@acme.example")
		bad.Role = "primary_contact"
		in := []pap.NewInvitation{invitee("dana@acme.example"), bad, invitee("regina@acme.example"), invitee("dana@acme.example")}
		results, change, err := h.InviteBatch(t.Context(), call, "acme", in)
		if err != nil || change.Revision == 0 {
			t.Fatal(err, change)
		}
		var got []string
		for _, r := range results {
			got = append(got, r.Outcome+r.Reason)
		}
		if want := []string{"created", "refusedoperator-only", "refusedalready-member", "created"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		again, replayed, err := h.InviteBatch(t.Context(), call, "acme", in)
		if err != nil || !replayed.Replayed || !reflect.DeepEqual(again, results) {
			t.Errorf("got %v, %+v\n%+v\nwant the same again\n%+v", err, replayed, again, results)
		}
		if n := len(h.events("acme")); n != 2 {
			t.Errorf("got %d events, want 2", n)
		}
		if _, _, err := h.InviteBatch(t.Context(), h.as("paula"), "acme", make([]pap.NewInvitation, 101)); err == nil {
			t.Error("got no error for a batch of 101")
		}
	})
}

// The flags are those of the guide: Signup Completed of the link that was used,
// User Created of whether there is such a member (R53-R55).
func TestSignupCompletedAndUserCreated(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		flags := func(made pap.Invited) [2]bool {
			inv := h.invitation(made.Invitation.ID)
			return [2]bool{inv.SignupCompleted, inv.UserCreated}
		}
		one, two, three := h.invite("paula", "dana@acme.example"), h.invite("paula", "dana@acme.example"), h.invite("paula", "dana@acme.example")
		if flags(one) != [2]bool{} || flags(two) != [2]bool{} {
			t.Errorf("got %v and %v before anything happened", flags(one), flags(two))
		}
		h.accept(two, "dana")
		for i, tt := range []struct {
			made pap.Invited
			want [2]bool
		}{{one, [2]bool{false, true}}, {two, [2]bool{true, true}}, {three, [2]bool{false, true}}} {
			if got := flags(tt.made); got != tt.want {
				t.Errorf("got %v of invitation %d, want %v", got, i+1, tt.want)
			}
		}
		if state := h.invitation(one.Invitation.ID).State; state != pap.InvitationSuperseded {
			t.Errorf("got state %s, want superseded", state)
		}
		_, _, err := h.AcceptInvitation(t.Context(), stranger(), token(t, three), newcomer("dana2"))
		refused(t, err, "link-invalid")
	})
}

func TestLimitsOfInvitations(t *testing.T) {
	for _, tt := range []struct {
		name   string
		limits pap.Limits
		email  func(i int) string
		want   int // that are made of ten
	}{
		{"by one actor", pap.Limits{InvitationsPerActor: 3}, address, 3},
		{"of one organization", pap.Limits{InvitationsPerOrganization: 4}, address, 4},
		{"open at once", pap.Limits{OpenInvitations: 2}, address, 2},
		{"to one address", pap.Limits{}, func(int) string { return "dana@acme.example" }, 5},
		{"to one address without a limit", pap.Limits{MailsPerRecipient: -1}, func(int) string { return "dana@acme.example" }, 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := open(t)
			options := h.Options
			options.Limits = tt.limits
			h.PAP = pap.New(options)
			batch := make([]pap.NewInvitation, 10)
			for i := range batch {
				batch[i] = invitee(tt.email(i))
				batch[i].Deliver = pap.DeliverEmail
			}
			results, _, err := h.InviteBatch(t.Context(), h.as("paula"), "acme", batch)
			if err != nil {
				t.Fatal(err)
			}
			made := 0
			for _, r := range results {
				switch {
				case r.Outcome == pap.OutcomeCreated:
					made++
				case r.Reason != "rate-limited" || r.RetryAfter <= 0:
					t.Errorf("got %+v, want rate-limited and when to come back", r)
				}
			}
			if made != tt.want {
				t.Errorf("got %d made, want %d", made, tt.want)
			}
			if _, _, err := h.Invite(t.Context(), h.as("paula"), "acme", batch[9]); tt.want < 10 {
				refused(t, err, "rate-limited")
			}
		})
	}
}

func address(i int) string { return fmt.Sprintf("p%d@acme.example", i) }

func TestResendingAnInvitation(t *testing.T) {
	h := open(t)
	in := invitee("dana@acme.example")
	in.Deliver, in.TTL = pap.DeliverEmail, "2h"
	made, _, err := h.Invite(t.Context(), h.as("paula"), "acme", in)
	if err != nil {
		t.Fatal(err)
	}
	id := made.Invitation.ID
	_, _, err = h.ResendInvitation(t.Context(), h.as("paula"), "acme", id)
	refused(t, err, "rate-limited")
	h.wait(time.Minute)
	again, _, err := h.ResendInvitation(t.Context(), h.as("paula"), "acme", id)
	if err != nil {
		t.Fatal(err)
	}
	if i := again.Invitation; i.SendCount != 2 || !i.ExpiresAt.Equal(start.Add(2*time.Hour+time.Minute)) || i.ID != id {
		t.Errorf("got %+v", i)
	}
	_, _, err = h.ResendInvitation(t.Context(), h.as("regina"), "acme", id)
	refused(t, err, "not-permitted")
	_, _, err = h.ResendInvitation(t.Context(), h.as("gustav"), "acme", id)
	refused(t, err, "not-found")
	_, _, err = h.ResendInvitation(t.Context(), h.as("gustav"), "globex", id)
	refused(t, err, "not-found")
	if _, _, err := h.RevokeInvitation(t.Context(), h.as("paula"), "acme", id); err != nil {
		t.Fatal(err)
	}
	h.wait(time.Hour)
	_, _, err = h.ResendInvitation(t.Context(), h.as("paula"), "acme", id)
	refused(t, err, "invitation-not-pending")
}

func TestChangingWhatIsOffered(t *testing.T) {
	h := open(t)
	made := h.invite("paula", "dana@acme.example")
	id := made.Invitation.ID
	patch := func(as string, in pap.InvitationPatch) error {
		_, _, err := h.UpdateInvitation(t.Context(), h.as(as), "acme", id, in)
		return err
	}
	administrator, readOnly := "administrator", "read_only"
	wide := pap.Grants{Companies: []pap.CompanyGrant{{ID: "acme-south", AllAccounts: true}}}
	refused(t, patch("adam", pap.InvitationPatch{Role: &administrator}), "scope-exceeded")
	refused(t, patch("adam", pap.InvitationPatch{Grants: &wide}), "scope-exceeded")
	if err := patch("adam", pap.InvitationPatch{Role: &readOnly}); err != nil {
		t.Error(err)
	}
	if err := patch("paula", pap.InvitationPatch{Grants: &wide}); err != nil {
		t.Error(err)
	}
	refused(t, patch("adam", pap.InvitationPatch{Role: &readOnly}), "scope-exceeded")
	accepted, change := h.accept(made, "dana")
	if accepted.Member.Role != "read_only" || !h.decide(accepted.User, "service.view", "account", "a-1002", change.Revision) {
		t.Errorf("got %+v, want what was offered last", accepted.Member)
	}
	refused(t, patch("paula", pap.InvitationPatch{Role: &readOnly}), "invitation-not-pending")
}

func TestWhoSeesWhichInvitations(t *testing.T) {
	h := open(t)
	south := h.invite("paula", "dana@acme.example")
	in := invitee("eve@acme.example")
	in.Grants.Accounts[0].ID = "a-2001"
	east, _, err := h.Invite(t.Context(), h.as("paula"), "acme", in)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.RevokeInvitation(t.Context(), h.as("paula"), "acme", south.Invitation.ID); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		as   string
		want []string
	}{
		{"paula", []string{east.Invitation.ID, south.Invitation.ID}}, {"adam", []string{south.Invitation.ID}}, {"tim", []string{east.Invitation.ID}},
	} {
		var got []string
		q := pap.InvitationQuery{Organization: "acme", Page: pap.Page{Size: 1}}
		for {
			list, next, err := h.Invitations(t.Context(), h.as(tt.as), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range list {
				got = append(got, i.ID)
			}
			if next == nil {
				break
			}
			q.After = next
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("got %v as %s, want %v", got, tt.as, tt.want)
		}
	}
	_, err = h.Invitation(t.Context(), h.as("adam"), "acme", east.Invitation.ID)
	refused(t, err, "not-found")
	_, _, err = h.Invitations(t.Context(), h.as("regina"), pap.InvitationQuery{Organization: "acme"})
	refused(t, err, "not-permitted")
}
