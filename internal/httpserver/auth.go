package httpserver

import (
	"context"
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-authz/postern/internal/authz"
)

// A Mode is how applications prove who they are.
type Mode string

// The modes. In each of them a key that is sent has to be right.
const (
	ModeKey  Mode = "key"  // an app key as a bearer token
	ModeMTLS Mode = "mtls" // a client certificate that the listener has verified
	ModeNone Mode = "none" // not at all: only where nobody else can reach the listener
)

// AuthOptions says what an Authenticator needs.
type AuthOptions struct {
	Listener string // in metrics
	Mode     Mode
	Keys     Keys // may be nil where the mode is not key
	Metrics  prometheus.Registerer
	Now      func() time.Time // time.Now
	// MaxStaleness is how long the last answer of Keys is used while Keys
	// fails; 5 s.
	MaxStaleness time.Duration
}

// An Authenticator lets known applications in. No header but Authorization says
// who a caller is (T15).
type Authenticator struct {
	mode     Mode
	keys     *keyCache // nil: no key is known
	now      func() time.Time
	failures *prometheus.CounterVec
}

// Why a caller is not let in. The caller learns none of it.
const (
	authMissing     = "missing"
	authMalformed   = "malformed"
	authUnknown     = "unknown"
	authWrong       = "wrong"
	authExpired     = "expired"
	authRevoked     = "revoked"
	authCertificate = "certificate"
	authUnavailable = "unavailable"
)

// NewAuthenticator returns an Authenticator, or says what a mode lacks.
func NewAuthenticator(o AuthOptions) (*Authenticator, error) {
	switch {
	case o.Mode != ModeKey && o.Mode != ModeMTLS && o.Mode != ModeNone:
		return nil, fmt.Errorf("callers cannot be authenticated by %q: use key, mtls or none", o.Mode)
	case o.Mode == ModeKey && o.Keys == nil:
		return nil, errors.New("callers are authenticated by app keys, but there is nothing to find keys in")
	}
	a := &Authenticator{mode: o.Mode, now: o.Now, failures: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "postern_auth_failures_total", Help: "Callers that were not let in, by reason.",
	}, []string{"reason"})}
	if a.now == nil {
		a.now = time.Now
	}
	if o.Keys != nil {
		a.keys = newKeyCache(o.Keys, a.now, or(o.MaxStaleness, 5*time.Second))
	}
	for _, reason := range []string{authMissing, authMalformed, authUnknown, authWrong, authExpired, authRevoked, authCertificate, authUnavailable} {
		a.failures.WithLabelValues(reason)
	}
	if o.Metrics != nil {
		prometheus.WrapRegistererWith(prometheus.Labels{"listener": o.Listener}, o.Metrics).MustRegister(a.failures)
	}
	return a, nil
}

// Handle goes before the handlers that need to know their caller.
func (a *Authenticator) Handle(c *fiber.Ctx) error {
	caller, err := a.identify(c)
	if err == nil {
		stateOf(c.Context()).caller = caller
		return c.Next()
	}
	var stranger *strangerError
	if !errors.As(err, &stranger) {
		a.failures.WithLabelValues(authUnavailable).Inc()
		return err
	}
	a.failures.WithLabelValues(stranger.reason).Inc()
	return err
}

// A strangerError is why a caller is not known.
type strangerError struct{ reason string }

func (e *strangerError) Error() string { return "caller not let in: " + e.reason }
func (e *strangerError) Unwrap() error { return authz.ErrUnauthenticated }

func (a *Authenticator) identify(c *fiber.Ctx) (authz.Caller, error) {
	if sent := string(c.Request().Header.Peek(fiber.HeaderAuthorization)); sent != "" {
		return a.byKey(c.UserContext(), sent)
	}
	switch a.mode {
	case ModeNone:
		return authz.Caller{}, nil
	case ModeMTLS:
		return a.byCertificate(c)
	}
	return authz.Caller{}, &strangerError{authMissing}
}

// byKey does the same work for an id that exists and one that does not.
func (a *Authenticator) byKey(ctx context.Context, header string) (authz.Caller, error) {
	scheme, secret, _ := strings.Cut(header, " ")
	id, err := ParseAppKey(secret)
	if err != nil || !strings.EqualFold(scheme, "Bearer") {
		return authz.Caller{}, &strangerError{authMalformed}
	}
	key, known, err := a.find(ctx, id)
	if err != nil {
		return authz.Caller{}, err
	}
	hash := HashAppKey(secret)
	right := subtle.ConstantTimeCompare(hash[:], key.Hash[:]) == 1
	switch {
	case !known:
		return authz.Caller{}, &strangerError{authUnknown}
	case !right:
		return authz.Caller{}, &strangerError{authWrong}
	}
	return a.inForce(key)
}

func (a *Authenticator) find(ctx context.Context, id string) (Key, bool, error) {
	if a.keys == nil {
		return Key{}, false, nil
	}
	key, known, err := a.keys.find(ctx, id)
	if err != nil {
		return Key{}, false, fmt.Errorf("find app key %s: %w: %w", id, err, authz.ErrUnavailable)
	}
	return key, known, nil
}

// inForce returns the caller of a key that still counts.
func (a *Authenticator) inForce(key Key) (authz.Caller, error) {
	switch {
	case key.Revoked:
		return authz.Caller{}, &strangerError{authRevoked}
	case !key.Expires.IsZero() && !a.now().Before(key.Expires):
		return authz.Caller{}, &strangerError{authExpired}
	}
	return key.Caller, nil
}

// byCertificate lets in who the listener's client CA vouches for. A key with the
// certificate's name restricts it; without one it may ask about everything.
func (a *Authenticator) byCertificate(c *fiber.Ctx) (authz.Caller, error) {
	state := c.Context().TLSConnectionState()
	if state == nil || len(state.VerifiedChains) == 0 {
		return authz.Caller{}, &strangerError{authCertificate}
	}
	cert := state.PeerCertificates[0]
	name := nameOf(cert)
	if name == "" || a.now().After(cert.NotAfter) { // a connection may outlive it
		return authz.Caller{}, &strangerError{authCertificate}
	}
	key, known, err := a.find(c.UserContext(), name)
	switch {
	case err != nil:
		return authz.Caller{}, err
	case known:
		return a.inForce(key)
	}
	return authz.Caller{ID: name}, nil
}

// nameOf returns the first DNS name of a certificate, else its first URI, else
// its common name.
func nameOf(cert *x509.Certificate) string {
	switch {
	case len(cert.DNSNames) > 0:
		return cert.DNSNames[0]
	case len(cert.URIs) > 0:
		return cert.URIs[0].String()
	}
	return cert.Subject.CommonName
}
