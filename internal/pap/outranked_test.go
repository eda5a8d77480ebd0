package pap_test

import (
	"testing"

	"github.com/postern-authz/postern/internal/pap"
)

func TestV20AnAdministratorDoesNothingToAPrimaryContact(t *testing.T) {
	h := open(t)
	ctx, adam, paula := t.Context(), h.as("adam"), h.member("acme", "paula")
	text := func(s string) *string { return &s }
	h.put(`{"type":"grant","organization":"acme","user":"paula","company":"acme-south","granted_by":"user"}
{"type":"grant","organization":"acme","user":"paula","account":"a-1001","granted_by":"user"}
{"type":"grant","organization":"acme","user":"paula","tool":"wan_analysis","granted_by":"user"}`)
	edit := func(p pap.MemberPatch) func() error {
		return func() error { return second(h.UpdateMember(ctx, adam, "acme", paula, p)) }
	}
	for what, try := range map[string]func() error{
		"remove":     func() error { _, _, err := h.RemoveMember(ctx, adam, "acme", paula); return err },
		"demote":     func() error { return second(h.AssignRole(ctx, adam, "acme", paula, "read_only")) },
		"suspend":    func() error { return second(h.Suspend(ctx, adam, "acme", paula)) },
		"reactivate": func() error { return second(h.Reactivate(ctx, adam, "acme", paula)) },
		"restore":    func() error { return second(h.Restore(ctx, adam, "acme", paula, pap.Restoration{})) },
		"purge":      func() error { return second(h.Purge(ctx, adam, "acme", paula)) },
		"succeed":    func() error { return second(h.TransferPrimaryContact(ctx, adam, "acme", h.member("acme", "adam"))) },
		"reset the password of": func() error {
			_, err := h.ResetMemberPassword(ctx, adam, "acme", paula)
			return err
		},
		"change the address of":     edit(pap.MemberPatch{Email: text("mine@acme.example")}),
		"change the username of":    edit(pap.MemberPatch{Username: text("paul")}),
		"change the name of":        edit(pap.MemberPatch{GivenName: text("Paul")}),
		"make an end customer of":   edit(pap.MemberPatch{Affiliation: text("end_customer")}),
		"make a shared identity of": edit(pap.MemberPatch{Kind: text("group")}),
		"take CPNI from":            func() error { return second(h.AuthorizeCPNI(ctx, adam, "acme", paula, false)) },
		"report the factor of":      func() error { return second(h.ReportMFA(ctx, adam, "acme", paula, true)) },
		"revoke an account of": func() error {
			return second(h.PatchGrants(ctx, adam, "acme", paula, pap.GrantPatch{Remove: accounts("a-1001")}))
		},
		"revoke a tool of": func() error { return second(h.RevokeTool(ctx, adam, "acme", paula, "wan_analysis")) },
		"replace the grants of": func() error {
			seen := h.get(adam, "acme", "paula")
			return second(h.SetGrants(ctx, matching(adam, seen.Revision), "acme", paula, pap.Grants{}))
		},
		"clone": func() error {
			_, _, err := h.CloneMember(ctx, adam, "acme", paula, pap.Clone{Email: "twin@acme.example"})
			return err
		},
		"choose for": func() error { return second(h.SetPreferences(ctx, adam, "acme", paula, []byte(`{"a":1}`))) },
	} {
		t.Run(what+" her", func(t *testing.T) { h.forbids(t, try) })
	}
	if !h.decide(h.user("paula"), "service.view", "account", "a-2001", 0) {
		t.Error("she may not see her organization any more")
	}
}
