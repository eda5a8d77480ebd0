package pap_test

import (
	"sync"
	"testing"

	"github.com/postern-authz/postern/internal/pap"
)

const seconds = `{"type":"user","username":"pia","email":"pia@acme.example"}
{"type":"membership","organization":"acme","user":"pia","role":"primary_contact","assigned_by":"operator"}`

func TestWhoAssignsWhichRole(t *testing.T) {
	h := open(t)
	h.put(`{"type":"role","id":"desk","name":"Desk"}
{"type":"user","username":"lena","email":"lena@acme.example"}
{"type":"membership","organization":"acme","user":"lena","role":"regular","assigned_by":"user"}
{"type":"grant","organization":"acme","user":"lena","company":"acme-south","granted_by":"user"}
{"type":"grant","organization":"acme","user":"lena","account":"a-1001","granted_by":"user"}
{"type":"user","username":"noc","kind":"group","email":"noc@acme.example"}
{"type":"membership","organization":"acme","user":"noc","role":"regular","assigned_by":"user"}`)
	for _, c := range []struct{ name, by, of, role, reason string }{
		{"a primary contact makes administrators (R2)", "paula", "rosa", "administrator", ""},
		{"and unmakes them", "paula", "rosa", "read_only", ""},
		{"an administrator assigns lower roles where it administers all (R8)", "adam", "lena", "support", ""},
		{"V17: no administrator makes an administrator (R6)", "adam", "lena", "administrator", "scope-exceeded"},
		{"V17: no administrator makes a primary contact", "adam", "lena", "primary_contact", "operator-only"},
		{"V17: no primary contact makes a primary contact (R3)", "paula", "rosa", "primary_contact", "operator-only"},
		{"V18: nobody assigns what they do not hold, such as the operator's role", "paula", "rosa", "operator", "role-not-assignable"},
		{"the operator makes a primary contact (R3)", "operator", "rosa", "primary_contact", ""},
		{"and unmakes it", "olga", "rosa", "read_only", ""},
		{"never of the account team (R7)", "operator", "tim", "primary_contact", "validation"},
		{"never of a shared identity (R37)", "operator", "noc", "primary_contact", "shared-identity"},
		{"nor an administrator (R37)", "paula", "noc", "administrator", "shared-identity"},
		{"sales is for partners (R16)", "paula", "rosa", "sales", "role-not-assignable"},
		{"V20: an administrator does not demote a primary contact", "adam", "paula", "regular", "operator-only"},
		{"nobody assigns its own (C16)", "adam", "adam", "regular", "self-change"},
		{"there is no such role", "paula", "rosa", "king", "validation"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, done, err := h.AssignRole(t.Context(), h.actor(c.by), "acme", h.member("acme", c.of), c.role)
			if c.reason != "" {
				refused(t, err, c.reason)
				return
			}
			if err != nil || m.Role != c.role || done.Decision == "" {
				t.Errorf("got %+v, %+v, %v, want the role", m, done, err)
			}
		})
	}
}

func TestAdministratorsAppointWhereTheOrganizationSaysSo(t *testing.T) {
	h := open(t)
	lena := `{"type":"user","username":"lena","email":"lena@acme.example"}
{"type":"membership","organization":"acme","user":"lena","role":"regular","assigned_by":"user"}
{"type":"grant","organization":"acme","user":"lena","company":"acme-south","granted_by":"user"}
{"type":"grant","organization":"acme","user":"lena","account":"a-1001","granted_by":"user"}`
	h.put(lena)
	h.settle("acme", `{"administrator":{"may_appoint_administrators":true},"roles":{"administrator":{"name":"Admin"}}}`)
	m, _, err := h.AssignRole(t.Context(), h.as("adam"), "acme", h.member("acme", "lena"), "administrator")
	if err != nil || m.RoleName != "Admin" {
		t.Errorf("got %+v, %v, want it by its own name (R6, R12, R19)", m, err)
	}
}

func TestV21OnlyTheOperatorTakesTheLastPrimaryContactAway(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		h.put(seconds)
		away := map[string]func(pap.Call, string) error{
			"demote": func(c pap.Call, m string) error {
				_, _, err := h.AssignRole(t.Context(), c, "acme", m, "regular")
				return err
			},
			"suspend": func(c pap.Call, m string) error { _, _, err := h.Suspend(t.Context(), c, "acme", m); return err },
		}
		for name, do := range away {
			t.Run("two cannot "+name+" each other", func(t *testing.T) {
				paula, pia := h.member("acme", "paula"), h.member("acme", "pia")
				calls := []pap.Call{h.as("paula"), h.as("pia")}
				var done sync.WaitGroup
				errs := make([]error, 2)
				for i, target := range []string{pia, paula} {
					done.Go(func() { errs[i] = do(calls[i], target) })
				}
				done.Wait()
				for _, err := range errs {
					refused(t, err, "operator-only")
				}
			})
		}
		if err := away["suspend"](h.operator(), h.member("acme", "paula")); err != nil {
			t.Errorf("the operator: %v", err)
		}
		if err := away["demote"](h.operator(), h.member("acme", "pia")); err != nil {
			t.Errorf("the operator takes the last one: %v", err)
		}
	})
}

func TestTheHolderHandsOver(t *testing.T) {
	h := open(t)
	ctx, adam, regina := t.Context(), h.member("acme", "adam"), h.member("acme", "regina")
	_, _, err := h.TransferPrimaryContact(ctx, h.as("paula"), "acme", regina)
	refused(t, err, "operator-only")
	h.settle("acme", `{"primary_contact":{"mode":"transferable"},"roles":{"primary_contact":{"name":"Master"}}}`)
	_, _, err = h.TransferPrimaryContact(ctx, h.as("adam"), "acme", regina)
	refused(t, err, "operator-only")
	_, _, err = h.AssignRole(ctx, h.as("paula"), "acme", regina, "primary_contact")
	refused(t, err, "operator-only")
	_, _, err = h.AssignRole(ctx, h.operator(), "acme", regina, "primary_contact")
	refused(t, err, "primary-contact-held")
	m, done, err := h.TransferPrimaryContact(ctx, h.as("paula"), "acme", adam)
	if err != nil || m.Role != "primary_contact" || m.RoleName != "Master" {
		t.Fatalf("got %+v, %v, want the master (R3)", m, err)
	}
	if got := h.get(h.as("adam"), "acme", "paula"); got.Role != "administrator" || len(got.Grants.Accounts) != 0 {
		t.Errorf("who was it: got %+v, want an administrator of nothing", got)
	}
	if h.decide(h.user("paula"), "service.view", "account", "a-2001", done.Revision) {
		t.Errorf("who was it still reaches everything")
	}
	if !h.decide(h.user("adam"), "service.view", "account", "a-2001", done.Revision) {
		t.Errorf("who is it now does not reach everything")
	}
	_, _, err = h.Suspend(ctx, h.as("paula"), "acme", adam)
	refused(t, err, "not-permitted")
}
