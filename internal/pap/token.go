package pap

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/secret"
)

// A NewToken is a service token or operator key to be made.
type NewToken struct {
	Name string        `json:"name"`           // for people: who uses it
	Kind PrincipalKind `json:"kind,omitempty"` // service_token (default) or operator_key
	// Scopes of a service token; an operator key is for everything and has none.
	Scopes        []Scope    `json:"scopes,omitempty"`
	Organizations []string   `json:"organizations,omitempty"` // to bind it to
	ExpiresAt     *time.Time `json:"expires_at,omitempty"`    // of a service token, at most a year from now
}

// A NewTokenSecret is a token with its secret, which is shown when it is made
// and never again: not even to the same request when it comes back.
type NewTokenSecret struct {
	Token
	Secret string `json:"secret,omitempty"`
}

// maxTokenLife is how long a service token may last.
const maxTokenLife = 366 * 24 * time.Hour

// tokenScopes are what a service token may be used for.
func tokenScopes() []Scope {
	return []Scope{ScopeOperator, ScopeAct, ScopeActRead, ScopeSync, ScopeIdentity, ScopeReplicate}
}

// Tokens lists operator keys and service tokens, revoked and expired ones
// included. No secret is among it: none is kept.
func (p *PAP) Tokens(ctx context.Context, call Call) ([]Token, error) {
	return look(ctx, p, call, func(w *work) ([]Token, error) {
		if err := w.authorizeOver("service_token.view", "", ""); err != nil {
			return nil, err
		}
		return w.Tokens()
	})
}

// CreateToken makes a token. Its secret is in the answer and nowhere else.
func (p *PAP) CreateToken(ctx context.Context, call Call, in NewToken) (NewTokenSecret, Change, error) {
	return change(ctx, p, call, func(w *work) (NewTokenSecret, string, error) {
		if err := w.authorizeOver("service_token.create", "", ""); err != nil {
			return NewTokenSecret{}, "", err
		}
		t, err := w.newToken(in)
		if err != nil {
			return NewTokenSecret{}, "", err
		}
		if err := w.authorizeToken("service_token.create", t); err != nil {
			return NewTokenSecret{}, "", err
		}
		made := seal(t)
		if err := w.tx.PutToken(made.Token); err != nil {
			return NewTokenSecret{}, "", err
		}
		if call.ValidateOnly {
			made.Secret = "" // it opens nothing
		}
		return made, made.ID, w.noteChange("service_token.created", "", made.ID, nil, made.Token)
	}, afresh("service_token.create", "", func(w *work, id string) (NewTokenSecret, error) {
		t, err := w.Token(id)
		return NewTokenSecret{Token: t}, missing(err, "service token", id)
	}))
}

// authorizeToken asks about one token. What speaks as the operator is of the
// operator's own realm: its staff, who manage customers, make and revoke none.
func (w *work) authorizeToken(action string, t Token) error {
	reach := []authz.Scope{"realm:customer"}
	if slices.Contains(t.Scopes, ScopeOperator) {
		reach = []authz.Scope{"realm:operator"}
	}
	return w.authorize(ask{action: action, target: target{id: t.ID, reach: reach}})
}

// seal gives a token its id, its secret and the hash of that.
func seal(t Token) NewTokenSecret {
	prefix := secret.ServiceToken
	if t.Kind == OperatorKey {
		prefix = secret.OperatorKey
	}
	var text string
	t.ID, text, t.Hash = prefix.New()
	return NewTokenSecret{t, text}
}

func (w *work) newToken(in NewToken) (Token, error) {
	t := Token{Name: in.Name, Kind: in.Kind, Scopes: []Scope{ScopeOperator}, Organizations: sorted(in.Organizations), CreatedAt: w.now}
	if t.Kind == "" {
		t.Kind = ServiceToken
	}
	if in.ExpiresAt != nil {
		t.ExpiresAt = in.ExpiresAt.UTC().Truncate(time.Millisecond)
	}
	if in.Name == "" {
		return t, invalid("/name", "required", "name the token after who uses it")
	}
	if err := (directory.Role{ID: "name", Name: in.Name}).Validate(); err != nil {
		return t, wrong("", err)
	}
	if !t.ExpiresAt.IsZero() && !t.ExpiresAt.After(w.now) {
		return t, invalid("/expires_at", "value", "expires_at lies in the past")
	}
	switch t.Kind {
	case OperatorKey:
		return t, in.checkOperatorKey()
	case ServiceToken:
		t.Scopes = slices.Compact(slices.Sorted(slices.Values(in.Scopes)))
		return t, w.checkServiceToken(in, t)
	}
	return t, invalid("/kind", "value", "kind is service_token or operator_key")
}

func (in NewToken) checkOperatorKey() error {
	switch {
	case len(in.Scopes) > 0:
		return invalid("/scopes", "value", "an operator key is for everything: leave scopes out, or make a service token")
	case len(in.Organizations) > 0:
		return invalid("/organizations", "value", "an operator key is for every organization: leave organizations out, or make a service token")
	}
	return nil
}

func (w *work) checkServiceToken(in NewToken, t Token) error {
	if len(in.Scopes) == 0 {
		return invalid("/scopes", "required", "say what the token is for: scopes out of %v", tokenScopes())
	}
	for i, s := range in.Scopes {
		if !slices.Contains(tokenScopes(), s) {
			return invalid(pointer("", "scopes", i), "value", "there is no scope %q, but %v", s, tokenScopes())
		}
	}
	if err := checkReplicate(in); err != nil {
		return err
	}
	if t.ExpiresAt.IsZero() || t.ExpiresAt.After(w.now.Add(maxTokenLife)) {
		return invalid("/expires_at", "required", "a service token needs an expires_at within a year: rotate it before")
	}
	for i, id := range in.Organizations {
		switch _, err := w.Reader.Organization(id); {
		case errors.Is(err, authz.ErrNotFound):
			return invalid(pointer("", "organizations", i), "unknown", "there is no organization %q", id)
		case err != nil:
			return err
		}
	}
	return nil
}

// RevokeToken ends a token now. The last operator key stays.
func (p *PAP) RevokeToken(ctx context.Context, call Call, id string) (Token, Change, error) {
	return change(ctx, p, call, func(w *work) (Token, string, error) {
		if err := w.authorizeOver("service_token.revoke", "", id); err != nil {
			return Token{}, "", err
		}
		before, err := w.Token(id)
		if err != nil {
			return Token{}, "", missing(err, "service token", id)
		}
		if err := w.authorizeToken("service_token.revoke", before); err != nil {
			return Token{}, "", err
		}
		if !before.RevokedAt.IsZero() {
			return Token{}, "", conflict("already-revoked", "service token %q was revoked already", id)
		}
		if err := w.mayRevoke(before); err != nil {
			return Token{}, "", err
		}
		after := before
		after.RevokedAt = w.now
		if err := w.tx.PutToken(after); err != nil {
			return Token{}, "", err
		}
		return after, id, w.noteChange("service_token.revoked", "", id, before, after)
	}, func(w *work, id string) (Token, error) {
		t, err := w.Token(id)
		return t, missing(err, "service token", id)
	})
}

func (w *work) mayRevoke(t Token) error {
	if t.Kind != OperatorKey {
		return nil
	}
	all, err := w.Tokens()
	if err != nil {
		return err
	}
	another := slices.ContainsFunc(all, func(o Token) bool {
		live := o.RevokedAt.IsZero() && (o.ExpiresAt.IsZero() || o.ExpiresAt.After(w.now))
		return live && o.ID != t.ID && o.Kind == OperatorKey
	})
	if !another {
		return conflict("last-operator-key", "this is the last operator key: make another first")
	}
	return nil
}
