package keyring

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/postern-authz/postern/internal/authz"
)

// fresh is how long what was found is used as a matter of course.
const fresh = time.Second

// maxCached bounds what strangers who try ids can make the cache hold.
const maxCached = 1024

// maxLookups is how many keys are looked for at once.
const maxLookups = 32

// A cache remembers for a moment what was found, unknown ids included.
type cache[H any] struct {
	keys    Find[H]
	now     func() time.Time
	stale   time.Duration // how long it is used while nothing can be found
	lookups chan struct{} // holds one for each that runs

	mu     sync.Mutex
	recent map[string]cached[H] // guarded by mu
}

type cached[H any] struct {
	key   Key[H]
	known bool
	at    time.Time
}

func newCache[H any](keys Find[H], now func() time.Time, stale time.Duration) *cache[H] {
	return &cache[H]{keys: keys, now: now, stale: stale, lookups: make(chan struct{}, maxLookups), recent: map[string]cached[H]{}}
}

// find returns the key of an id, and whether there is one. While finding is slow
// the last answer will do, and half of the time is left for what follows.
func (c *cache[H]) find(ctx context.Context, id string) (key Key[H], known bool, err error) {
	now := c.now()
	c.mu.Lock()
	last, ok := c.recent[id]
	c.mu.Unlock()
	if ok && now.Sub(last.at) < fresh {
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
	return Key[H]{}, false, err
}

// lookUp finds a key, and waits no longer than ctx lasts: a database that is
// locked does not look at it, so it is left behind.
func (c *cache[H]) lookUp(ctx context.Context, id string) (cached[H], error) {
	select {
	case c.lookups <- struct{}{}:
	case <-ctx.Done():
		return cached[H]{}, context.Cause(ctx)
	}
	type answer struct {
		key cached[H]
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
		return cached[H]{}, context.Cause(ctx)
	}
}

// ask finds a key. It runs outside any request, so nobody else would stop a panic
// from ending the process.
func (c *cache[H]) ask(ctx context.Context, id string) (found cached[H], err error) {
	defer func() {
		if what := recover(); what != nil {
			err = fmt.Errorf("looking up a key panicked: %v\n%s", what, debug.Stack())
		}
	}()
	key, err := c.keys(ctx, id)
	if errors.Is(err, authz.ErrNotFound) {
		return cached[H]{}, nil
	}
	return cached[H]{key: key, known: true}, err
}

func (c *cache[H]) remember(id string, k cached[H]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.recent) >= maxCached {
		clear(c.recent) // all of it is read again within a second anyway
	}
	c.recent[id] = k
}
