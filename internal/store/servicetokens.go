package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/postern-authz/postern/internal/pap"
)

const selectTokens = `
	SELECT id, name, kind, hash, scopes, organizations, created_at, expires_at, revoked_at FROM service_tokens`

func readToken(row *sql.Rows) (t pap.Token, err error) {
	var hash []byte
	var created, expires, revoked *int64
	err = scan(row, &t.ID, &t.Name, &t.Kind, &hash, kept{&t.Scopes}, kept{&t.Organizations}, &created, &expires, &revoked)
	if copy(t.Hash[:], hash) != len(t.Hash) && err == nil {
		err = fmt.Errorf("the hash of service token %s is cut off", t.ID)
	}
	t.CreatedAt, t.ExpiresAt, t.RevokedAt = instant(created), instant(expires), instant(revoked)
	return t, err
}

func (r reader) Token(id string) (pap.Token, error) {
	return one(r, "service token "+id, readToken, selectTokens+` WHERE id = $1`, id)
}

// Tokens are oldest first, those that expired or were revoked among them.
func (r reader) Tokens() ([]pap.Token, error) {
	return list(r, readToken, selectTokens+` ORDER BY created_at, id`)
}

// PutToken leaves a token that was revoked revoked.
func (c change) PutToken(t pap.Token) error {
	before, err := list(c.reader, readToken, selectTokens+` WHERE id = $1`, t.ID)
	if err != nil {
		return err
	}
	if len(before) > 0 && !before[0].RevokedAt.IsZero() {
		t.RevokedAt = before[0].RevokedAt
	}
	return c.upsert("service_tokens", "id",
		column{name: "id", value: t.ID},
		column{name: "name", value: t.Name},
		column{name: "kind", value: string(t.Kind)},
		column{name: "hash", value: t.Hash[:]},
		column{name: "scopes", value: kept{append([]pap.Scope{}, t.Scopes...)}},
		column{name: "organizations", value: kept{append([]string{}, t.Organizations...)}},
		column{name: "created_at", value: t.CreatedAt.UnixMilli(), first: true},
		column{name: "expires_at", value: milliseconds(t.ExpiresAt)},
		column{name: "revoked_at", value: milliseconds(t.RevokedAt)},
	)
}

// ServiceToken is the operator key or service token with that id, also one that
// expired or was revoked. An unknown id is of kind authz.ErrNotFound.
func (s *Store) ServiceToken(ctx context.Context, id string) (t pap.Token, err error) {
	err = s.Look(ctx, func(r pap.Reader) error {
		t, err = r.Token(id)
		return err
	})
	return t, err
}

// HasOperatorKey says whether an operator key was ever made: also one that is
// no longer good was given to somebody, and is not replaced unasked.
func (s *Store) HasOperatorKey(ctx context.Context) (has bool, err error) {
	err = s.Look(ctx, func(r pap.Reader) error {
		tokens, err := r.Tokens()
		for _, t := range tokens {
			has = has || t.Kind == pap.OperatorKey
		}
		return err
	})
	return has, err
}

// AddServiceToken keeps a token that the command line or the first start made.
func (s *Store) AddServiceToken(ctx context.Context, t pap.Token) error {
	_, err := s.Change(ctx, func(tx pap.Tx) error { return tx.PutToken(t) })
	return err
}
