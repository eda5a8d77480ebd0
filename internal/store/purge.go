package store

import (
	"database/sql"
	"fmt"
	"strings"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/pap"
)

// Purge leaves ids, usernames that were ever given, and what happened. The
// address is free again.
func (c change) Purge(member string) error {
	const find = `SELECT state, COALESCE(user_id, '') FROM memberships WHERE id = $1`
	var state string
	user, err := one(c.reader, "member "+member, func(row *sql.Rows) (user string, err error) {
		return user, scan(row, &state, &user)
	}, find, member)
	if err != nil {
		return err
	}
	if state != "removed" {
		return fmt.Errorf("member %s is %s; only a removed one is purged: %w", member, state, authz.ErrConflict)
	}
	const clear = `
		UPDATE memberships SET email = NULL, profile = '{}', preferences = '{}', purged_at = $1, changed_revision = $2 WHERE id = $3`
	if _, err := c.run(clear, c.now, int64(c.reader.revision), member); err != nil {
		return err
	}
	if _, err := c.run(`UPDATE invitations SET email = '', email_key = '' WHERE membership_id = $1`, member); err != nil {
		return err
	}
	others, err := c.number(`
		SELECT count(*) FROM memberships WHERE user_id = $1 AND state IN ('active', 'suspended', 'removed') AND purged_at IS NULL`, user)
	if err != nil || others > 0 {
		return err
	}
	return c.purgePerson(user)
}

// purgePerson leaves an id and a name that says nothing.
func (c change) purgePerson(id string) error {
	p, err := c.Person(id)
	if err != nil {
		return err
	}
	if err := c.purgeMails(p.Email); err != nil {
		return err
	}
	for _, table := range []string{"credentials", "password_resets", "email_changes"} {
		if _, err := c.run(`DELETE FROM `+table+` WHERE user_id = $1`, id); err != nil {
			return err
		}
	}
	p.Username = "purged-" + strings.TrimPrefix(id, authz.PrefixUser)
	p.Email, p.EmailVerifiedAt, p.Profile, p.MFA, p.Removed = "", nil, pap.Profile{}, false, true
	return c.PutPerson(p)
}

// purgeMails forgets the address of mails that are done with.
func (c change) purgeMails(address string) error {
	if address == "" {
		return nil
	}
	_, err := c.run(`
		UPDATE outbox SET recipient = '', payload = '{}' WHERE channel = 'mail' AND recipient = $1
		AND (delivered_at IS NOT NULL OR failed_at IS NOT NULL)`, address)
	return err
}
