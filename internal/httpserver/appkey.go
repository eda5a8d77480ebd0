package httpserver

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"strings"
)

// An app key reads pk_<id>_<secret>. The prefix is for scanners that look for
// leaked secrets, the id is what the key is found by, and the secret is 256
// random bits in base64url, which may itself hold "_".
const (
	keyPrefix    = "pk_"
	keySecretLen = 43
	maxKeyID     = 64
)

// NewAppKey makes an app key. The secret is the whole key, which its holder sees
// once; whoever keeps the key keeps its id and the hash.
func NewAppKey() (id, secret string, hash [32]byte) {
	var random [10 + 32]byte
	_, _ = rand.Read(random[:]) // never fails, see crypto/rand
	id = strings.ToLower(base32.StdEncoding.EncodeToString(random[:10]))
	secret = keyPrefix + id + "_" + base64.RawURLEncoding.EncodeToString(random[10:])
	return id, secret, HashAppKey(secret)
}

// HashAppKey returns what is kept of an app key. A key is random, so a fast hash
// hides it as well as a slow one.
func HashAppKey(secret string) [32]byte { return sha256.Sum256([]byte(secret)) }

// ParseAppKey returns the id of an app key. Its errors do not quote the key.
func ParseAppKey(secret string) (id string, err error) {
	rest, ok := strings.CutPrefix(secret, keyPrefix)
	cut := len(rest) - keySecretLen - 1
	if !ok || cut < 1 || rest[cut] != '_' {
		return "", errors.New("an app key reads pk_<id>_<43 characters>")
	}
	if id = rest[:cut]; len(id) > maxKeyID || strings.ContainsFunc(id, notInKeyID) {
		return "", errors.New("the id of an app key has up to 64 of a-z 0-9 and -")
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(rest[cut+1:])
	if err != nil || len(raw) != 32 {
		return "", errors.New("the secret of an app key is 32 bytes in base64url")
	}
	return id, nil
}

func notInKeyID(r rune) bool {
	return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
}
