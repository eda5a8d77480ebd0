package httpserver

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
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

// keyFresh is how long an answer of Keys is used as a matter of course. Nothing
// but this and AuthOptions.MaxStaleness delays a revocation.
const keyFresh = time.Second

// maxCachedKeys bounds what strangers who try ids can make the cache hold.
const maxCachedKeys = 1024

// maxLookups is how many questions Keys is asked at once.
const maxLookups = 32

// A keyCache remembers answers of Keys for a moment, unknown ids included.
type keyCache struct {
	keys    Keys
	now     func() time.Time
	stale   time.Duration // how long an answer is used when Keys fails
	lookups chan struct{} // holds one for each question that is asked

	mu     sync.Mutex
	recent map[string]cachedKey // guarded by mu
}

type cachedKey struct {
	key   Key
	known bool
	at    time.Time
}

func newKeyCache(keys Keys, now func() time.Time, stale time.Duration) *keyCache {
	return &keyCache{keys: keys, now: now, stale: stale, lookups: make(chan struct{}, maxLookups), recent: map[string]cachedKey{}}
}

// find returns the key of an id, and whether there is one. While Keys is slow
// the last answer will do, and half of the time is left for what follows.
func (c *keyCache) find(ctx context.Context, id string) (key Key, known bool, err error) {
	now := c.now()
	c.mu.Lock()
	last, ok := c.recent[id]
	c.mu.Unlock()
	if ok && now.Sub(last.at) < keyFresh {
		return last.key, last.known, nil
	}
	usable := ok && now.Sub(last.at) < c.stale
	if end, limited := ctx.Deadline(); usable && limited {
		half, cancel := context.WithTimeout(ctx, time.Until(end)/2)
		defer cancel()
		ctx = half
	}
	found, err := c.lookUp(ctx, id)
	switch {
	case err == nil:
		found.at = now
		c.remember(id, found)
		return found.key, found.known, nil
	case usable:
		return last.key, last.known, nil
	}
	return Key{}, false, err
}

// lookUp asks Keys, and waits no longer than ctx lasts: a database that is
// locked does not look at it, so it is left behind.
func (c *keyCache) lookUp(ctx context.Context, id string) (cachedKey, error) {
	select {
	case c.lookups <- struct{}{}:
	case <-ctx.Done():
		return cachedKey{}, context.Cause(ctx)
	}
	type answer struct {
		key cachedKey
		err error
	}
	got := make(chan answer, 1)
	go func() {
		defer func() { <-c.lookups }()
		key, err := c.ask(ctx, id)
		got <- answer{key, err}
	}()
	select {
	case a := <-got:
		return a.key, a.err
	case <-ctx.Done():
		return cachedKey{}, context.Cause(ctx)
	}
}

// ask asks Keys. It runs outside any request, so nobody else would stop a panic
// from ending the process.
func (c *keyCache) ask(ctx context.Context, id string) (found cachedKey, err error) {
	defer func() {
		if what := recover(); what != nil {
			err = fmt.Errorf("looking up an app key panicked: %v\n%s", what, debug.Stack())
		}
	}()
	key, err := c.keys.AppKey(ctx, id)
	if errors.Is(err, authz.ErrNotFound) {
		return cachedKey{}, nil
	}
	return cachedKey{key: key, known: true}, err
}

func (c *keyCache) remember(id string, k cachedKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.recent) >= maxCachedKeys {
		clear(c.recent) // all of it is read again within a second anyway
	}
	c.recent[id] = k
}
