package config

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
)

// sharedPrefix begins a secret that was derived for servers without a database.
const sharedPrefix = "postern_shared_"

// SharedKey is what all servers of a directory sign consistency tokens and seal
// the documents in Redis with, of 32 bytes or more. It is derived from Key, which
// cannot be told from it: who has it makes no link that would be mailed and signs
// no webhook. A server without a database may be given it as POSTERN_SECRET.
func (c *Config) SharedKey() ([]byte, error) {
	if c.Shared() {
		return []byte(c.Secret), nil
	}
	key, err := c.Key()
	if err != nil {
		return nil, err
	}
	derived, err := hkdf.Key(sha256.New, key, nil, "postern shared secret v1", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive what servers share: %w", err)
	}
	return []byte(sharedPrefix + base64.RawURLEncoding.EncodeToString(derived)), nil
}

// Shared says whether POSTERN_SECRET is a SharedKey, and no more than that.
func (c *Config) Shared() bool { return strings.HasPrefix(string(c.Secret), sharedPrefix) }
