// Package bearer finds out who sends a request to the management listener: the
// holder of an operator key or a service token, or a user by a JWT of an issuer
// that is trusted. A caller that is not known learns nothing of why.
package bearer

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/jwt"
	"github.com/postern-authz/postern/internal/keyring"
	"github.com/postern-authz/postern/internal/pap"
	"github.com/postern-authz/postern/internal/secret"
)

// A Directory knows who may administer it. Who it does not know is an error of
// kind authz.ErrNotFound.
type Directory interface {
	// Token is what is kept of an operator key or service token.
	Token(ctx context.Context, id string) (pap.Token, error)
	// UserByUsername is the id (usr_…) of the user that signs in so.
	UserByUsername(ctx context.Context, username string) (string, error)
}

// Options say whom a Bearer lets in. Directory is required.
type Options struct {
	Directory Directory
	JWTs      *jwt.Verifier // nil: no JWT is let in
	Metrics   prometheus.Registerer
	Now       func() time.Time // time.Now
	// MaxStaleness is how long the last answer about a key is used while the
	// directory does not answer; 5 s.
	MaxStaleness time.Duration
}

// A Bearer finds out who sends a request. Any number of goroutines may use it at
// once.
type Bearer struct {
	directory Directory
	operators *keyring.Ring[pap.Token]
	services  *keyring.Ring[pap.Token]
	jwts      *jwt.Verifier
	failures  *prometheus.CounterVec
}

// Why a caller is not let in, beside what is wrong with a key. Each is a value of
// the label reason.
const (
	missing     keyring.Fault = "missing"
	unavailable keyring.Fault = "unavailable"
)

// New returns a Bearer.
func New(o Options) *Bearer {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxStaleness == 0 {
		o.MaxStaleness = 5 * time.Second
	}
	b := &Bearer{
		directory: o.Directory, jwts: o.JWTs,
		operators: keyring.NewRing(secret.OperatorKey, find(o.Directory, pap.OperatorKey), o.Now, o.MaxStaleness),
		services:  keyring.NewRing(secret.ServiceToken, find(o.Directory, pap.ServiceToken), o.Now, o.MaxStaleness),
		failures: keyring.Failures("management", o.Metrics, append(jwt.Faults(), keyring.Malformed, keyring.Unknown, keyring.Wrong,
			keyring.Expired, keyring.Revoked, missing, unavailable)...),
	}
	return b
}

// find finds keys of one kind in the directory.
func find(d Directory, kind pap.PrincipalKind) keyring.Find[pap.Token] {
	return func(ctx context.Context, id string) (keyring.Key[pap.Token], error) {
		t, err := d.Token(ctx, id)
		if err == nil && t.Kind != kind {
			err = authz.ErrNotFound
		}
		if err != nil {
			return keyring.Key[pap.Token]{}, err
		}
		return keyring.Key[pap.Token]{Hash: t.Hash, Holder: t, Expires: t.ExpiresAt, Revoked: !t.RevokedAt.IsZero()}, nil
	}
}

// Identify says who sends a request, by its Authorization header and its
// Postern-Actor header; an empty one counts as missing. Who is not let in is an
// error of kind authz.ErrUnauthenticated. It is of kind authz.ErrInvalid when
// the caller is known and its Postern-Actor cannot be, and of kind
// authz.ErrUnavailable when nobody can say.
func (b *Bearer) Identify(ctx context.Context, authorization, actor string) (pap.Principal, error) {
	p, err := b.identify(ctx, authorization)
	if err == nil {
		return actFor(p, actor)
	}
	fault := unavailable
	_ = errors.As(err, &fault)
	b.failures.WithLabelValues(string(fault)).Inc()
	return pap.Principal{}, err
}

func (b *Bearer) identify(ctx context.Context, authorization string) (pap.Principal, error) {
	if authorization == "" {
		return pap.Principal{}, missing
	}
	scheme, credential, _ := strings.Cut(authorization, " ")
	switch {
	case !strings.EqualFold(scheme, "Bearer"):
		return pap.Principal{}, keyring.Malformed
	case strings.HasPrefix(credential, string(secret.OperatorKey)):
		return byToken(b.operators.Open(ctx, credential))
	case strings.HasPrefix(credential, string(secret.ServiceToken)):
		return byToken(b.services.Open(ctx, credential))
	case b.jwts == nil:
		return pap.Principal{}, jwt.BadIssuer
	}
	user, err := b.jwts.Verify(ctx, credential)
	if err != nil {
		return pap.Principal{}, err
	}
	return b.actor(ctx, user)
}

// actor is the user of a JWT, whom the directory knows.
func (b *Bearer) actor(ctx context.Context, user jwt.User) (pap.Principal, error) {
	p := pap.Principal{Kind: pap.JWT, ID: user.Issuer + " " + user.Subject, Actor: user.Name}
	if user.ByID {
		return p, nil
	}
	id, err := b.directory.UserByUsername(ctx, user.Name)
	if errors.Is(err, authz.ErrNotFound) {
		return pap.Principal{}, jwt.BadUser
	}
	p.Actor = id
	return p, err
}

func byToken(t pap.Token, err error) (pap.Principal, error) {
	if err != nil {
		return pap.Principal{}, err
	}
	p := pap.Principal{Kind: t.Kind, ID: t.ID, Scopes: t.Scopes, Organizations: t.Organizations, Expires: t.ExpiresAt}
	if t.Kind == pap.OperatorKey {
		p.Scopes = []pap.Scope{pap.ScopeOperator}
	}
	return p, nil
}

// actFor adds the user that a portal acts for. A JWT is for its own user alone.
func actFor(p pap.Principal, actor string) (pap.Principal, error) {
	switch {
	case actor == "" || actor == p.Actor:
		return p, nil
	case p.Kind == pap.JWT:
		return pap.Principal{}, invalid("Postern-Actor names another user than the token: leave it out")
	case authz.CheckID(authz.PrefixUser, actor) != nil:
		return pap.Principal{}, invalid("Postern-Actor names no user: send the id, such as usr_0193cbd0-7d1e-7c3f-8a3e-1f2d3c4b5a69")
	}
	p.Actor = actor
	return p, nil
}

// An invalid request comes from a caller that is known.
type invalid string

func (i invalid) Error() string { return string(i) }
func (i invalid) Unwrap() error { return authz.ErrInvalid }
