package store

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/authz"
)

// A hundred sidecars that start at once, or one that asks all the time, would
// otherwise make the server stale that they follow.
func TestWhoFollowsOverTheNetworkCannotKeepTheFollowerOut(t *testing.T) {
	s, err := Open(t.Context(), Options{DSN: "sqlite:" + filepath.Join(t.TempDir(), "directory.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Tell(t.Context(), authz.Point{}); err != nil {
		t.Errorf("alone: got %v, want what changed", err)
	}
	for range maxTold {
		s.told <- struct{}{}
	}
	within, end := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer end()
	if _, err := s.Tell(within, authz.Point{}); !errors.Is(err, authz.ErrUnavailable) {
		t.Errorf("one more: got %v, want one of kind %v", err, authz.ErrUnavailable)
	}
	if _, err := s.Changes(t.Context(), authz.Point{}, 0); err != nil {
		t.Errorf("the follower: got %v, want what changed", err)
	}
}
