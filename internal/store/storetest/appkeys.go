package storetest

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/store"
)

func testAppKeys(t *testing.T, newDSN func(testing.TB) string) {
	ctx := context.Background()
	now := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	s := open(t, store.Options{DSN: newDSN(t), Now: func() time.Time { return now }})
	key := store.AppKey{
		ID: "shop", Name: "The shop", Hash: []byte{0, 1, 255}, Organizations: []string{"acme"}, Actions: []string{"invoice."},
		CreatedAt: now.Add(-time.Hour), ExpiresAt: deadline(),
	}
	open := store.AppKey{ID: "any", Name: "Anything", Hash: []byte("h"), Organizations: []string{}, Actions: []string{}, CreatedAt: now}
	if err := errors.Join(s.PutAppKey(ctx, open), s.PutAppKey(ctx, key)); err != nil {
		t.Fatal(err)
	}
	wantKey := func(want store.AppKey) {
		t.Helper()
		if got, err := s.AppKey(ctx, want.ID); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	wantKey(key)
	wantKey(open)
	if got, err := s.AppKeys(ctx); err != nil || !reflect.DeepEqual(got, []store.AppKey{key, open}) {
		t.Errorf("all: got %+v, %v, want the oldest first", got, err)
	}

	key.Name, key.Hash = "Renamed", []byte("new")
	if err := s.PutAppKey(ctx, key); err != nil {
		t.Fatal(err)
	}
	wantKey(key)

	if err := s.RevokeAppKey(ctx, "shop"); err != nil {
		t.Fatal(err)
	}
	revokedAt := now
	now = now.Add(time.Minute)
	if err := errors.Join(s.RevokeAppKey(ctx, "shop"), s.PutAppKey(ctx, key)); err != nil {
		t.Fatal(err)
	}
	key.RevokedAt = revokedAt
	wantKey(key)

	for _, id := range []string{"none", "", "a\x00", "\xff"} {
		if _, err := s.AppKey(ctx, id); !errors.Is(err, authz.ErrNotFound) {
			t.Errorf("key %q: got %v, want not found", id, err)
		}
	}
	if err := s.RevokeAppKey(ctx, "none"); !errors.Is(err, authz.ErrNotFound) {
		t.Errorf("revoke an unknown key: got %v, want not found", err)
	}
	if got := revisionOf(t, s); got != 0 {
		t.Errorf("keys made revision %d", got)
	}
}
