package httpserver

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/postern-authz/postern/internal/authz"
)

// Keys finds app keys. A key that is not known is an error of kind
// authz.ErrNotFound.
type Keys interface {
	AppKey(ctx context.Context, id string) (Key, error)
}

// A Key is what is kept of an app key.
type Key struct {
	Hash    [32]byte     // of the whole key, see HashAppKey
	Caller  authz.Caller // who holds it, and what it may ask about
	Expires time.Time    // zero: never
	Revoked bool
}

// How long an answer of Keys is used: as a matter of course, and when Keys
// fails. Nothing but these delays a revocation.
const (
	keyFresh = time.Second
	keyStale = 5 * time.Second
)

// maxCachedKeys bounds what strangers who try ids can make the cache hold.
const maxCachedKeys = 1024

// A keyCache remembers answers of Keys for a moment, unknown ids included.
type keyCache struct {
	keys Keys
	now  func() time.Time

	mu     sync.Mutex
	recent map[string]cachedKey // guarded by mu
}

type cachedKey struct {
	key   Key
	known bool
	at    time.Time
}

// find returns the key of an id, and whether there is one.
func (c *keyCache) find(ctx context.Context, id string) (key Key, known bool, err error) {
	now := c.now()
	c.mu.Lock()
	last, ok := c.recent[id]
	c.mu.Unlock()
	if ok && now.Sub(last.at) < keyFresh {
		return last.key, last.known, nil
	}
	key, err = c.keys.AppKey(ctx, id)
	switch {
	case err == nil || errors.Is(err, authz.ErrNotFound):
		c.remember(id, cachedKey{key, err == nil, now})
		return key, err == nil, nil
	case ok && now.Sub(last.at) < keyStale:
		return last.key, last.known, nil
	}
	return Key{}, false, err
}

func (c *keyCache) remember(id string, k cachedKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.recent) >= maxCachedKeys {
		clear(c.recent) // all of it is read again within a second anyway
	}
	c.recent[id] = k
}
