package pap_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/pap"
)

// about is all that the directory says of a member: who it is, what it has, and
// what it is decided to do.
func (h *house) about(name string) string {
	h.t.Helper()
	text, err := json.Marshal([]any{
		h.get(h.as("paula"), "acme", name), h.decide(h.user(name), "service.view", "account", "a-1001", 0),
		h.decide(h.user(name), "service.view", "account", "a-2001", 0), h.decide(h.user(name), "service.view", "account", "g-3001", 0),
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return string(text)
}

// Keys that a portal or a user chooses may look like ids that Postern made. They
// are looked up as what they are, and lead to nobody else.
func TestV32AUsernameThatLooksLikeAnIDLeadsNowhere(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		victim, member := h.user("rosa"), h.member("acme", "rosa")
		before := h.about("rosa")
		for i, name := range []string{victim, member, "1", "rosa@acme.example", "usr_1", "0"} {
			in := nina()
			in.Username, in.Email = name, "twin"+string(rune('a'+i))+"@acme.example"
			in.Grants = accounts("a-2001")
			m, done, err := h.CreateMember(t.Context(), h.as("paula"), "acme", in)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if m.User == victim || m.ID == member || m.User == name || m.ID == name {
				t.Errorf("%s: got %+v, want somebody else", name, m)
			}
			if h.decide(victim, "service.view", "account", "a-2001", done.Revision) {
				t.Errorf("%s: the grants of one are those of another", name)
			}
			if v, err := h.VerifyPassword(t.Context(), with(pap.ScopeIdentity), name, in.Password); err != nil || v.User != m.User {
				t.Errorf("%s: got %+v, %v, want who chose the name", name, v, err)
			}
		}
		if after := h.about("rosa"); after != before {
			t.Errorf("rosa was %s and is %s", before, after)
		}
	})
}

func TestV32AnIDIsOfOneKindAlone(t *testing.T) {
	h := open(t)
	ctx, paula, member := t.Context(), h.as("paula"), h.member("acme", "rosa")
	for _, id := range []string{h.user("rosa"), "1", "rosa", "rosa@acme.example", member[4:], "usr_" + member[4:], member + " ", "0", "-1"} {
		for what, err := range map[string]error{
			"read":   firstOf(h.Member(ctx, paula, "acme", id)),
			"assign": second(h.AssignRole(ctx, paula, "acme", id, "regular")),
			"grant":  second(h.PatchGrants(ctx, paula, "acme", id, pap.GrantPatch{Add: accounts("a-2001")})),
			"report": second(h.ReportMFA(ctx, with(pap.ScopeIdentity), "acme", id, true)),
		} {
			if !errors.Is(err, authz.ErrNotFound) {
				t.Errorf("%s %s: got %v, want nobody", what, id, err)
			}
		}
	}
}

func firstOf[T any](_ T, err error) error { return err }

func TestV32AKeyOfThePortalThatLooksLikeAnIDLeadsNowhere(t *testing.T) {
	h := open(t)
	victim, member := h.user("rosa"), h.member("acme", "rosa")
	before := h.about("rosa")
	for _, id := range []string{victim, member, "1", "rosa", "a-1001"} {
		if _, _, err := h.CreateOrganization(t.Context(), h.operator(), pap.NewOrganization{ID: id, Kind: "customer", Name: id}); err != nil {
			t.Errorf("organization %s: %v", id, err)
		}
		if _, _, err := h.CreateAccountGroup(t.Context(), h.as("gustav"), "globex", pap.AccountGroup{ID: id, Kind: "service_group", Name: id, Accounts: []string{"g-3001"}}); err != nil {
			t.Errorf("account group %s: %v", id, err)
		}
		h.put(`{"type":"tool","id":"` + id + `","name":"Tool"}`)
		if id == "a-1001" {
			continue // is an account already, of acme
		}
		h.put(`{"type":"company","id":"` + id + `","organization":"globex","name":"Company"}
{"type":"account","id":"` + id + `","company":"` + id + `","kind":"service","name":"Account"}`)
		if h.decide(victim, "service.view", "account", id, 0) || h.decide(victim, "service.view", "company", id, 0) || h.decide(victim, "tool.open", "tool", id, 0) {
			t.Errorf("%s: rosa was let in by a key that looks like hers", id)
		}
	}
	if after := h.about("rosa"); after != before {
		t.Errorf("rosa was %s and is %s", before, after)
	}
}

// A username is chosen, an address is proved: whoever takes another's address
// for a username does not get between that one and its mail.
func TestV32AUsernameThatIsSomebodysAddressStandsInNobodysWay(t *testing.T) {
	h := open(t)
	h.password("rosa", "rosa's own")
	in := nina()
	in.Username = "rosa@acme.example"
	if _, _, err := h.CreateMember(t.Context(), h.as("paula"), "acme", in); err != nil {
		t.Fatal(err)
	}
	if err := h.RequestPasswordReset(t.Context(), stranger(), "", "rosa@acme.example"); err != nil {
		t.Fatal(err)
	}
	mails := h.mails("acme")
	if len(mails) != 1 || mails[0].Type != pap.MailPasswordReset || mails[0].Recipient != "rosa@acme.example" {
		t.Errorf("got %+v, want one mail to rosa", mails)
	}
}
