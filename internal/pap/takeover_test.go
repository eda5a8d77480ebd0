package pap_test

import (
	"testing"

	"github.com/postern-authz/postern/internal/pap"
)

// Whose mailbox the address leads to can set the password, and then is the
// member: nobody becomes so who could not give what the member has (V20, R23,
// R29).
func TestAnAddressIsNotChangedByWhoCouldNotGiveWhatTheMemberHas(t *testing.T) {
	h := open(t)
	ctx, regina, rosa := t.Context(), h.member("acme", "regina"), h.member("acme", "rosa")
	if _, _, err := h.AuthorizeCPNI(ctx, h.operator(), "acme", regina, true); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.GrantTool(ctx, h.operator(), "acme", rosa, "dynamic_network_manager", pap.ToolGrant{}); err != nil {
		t.Fatal(err)
	}
	mine, phone := "mine@acme.example", "+371 2000 0000"
	change := func(as pap.Call, member string, in pap.MemberPatch) error {
		_, _, err := h.UpdateMember(ctx, as, "acme", member, in)
		return err
	}
	refused(t, change(h.as("adam"), regina, pap.MemberPatch{Email: &mine}), "cpni-not-held")
	refused(t, change(h.as("paula"), regina, pap.MemberPatch{Email: &mine}), "cpni-not-held")
	refused(t, change(h.as("paula"), rosa, pap.MemberPatch{Email: &mine}), "tool-restricted")
	for name, err := range map[string]error{
		"another phone":            change(h.as("adam"), regina, pap.MemberPatch{Phone: &phone}),
		"an own address":           change(h.as("regina"), regina, pap.MemberPatch{Email: &mine}),
		"by the operator":          change(h.operator(), rosa, pap.MemberPatch{Email: &mine}),
		"of who has nothing of it": change(h.as("adam"), h.member("acme", "sam"), pap.MemberPatch{Email: &mine}),
	} {
		if err != nil {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
