package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/postern-authz/postern/internal/authz"
)

// An AppKey lets an application ask for decisions. The secret is shown once,
// when it is made; only its hash is kept. Times are kept in milliseconds.
type AppKey struct {
	ID            string
	Name          string
	Hash          []byte   // of the secret; how is the caller's choice
	Organizations []string // empty: all
	Actions       []string // prefixes of action names; empty: all
	CreatedAt     time.Time
	ExpiresAt     time.Time // zero: never
	RevokedAt     time.Time // zero: it is not
}

// PutAppKey adds the key, or replaces the one with its id; when that was made
// stays, and one that was revoked stays revoked. Keys are not part of the
// directory: they make no revision.
func (s *Store) PutAppKey(ctx context.Context, key AppKey) error {
	organizations, actions, err := key.lists()
	if err != nil {
		return fmt.Errorf("keep app key %s: %w", key.ID, err)
	}
	const query = `
		INSERT INTO app_keys (id, name, hash, organizations, actions, created_at, expires_at, revoked_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, hash = excluded.hash, organizations = excluded.organizations,
			actions = excluded.actions, expires_at = excluded.expires_at, revoked_at = COALESCE(app_keys.revoked_at, excluded.revoked_at)`
	_, err = s.writer.ExecContext(ctx, s.dialect.sql(query), key.ID, key.Name, key.Hash, organizations, actions,
		key.CreatedAt.UnixMilli(), milliseconds(key.ExpiresAt), milliseconds(key.RevokedAt))
	if err != nil {
		return fmt.Errorf("keep app key %s: %w", key.ID, s.dialect.classify(err))
	}
	return nil
}

func (k AppKey) lists() (organizations, actions string, err error) {
	o, err := json.Marshal(append([]string{}, k.Organizations...))
	if err != nil {
		return "", "", err
	}
	a, err := json.Marshal(append([]string{}, k.Actions...))
	return string(o), string(a), err
}

const selectAppKeys = `SELECT id, name, hash, organizations, actions, created_at, expires_at, revoked_at FROM app_keys `

// AppKey returns the key with that id, also one that expired or was revoked. An
// unknown id is of kind authz.ErrNotFound.
func (s *Store) AppKey(ctx context.Context, id string) (AppKey, error) {
	if !storable(id) {
		return AppKey{}, fmt.Errorf("app key %q: %w", id, authz.ErrNotFound)
	}
	row := s.reader.QueryRowContext(ctx, s.dialect.sql(selectAppKeys+`WHERE id = $1`), id)
	key, err := scanAppKey(row.Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return AppKey{}, fmt.Errorf("app key %q: %w", id, authz.ErrNotFound)
	}
	if err != nil {
		return AppKey{}, fmt.Errorf("read app key %q: %w", id, s.dialect.classify(err))
	}
	return key, nil
}

// AppKeys returns all keys, oldest first.
func (s *Store) AppKeys(ctx context.Context) ([]AppKey, error) {
	result, err := s.reader.QueryContext(ctx, selectAppKeys+`ORDER BY created_at, id`)
	if err != nil {
		return nil, fmt.Errorf("read the app keys: %w", s.dialect.classify(err))
	}
	defer result.Close() //nolint:errcheck // Err below says the same
	var keys []AppKey
	for result.Next() {
		key, err := scanAppKey(result.Scan)
		if err != nil {
			return nil, fmt.Errorf("read the app keys: %w", err)
		}
		keys = append(keys, key)
	}
	if err := result.Err(); err != nil {
		return nil, fmt.Errorf("read the app keys: %w", s.dialect.classify(err))
	}
	return keys, nil
}

// RevokeAppKey ends the key now. One that was revoked stays revoked since then;
// an unknown id is of kind authz.ErrNotFound.
func (s *Store) RevokeAppKey(ctx context.Context, id string) error {
	const query = `UPDATE app_keys SET revoked_at = COALESCE(revoked_at, $1) WHERE id = $2`
	result, err := s.writer.ExecContext(ctx, s.dialect.sql(query), s.milliseconds(), id)
	if err != nil {
		return fmt.Errorf("revoke app key %q: %w", id, s.dialect.classify(err))
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return fmt.Errorf("revoke app key %q: `postern key list` shows those there are: %w", id, errors.Join(err, authz.ErrNotFound))
	}
	return nil
}

func scanAppKey(scan func(...any) error) (AppKey, error) {
	var key AppKey
	var organizations, actions string
	var created, expires, revoked *int64
	err := scan(&key.ID, &key.Name, &key.Hash, &organizations, &actions, &created, &expires, &revoked)
	if err != nil {
		return AppKey{}, err
	}
	key.CreatedAt, key.ExpiresAt, key.RevokedAt = instant(created), instant(expires), instant(revoked)
	return key, errors.Join(json.Unmarshal([]byte(organizations), &key.Organizations), json.Unmarshal([]byte(actions), &key.Actions))
}
