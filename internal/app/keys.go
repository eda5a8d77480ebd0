package app

import (
	"context"
	"fmt"

	"github.com/postern-authz/postern/internal/authz"
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
	key := httpserver.Key{
		Holder:  authz.Caller{ID: kept.ID, Organizations: kept.Organizations, Actions: kept.Actions},
		Expires: kept.ExpiresAt,
		Revoked: !kept.RevokedAt.IsZero(),
	}
	if copy(key.Hash[:], kept.Hash) != len(key.Hash) {
		return httpserver.Key{}, fmt.Errorf("app key %s is kept with a hash of %d bytes, not %d", id, len(kept.Hash), len(key.Hash))
	}
	return key, nil
}
