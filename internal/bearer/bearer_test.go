package bearer

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/jwt"
	"github.com/postern-authz/postern/internal/keyring"
	"github.com/postern-authz/postern/internal/pap"
	"github.com/postern-authz/postern/internal/secret"
)

const (
	rosa = "usr_0193cbd0-7d1e-7c3f-8a3e-1f2d3c4b5a69"
	sam  = "usr_0193cbd0-7d1e-7c3f-8a3e-1f2d3c4b5a70"
)

// phonebook is a Directory in memory.
type phonebook struct {
	mu     sync.Mutex
	tokens map[string]pap.Token
	users  map[string]string
	err    error
}

func (p *phonebook) Token(_ context.Context, id string) (pap.Token, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, ok := p.tokens[id]
	if !ok && p.err == nil {
		return t, authz.ErrNotFound
	}
	return t, p.err
}

func (p *phonebook) UserByUsername(_ context.Context, username string) (string, error) {
	id, ok := p.users[username]
	if !ok && p.err == nil {
		return "", authz.ErrNotFound
	}
	return id, p.err
}

// issue makes a secret of the kind and keeps what is to be kept of it.
func (p *phonebook) issue(kind pap.PrincipalKind, prefix secret.Prefix, change func(*pap.Token)) (id, text string) {
	id, text, hash := prefix.New()
	t := pap.Token{ID: id, Kind: kind, Hash: hash}
	if change != nil {
		change(&t)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tokens[id] = t
	return id, text
}

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func open(t *testing.T, issuers ...jwt.Issuer) (*Bearer, *phonebook, *clock) {
	t.Helper()
	book, clock := &phonebook{tokens: map[string]pap.Token{}, users: map[string]string{"rosa": rosa}}, newClock()
	jwts, err := jwt.New(jwt.Options{Issuers: issuers, Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	return New(Options{Directory: book, JWTs: jwts, Metrics: prometheus.NewRegistry(), Now: clock.Now}), book, clock
}

func TestKeysAndTokensSayWhoComes(t *testing.T) {
	b, book, clock := open(t)
	key, keyText := book.issue(pap.OperatorKey, secret.OperatorKey, nil)
	token, tokenText := book.issue(pap.ServiceToken, secret.ServiceToken, func(t *pap.Token) {
		t.Scopes, t.Organizations = []pap.Scope{pap.ScopeAct}, []string{"acme"}
	})
	_, posing := book.issue(pap.ServiceToken, secret.OperatorKey, nil)
	_, revoked := book.issue(pap.ServiceToken, secret.ServiceToken, func(t *pap.Token) { t.RevokedAt = clock.Now() })
	_, expired := book.issue(pap.ServiceToken, secret.ServiceToken, func(t *pap.Token) { t.ExpiresAt = clock.Now() })
	_, stranger, _ := secret.ServiceToken.New()
	_, app, _ := secret.AppKey.New()
	operator := pap.Principal{Kind: pap.OperatorKey, ID: key, Scopes: []pap.Scope{pap.ScopeOperator}}
	portal := pap.Principal{Kind: pap.ServiceToken, ID: token, Scopes: []pap.Scope{pap.ScopeAct}, Organizations: []string{"acme"}}
	acting := portal
	acting.Actor = rosa
	for _, tt := range []struct {
		name, header, actor string
		want                pap.Principal
		err                 error
	}{
		{"an operator key", "Bearer " + keyText, "", operator, nil},
		{"a service token", "bearer " + tokenText, "", portal, nil},
		{"a service token that acts for a user", "Bearer " + tokenText, rosa, acting, nil},
		{"a service token that acts for nobody", "Bearer " + tokenText, "rosa", pap.Principal{}, authz.ErrInvalid},
		{"nothing", "", "", pap.Principal{}, missing},
		{"nothing but an actor", "", rosa, pap.Principal{}, missing},
		{"another scheme", "Basic " + tokenText, "", pap.Principal{}, keyring.Malformed},
		{"a service token as an operator key", "Bearer ok" + tokenText[2:], "", pap.Principal{}, keyring.Unknown},
		{"a service token kept under an operator key's prefix", "Bearer " + posing, "", pap.Principal{}, keyring.Unknown},
		{"the secret of another token", "Bearer st_" + token + stranger[len(stranger)-44:], "", pap.Principal{}, keyring.Wrong},
		{"an unknown token", "Bearer " + stranger, "", pap.Principal{}, keyring.Unknown},
		{"a revoked token", "Bearer " + revoked, "", pap.Principal{}, keyring.Revoked},
		{"an expired token", "Bearer " + expired, "", pap.Principal{}, keyring.Expired},
		{"an app key", "Bearer " + app, "", pap.Principal{}, keyring.Malformed},
		{"two tokens", "Bearer " + tokenText + ", Bearer " + keyText, "", pap.Principal{}, keyring.Malformed},
		{"a JWT of nobody's", "Bearer eyJhbGciOiJSUzI1NiJ9.e30.AA", "", pap.Principal{}, jwt.BadIssuer},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fault := keyring.Fault("none")
			errors.As(tt.err, &fault)
			before := testutil.ToFloat64(b.failures.WithLabelValues(string(fault)))
			got, err := b.Identify(t.Context(), tt.header, tt.actor)
			if !reflect.DeepEqual(got, tt.want) || !errors.Is(err, tt.err) {
				t.Errorf("got %+v, %v, want %+v, %v", got, err, tt.want, tt.err)
			}
			if fault != "none" && (!errors.Is(err, authz.ErrUnauthenticated) || testutil.ToFloat64(b.failures.WithLabelValues(string(fault))) != before+1) {
				t.Errorf("got %v, want a stranger that is counted once for %s", err, fault)
			}
		})
	}
}

func TestARevocationTakesEffectWithinASecond(t *testing.T) {
	b, book, clock := open(t)
	id, text := book.issue(pap.ServiceToken, secret.ServiceToken, nil)
	if _, err := b.Identify(t.Context(), "Bearer "+text, ""); err != nil {
		t.Fatal(err)
	}
	book.mu.Lock()
	kept := book.tokens[id]
	kept.RevokedAt = clock.Now()
	book.tokens[id] = kept
	book.mu.Unlock()
	clock.pass(time.Second)
	if _, err := b.Identify(t.Context(), "Bearer "+text, ""); !errors.Is(err, keyring.Revoked) {
		t.Errorf("got %v after a second, want %v", err, keyring.Revoked)
	}
}

func TestADirectoryThatDoesNotAnswerIsNoStranger(t *testing.T) {
	b, book, _ := open(t)
	_, text := book.issue(pap.ServiceToken, secret.ServiceToken, nil)
	book.err = errors.New("the disk is gone")
	_, err := b.Identify(t.Context(), "Bearer "+text, "")
	if !errors.Is(err, authz.ErrUnavailable) || errors.Is(err, authz.ErrUnauthenticated) {
		t.Errorf("got %v, want %v", err, authz.ErrUnavailable)
	}
	if got := testutil.ToFloat64(b.failures.WithLabelValues(string(unavailable))); got != 1 {
		t.Errorf("got %v counted, want 1", got)
	}
}

func TestNoErrorQuotesACredential(t *testing.T) {
	b, book, _ := open(t)
	_, text := book.issue(pap.ServiceToken, secret.ServiceToken, nil)
	for _, header := range []string{text, "Bearer " + text + "x", "Bearer " + text[:len(text)-2] + "AA", "Bearer a." + text + ".b"} {
		if _, err := b.Identify(t.Context(), header, ""); err == nil || strings.Contains(err.Error(), text[20:40]) {
			t.Errorf("%q got %v, want an error without it", header, err)
		}
	}
}

// FuzzIdentify says that whatever is sent, nobody is let in who was given
// nothing, and nothing panics.
func FuzzIdentify(f *testing.F) {
	_, text, _ := secret.OperatorKey.New()
	for _, seed := range []string{"", "Bearer", "Bearer " + text, "Bearer a.b.c", "Bearer eyJhbGciOiJub25lIn0.eyJpc3MiOiJpIn0.", "Bearer eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJpIn0.AA", "Bearer st__"} {
		f.Add(seed, rosa)
	}
	jwts, err := jwt.New(jwt.Options{Issuers: []jwt.Issuer{{Name: "i", Audience: "postern", Keys: "testdata/none"}}})
	if err != nil {
		f.Fatal(err)
	}
	b := New(Options{Directory: &phonebook{}, JWTs: jwts})
	f.Fuzz(func(t *testing.T, authorization, actor string) {
		p, err := b.Identify(t.Context(), authorization, actor)
		if err == nil || p.Kind != pap.Stranger {
			t.Errorf("Identify(%q, %q) let %+v in", authorization, actor, p)
		}
	})
}
