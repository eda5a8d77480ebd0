package httpserver

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/keyring"
	"github.com/postern-authz/postern/internal/secret"
)

// A Mode is how applications prove who they are.
type Mode string

// The modes. In each of them a key that is sent has to be right.
const (
	ModeKey  Mode = "key"  // an app key as a bearer token
	ModeMTLS Mode = "mtls" // a client certificate that the listener has verified
	ModeNone Mode = "none" // not at all: only where nobody else can reach the listener
)

// Keys finds app keys. A key that is not known is an error of kind
// authz.ErrNotFound.
type Keys interface {
	AppKey(ctx context.Context, id string) (Key, error)
}

// A Key is what is kept of an app key: its holder is who asks with it, and what
// it may ask about.
type Key = keyring.Key[authz.Caller]

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

// An Authenticator lets known applications in. No header but Authorization, and
// HeaderAppKey of a proxy, says who a caller is (T15).
type Authenticator struct {
	mode     Mode
	keys     *keyring.Ring[authz.Caller]
	now      func() time.Time
	failures *prometheus.CounterVec
}

// Why a caller is not let in. The caller learns none of it.
const (
	authMissing     = "missing"
	authMalformed   = string(keyring.Malformed)
	authUnknown     = string(keyring.Unknown)
	authWrong       = string(keyring.Wrong)
	authExpired     = string(keyring.Expired)
	authRevoked     = string(keyring.Revoked)
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
	a := &Authenticator{mode: o.Mode, now: o.Now, failures: keyring.Failures(o.Listener, o.Metrics, keyring.Malformed, keyring.Unknown,
		keyring.Wrong, keyring.Expired, keyring.Revoked, authMissing, authCertificate, authUnavailable)}
	if a.now == nil {
		a.now = time.Now
	}
	find := unknownKey
	if o.Keys != nil {
		find = o.Keys.AppKey
	}
	a.keys = keyring.NewRing(secret.AppKey, find, a.now, or(o.MaxStaleness, 5*time.Second))
	return a, nil
}

// HeaderAppKey has the app key of a proxy, because Authorization is that of the
// user whom it asks about.
const HeaderAppKey = "Postern-App-Key"

// Handle goes before the handlers that need to know their caller.
func (a *Authenticator) Handle(c *fiber.Ctx) error {
	sent := string(c.Request().Header.Peek(fiber.HeaderAuthorization))
	scheme, key, _ := strings.Cut(sent, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		key = ""
	}
	if err := a.letIn(c, sent != "", key); err != nil {
		return err
	}
	return c.Next()
}

// HandleProxy is Handle for proxies, which show their key in HeaderAppKey. Who
// is not let in is answered 403: after a 401 a proxy would have the user sign
// in, which helps nobody.
func (a *Authenticator) HandleProxy(c *fiber.Ctx) error {
	sent := c.Request().Header.PeekAll(HeaderAppKey)
	err := a.letIn(c, len(sent) > 0, string(bytes.Join(sent, []byte(","))))
	switch {
	case errors.Is(err, authz.ErrUnauthenticated):
		return &Problem{
			Status: fiber.StatusForbidden, Reason: "proxy-unknown", Title: "The proxy is not known", Err: err,
			Detail: "The proxy that this came through shows neither a valid app key in " + HeaderAppKey + " nor the client certificate that was agreed.",
		}
	case err != nil:
		return err
	}
	return c.Next()
}

// letIn notes who the caller is, or counts why that is not known.
func (a *Authenticator) letIn(c *fiber.Ctx, sent bool, key string) error {
	caller, err := a.identify(c, sent, key)
	if err == nil {
		stateOf(c.Context()).caller = caller
		return nil
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

func (a *Authenticator) identify(c *fiber.Ctx, sent bool, key string) (authz.Caller, error) {
	if sent {
		return known(a.keys.Open(c.UserContext(), key))
	}
	switch a.mode {
	case ModeNone:
		return authz.Caller{}, nil
	case ModeMTLS:
		return a.byCertificate(c)
	}
	return authz.Caller{}, &strangerError{authMissing}
}

// known makes the fault of a key what keeps a caller out.
func known(caller authz.Caller, err error) (authz.Caller, error) {
	if fault := keyring.Fault(""); errors.As(err, &fault) {
		return authz.Caller{}, &strangerError{string(fault)}
	}
	return caller, err
}

// unknownKey is where there are no keys.
func unknownKey(context.Context, string) (Key, error) { return Key{}, authz.ErrNotFound }

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
	caller, err := a.keys.ByID(c.UserContext(), name)
	if errors.Is(err, keyring.Unknown) {
		return authz.Caller{ID: name}, nil
	}
	return known(caller, err)
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
