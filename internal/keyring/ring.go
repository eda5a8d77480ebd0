// Package keyring opens with secrets: it finds what is kept of one by its id,
// compares, and says who holds it, or why it opens nothing.
package keyring

import (
	"context"
	"crypto/subtle"
	"fmt"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/secret"
)

// A Key is what is kept of a key, and who holds it.
type Key[H any] struct {
	Hash    [32]byte // see secret.Hash
	Holder  H
	Expires time.Time // zero: never
	Revoked bool
}

// A Find finds a key by its id. One that is not known is an error of kind
// authz.ErrNotFound.
type Find[H any] func(ctx context.Context, id string) (Key[H], error)

// A Fault is why a key opens nothing. It is for counters, not for who shows the
// key.
type Fault string

// The faults.
const (
	Malformed Fault = "malformed"
	Unknown   Fault = "unknown"
	Wrong     Fault = "wrong"
	Expired   Fault = "expired"
	Revoked   Fault = "revoked"
)

func (f Fault) Error() string { return "the key is not good: " + string(f) }

// Unwrap says that the caller is not known.
func (f Fault) Unwrap() error { return authz.ErrUnauthenticated }

// A Ring opens with secrets of one prefix. It remembers for a second what it found, so
// that a revocation takes effect within that, and no longer than stale while
// nothing can be found.
type Ring[H any] struct {
	prefix secret.Prefix
	now    func() time.Time
	cache  *cache[H]
}

// NewRing makes a Ring.
func NewRing[H any](p secret.Prefix, find Find[H], now func() time.Time, stale time.Duration) *Ring[H] {
	return &Ring[H]{p, now, newCache(find, now, stale)}
}

// Open returns who holds the secret. One that is not good is a Fault; when that
// cannot be known the error is of kind authz.ErrUnavailable. It does the same
// work for an id that exists and one that does not.
func (r *Ring[H]) Open(ctx context.Context, text string) (holder H, err error) {
	id, err := r.prefix.Parse(text)
	if err != nil {
		return holder, Malformed
	}
	key, known, err := r.find(ctx, id)
	if err != nil {
		return holder, err
	}
	hash := secret.Hash(text)
	right := subtle.ConstantTimeCompare(hash[:], key.Hash[:]) == 1
	switch {
	case !known:
		return holder, Unknown
	case !right:
		return holder, Wrong
	}
	return r.inForce(key)
}

// ByID is Open for who has proved otherwise to be the holder of the id.
func (r *Ring[H]) ByID(ctx context.Context, id string) (holder H, err error) {
	key, known, err := r.find(ctx, id)
	switch {
	case err != nil:
		return holder, err
	case !known:
		return holder, Unknown
	}
	return r.inForce(key)
}

func (r *Ring[H]) find(ctx context.Context, id string) (Key[H], bool, error) {
	key, known, err := r.cache.find(ctx, id)
	if err != nil {
		return Key[H]{}, false, fmt.Errorf("find key %s: %w: %w", id, err, authz.ErrUnavailable)
	}
	return key, known, nil
}

// inForce returns the holder of a key that still counts.
func (r *Ring[H]) inForce(key Key[H]) (holder H, err error) {
	switch {
	case key.Revoked:
		return holder, Revoked
	case !key.Expires.IsZero() && !r.now().Before(key.Expires):
		return holder, Expired
	}
	return key.Holder, nil
}
