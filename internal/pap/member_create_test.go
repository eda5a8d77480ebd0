package pap_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/pap"
)

func nina() pap.NewMember {
	return pap.NewMember{
		Username: "nina", Password: "correct horse battery", Email: "nina@acme.example", Role: "regular",
		Profile: pap.Profile{GivenName: "Nina", FamilyName: "Nord", Phone: "+371 2000", Country: "LV"},
		Grants:  accounts("a-1001"), Preferences: []byte(`{"language":"lv"}`),
	}
}

func TestAMemberIsCreatedWithAPasswordAndNoMail(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		in := nina()
		// One request says all of it (R21).
		in.Grants.Tools = tool("wan_analysis", "a-1001").Tools
		in.Acknowledgement = "notice 3"
		h.wait(time.Second)
		m, done, err := h.CreateMember(t.Context(), h.as("paula"), "acme", in)
		if err != nil || m.State != "active" || !m.CanSignIn || m.CPNI || len(m.Grants.Accounts) != 1 || len(m.Grants.Companies) != 1 || len(m.Grants.Tools) != 1 {
			t.Fatalf("got %+v, %v, want her active at once (R21, R23, R32, R40)", m, err)
		}
		if mails := h.mails("acme"); len(mails) != 0 {
			t.Errorf("got mails %+v, want none (R40)", mails)
		}
		if !h.decide(m.User, "service.view", "account", "a-1001", done.Revision) {
			t.Errorf("her account is not hers")
		}
		trail := h.trail("acme")
		if got := h.events("acme"); !slices.Equal(got, []string{"member.created", "password.set_by_admin"}) || trail[0].Acknowledgement != "notice 3" || trail[0].Actor.ID != h.user("paula") {
			t.Errorf("trail: got %+v (R41, R43)", trail)
		}
		v, err := h.VerifyPassword(t.Context(), with(pap.ScopeIdentity), "nina", in.Password)
		if err != nil || v.User != m.User {
			t.Errorf("her password: got %+v, %v", v, err)
		}
		page, _, err := h.Members(t.Context(), h.as("paula"), pap.MemberQuery{Organization: "acme", Page: pap.Page{Size: 1}})
		if err != nil || page[0].ID != m.ID {
			t.Errorf("list: got %+v, %v, want her first (R34)", page, err)
		}
	})
}

func TestWhoIsNotCreated(t *testing.T) {
	h := open(t)
	if _, _, err := h.RemoveMember(t.Context(), h.as("paula"), "acme", h.member("acme", "sam")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, by string
		change   func(*pap.NewMember)
		reason   string
	}{
		{"without a name (R22)", "paula", func(n *pap.NewMember) { n.FamilyName = "" }, "validation"},
		{"with a username that is somebody's", "paula", func(n *pap.NewMember) { n.Username = "ROSA" }, "username-taken"},
		{"with the address of a member", "paula", func(n *pap.NewMember) { n.Email = "rosa@acme.example" }, "already-member"},
		{"with the address of a removed member (R81)", "paula", func(n *pap.NewMember) { n.Email = "sam@acme.example" }, "member-removed"},
		{"with an address of somebody elsewhere (R56)", "paula", func(n *pap.NewMember) { n.Email = "gustav@globex.example" }, "address-unavailable"},
		{"with an address that is none (V25)", "paula", func(n *pap.NewMember) { n.Email = "a@x.example,b@y.example" }, "validation"},
		{"with a restricted tool (R29)", "paula", func(n *pap.NewMember) { n.Grants = tool("dynamic_network_manager") }, "tool-restricted"},
		{"V17: as an administrator, by an administrator", "adam", func(n *pap.NewMember) { n.Role = "administrator" }, "scope-exceeded"},
		{"V17: as a primary contact, by one (R3)", "paula", func(n *pap.NewMember) { n.Role = "primary_contact" }, "operator-only"},
		{"V19: with more than the creator has", "adam", func(n *pap.NewMember) { n.Grants = accounts("a-1002") }, "scope-exceeded"},
		{"with CPNI by who does not hold it (R23)", "paula", func(n *pap.NewMember) { n.CPNI = true }, "cpni-not-held"},
		{"by somebody without power (R17)", "regina", func(*pap.NewMember) {}, "not-permitted"},
		{"as one of the account team, by a customer (R7)", "paula", func(n *pap.NewMember) { n.Affiliation = "account_team" }, "operator-only"},
		{"as an administrator who is shared (R37)", "paula", func(n *pap.NewMember) { n.Kind, n.Role = "group", "administrator" }, "shared-identity"},
		{"for sales, outside a partner (R16)", "paula", func(n *pap.NewMember) { n.Role = "sales" }, "role-not-assignable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, before := nina(), h.events("acme")
			c.change(&in)
			_, _, err := h.CreateMember(t.Context(), h.as(c.by), "acme", in)
			refused(t, err, c.reason)
			if got := h.events("acme"); len(got) != len(before) {
				t.Errorf("a refusal left %v in the trail", got[len(before):])
			}
		})
	}
}

// The hardened setting keeps administrators from choosing passwords for others
// (R41), the operator's staff too. Inviting goes on.
func TestR41WhereNobodyChoosesThePasswordOfAnother(t *testing.T) {
	h := open(t)
	h.settle("acme", `{"manual_create":{"disabled":true}}`)
	for _, call := range []pap.Call{h.as("paula"), h.as("olga"), h.operator()} {
		h.unchanged(t, func() { refused(t, second(h.CreateMember(t.Context(), call, "acme", nina())), "method-unavailable") })
	}
	h.accept(h.invite("paula", "dana@acme.example"), "dana")
	options := h.Options
	options.Passwords = nil // they are kept elsewhere
	h.PAP = pap.New(options)
	h.settle("acme", `{}`)
	if err := second(h.CreateMember(t.Context(), h.as("paula"), "acme", nina())); err == nil {
		t.Error("got a member with a password that nobody keeps")
	}
}

// Where the portal wants to know that its notice was read, nobody is added
// without (R43).
func TestR43AnAcknowledgementIsRequiredAtEveryDoor(t *testing.T) {
	h := open(t)
	h.settle("acme", `{"acknowledgement":{"required":true}}`)
	ctx, paula := t.Context(), h.as("paula")
	for _, agreed := range []string{"", "CPNI notice v3"} {
		in, manual := invitee("dana@acme.example"), nina()
		in.Acknowledgement, manual.Acknowledgement = agreed, agreed
		_, _, invited := h.Invite(ctx, paula, "acme", in)
		_, _, cloned := h.CloneMember(ctx, paula, "acme", h.member("acme", "rosa"), pap.Clone{Email: "eve@acme.example", Acknowledgement: agreed})
		for door, err := range map[string]error{"invite": invited, "clone": cloned, "create": second(h.CreateMember(ctx, paula, "acme", manual))} {
			if agreed == "" {
				refused(t, err, "validation")
			} else if err != nil {
				t.Errorf("%s: %v", door, err)
			}
		}
	}
	for _, e := range h.trail("acme") {
		if (e.Type == "invitation.created" || e.Type == "member.created") && e.Acknowledgement != "CPNI notice v3" {
			t.Errorf("got %+v, want what was agreed to", e)
		}
	}
}

func TestWhatIsOnlyValidatedIsNotKept(t *testing.T) {
	h := open(t)
	call := h.as("paula")
	call.ValidateOnly = true
	m, done, err := h.CreateMember(t.Context(), call, "acme", nina())
	if err != nil || m.Username != "nina" || done.Revision != 0 {
		t.Errorf("got %+v, %+v, %v, want what would be made (R79)", m, done, err)
	}
	if got := h.events("acme"); len(got) != 0 {
		t.Errorf("trail: got %v, want nothing kept", got)
	}
	call.ValidateOnly = false
	call.Route, call.Idempotency = "POST /members", &pap.Idempotency{Key: "k", Fingerprint: [32]byte{1}}
	first, _, err := h.CreateMember(t.Context(), call, "acme", nina())
	if err != nil {
		t.Fatal(err)
	}
	again, done, err := h.CreateMember(t.Context(), call, "acme", nina())
	if err != nil || !done.Replayed || again.ID != first.ID {
		t.Errorf("the same request again: got %+v, %+v, %v, want the same member", again, done, err)
	}
}

func TestWhoIsWhoIsEdited(t *testing.T) {
	h := open(t)
	h.put(`{"type":"membership","organization":"globex","user":"sam","role":"regular","assigned_by":"user"}`)
	text := func(s string) *string { return &s }
	ctx, rosa, sam := t.Context(), h.member("acme", "rosa"), h.member("acme", "sam")
	for _, c := range []struct {
		name   string
		call   pap.Call
		of     string
		patch  pap.MemberPatch
		reason string
	}{
		{"names, by an administrator of all that she has (R78)", h.as("adam"), rosa, pap.MemberPatch{GivenName: text("Rose"), Phone: text("+1 22")}, ""},
		{"her own, by herself", h.as("rosa"), rosa, pap.MemberPatch{FamilyName: text("Rey")}, ""},
		{"not her affiliation", h.as("rosa"), rosa, pap.MemberPatch{Affiliation: text("end_customer")}, "self-change"},
		{"affiliation, by the primary contact (R35)", h.as("paula"), rosa, pap.MemberPatch{Affiliation: text("end_customer")}, ""},
		{"V20: a primary contact, by an administrator", h.as("adam"), h.member("acme", "paula"), pap.MemberPatch{Email: text("mine@acme.example")}, "operator-only"},
		{"somebody who is a member elsewhere", h.as("paula"), sam, pap.MemberPatch{GivenName: text("Max")}, "shared-user"},
		{"but what is the membership's", h.as("paula"), sam, pap.MemberPatch{Affiliation: text("end_customer")}, ""},
		{"and everything by the operator", h.operator(), sam, pap.MemberPatch{GivenName: text("Max"), Kind: text("group")}, ""},
		{"no leader becomes shared (R37)", h.operator(), h.member("acme", "adam"), pap.MemberPatch{Kind: text("group")}, "shared-identity"},
		{"to a username that is somebody's", h.as("paula"), rosa, pap.MemberPatch{Username: text("adam")}, "username-taken"},
		{"to another username (R78)", h.as("paula"), rosa, pap.MemberPatch{Username: text("rosalind")}, ""},
		{"the old one is free for nobody", h.as("paula"), h.member("acme", "regina"), pap.MemberPatch{Username: text("rosa")}, "username-taken"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := h.UpdateMember(ctx, c.call, "acme", c.of, c.patch)
			if c.reason != "" {
				refused(t, err, c.reason)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	if got, err := h.Member(ctx, h.as("paula"), "acme", rosa); err != nil || got.Username != "rosalind" || got.GivenName != "Rose" || got.FamilyName != "Rey" || got.Affiliation != "end_customer" {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, e := range append(h.trail("acme"), h.trail("globex")...) {
		if text := string(e.Before) + string(e.After); strings.Contains(text, "Rose") || strings.Contains(text, "+1 22") || strings.Contains(text, "Max") {
			t.Errorf("trail: %s holds %s, want nothing personal (R80)", e.Type, text)
		}
	}
	if got := h.events("globex"); !slices.Equal(got, []string{"member.updated"}) {
		t.Errorf("the other organization was told %v, want of the operator's change", got)
	}
	m, _, err := h.UpdateMember(ctx, h.as("paula"), "acme", rosa, pap.MemberPatch{Email: text("rosalind@acme.example")})
	if mails := h.mails("acme"); err != nil || m.Email != "rosa@acme.example" || len(mails) != 1 || mails[0].Recipient != "rosalind@acme.example" {
		t.Errorf("a new address: got %s, %v, mails %+v, want it asked for and not yet hers (R78)", m.Email, err, mails)
	}
}
