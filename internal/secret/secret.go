// Package secret makes and reads the secrets that machines show: app keys,
// operator keys and service tokens. Nobody keeps one: its id finds it, and its
// hash says whether it is right.
package secret

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// A Prefix begins all secrets of one kind. It is for scanners that look for
// leaked ones.
type Prefix string

// The prefixes.
const (
	AppKey       Prefix = "pk_" // asks for decisions
	OperatorKey  Prefix = "ok_" // administers as the operator
	ServiceToken Prefix = "st_" // administers as its scopes say
)

// A secret reads <prefix><id>_<43 characters>: 256 random bits in base64url,
// which may itself hold "_".
const (
	secretLen = 43
	maxID     = 64
)

// New makes a secret. Its holder sees the text once; whoever keeps the secret
// keeps its id and the hash.
func (p Prefix) New() (id, text string, hash [32]byte) {
	var random [10 + 32]byte
	_, _ = rand.Read(random[:]) // never fails, see crypto/rand
	id = strings.ToLower(base32.StdEncoding.EncodeToString(random[:10]))
	text = string(p) + id + "_" + base64.RawURLEncoding.EncodeToString(random[10:])
	return id, text, Hash(text)
}

// Hash is what is kept of a secret. A secret is random, so a fast hash hides it
// as well as a slow one.
func Hash(text string) [32]byte { return sha256.Sum256([]byte(text)) }

// Parse returns the id of a secret. Its errors do not quote the secret.
func (p Prefix) Parse(text string) (id string, err error) {
	rest, ok := strings.CutPrefix(text, string(p))
	cut := len(rest) - secretLen - 1
	if !ok || cut < 1 || rest[cut] != '_' {
		return "", fmt.Errorf("%s reads %s<id>_<43 characters>", p.noun(), p)
	}
	if id = rest[:cut]; len(id) > maxID || strings.ContainsFunc(id, notInID) {
		return "", fmt.Errorf("the id of %s has up to 64 of a-z 0-9 and -", p.noun())
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(rest[cut+1:])
	if err != nil || len(raw) != 32 {
		return "", errors.New("the secret of " + p.noun() + " is 32 bytes in base64url")
	}
	return id, nil
}

func (p Prefix) noun() string {
	switch p {
	case OperatorKey:
		return "an operator key"
	case ServiceToken:
		return "a service token"
	}
	return "an app key"
}

func notInID(r rune) bool {
	return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
}
