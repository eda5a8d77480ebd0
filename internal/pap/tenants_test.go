package pap_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/pap"
)

// belongings is all that an organization has of the nouns of this test.
func belongings(h *house, organization string) string {
	h.t.Helper()
	var all []any
	h.look(func(r pap.Reader) error {
		companies, err := r.Companies(organization, "", 0)
		if err != nil {
			return err
		}
		accounts, err := r.Accounts(pap.AccountQuery{Organization: organization})
		if err != nil {
			return err
		}
		groups, err := r.AccountGroups(organization, "", 0)
		if err != nil {
			return err
		}
		hooks, err := r.Webhooks(organization)
		if err != nil {
			return err
		}
		o, err := r.Organization(organization)
		all = append(all, companies, accounts, groups, hooks, o)
		return err
	})
	text, err := json.Marshal(append(all, h.trail(organization)))
	if err != nil {
		h.t.Fatal(err)
	}
	return string(text)
}

// V16: every id of globex through acme's path is not found, and globex is as it
// was; whoever asks.
func TestIdsOfAnotherOrganizationAreNotFound(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		signing(t, h)
		if _, _, err := h.CreateAccountGroup(t.Context(), h.as("gustav"), "globex", pap.AccountGroup{ID: "offices", Kind: "service_group", Accounts: []string{"g-3001"}}); err != nil {
			t.Fatal(err)
		}
		theirs, _, err := h.CreateWebhook(t.Context(), h.as("gustav"), "globex", pap.WebhookInput{URL: "https://globex.example/"})
		if err != nil {
			t.Fatal(err)
		}
		name := "Mine"
		if _, _, err := h.UpdateAccountGroup(t.Context(), h.as("gustav"), "globex", "offices", pap.AccountGroupPatch{Name: &name}); err != nil {
			t.Fatal(err)
		}
		told, _, err := h.Deliveries(t.Context(), h.as("gustav"), "globex", theirs.ID, "", pap.Page{Size: 10})
		if err != nil || len(told) == 0 {
			t.Fatalf("got %v, %v, want a delivery", told, err)
		}
		own := hook(h, h.as("paula"))
		before, trail := belongings(h, "globex"), len(h.events("acme"))
		ctx := t.Context()
		for what, do := range map[string]func(pap.Call) error{
			"read a company":        func(c pap.Call) error { _, err := h.Company(ctx, c, "acme", "globex-one"); return err },
			"read an account":       func(c pap.Call) error { _, err := h.Account(ctx, c, "acme", "g-3001"); return err },
			"read an account group": func(c pap.Call) error { _, err := h.AccountGroup(ctx, c, "acme", "offices"); return err },
			"rename an account group": func(c pap.Call) error {
				_, _, err := h.UpdateAccountGroup(ctx, c, "acme", "offices", pap.AccountGroupPatch{Name: &name})
				return err
			},
			"fill an account group": func(c pap.Call) error {
				_, _, err := h.SetAccountGroupAccounts(ctx, c, "acme", "offices", []string{"a-1001"})
				return err
			},
			"delete an account group": func(c pap.Call) error { _, _, err := h.DeleteAccountGroup(ctx, c, "acme", "offices"); return err },
			"read a webhook":          func(c pap.Call) error { _, err := h.Webhook(ctx, c, "acme", theirs.ID); return err },
			"change a webhook": func(c pap.Call) error {
				_, _, err := h.UpdateWebhook(ctx, c, "acme", theirs.ID, pap.WebhookPatch{})
				return err
			},
			"rotate a webhook": func(c pap.Call) error { _, _, err := h.RotateWebhookSecret(ctx, c, "acme", theirs.ID); return err },
			"delete a webhook": func(c pap.Call) error { _, _, err := h.DeleteWebhook(ctx, c, "acme", theirs.ID); return err },
			"list a webhook's deliveries": func(c pap.Call) error {
				_, _, err := h.Deliveries(ctx, c, "acme", theirs.ID, "", pap.Page{Size: 10})
				return err
			},
			"redeliver":                         func(c pap.Call) error { _, _, err := h.Redeliver(ctx, c, "acme", theirs.ID, told[0].ID); return err },
			"redeliver through a webhook of it": func(c pap.Call) error { _, _, err := h.Redeliver(ctx, c, "acme", own.ID, told[0].ID); return err },
		} {
			for who, call := range map[string]pap.Call{"a Primary Contact": h.as("paula"), "the operator": h.operator()} {
				if err := do(call); !errors.Is(err, authz.ErrNotFound) {
					t.Errorf("%s, %s: got %v, want not found", who, what, err)
				}
			}
		}
		for what, do := range map[string]func(pap.Call) error{
			"delete a company":  func(c pap.Call) error { _, _, err := h.DeleteCompany(ctx, c, "acme", "globex-one"); return err },
			"delete an account": func(c pap.Call) error { _, _, err := h.DeleteAccount(ctx, c, "acme", "g-3001"); return err },
		} {
			for who, call := range map[string]pap.Call{"the operator": h.operator(), "a sync token": with(pap.ScopeSync)} {
				if err := do(call); !errors.Is(err, authz.ErrNotFound) {
					t.Errorf("%s, %s: got %v, want not found", who, what, err)
				}
			}
		}
		if after := belongings(h, "globex"); after != before {
			t.Errorf("globex was\n%s\nand is\n%s", before, after)
		}
		if got := len(h.events("acme")); got != trail {
			t.Errorf("refusals left %d events", got-trail)
		}
	})
}

// A user learns nothing of organizations it is not in: what is there and what is
// not are refused alike (T2).
func TestForeignOrganizationsAreNotFound(t *testing.T) {
	h := signing(t, open(t))
	ctx := t.Context()
	for what, do := range map[string]func(organization string) error{
		"read": func(o string) error { _, err := h.Organization(ctx, h.as("paula"), o); return err },
		"companies": func(o string) error {
			_, _, err := h.Companies(ctx, h.as("paula"), o, pap.PageByID{Size: 5})
			return err
		},
		"a company": func(o string) error { _, err := h.Company(ctx, h.as("paula"), o, "globex-one"); return err },
		"accounts": func(o string) error {
			_, _, err := h.Accounts(ctx, h.as("paula"), pap.AccountQuery{Organization: o, Limit: 5})
			return err
		},
		"an account": func(o string) error { _, err := h.Account(ctx, h.as("paula"), o, "g-3001"); return err },
		"account groups": func(o string) error {
			_, _, err := h.AccountGroups(ctx, h.as("paula"), o, pap.PageByID{Size: 5})
			return err
		},
		"a new group": func(o string) error {
			_, _, err := h.CreateAccountGroup(ctx, h.as("paula"), o, pap.AccountGroup{Kind: "service_group", Accounts: []string{"g-3001"}})
			return err
		},
		"tools": func(o string) error { _, err := h.Tools(ctx, h.as("paula"), o, false, ""); return err },
		"roles": func(o string) error { _, err := h.Roles(ctx, h.as("paula"), o); return err },
		"events": func(o string) error {
			_, _, err := h.Events(ctx, h.as("paula"), pap.EventQuery{Organization: o})
			return err
		},
		"webhooks": func(o string) error { _, err := h.Webhooks(ctx, h.as("paula"), o); return err },
	} {
		for _, organization := range []string{"globex", "nowhere"} {
			var r *pap.Refusal
			if err := do(organization); !errors.As(err, &r) || r.Reason != "not-found" || r.Detail != `there is no organization "`+organization+`" here` {
				t.Errorf("%s of %s: got %v, want not found", what, organization, err)
			}
		}
	}
}
