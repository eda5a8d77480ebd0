package pap_test

import (
	"testing"

	"github.com/postern-authz/postern/internal/pap"
)

// Whoever lost the right to something does not get it by asking the same again.
func TestARequestComesBackToWhoMayStillMakeIt(t *testing.T) {
	h := signing(t, open(t))
	call := idempotent(h.as("paula"), "POST /webhooks", "k", "hook")
	made := hook(h, call)
	grouping := idempotent(h.as("adam"), "POST /account-groups", "g", "group")
	group := pap.AccountGroup{ID: "mine", Kind: "service_group", Name: "Mine", Accounts: []string{"a-1001"}}
	if _, _, err := h.CreateAccountGroup(t.Context(), grouping, "acme", group); err != nil {
		t.Fatal(err)
	}
	if again := hook(h, call); again.ID != made.ID {
		t.Errorf("got %+v, want the same webhook", again)
	}
	for _, name := range []string{"paula", "adam"} {
		if _, _, err := h.RemoveMember(t.Context(), h.operator(), "acme", h.member("acme", name)); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := h.RotateWebhookSecret(t.Context(), h.operator(), "acme", made.ID); err != nil {
		t.Fatal(err)
	}
	if got, _, err := h.CreateWebhook(t.Context(), call, "acme", pap.WebhookInput{}); err == nil {
		t.Errorf("got %+v, want a refusal: the secret is not for who was removed", got.Webhook)
	}
	if got, _, err := h.CreateAccountGroup(t.Context(), grouping, "acme", group); err == nil {
		t.Errorf("got %+v, want a refusal", got)
	}
}
