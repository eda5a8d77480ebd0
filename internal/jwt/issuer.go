// Package jwt says whose a JSON Web Token (RFC 7519) is. It believes the issuers
// that it is configured with, and of a token nothing but what they have signed.
package jwt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/postern-authz/postern/internal/keyring"
)

// An Issuer signs JWTs for the users of a portal.
type Issuer struct {
	Name     string // the claim iss, compared exactly
	Audience string // the claim aud has to have this; required
	// Keys is where its public keys are: an https URL, http on a loopback
	// address, or the path of a file, each a JWK Set.
	Keys string
	// UserClaim names the claim with the user's username. Empty or sub: sub, and
	// it has the user's id (usr_…).
	UserClaim string
}

type issuer struct {
	Issuer
	keys *keys
}

func (i *issuer) claim() string { return cmp.Or(i.UserClaim, jwt.SubjectKey) }

// A User is whom a token is of.
type User struct {
	Name    string // id or username
	ByID    bool   // Name is the user's id (usr_…), else the username
	Issuer  string
	Subject string // the claim sub; may be empty
}

// Why a token is not believed, beside what can be wrong with any key. Each is of
// kind authz.ErrUnauthenticated, and a value of the label reason.
const (
	BadIssuer    keyring.Fault = "issuer"
	BadAlgorithm keyring.Fault = "algorithm"
	BadKey       keyring.Fault = "key"
	BadSignature keyring.Fault = "signature"
	BadAudience  keyring.Fault = "audience"
	BadTime      keyring.Fault = "not_yet"
	BadClaims    keyring.Fault = "claims"
	BadUser      keyring.Fault = "user"
)

// Faults are all of them.
func Faults() []keyring.Fault {
	return []keyring.Fault{BadIssuer, BadAlgorithm, BadKey, BadSignature, BadAudience, BadTime, BadClaims, BadUser}
}

// A Verifier verifies tokens. Any number of goroutines may use it at once.
type Verifier struct {
	issuers map[string]*issuer
	now     func() time.Time
}

// Options say whom a Verifier believes. Zero fields have the value that is named.
type Options struct {
	Issuers []Issuer         // none: nobody
	Log     *slog.Logger     // nothing is logged
	Now     func() time.Time // time.Now
}

// New returns a Verifier. What is wrong with an issuer is an error.
func New(o Options) (*Verifier, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	v := &Verifier{issuers: map[string]*issuer{}, now: o.Now}
	for _, i := range o.Issuers {
		switch {
		case i.Name == "" || i.Audience == "" || i.Keys == "":
			return nil, errors.New("an issuer of JWTs needs a name, an audience and keys")
		case v.issuers[i.Name] != nil:
			return nil, fmt.Errorf("the issuer %s is named twice", i.Name)
		}
		v.issuers[i.Name] = &issuer{i, newKeys(i.Keys, o.Now, o.Log.With("issuer", i.Name))}
	}
	return v, nil
}

// Follow keeps the keys of all issuers up to date until ctx ends. It must run
// for rotated keys to be known, and withdrawn ones not.
func (v *Verifier) Follow(ctx context.Context) {
	tick := time.NewTicker(atLeast)
	defer tick.Stop()
	for {
		for _, i := range v.issuers {
			_ = i.keys.refresh(ctx) // it ends with ctx, as this does
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// report says once that keys cannot be read, and once that they can again.
func report(log *slog.Logger, err error, failing bool) {
	switch {
	case err != nil && !failing:
		log.Error("the keys at POSTERN_JWT_KEYS cannot be read; those that are known are used", "err", err)
	case err == nil && failing:
		log.Info("the keys at POSTERN_JWT_KEYS can be read again")
	}
}
