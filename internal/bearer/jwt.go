package bearer

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
	"github.com/postern-authz/postern/internal/pap"
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

// byJWT lets in the user of a JWT.
func (b *Bearer) byJWT(ctx context.Context, text string) (pap.Principal, error) {
	said, err := read(text)
	if err != nil {
		return pap.Principal{}, err
	}
	from, ok := b.issuers[said.iss]
	if !ok {
		return pap.Principal{}, badIssuer
	}
	token, err := b.verify(ctx, from, said, text)
	if err != nil {
		return pap.Principal{}, err
	}
	return b.userOf(ctx, from, token)
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
		return unproved{}, badAlg
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
func (b *Bearer) verify(ctx context.Context, from *issuer, said unproved, text string) (jwt.Token, error) {
	keys, err := from.keys.find(ctx, said.alg, said.kid)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if payload, err := jws.Verify([]byte(text), jws.WithKey(said.alg, key)); err == nil {
			return b.validate(from, payload)
		}
	}
	return nil, badMAC
}

// validate checks the claims of a token whose signature is good.
func (b *Bearer) validate(from *issuer, payload []byte) (jwt.Token, error) {
	token, err := jwt.ParseInsecure(payload, jwt.WithStrictStringClaims(true))
	if err != nil {
		return nil, badClaims
	}
	err = jwt.Validate(token, jwt.WithIssuer(from.Name), jwt.WithAudience(from.Audience), jwt.WithRequiredClaim(jwt.ExpirationKey),
		jwt.WithAcceptableSkew(leeway), jwt.WithClock(jwt.ClockFunc(b.now)))
	switch {
	case err == nil:
		return token, nil
	case errors.Is(err, jwt.TokenExpiredError()):
		return nil, keyring.Expired
	case errors.Is(err, jwt.TokenNotYetValidError()), errors.Is(err, jwt.InvalidIssuedAtError()):
		return nil, badTime
	case errors.Is(err, jwt.InvalidAudienceError()):
		return nil, badAudience
	case errors.Is(err, jwt.InvalidIssuerError()):
		return nil, badIssuer
	}
	return nil, badClaims
}

// userOf is the user that a token is about.
func (b *Bearer) userOf(ctx context.Context, from *issuer, token jwt.Token) (pap.Principal, error) {
	var name string
	if err := token.Get(from.claim(), &name); err != nil || name == "" {
		return pap.Principal{}, badUser
	}
	subject, _ := token.Subject()
	p := pap.Principal{Kind: pap.JWT, ID: from.Name + " " + subject, Actor: name}
	if from.claim() == jwt.SubjectKey {
		if authz.CheckID(authz.PrefixUser, name) != nil {
			return pap.Principal{}, badUser
		}
		return p, nil
	}
	id, err := b.directory.UserByUsername(ctx, name)
	if errors.Is(err, authz.ErrNotFound) {
		return pap.Principal{}, badUser
	}
	p.Actor = id
	return p, err
}
