package pap_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/pap"
	"github.com/postern-authz/postern/internal/secret"
)

// until is a time after the start of a house.
func until(d time.Duration) *time.Time {
	t := start.Add(d)
	return &t
}

func TestTheSecretOfATokenIsShownOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, h *house) {
		in := pap.NewToken{Name: "Portal", Scopes: []pap.Scope{"act", "sync"}, Organizations: []string{"acme"}, ExpiresAt: until(24 * time.Hour)}
		call := idempotent(h.operator(), "POST tokens", "k", "body")
		made, _, err := h.CreateToken(t.Context(), call, in)
		if err != nil {
			t.Fatal(err)
		}
		if id, err := secret.ServiceToken.Parse(made.Secret); err != nil || id != made.ID || secret.Hash(made.Secret) != made.Hash {
			t.Errorf("got %q, %v, want a secret that is kept as its hash", id, err)
		}
		again, done, err := h.CreateToken(t.Context(), call, in)
		if err != nil || !done.Replayed || again.ID != made.ID || again.Secret != "" {
			t.Errorf("again: got %+v, %v, want the same token without its secret", again, err)
		}
		list, err := h.Tokens(t.Context(), h.operator())
		if err != nil || len(list) != 1 || !slices.Equal(list[0].Scopes, in.Scopes) || !list[0].ExpiresAt.Equal(*in.ExpiresAt) {
			t.Errorf("got %+v, %v", list, err)
		}
		revoked, _, err := h.RevokeToken(t.Context(), h.operator(), made.ID)
		if err != nil || !revoked.RevokedAt.Equal(start) {
			t.Errorf("got %+v, %v", revoked, err)
		}
		_, _, err = h.RevokeToken(t.Context(), h.operator(), made.ID)
		refused(t, err, "already-revoked")
		if got := h.events(""); !slices.Equal(got, []string{"service_token.created", "service_token.revoked"}) {
			t.Errorf("got events %v", got)
		}
		text, err := json.Marshal([]any{h.trail(""), list})
		if err != nil || strings.Contains(string(text), made.Secret[len(made.Secret)-43:]) {
			t.Errorf("the trail or the list holds the secret, %v", err)
		}
	})
}

func TestTokensAreChecked(t *testing.T) {
	h := open(t)
	ok := pap.NewToken{Name: "Portal", Scopes: []pap.Scope{"act"}, ExpiresAt: until(time.Hour)}
	for name, tt := range map[string]struct {
		edit    func(*pap.NewToken)
		pointer string
	}{
		"no name":                           {func(n *pap.NewToken) { n.Name = "" }, "/name"},
		"a name that breaks a line":         {func(n *pap.NewToken) { n.Name = "a\nb" }, "/name"},
		"no scope":                          {func(n *pap.NewToken) { n.Scopes = nil }, "/scopes"},
		"a scope that is none":              {func(n *pap.NewToken) { n.Scopes = []pap.Scope{"act", "root"} }, "/scopes/1"},
		"no end":                            {func(n *pap.NewToken) { n.ExpiresAt = nil }, "/expires_at"},
		"an end in the past":                {func(n *pap.NewToken) { n.ExpiresAt = until(0) }, "/expires_at"},
		"an end in two years":               {func(n *pap.NewToken) { n.ExpiresAt = until(2 * 366 * 24 * time.Hour) }, "/expires_at"},
		"an organization that is not there": {func(n *pap.NewToken) { n.Organizations = []string{"acme", "nowhere"} }, "/organizations/1"},
		"a kind that is none":               {func(n *pap.NewToken) { n.Kind = "jwt" }, "/kind"},
		"an operator key with scopes":       {func(n *pap.NewToken) { n.Kind = pap.OperatorKey }, "/scopes"},
		"an operator key of an organization": {func(n *pap.NewToken) {
			*n = pap.NewToken{Name: "K", Kind: pap.OperatorKey, Organizations: []string{"acme"}}
		}, "/organizations"},
	} {
		in := ok
		tt.edit(&in)
		_, _, err := h.CreateToken(t.Context(), h.operator(), in)
		var r *pap.Refusal
		if !errors.As(err, &r) || len(r.Fields) != 1 || r.Fields[0].Pointer != tt.pointer {
			t.Errorf("%s: got %v, want a refusal of %s", name, err, tt.pointer)
		}
	}
	only := h.operator()
	only.ValidateOnly = true
	if made, _, err := h.CreateToken(t.Context(), only, ok); err != nil || made.Secret != "" {
		t.Errorf("only validated: got %+v, %v, want no secret", made, err)
	}
	if list, err := h.Tokens(t.Context(), h.operator()); err != nil || len(list) != 0 {
		t.Errorf("got %v, %v, want none kept", list, err)
	}
}

func TestTokensAreTheOperators(t *testing.T) {
	h := open(t)
	bound := h.operator()
	bound.Principal.Organizations = []string{"acme"}
	for who, call := range map[string]pap.Call{
		"a Primary Contact": h.as("paula"), "a sync token": with(pap.ScopeSync), "a token that is bound": bound, "nobody": {},
	} {
		_, _, created := h.CreateToken(t.Context(), call, pap.NewToken{Name: "Mine", Scopes: []pap.Scope{"operator"}, ExpiresAt: until(time.Hour)})
		_, listed := h.Tokens(t.Context(), call)
		_, _, revoked := h.RevokeToken(t.Context(), call, "any")
		for what, err := range map[string]error{"create": created, "list": listed, "revoke": revoked} {
			if !errors.Is(err, authz.ErrForbidden) {
				t.Errorf("%s, %s: got %v, want to be forbidden", who, what, err)
			}
		}
	}
}

func TestTheLastOperatorKeyStays(t *testing.T) {
	h := open(t)
	first, _, err := h.CreateToken(t.Context(), h.operator(), pap.NewToken{Name: "First", Kind: pap.OperatorKey})
	if err != nil || !strings.HasPrefix(first.Secret, "ok_") {
		t.Fatalf("got %+v, %v", first, err)
	}
	_, _, err = h.RevokeToken(t.Context(), h.operator(), first.ID)
	refused(t, err, "last-operator-key")
	if _, _, err := h.CreateToken(t.Context(), h.operator(), pap.NewToken{Name: "Second", Kind: pap.OperatorKey}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.RevokeToken(t.Context(), h.operator(), first.ID); err != nil {
		t.Errorf("got %v", err)
	}
}
