package pap_test

import (
	"slices"
	"testing"

	"github.com/postern-authz/postern/internal/pap"
)

func TestARemovedMemberStaysInTheTrailAndNowhereElse(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		ctx, rosa, user := t.Context(), h.member("acme", "rosa"), h.user("rosa")
		dry := h.as("paula")
		dry.ValidateOnly = true
		r, _, err := h.RemoveMember(ctx, dry, "acme", rosa)
		if err != nil || len(r.Impact.Grants.Accounts) != 2 || r.Member.State != "removed" || r.Impact.LastPrimaryContact {
			t.Fatalf("what would go: got %+v, %v (R79)", r, err)
		}
		r, done, err := h.RemoveMember(ctx, h.as("paula"), "acme", rosa)
		if err != nil || r.Member.State != "removed" || r.Member.Grants.Accounts == nil || len(r.Member.Grants.Accounts) != 0 || r.Member.PurgeAt == nil {
			t.Fatalf("got %+v, %v (R80)", r, err)
		}
		if h.decide(user, "service.view", "account", "a-1001", done.Revision) {
			t.Errorf("somebody removed is let in")
		}
		if got := h.members(h.as("paula"), pap.MemberQuery{Organization: "acme"}); slices.Contains(got, "rosa") {
			t.Errorf("list: got %v, want it without her", got)
		}
		if got := h.members(h.as("paula"), pap.MemberQuery{Organization: "acme", ShowRemoved: true}); !slices.Contains(got, "rosa") {
			t.Errorf("list of all: got %v, want her too", got)
		}
		if state, err := h.CheckEmail(ctx, h.as("paula"), "acme", "rosa@acme.example"); err != nil || state != pap.EmailRemoved {
			t.Errorf("her address: got %s, %v (R39)", state, err)
		}
		_, _, err = h.RemoveMember(ctx, h.as("paula"), "acme", rosa)
		refused(t, err, "not-found")
		_, _, err = h.PatchGrants(ctx, h.as("paula"), "acme", rosa, pap.GrantPatch{Add: accounts("a-1001")})
		refused(t, err, "member-removed")

		_, _, err = h.Restore(ctx, h.as("paula"), "acme", rosa, pap.Restoration{})
		refused(t, err, "not-permitted")
		m, _, err := h.Restore(ctx, h.as("olga"), "acme", rosa, pap.Restoration{})
		if err != nil || m.State != "active" || m.Role != "read_only" || len(m.Grants.Accounts) != 0 || m.RemovedAt != nil {
			t.Fatalf("restored: got %+v, %v, want her without grants (R81)", m, err)
		}
		_, _, err = h.Restore(ctx, h.operator(), "acme", rosa, pap.Restoration{})
		refused(t, err, "not-removed")
		_, _, err = h.Purge(ctx, h.operator(), "acme", rosa)
		refused(t, err, "not-removed")
		if _, _, err = h.RemoveMember(ctx, h.as("paula"), "acme", rosa); err != nil {
			t.Fatal(err)
		}
		if m, done, err = h.Restore(ctx, h.operator(), "acme", rosa, pap.Restoration{Role: "regular", Grants: accounts("a-2001")}); err != nil || m.Role != "regular" || !h.decide(user, "service.view", "account", "a-2001", done.Revision) {
			t.Errorf("restored with a role and a grant: got %+v, %v", m, err)
		}
		if _, _, err = h.RemoveMember(ctx, h.as("paula"), "acme", rosa); err != nil {
			t.Fatal(err)
		}
		_, _, err = h.Purge(ctx, h.as("paula"), "acme", rosa)
		refused(t, err, "not-permitted")
		m, _, err = h.Purge(ctx, h.operator(), "acme", rosa)
		if err != nil || m.Email != "" || m.GivenName != "" || m.PurgedAt == nil {
			t.Errorf("purged: got %+v, %v, want nobody", m, err)
		}
		want := []string{"member.removed", "member.restored", "member.removed", "member.restored", "member.removed", "member.purged"}
		if got := h.events("acme"); !slices.Equal(got, want) {
			t.Errorf("trail: got %v, want %v", got, want)
		}
	})
}

func TestRemovalEndsOneMembershipAndTheInvitationsOfItsAddress(t *testing.T) {
	h := open(t)
	ctx := t.Context()
	h.put(`{"type":"membership","organization":"globex","user":"rosa","role":"regular","assigned_by":"user"}
{"type":"grant","organization":"globex","user":"rosa","company":"globex-one","all_accounts":true,"granted_by":"user"}`)
	_, done, err := h.RemoveMember(ctx, h.as("adam"), "acme", h.member("acme", "rosa"))
	if err != nil {
		t.Fatal(err)
	}
	if !h.decide(h.user("rosa"), "service.view", "account", "g-3001", done.Revision) {
		t.Errorf("the other membership ended too (R82)")
	}
	for _, c := range []struct{ name, by, of, reason string }{
		{"V20: no administrator a primary contact", "adam", "paula", "operator-only"},
		{"no administrator somebody of a company that it has not", "tim", "regina", "not-found"},
		{"nobody itself", "paula", "paula", "self-change"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := h.RemoveMember(ctx, h.as(c.by), "acme", h.member("acme", c.of))
			refused(t, err, c.reason)
		})
	}
	last := h.operator()
	last.ValidateOnly = true
	r, _, err := h.RemoveMember(ctx, last, "acme", h.member("acme", "paula"))
	if err != nil || !r.Impact.LastPrimaryContact {
		t.Errorf("the last primary contact: got %+v, %v, want a warning", r.Impact, err)
	}
}

func TestV21NoPrimaryContactRemovesTheLast(t *testing.T) {
	h := open(t)
	h.put(seconds)
	_, _, err := h.RemoveMember(t.Context(), h.as("paula"), "acme", h.member("acme", "pia"))
	refused(t, err, "operator-only")
	for _, name := range []string{"paula", "pia"} {
		if _, _, err := h.RemoveMember(t.Context(), h.operator(), "acme", h.member("acme", name)); err != nil {
			t.Errorf("the operator removes %s: %v (R4)", name, err)
		}
	}
}
