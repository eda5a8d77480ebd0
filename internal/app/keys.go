package app

import (
	"context"

	"github.com/postern-authz/postern/internal/httpserver"
	"github.com/postern-authz/postern/internal/store"
)

// appKeys finds in the store what the decision listener asks about a key.
type appKeys struct{ store *store.Store }

// AppKey implements httpserver.Keys.
func (k appKeys) AppKey(ctx context.Context, id string) (httpserver.Key, error) {
	kept, err := k.store.AppKey(ctx, id)
	if err != nil {
		return httpserver.Key{}, err
	}
	return keyOf(kept.ID, kept.Hash, kept.Organizations, kept.Actions, kept.ExpiresAt, kept.RevokedAt)
}
