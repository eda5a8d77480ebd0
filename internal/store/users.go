package store

import (
	"database/sql"
	"fmt"

	"github.com/google/uuid"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

func (t *tx) PutUser(u directory.User) error {
	if u.Username == "" {
		return fmt.Errorf("user %s has no username: %w", u.ID, authz.ErrInvalid)
	}
	keys := []string{"login:" + authz.LoginKey(u.Username).ID}
	if u.ID != "" {
		keys = append(keys, "id:"+u.ID)
	}
	return put(t, &t.users, u, 1, keys...)
}

func (t *tx) writeUsers() error { return t.writeUserRecords(t.users.take()) }

// A foundUser is what the directory has by a record's id and username.
type foundUser struct {
	n                 int
	byID, byLogin     string // ids
	loginKey          string // of the user that is meant
	temporary         bool   // the username is a temporary one
	changed, document bool
}

func (t *tx) writeUserRecords(records []directory.User) error {
	found, renames, err := t.findUsers(records)
	if err != nil {
		return err
	}
	if renames && len(records) > 1 {
		// A name that one record frees may be taken by the next, so what was found
		// for all at once does not hold.
		for i := range records {
			if err := t.writeUserRecords(records[i : i+1]); err != nil {
				return err
			}
		}
		return nil
	}
	var changed, names rowset
	for _, f := range found {
		u := records[f.n]
		if u.ID, err = userID(u, f); err != nil {
			return err
		}
		if !f.changed {
			continue
		}
		row, err := t.userRow(u)
		if err != nil {
			return fmt.Errorf("user %s: %w", u.Username, err)
		}
		changed.add(row...)
		names.add(authz.LoginKey(u.Username).ID, u.ID)
		t.changeUser(u, f)
	}
	if err := t.exec(insertUsers, &changed); err != nil {
		return err
	}
	// Whoever imports may give a name to somebody else, as it may be undoing a
	// mistake; then it was theirs last.
	return t.exec(`
		INSERT INTO usernames (username_key, user_id) SELECT value->>0, value->>1 FROM {rows} WHERE TRUE
		ON CONFLICT (username_key) DO UPDATE SET user_id = excluded.user_id`, &names)
}

const insertUsers = `
	INSERT INTO users (id, kind, username, username_key, email, email_key, given_name, family_name, phone, country,
		mfa_enrolled, removed_at, created_at, changed_revision)
	SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8, value->>9,
		CAST(value->>10 AS BOOLEAN), CAST(value->>11 AS BIGINT), CAST(value->>12 AS BIGINT), CAST(value->>13 AS BIGINT)
	FROM {rows} WHERE TRUE
	ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, username = excluded.username, username_key = excluded.username_key,
		email = excluded.email, email_key = excluded.email_key, given_name = excluded.given_name,
		family_name = excluded.family_name, phone = excluded.phone, country = excluded.country,
		mfa_enrolled = excluded.mfa_enrolled, changed_revision = excluded.changed_revision,
		removed_at = CASE WHEN excluded.removed_at IS NOT NULL THEN COALESCE(users.removed_at, excluded.removed_at) END`

// findUsers looks the records up by id and by username, and says whether one of
// them gives a user another username.
func (t *tx) findUsers(records []directory.User) (found []foundUser, renames bool, err error) {
	var rows rowset
	for i, u := range records {
		rows.add(i, optional(u.ID), authz.LoginKey(u.Username).ID, u.Kind, u.Username, optional(u.Email), optional(u.GivenName),
			optional(u.FamilyName), optional(u.Phone), optional(u.Country), u.MFA, u.Removed)
	}
	const find = `
		SELECT r.n, COALESCE(i.id, ''), COALESCE(k.id, ''), COALESCE(u.username_key, ''), x.id IS NOT NULL,
			(u.kind, u.username, u.email, u.given_name, u.family_name, u.phone, u.country, u.mfa_enrolled, u.removed_at IS NOT NULL)
				IS DISTINCT FROM (r.kind, r.username, r.email, r.given_name, r.family_name, r.phone, r.country, r.mfa, r.removed),
			(u.kind, u.mfa_enrolled, u.removed_at IS NOT NULL) IS DISTINCT FROM (r.kind, r.mfa, r.removed)
		FROM (
			SELECT CAST(value->>0 AS BIGINT) AS n, value->>1 AS id, value->>2 AS login, value->>3 AS kind, value->>4 AS username,
				value->>5 AS email, value->>6 AS given_name, value->>7 AS family_name, value->>8 AS phone, value->>9 AS country,
				CAST(value->>10 AS BOOLEAN) AS mfa, CAST(value->>11 AS BOOLEAN) AS removed FROM {rows}
		) r LEFT JOIN users i ON i.id = r.id
		LEFT JOIN users k ON k.username_key = r.login
		LEFT JOIN users u ON u.id = COALESCE(i.id, k.id)
		LEFT JOIN memberships x ON x.temporary_username_key = r.login`
	err = t.each(find, &rows, func(row *sql.Rows) error {
		var f foundUser
		if err := scan(row, &f.n, &f.byID, &f.byLogin, &f.loginKey, &f.temporary, &f.changed, &f.document); err != nil {
			return err
		}
		renames = renames || f.byID != "" && f.loginKey != authz.LoginKey(records[f.n].Username).ID
		found = append(found, f)
		return nil
	})
	return found, renames, err
}

// userID is the id the record gets: its own, that of the user it means, or a
// new one.
func userID(u directory.User, f foundUser) (string, error) {
	switch {
	case f.temporary:
		return "", fmt.Errorf("user %s: the username is the temporary one of somebody invited: %w", u.ID, authz.ErrConflict)
	case u.ID != "" && f.byLogin != "" && f.byLogin != u.ID:
		return "", fmt.Errorf("user %s: the username is that of user %s: %w", u.ID, f.byLogin, authz.ErrConflict)
	case u.ID != "":
		return u.ID, nil
	case f.byLogin != "":
		return f.byLogin, nil
	}
	return newID(authz.PrefixUser)
}

func (t *tx) changeUser(u directory.User, f foundUser) {
	t.change(f.document, authz.KindUser, u.ID)
	if key := authz.LoginKey(u.Username).ID; key != f.loginKey {
		t.dirty.mark(authz.KindLogin, key)
		if f.loginKey != "" {
			t.dirty.mark(authz.KindLogin, f.loginKey)
		}
	}
}

func (t *tx) userRow(u directory.User) ([]any, error) {
	var removed, email any
	if u.Removed {
		removed = t.now
	}
	if u.Email != "" {
		key, err := directory.EmailKey(u.Email)
		if err != nil {
			return nil, err
		}
		email = key
	}
	return []any{
		u.ID, u.Kind, u.Username, authz.LoginKey(u.Username).ID, optional(u.Email), email, optional(u.GivenName),
		optional(u.FamilyName), optional(u.Phone), optional(u.Country), u.MFA, removed, t.now, int64(t.revision),
	}, nil
}

// newID makes an id: the prefix and a UUID version 7, so that ids made one
// after the other lie side by side in an index.
func newID(prefix string) (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	return prefix + id.String(), nil
}
