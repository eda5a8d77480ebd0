package httpserver

import "github.com/postern-authz/postern/internal/secret"

// NewAppKey makes an app key. The secret is the whole key, which its holder sees
// once; whoever keeps the key keeps its id and the hash.
func NewAppKey() (id, text string, hash [32]byte) { return secret.AppKey.New() }

// HashAppKey returns what is kept of an app key.
func HashAppKey(text string) [32]byte { return secret.Hash(text) }

// ParseAppKey returns the id of an app key. Its errors do not quote the key.
func ParseAppKey(text string) (id string, err error) { return secret.AppKey.Parse(text) }
