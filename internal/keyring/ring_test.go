package keyring

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/secret"
)

// known is what there is to find, in memory. It counts what it was asked.
type known struct {
	mu    sync.Mutex
	keys  map[string]Key[string]
	asked int
}

func (k *known) find(_ context.Context, id string) (Key[string], error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked++
	key, ok := k.keys[id]
	if !ok {
		return Key[string]{}, fmt.Errorf("key %s: %w", id, authz.ErrNotFound)
	}
	return key, nil
}

func (k *known) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.asked
}

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func TestAKeyOpensOrSaysWhyNot(t *testing.T) {
	clock := newClock()
	id, text, hash := secret.ServiceToken.New()
	revoked, revokedText, revokedHash := secret.ServiceToken.New()
	expired, expiredText, expiredHash := secret.ServiceToken.New()
	_, stranger, _ := secret.ServiceToken.New()
	keys := &known{keys: map[string]Key[string]{
		id:      {Hash: hash, Holder: "portal", Expires: clock.Now().Add(time.Second)},
		revoked: {Hash: revokedHash, Holder: "old", Revoked: true},
		expired: {Hash: expiredHash, Holder: "late", Expires: clock.Now()},
	}}
	ring := NewRing(secret.ServiceToken, keys.find, clock.Now, 5*time.Second)
	for _, tt := range []struct {
		name, text, holder string
		fault              error
	}{
		{"the right key", text, "portal", nil},
		{"the secret of another key", "st_" + id + stranger[len(stranger)-44:], "", Wrong},
		{"an unknown id", stranger, "", Unknown},
		{"a revoked key", revokedText, "", Revoked},
		{"an expired key", expiredText, "", Expired},
		{"another prefix", "ok" + text[2:], "", Malformed},
		{"nothing", "", "", Malformed},
	} {
		holder, err := ring.Open(t.Context(), tt.text)
		if holder != tt.holder || !errors.Is(err, tt.fault) || (tt.fault != nil) != errors.Is(err, authz.ErrUnauthenticated) {
			t.Errorf("%s: got %q, %v, want %q, %v", tt.name, holder, err, tt.holder, tt.fault)
		}
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	keys := &known{keys: map[string]Key[string]{}}
	c := newCache(keys.find, newClock().Now, 5*time.Second)
	for i := range 5 * maxCached {
		if _, known, err := c.find(t.Context(), fmt.Sprint(i)); known || err != nil {
			t.Fatalf("got known %v, %v, want an unknown key", known, err)
		}
	}
	if len(c.recent) > maxCached {
		t.Errorf("the cache holds %d keys, want %d at most", len(c.recent), maxCached)
	}
	if _, _, err := c.find(t.Context(), fmt.Sprint(5*maxCached-1)); err != nil || keys.count() != 5*maxCached {
		t.Errorf("an unknown key was looked up again: %d look-ups", keys.count())
	}
}

// locked finds nothing until the channel is closed, as a locked database.
func locked(find Find[string], until chan struct{}) Find[string] {
	return func(ctx context.Context, id string) (Key[string], error) {
		<-until
		return find(ctx, id)
	}
}

func TestLockedKeysHoldNobodyUp(t *testing.T) {
	clock, until := newClock(), make(chan struct{})
	keys := &known{keys: map[string]Key[string]{"portal": {Holder: "portal"}}}
	c := newCache(keys.find, clock.Now, 5*time.Second)
	if _, known, err := c.find(t.Context(), "portal"); !known || err != nil {
		t.Fatalf("got known %v, %v, want a known key", known, err)
	}
	c.keys = locked(keys.find, until)
	clock.pass(2 * time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if key, known, err := c.find(ctx, "portal"); !known || err != nil || key.Holder != "portal" || ctx.Err() != nil {
		t.Errorf("got %v, known %v, %v with %v, want the last answer while there is time left", key, known, err, ctx.Err())
	}
	clock.pass(4 * time.Second)
	var asking sync.WaitGroup
	for i := range 2 * maxLookups {
		asking.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, known, err := c.find(ctx, []string{"portal", "stranger"}[i%2]); known || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got known %v, %v, want %v", known, err, context.DeadlineExceeded)
			}
		})
	}
	asking.Wait()
	close(until)
	for range maxLookups { // each waits for a look-up to end
		c.lookups <- struct{}{}
	}
	for range maxLookups {
		<-c.lookups
	}
	if _, known, err := c.find(t.Context(), "portal"); !known || err != nil {
		t.Errorf("got known %v, %v, want a known key again", known, err)
	}
}

func broken(context.Context, string) (Key[string], error) { panic("broken") }

func TestAPanicWhileFindingIsAnError(t *testing.T) {
	if _, known, err := newCache(broken, newClock().Now, 5*time.Second).find(t.Context(), "portal"); known || err == nil {
		t.Errorf("got known %v, %v, want an error", known, err)
	}
}
