package pap_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/pap"
	"github.com/postern-authz/postern/internal/password"
)

func TestWhoMayVerifyAPassword(t *testing.T) {
	h := open(t)
	h.password("regina", "regina's own")
	bound := with(pap.ScopeIdentity)
	bound.Principal.Organizations = []string{"globex"}
	here := with(pap.ScopeIdentity)
	here.Principal.Organizations = []string{"acme"}
	for _, tt := range []struct {
		name           string
		call           pap.Call
		username, word string
		want           string // the reason of the refusal, or empty
	}{
		{"the identity source", with(pap.ScopeIdentity), "regina", "regina's own", ""},
		{"the identity source, in any case", with(pap.ScopeIdentity), "ReGina", "regina's own", ""},
		{"that of the organization", here, "regina", "regina's own", ""},
		{"that of another organization", bound, "regina", "regina's own", "credentials-invalid"},
		{"with a wrong password", with(pap.ScopeIdentity), "regina", "regina's", "credentials-invalid"},
		{"with none", with(pap.ScopeIdentity), "regina", "", "credentials-invalid"},
		{"for nobody", with(pap.ScopeIdentity), "nobody", "regina's own", "credentials-invalid"},
		{"for somebody without a password", with(pap.ScopeIdentity), "rosa", "regina's own", "credentials-invalid"},
		{"a token for something else", with(pap.ScopeSync), "regina", "regina's own", "not-permitted"},
		{"a user", h.as("paula"), "regina", "regina's own", "not-permitted"},
		{"a stranger", stranger(), "regina", "regina's own", "not-permitted"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, err := h.VerifyPassword(t.Context(), tt.call, tt.username, tt.word)
			if tt.want != "" {
				refused(t, err, tt.want)
				return
			}
			if err != nil || v.User != h.user("regina") || !slices.Equal(v.Organizations, []string{"acme"}) {
				t.Errorf("got %+v, %v", v, err)
			}
		})
	}
}

func TestWhoIsNotActiveDoesNotSignIn(t *testing.T) {
	h := open(t)
	h.password("regina", "regina's own")
	for _, state := range []string{"suspended", "removed"} {
		h.put(fmt.Sprintf(`{"type":"membership","organization":"acme","user":"regina","role":"regular","state":%q,"assigned_by":"user"}`, state))
		if h.knows("regina", "regina's own") {
			t.Errorf("got in while %s", state)
		}
	}
	h.settle("acme", `{"removal":{"readd":"customer_reinvite"}}`)
	v, err := h.VerifyPassword(t.Context(), with(pap.ScopeIdentity), "regina", "regina's own")
	if err != nil || v.User == "" || v.Organizations == nil || len(v.Organizations) != 0 {
		t.Errorf("got %+v, %v, want that somebody who may be invited again can sign in to accept", v, err)
	}
}

func TestAHashOfOldIsMadeAnew(t *testing.T) {
	h := open(t)
	h.write(func(tx pap.Tx) error {
		return tx.PutCredential(pap.Credential{User: h.user("regina"), Hash: "old hash of regina's own", SetAt: start, SetBy: pap.SetByAdministrator})
	})
	if !h.knows("regina", "regina's own") {
		t.Fatal("got refused")
	}
	h.look(func(r pap.Reader) error {
		c, err := r.Credential(h.user("regina"))
		if c.Hash != "hash of regina's own" || c.SetBy != pap.SetByAdministrator {
			t.Errorf("got %+v, want a new hash and nothing else", c)
		}
		return err
	})
}

func TestChangingOnesPassword(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		h.password("regina", "regina's own")
		change := func(call pap.Call, old, replacement string) error {
			_, err := h.ChangePassword(t.Context(), call, old, replacement)
			return err
		}
		refused(t, change(h.as("regina"), "wrong one", "regina's new one"), "credentials-invalid")
		refused(t, change(h.as("regina"), "regina's own", "short"), "validation")
		refused(t, change(with(pap.ScopeAct), "regina's own", "regina's new one"), "not-permitted")
		refused(t, change(h.as("rosa"), "regina's own", "regina's new one"), "credentials-invalid")
		if err := change(h.as("regina"), "regina's own", "regina's new one"); err != nil {
			t.Fatal(err)
		}
		if !h.knows("regina", "regina's new one") || h.knows("regina", "regina's own") {
			t.Error("got the old password still")
		}
		for range 10 {
			refused(t, change(h.as("regina"), "wrong one", "regina's third one"), "credentials-invalid")
		}
		refused(t, change(h.as("regina"), "regina's new one", "regina's third one"), "credentials-invalid")
		if !slices.Contains(h.events(""), "password.locked") || !slices.Contains(h.events(""), "password.changed") {
			t.Errorf("got events %v", h.events(""))
		}
	})
}

func TestAResetIsTheSameForEverybody(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		for _, tt := range []struct {
			name, organization, login string
			mails                     int
		}{
			{"by username", "", "regina", 1},
			{"by address", "", "Regina@acme.example", 1},
			{"in its organization", "acme", "regina", 1},
			{"in another organization", "globex", "regina", 0},
			{"in one there is not", "nowhere", "regina", 0},
			{"of nobody", "", "nobody", 0},
			{"of nobody's address", "", "nobody@acme.example", 0},
			{"of nothing", "", "", 0},
		} {
			before, events := len(h.mails("acme")), len(h.events(""))
			if err := h.RequestPasswordReset(t.Context(), stranger(), tt.organization, tt.login); err != nil {
				t.Errorf("%s: got %v, want the one answer", tt.name, err)
			}
			if got := len(h.mails("acme")) - before; got != tt.mails {
				t.Errorf("%s: got %d mails, want %d", tt.name, got, tt.mails)
			}
			if got := len(h.events("")) - events; got != 1 {
				t.Errorf("%s: got %d events, want 1", tt.name, got)
			}
		}
		if err := h.RequestPasswordReset(t.Context(), stranger(), "", "regina"); err != nil || len(h.mails("acme")) != 3 {
			t.Errorf("got %v and %d mails, want three within the hour", err, len(h.mails("acme")))
		}
	})
}

func TestAResetLinkIsForAnHourAndForOnce(t *testing.T) {
	h := open(t)
	confirm := func(generation int, password string) error {
		_, err := h.ConfirmPasswordReset(t.Context(), stranger(), h.linkOf(pap.ForPasswordReset, "regina", generation), password)
		return err
	}
	ask := func() {
		if err := h.RequestPasswordReset(t.Context(), stranger(), "", "regina"); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, confirm(1, "regina's own"), "link-invalid")
	ask()
	h.wait(time.Hour)
	refused(t, confirm(1, "regina's own"), "link-invalid")
	ask()
	ask()
	refused(t, confirm(2, "regina's own"), "link-invalid")
	refused(t, confirm(3, "short"), "validation")
	if err := confirm(3, "regina's own"); err != nil {
		t.Fatal(err)
	}
	refused(t, confirm(3, "regina's own"), "link-invalid")
	if !h.knows("regina", "regina's own") {
		t.Error("got refused")
	}
	h.wait(2 * time.Hour)
	ask()
	h.put(`{"type":"membership","organization":"acme","user":"regina","role":"regular","state":"suspended","assigned_by":"user"}`)
	refused(t, confirm(4, "regina's new one"), "link-invalid")
}

func TestResettingThePasswordOfAMember(t *testing.T) {
	h := open(t)
	reset := func(as, name string) error {
		_, err := h.ResetMemberPassword(t.Context(), h.as(as), "acme", h.member("acme", name))
		return err
	}
	refused(t, reset("adam", "paula"), "operator-only") // V20
	refused(t, reset("regina", "rosa"), "not-permitted")
	refused(t, reset("paula", "paula"), "self-change")
	if err := reset("adam", "regina"); err != nil {
		t.Fatal(err)
	}
	mails := h.mails("acme")
	if len(mails) != 1 || mails[0].Recipient != "regina@acme.example" || mails[0].Type != pap.MailPasswordReset || strings.Contains(string(mails[0].Payload), "pst_") {
		t.Errorf("got %+v, want a mail to the member without a link in it (R87)", mails)
	}
	made := h.invite("paula", "dana@acme.example")
	_, err := h.ResetMemberPassword(t.Context(), h.as("paula"), "acme", made.Member.ID)
	refused(t, err, "not-active")
}

// The other tests hash quickly.
func TestAPasswordIsHashedForReal(t *testing.T) {
	h := open(t)
	options := h.Options
	options.Passwords = password.New()
	h.PAP = pap.New(options)
	h.accept(h.invite("paula", "dana@acme.example"), "dana")
	if !h.knows("dana", "correct horse") || h.knows("dana", "correct hors") || h.knows("nobody", "correct horse") {
		t.Error("got a wrong answer")
	}
	_, _, err := h.AcceptInvitation(t.Context(), stranger(), token(t, h.invite("paula", "eve@acme.example")), pap.Acceptance{Username: "eve", Password: "short"})
	refused(t, err, "validation")
	h.look(func(r pap.Reader) error {
		c, err := r.Credential(h.user("dana"))
		if !strings.HasPrefix(c.Hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
			t.Errorf("got %.10s…", c.Hash)
		}
		return err
	})
}
