package pap_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/pap"
	"github.com/postern-authz/postern/internal/trace"
	"github.com/postern-authz/postern/internal/webhook"
)

// signing gives the house what webhooks are signed with.
func signing(t testing.TB, h *house) *house {
	t.Helper()
	s, err := webhook.NewSecrets([]byte(strings.Repeat("s", webhook.MinSecret)), "directory")
	if err != nil {
		t.Fatal(err)
	}
	h.Secrets = s
	return h
}

// hook makes a webhook of acme.
func hook(h *house, call pap.Call) pap.NewSecret {
	h.t.Helper()
	made, _, err := h.CreateWebhook(h.t.Context(), call, "acme", pap.WebhookInput{URL: "https://portal.example/hook", Events: []string{"account_group.*"}})
	if err != nil {
		h.t.Fatal(err)
	}
	return made
}

func TestTheSecretOfAWebhookIsShownWhenItIsMade(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		signing(t, h)
		made := hook(h, h.as("paula"))
		if !strings.HasPrefix(made.Secret, "whsec_") || made.State != "enabled" {
			t.Fatalf("got %+v", made)
		}
		rotated, _, err := h.RotateWebhookSecret(t.Context(), matching(h.as("paula"), made.Revision), "acme", made.ID)
		if err != nil || rotated.Secret == made.Secret || rotated.PreviousUntil == nil || !rotated.PreviousUntil.Equal(start.Add(24*time.Hour)) {
			t.Errorf("got %+v, %v, want another secret beside the old one for a day", rotated, err)
		}
		_, _, err = h.RotateWebhookSecret(t.Context(), matching(h.as("paula"), made.Revision), "acme", made.ID)
		refused(t, err, "etag-mismatch")
		off := "disabled"
		changed, _, err := h.UpdateWebhook(t.Context(), h.as("paula"), "acme", made.ID, pap.WebhookPatch{State: &off})
		if err != nil || changed.State != "disabled" || changed.Generation != 2 {
			t.Errorf("got %+v, %v", changed, err)
		}
		if _, _, err := h.DeleteWebhook(t.Context(), h.as("paula"), "acme", made.ID); err != nil {
			t.Error(err)
		}
		want := []string{"webhook.created", "webhook.secret_rotated", "webhook.updated", "webhook.deleted"}
		if got := h.events("acme"); !slices.Equal(got, want) {
			t.Errorf("got events %v, want %v", got, want)
		}
		for _, e := range h.trail("acme") {
			if strings.Contains(string(e.Before)+string(e.After), "whsec_") {
				t.Errorf("the trail holds a secret: %s", e.After)
			}
		}
	})
}

func TestAWebhookGoesWhereItsTextMayLead(t *testing.T) {
	h := signing(t, open(t))
	for name, tt := range map[string]struct{ url, pointer string }{
		"without TLS":      {"http://portal.example/hook", "/url"},
		"another scheme":   {"file:///etc/passwd", "/url"},
		"no host":          {"https:///hook", "/url"},
		"a name and more":  {"https://user:word@portal.example/", "/url"},
		"a fragment":       {"https://portal.example/#here", "/url"},
		"no URL":           {"://", "/url"},
		"nothing":          {"", "/url"},
		"a very long path": {"https://portal.example/" + strings.Repeat("a", 2048), "/url"},
	} {
		_, _, err := h.CreateWebhook(t.Context(), h.as("paula"), "acme", pap.WebhookInput{URL: tt.url})
		var r *pap.Refusal
		if !errors.As(err, &r) || len(r.Fields) != 1 || r.Fields[0].Pointer != tt.pointer {
			t.Errorf("%s: got %v, want a refusal of %s", name, err, tt.pointer)
		}
	}
	for _, event := range []string{"*", "member", "member.", "Member.created", "member.**"} {
		_, _, err := h.CreateWebhook(t.Context(), h.as("paula"), "acme", pap.WebhookInput{URL: "https://portal.example/", Events: []string{event}})
		if !errors.Is(err, authz.ErrInvalid) {
			t.Errorf("event %q: got %v, want a refusal", event, err)
		}
	}
	h.PlainWebhooks = true
	if _, _, err := h.CreateWebhook(t.Context(), h.as("paula"), "acme", pap.WebhookInput{URL: "http://localhost:8080/"}); err != nil {
		t.Errorf("without TLS where the operator allows it: got %v", err)
	}
}

func TestWebhooksAreForTheWholeOrganization(t *testing.T) {
	h := signing(t, open(t))
	made := hook(h, h.as("paula"))
	for who, tt := range map[string]struct {
		call pap.Call
		want error
	}{
		"an administrator of an account": {h.as("adam"), authz.ErrForbidden},
		"regular":                        {h.as("regina"), authz.ErrForbidden},
		"a Primary Contact elsewhere":    {h.as("gustav"), authz.ErrNotFound},
		"a sync token":                   {with(pap.ScopeSync), authz.ErrForbidden},
	} {
		_, listed := h.Webhooks(t.Context(), tt.call, "acme")
		_, _, created := h.CreateWebhook(t.Context(), tt.call, "acme", pap.WebhookInput{URL: "https://portal.example/"})
		_, _, rotated := h.RotateWebhookSecret(t.Context(), tt.call, "acme", made.ID)
		_, _, delivered := h.Deliveries(t.Context(), tt.call, "acme", made.ID, "", pap.Page{Size: 10})
		for what, err := range map[string]error{"list": listed, "create": created, "rotate": rotated, "deliveries": delivered} {
			if !errors.Is(err, tt.want) {
				t.Errorf("%s, %s: got %v, want %v", who, what, err, tt.want)
			}
		}
	}
	_, _, err := h.CreateWebhook(t.Context(), h.as("paula"), "", pap.WebhookInput{URL: "https://portal.example/"})
	if !errors.Is(err, authz.ErrForbidden) {
		t.Errorf("a webhook that hears of all, by a customer: got %v, want to be forbidden", err)
	}
	for range pap.MaxWebhooks - 1 {
		hook(h, h.as("paula"))
	}
	_, _, err = h.CreateWebhook(t.Context(), h.as("paula"), "acme", pap.WebhookInput{URL: "https://portal.example/"})
	refused(t, err, "webhook-limit")
}

func TestADeliveryIsSeenAndDoneAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		signing(t, h)
		own := hook(h, h.as("paula"))
		all, _, err := h.CreateWebhook(t.Context(), h.operator(), "", pap.WebhookInput{URL: "https://operator.example/"})
		if err != nil {
			t.Fatal(err)
		}
		h.wait(time.Second)
		if _, _, err := h.CreateAccountGroup(t.Context(), h.as("paula"), "acme", pap.AccountGroup{ID: "g", Kind: "service_group"}); err != nil {
			t.Fatal(err)
		}
		list, next, err := h.Deliveries(t.Context(), h.as("paula"), "acme", own.ID, "waiting", pap.Page{Size: 10})
		if err != nil || len(list) != 1 || next != nil || list[0].Type != "account_group.changed" || list[0].State != "waiting" {
			t.Fatalf("got %+v, %v", list, err)
		}
		if heard, _, err := h.Deliveries(t.Context(), h.operator(), "", all.ID, "", pap.Page{Size: 10}); err != nil || len(heard) == 0 || heard[0].Type != "account_group.changed" {
			t.Errorf("who hears of all got %+v, %v", heard, err)
		}
		given := fail(h, list[0].ID)
		again, _, err := h.Redeliver(t.Context(), h.as("paula"), "acme", own.ID, list[0].ID)
		if err != nil || given != "failed" || again.State != "waiting" || again.ID != list[0].ID || again.Attempts != 0 {
			t.Errorf("got %s, then %+v, %v", given, again, err)
		}
		_, _, err = h.Redeliver(t.Context(), h.operator(), "", all.ID, list[0].ID)
		refused(t, err, "not-found")
		off := "disabled"
		if _, _, err := h.UpdateWebhook(t.Context(), h.as("paula"), "acme", own.ID, pap.WebhookPatch{State: &off}); err != nil {
			t.Fatal(err)
		}
		_, _, err = h.Redeliver(t.Context(), h.as("paula"), "acme", own.ID, list[0].ID)
		refused(t, err, "webhook-disabled")
	})
}

// What tells of a change belongs to the trace of the request that made it, and
// what is told once more to that of who asked for it.
func TestAMessageKeepsTheTraceOfItsRequest(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		signing(t, h)
		own := hook(h, h.as("paula"))
		made := trace.Parse([]byte("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), nil)
		asked := trace.Parse([]byte("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"), nil)
		kept := func(id, want string) {
			t.Helper()
			err := h.Store.Look(t.Context(), func(r pap.Reader) error {
				m, err := r.Message(id)
				if err == nil && m.Traceparent != want {
					t.Errorf("got the trace %q, want %q", m.Traceparent, want)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for n, span := range []*trace.Span{made, nil} {
			h.wait(time.Second)
			group := pap.AccountGroup{ID: fmt.Sprint("g", n), Kind: "service_group"}
			if _, _, err := h.CreateAccountGroup(trace.With(t.Context(), span), h.as("paula"), "acme", group); err != nil {
				t.Fatal(err)
			}
			list, _, err := h.Deliveries(t.Context(), h.as("paula"), "acme", own.ID, "waiting", pap.Page{Size: 10})
			if err != nil || len(list) != n+1 {
				t.Fatalf("got %+v, %v, want %d deliveries", list, err, n+1)
			}
			kept(list[0].ID, span.String())
			if _, _, err := h.Redeliver(trace.With(t.Context(), asked), h.as("paula"), "acme", own.ID, list[0].ID); err != nil {
				t.Fatal(err)
			}
			kept(list[0].ID, asked.String())
		}
	})
}

// fail gives a delivery up, as the outbox does at last, and says its state.
func fail(h *house, id string) string {
	h.t.Helper()
	_, err := h.Store.Change(h.t.Context(), func(tx pap.Tx) error {
		m, err := tx.Message(id)
		if err != nil {
			return err
		}
		now := h.clock()
		m.Attempts, m.FailedAt, m.LastError = 9, &now, "refused"
		return tx.PutMessage(m)
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return "failed"
}

func TestWithoutASecretThereAreNoWebhooks(t *testing.T) {
	h := open(t)
	_, _, err := h.CreateWebhook(t.Context(), h.as("paula"), "acme", pap.WebhookInput{URL: "https://portal.example/"})
	refused(t, err, "not-found")
}
