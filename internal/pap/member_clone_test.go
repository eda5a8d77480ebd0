package pap_test

import (
	"slices"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/pap"
)

func TestAMemberIsCloned(t *testing.T) {
	h := open(t)
	ctx, call, regina := t.Context(), h.as("paula"), h.member("acme", "regina")
	h.put(`{"type":"grant","organization":"acme","user":"regina","tool":"dynamic_network_manager","granted_by":"operator"}
{"type":"grant","organization":"acme","user":"regina","account":"a-1002","expires":"2026-03-02T08:00:00Z","granted_by":"user"}
{"type":"grant","organization":"acme","user":"regina","account":"k-1","expires":"2027-01-01T00:00:00Z","granted_by":"user"}`)
	if _, _, err := h.GrantTool(ctx, call, "acme", regina, "wan_analysis", pap.ToolGrant{Accounts: []string{"a-1001"}}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.SetPreferences(ctx, call, "acme", regina, []byte(`{"language":"lv"}`)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.AuthorizeCPNI(ctx, h.operator(), "acme", regina, true); err != nil {
		t.Fatal(err)
	}
	_, _, err := h.CloneMember(ctx, call, "acme", regina, pap.Clone{Email: "dana@acme.example", Strict: true})
	refused(t, err, "ended")
	h.wait(time.Second)
	c, _, err := h.CloneMember(ctx, call, "acme", regina, pap.Clone{Email: "dana@acme.example", Profile: pap.Profile{GivenName: "Dana"}})
	if err != nil {
		t.Fatal(err)
	}
	m := c.Member
	if m.State != "invited" || m.Role != "regular" || m.CPNI || m.GivenName != "Dana" || m.TemporaryUsername == "" || string(m.Preferences) != `{"language":"lv"}` {
		t.Errorf("got %+v, want what regina has, and not who she is (R44, R45)", m)
	}
	if len(m.Grants.Accounts) != 3 || m.Grants.Accounts[2].ExpiresAt == nil || len(m.Grants.Tools) != 1 || !slices.Equal(m.Grants.Tools[0].Accounts, []string{"a-1001"}) {
		t.Errorf("got %+v, want her accounts with their ends and her tools with their lists", m.Grants)
	}
	want := []pap.Omitted{{Kind: "account", ID: "a-1002", Reason: "ended"}, {Kind: "tool", ID: "dynamic_network_manager", Reason: "tool-restricted"}}
	if !slices.Equal(c.Omitted, want) {
		t.Errorf("omitted: got %+v, want %+v", c.Omitted, want)
	}
	if page, _, err := h.Members(ctx, call, pap.MemberQuery{Organization: "acme"}); err != nil || page[0].ID != m.ID {
		t.Errorf("list: got %+v, %v, want the new one first (R45)", page[0], err)
	}
	if mails := h.mails("acme"); len(mails) != 1 || mails[0].Recipient != "dana@acme.example" {
		t.Errorf("mails: got %+v, want the invitation", mails)
	}
	c, _, err = h.CloneMember(ctx, h.operator(), "acme", regina, pap.Clone{Email: "dora@acme.example"})
	if err != nil || len(c.Omitted) != 1 || len(c.Member.Grants.Tools) != 2 {
		t.Errorf("by the operator: got %+v, %v, want the restricted tool too", c, err)
	}
}

func TestV36NobodyClonesMoreThanTheyHave(t *testing.T) {
	h := open(t)
	h.put(`{"type":"user","username":"walt","email":"walt@acme.example"}
{"type":"membership","organization":"acme","user":"walt","role":"administrator","assigned_by":"user"}
{"type":"grant","organization":"acme","user":"walt","company":"acme-south","granted_by":"user"}
{"type":"grant","organization":"acme","user":"walt","account":"a-1001","granted_by":"user"}
{"type":"user","username":"wide","email":"wide@acme.example"}
{"type":"membership","organization":"acme","user":"wide","role":"regular","assigned_by":"user"}
{"type":"grant","organization":"acme","user":"wide","company":"acme-south","all_accounts":true,"granted_by":"user"}`)
	for _, c := range []struct{ name, by, of, reason string }{
		{"V36: somebody wider", "adam", "wide", "scope-exceeded"},
		{"V36: an equal (V17)", "adam", "walt", "rank"},
		{"V36: a primary contact", "adam", "paula", "operator-only"},
		{"V36: a primary contact by another", "pia", "paula", "operator-only"},
		{"somebody out of sight", "adam", "ella", "not-found"},
		{"somebody within", "adam", "rosa", ""},
		{"a primary contact, by the operator", "operator", "paula", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.by == "pia" {
				h.put(seconds)
			}
			_, _, err := h.CloneMember(t.Context(), h.actor(c.by), "acme", h.member("acme", c.of), pap.Clone{Email: c.of + "-2@acme.example"})
			if c.reason != "" {
				refused(t, err, c.reason)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}
