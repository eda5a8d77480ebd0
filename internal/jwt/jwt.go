package jwt

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/keyring"
)

const (
	maxJWT = 8 << 10          // bytes
	leeway = 30 * time.Second // between an issuer's clock and ours
)

// A claim of what a JWT is, to be believed once its signature is checked. Of its
// header nothing but the algorithm and the key's id is read: keys come from the
// configuration, and never from where a token says (jku, jwk, x5u).
type unproved struct {
	alg jwa.SignatureAlgorithm
	kid string
	iss string
}

// Verify says whose a token is. One that is not believed is a keyring.Fault, of
// kind authz.ErrUnauthenticated; when the keys cannot be read the error is of
// kind authz.ErrUnavailable.
func (v *Verifier) Verify(ctx context.Context, text string) (User, error) {
	said, err := read(text)
	if err != nil {
		return User{}, err
	}
	from, ok := v.issuers[said.iss]
	if !ok {
		return User{}, BadIssuer
	}
	token, err := v.verify(ctx, from, said, text)
	if err != nil {
		return User{}, err
	}
	return userOf(from, token)
}

// read reads what a JWT says of itself. It is in the compact form, of three
// parts, and signed in one of the ways that are allowed.
func read(text string) (unproved, error) {
	parts := strings.Split(text, ".")
	if len(text) > maxJWT || len(parts) != 3 || parts[2] == "" {
		return unproved{}, keyring.Malformed
	}
	var header struct {
		Alg  string
		Kid  string
		Crit json.RawMessage
	}
	var payload struct{ Iss string }
	if decode(parts[0], &header) != nil || decode(parts[1], &payload) != nil || header.Crit != nil {
		return unproved{}, keyring.Malformed
	}
	alg, ok := allowed(header.Alg)
	if !ok {
		return unproved{}, BadAlgorithm
	}
	return unproved{alg, header.Kid, payload.Iss}, nil
}

func decode(part string, into any) error {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}

// allowed are the algorithms that a signature may be made with: none by a secret
// that we would share.
func allowed(name string) (jwa.SignatureAlgorithm, bool) {
	for _, alg := range []jwa.SignatureAlgorithm{jwa.RS256(), jwa.ES256(), jwa.EdDSA()} {
		if alg.String() == name {
			return alg, true
		}
	}
	return jwa.SignatureAlgorithm{}, false
}

// verify checks the signature with each key that it may be made with, and then
// the claims.
func (v *Verifier) verify(ctx context.Context, from *issuer, said unproved, text string) (jwt.Token, error) {
	keys, err := from.keys.find(ctx, said.alg, said.kid)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if payload, err := jws.Verify([]byte(text), jws.WithKey(said.alg, key)); err == nil {
			return v.validate(from, payload)
		}
	}
	return nil, BadSignature
}

// validate checks the claims of a token whose signature is good.
func (v *Verifier) validate(from *issuer, payload []byte) (jwt.Token, error) {
	token, err := jwt.ParseInsecure(payload, jwt.WithStrictStringClaims(true))
	if err != nil {
		return nil, BadClaims
	}
	err = jwt.Validate(token, jwt.WithIssuer(from.Name), jwt.WithAudience(from.Audience), jwt.WithRequiredClaim(jwt.ExpirationKey),
		jwt.WithAcceptableSkew(leeway), jwt.WithClock(jwt.ClockFunc(v.now)))
	switch {
	case err == nil:
		return token, nil
	case errors.Is(err, jwt.TokenExpiredError()):
		return nil, keyring.Expired
	case errors.Is(err, jwt.TokenNotYetValidError()), errors.Is(err, jwt.InvalidIssuedAtError()):
		return nil, BadTime
	case errors.Is(err, jwt.InvalidAudienceError()):
		return nil, BadAudience
	case errors.Is(err, jwt.InvalidIssuerError()):
		return nil, BadIssuer
	}
	return nil, BadClaims
}

// userOf is the user that a token is about.
func userOf(from *issuer, token jwt.Token) (User, error) {
	u := User{Issuer: from.Name, ByID: from.claim() == jwt.SubjectKey}
	if err := token.Get(from.claim(), &u.Name); err != nil || u.Name == "" {
		return User{}, BadUser
	}
	if u.ByID && authz.CheckID(authz.PrefixUser, u.Name) != nil {
		return User{}, BadUser
	}
	u.Subject, _ = token.Subject()
	return u, nil
}
