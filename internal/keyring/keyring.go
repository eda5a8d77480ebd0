// Package keyring makes, reads and checks keys: random secrets of which only a
// hash is kept, found by an id that is part of them.
package keyring

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"strings"
)

// A Prefix begins every key of one sort. It is for people, and for scanners that
// look for leaked secrets.
type Prefix string

// The prefixes.
const (
	App      Prefix = "pk_" // an application asks for decisions with it
	Operator Prefix = "ok_" // the operator administers everything with it
	Service  Prefix = "st_" // a portal administers with it what its scopes say
)

// A key reads <prefix><id>_<secret>. The secret is 256 random bits in base64url,
// which may itself hold "_".
const (
	secretLen = 43
	maxID     = 64
)

// New makes a key. The secret is the whole key, which its holder sees once;
// whoever keeps the key keeps its id and the hash.
func New(p Prefix) (id, secret string, hash [32]byte) {
	var random [10 + 32]byte
	_, _ = rand.Read(random[:]) // never fails, see crypto/rand
	id = strings.ToLower(base32.StdEncoding.EncodeToString(random[:10]))
	secret = string(p) + id + "_" + base64.RawURLEncoding.EncodeToString(random[10:])
	return id, secret, Hash(secret)
}

// Hash returns what is kept of a key. A key is random, so a fast hash hides it
// as well as a slow one.
func Hash(secret string) [32]byte { return sha256.Sum256([]byte(secret)) }

// Parse returns the id of a key. Its errors do not quote the key.
func Parse(p Prefix, secret string) (id string, err error) {
	rest, ok := strings.CutPrefix(secret, string(p))
	cut := len(rest) - secretLen - 1
	if !ok || cut < 1 || rest[cut] != '_' {
		return "", fmt.Errorf("a key of this sort reads %s<id>_<43 characters>", p)
	}
	if id = rest[:cut]; len(id) > maxID || strings.ContainsFunc(id, notInID) {
		return "", fmt.Errorf("the id of a key has up to %d of a-z 0-9 and -", maxID)
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(rest[cut+1:])
	if err != nil || len(raw) != 32 {
		return "", fmt.Errorf("the secret of a key is 32 bytes in base64url")
	}
	return id, nil
}

func notInID(r rune) bool {
	return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
}
