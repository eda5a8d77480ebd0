package pap_test

import (
	"testing"

	"github.com/postern-authz/postern/internal/pap"
)

func TestWhoSuspendsWhom(t *testing.T) {
	h := open(t)
	for _, c := range []struct{ name, by, of, reason string }{
		{"a primary contact suspends", "paula", "rosa", ""},
		{"an administrator whoever lies within its own accounts (R6)", "adam", "regina", ""},
		{"V20: no administrator a primary contact", "adam", "paula", "operator-only"},
		{"an account team nobody beyond its company", "tim", "regina", "not-found"},
		{"nobody itself", "paula", "paula", "self-change"},
		{"not twice", "paula", "rosa", "not-active"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, done, err := h.Suspend(t.Context(), h.as(c.by), "acme", h.member("acme", c.of))
			if c.reason != "" {
				refused(t, err, c.reason)
				return
			}
			if err != nil || m.State != "suspended" || m.CanSignIn || m.SuspendedAt == nil {
				t.Fatalf("got %+v, %v, want it suspended (R83)", m, err)
			}
			if h.decide(h.user(c.of), "service.view", "account", "a-1001", done.Revision) {
				t.Errorf("somebody suspended is let in")
			}
		})
	}
	m, done, err := h.Reactivate(t.Context(), h.as("adam"), "acme", h.member("acme", "regina"))
	if err != nil || m.State != "active" || !m.CanSignIn || !h.decide(h.user("regina"), "service.view", "account", "a-1001", done.Revision) {
		t.Errorf("reactivated: got %+v, %v, want it let in", m, err)
	}
	_, _, err = h.Reactivate(t.Context(), h.as("paula"), "acme", h.member("acme", "regina"))
	refused(t, err, "not-suspended")
}

func TestCPNIIsPassedOnByWhoHoldsIt(t *testing.T) {
	h := open(t)
	ctx, rosa := t.Context(), h.member("acme", "rosa")
	_, _, err := h.AuthorizeCPNI(ctx, h.as("paula"), "acme", rosa, true)
	refused(t, err, "cpni-not-held")
	if _, _, err = h.AuthorizeCPNI(ctx, h.operator(), "acme", h.member("acme", "paula"), true); err != nil {
		t.Fatalf("the operator: %v (R23)", err)
	}
	m, _, err := h.AuthorizeCPNI(ctx, h.as("paula"), "acme", rosa, true)
	if err != nil || !m.CPNI {
		t.Errorf("who holds it: got %+v, %v", m, err)
	}
	_, _, err = h.AuthorizeCPNI(ctx, h.as("paula"), "acme", h.member("acme", "paula"), false)
	refused(t, err, "self-change")
	trail := h.trail("acme")
	if last := trail[len(trail)-1]; last.Type != "member.cpni_changed" || string(last.Before) != `{"cpni_authorized":false}` || string(last.After) != `{"cpni_authorized":true}` {
		t.Errorf("trail: got %+v, want who changed what", last)
	}
}

// Who is authorized sees it wherever it has access, so that only somebody with
// all of that authorizes it (R23), and nobody above or beside (C16).
func TestCPNIIsPassedOnWithinTheActorsOwnScope(t *testing.T) {
	h := open(t)
	for name, role := range map[string]string{"wide": "regular", "peer": "administrator"} {
		h.employ(name, role, "active")
	}
	h.put(`{"type":"grant","organization":"acme","user":"wide","company":"acme-south","all_accounts":true,"granted_by":"user"}`)
	for _, c := range []struct{ of, reason string }{{"rosa", ""}, {"wide", "scope-exceeded"}, {"peer", "rank"}, {"paula", "operator-only"}} {
		for _, yes := range []bool{true, false} {
			if _, _, err := h.AuthorizeCPNI(t.Context(), h.operator(), "acme", h.member("acme", "adam"), true); err != nil {
				t.Fatal(err)
			}
			err := second(h.AuthorizeCPNI(t.Context(), h.as("adam"), "acme", h.member("acme", c.of), yes))
			if c.reason != "" {
				refused(t, err, c.reason)
			} else if err != nil {
				t.Errorf("%s: %v", c.of, err)
			}
		}
	}
}

func TestOnlyTheIdentitySourceReportsASecondFactor(t *testing.T) {
	h := open(t)
	ctx, rosa := t.Context(), h.member("acme", "rosa")
	for _, name := range []string{"paula", "olga", "sam"} {
		_, _, err := h.ReportMFA(ctx, h.as(name), "acme", rosa, true)
		refused(t, err, "not-permitted")
	}
	m, _, err := h.ReportMFA(ctx, with(pap.ScopeIdentity), "acme", rosa, true)
	if err != nil || !m.MFA.Enrolled || len(m.Grants.Accounts) != 0 {
		t.Errorf("the identity source: got %+v, %v, want it told and nothing of grants (R84)", m, err)
	}
	_, _, err = h.ReportMFA(ctx, with(pap.ScopeIdentity), "globex", rosa, true)
	refused(t, err, "not-found")
}

func TestPreferencesAreEverybodysOwn(t *testing.T) {
	h := open(t)
	ctx, rosa := t.Context(), h.member("acme", "rosa")
	m, _, err := h.SetPreferences(ctx, h.as("rosa"), "acme", rosa, []byte(`{"language":"lv","mail":{"weekly":true}}`))
	if err != nil || string(m.Preferences) != `{"language":"lv","mail":{"weekly":true}}` {
		t.Fatalf("her own: got %s, %v (R38)", m.Preferences, err)
	}
	m, _, err = h.SetPreferences(ctx, h.as("adam"), "acme", rosa, []byte(`{"language":null}`))
	if err != nil || string(m.Preferences) != `{"mail":{"weekly":true}}` {
		t.Errorf("an administrator: got %s, %v", m.Preferences, err)
	}
	_, _, err = h.SetPreferences(ctx, h.as("sam"), "acme", rosa, []byte(`{"language":"en"}`))
	refused(t, err, "not-permitted")
	_, _, err = h.SetPreferences(ctx, h.as("rosa"), "acme", rosa, []byte(`[]`))
	refused(t, err, "validation")
	large := append(append([]byte(`{"a":"`), make([]byte, 0)...), []byte(string(make17k())+`"}`)...)
	_, _, err = h.SetPreferences(ctx, h.as("rosa"), "acme", rosa, large)
	refused(t, err, "validation")
}

func make17k() []byte {
	b := make([]byte, 17<<10)
	for i := range b {
		b[i] = 'a'
	}
	return b
}

func TestAnAddressIsCheckedWithinTheOrganization(t *testing.T) {
	h := open(t)
	for _, c := range []struct{ name, email, want string }{
		{"a member", "Rosa@ACME.example", pap.EmailMember},
		{"nobody", "new@acme.example", pap.EmailAvailable},
		{"somebody elsewhere is nobody here (R39)", "gustav@globex.example", pap.EmailAvailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := h.CheckEmail(t.Context(), h.as("paula"), "acme", c.email)
			if err != nil || got != c.want {
				t.Errorf("got %s, %v, want %s", got, err, c.want)
			}
		})
	}
	_, err := h.CheckEmail(t.Context(), h.as("regina"), "acme", "new@acme.example")
	refused(t, err, "not-permitted")
	_, err = h.CheckEmail(t.Context(), h.as("paula"), "acme", "a@b,c@d")
	refused(t, err, "validation")
}
