package store

import (
	"database/sql"
	"errors"
	"fmt"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/pap"
)

const selectPersons = `
	SELECT id, kind, username, COALESCE(email, ''), COALESCE(given_name, ''), COALESCE(family_name, ''), COALESCE(phone, ''),
		COALESCE(country, ''), address, email_verified_at, mfa_enrolled, removed_at IS NOT NULL, changed_revision
	FROM users`

func readPerson(row *sql.Rows) (p pap.Person, err error) {
	var verified *int64
	err = scan(row, &p.ID, &p.Kind, &p.Username, &p.Email, &p.GivenName, &p.FamilyName, &p.Phone, &p.Country, kept{&p.Address},
		&verified, &p.MFA, &p.Removed, &p.Revision)
	p.EmailVerifiedAt = moment(verified)
	return p, err
}

func (r reader) Person(id string) (pap.Person, error) {
	return r.person("user "+id, ` WHERE id = $1`, id)
}

// PersonByEmail says no word of the address when it is nobody's.
func (r reader) PersonByEmail(emailKey string) (pap.Person, error) {
	return r.person("user with that address", ` WHERE email_key = $1`, emailKey)
}

func (r reader) PersonByUsername(username string) (pap.Person, error) {
	return r.person("user "+username, ` WHERE username_key = $1`, authz.LoginKey(username).ID)
}

func (r reader) person(missing, where, key string) (pap.Person, error) {
	p, err := one(r, missing, readPerson, selectPersons+where, key)
	if err != nil {
		return p, err
	}
	const query = `
		SELECT id, organization_id, state FROM memberships
		WHERE user_id = $1 AND state <> 'superseded' ORDER BY organization_id`
	p.Memberships, err = list(r, func(row *sql.Rows) (m pap.MembershipRef, err error) {
		return m, scan(row, &m.ID, &m.Organization, &m.State)
	}, query, p.ID)
	return p, err
}

func (r reader) UsernameTaken(username string) (bool, error) {
	n, err := r.number(`SELECT count(*) FROM usernames WHERE username_key = $1`, authz.LoginKey(username).ID)
	return n > 0, err
}

// UsernameOf says whose a username is or was.
func (r reader) UsernameOf(username string) (string, error) {
	const query = `SELECT COALESCE(user_id, '') FROM usernames WHERE username_key = $1`
	return one(r, "username "+username, readText, query, authz.LoginKey(username).ID)
}

// PutPerson keeps a name that the user had taken for it, and refuses one that
// somebody else has or had.
func (c change) PutPerson(p pap.Person) error {
	before, err := c.Person(p.ID)
	if err != nil && !errors.Is(err, authz.ErrNotFound) {
		return err
	}
	if err := c.takeUsername(p.Username, p.ID); err != nil {
		return err
	}
	var emailKey any
	if p.Email != "" {
		if emailKey, err = directory.EmailKey(p.Email); err != nil {
			return fmt.Errorf("user %s: %w", p.ID, err)
		}
	}
	if err := c.writePerson(p, emailKey); err != nil {
		return err
	}
	c.changePerson(p, before)
	return nil
}

func (c change) writePerson(p pap.Person, emailKey any) error {
	var removed any
	if p.Removed {
		removed = c.now
	}
	var address any
	if p.Address != nil {
		address = kept{p.Address}
	}
	err := c.upsert("users", "id",
		column{name: "id", value: p.ID},
		column{name: "kind", value: p.Kind},
		column{name: "username", value: p.Username},
		column{name: "username_key", value: authz.LoginKey(p.Username).ID},
		column{name: "email", value: optional(p.Email)},
		column{name: "email_key", value: emailKey},
		column{name: "given_name", value: optional(p.GivenName)},
		column{name: "family_name", value: optional(p.FamilyName)},
		column{name: "phone", value: optional(p.Phone)},
		column{name: "country", value: optional(p.Country)},
		column{name: "address", value: address},
		column{name: "email_verified_at", value: when(p.EmailVerifiedAt)},
		column{name: "mfa_enrolled", value: p.MFA},
		column{name: "removed_at", value: removed, first: p.Removed},
		column{name: "created_at", value: c.now, first: true},
		column{name: "changed_revision", value: int64(c.reader.revision)},
	)
	if err != nil || !p.Removed {
		return err
	}
	_, err = c.run(`UPDATE users SET removed_at = COALESCE(removed_at, $1) WHERE id = $2`, c.now, p.ID)
	return err
}

// changePerson marks what decisions see of a user.
func (c change) changePerson(p, before pap.Person) {
	c.tx.change(before.ID == "" || p.Kind != before.Kind || p.MFA != before.MFA || p.Removed != before.Removed, authz.KindUser, p.ID)
	old, name := authz.LoginKey(before.Username), authz.LoginKey(p.Username)
	if old != name {
		c.dirty.mark(name.Kind, name.ID)
		if old.ID != "" {
			c.dirty.mark(old.Kind, old.ID)
		}
	}
}

// takeUsername gives a name to a user for ever; a temporary one to nobody.
func (c change) takeUsername(username, user string) error {
	owner, err := c.UsernameOf(username)
	switch {
	case err == nil && owner != "" && owner == user:
		return nil
	case err == nil:
		return fmt.Errorf("the username is or was somebody else's: %w", authz.ErrConflict)
	case !errors.Is(err, authz.ErrNotFound):
		return err
	}
	_, err = c.run(`INSERT INTO usernames (username_key, user_id) VALUES ($1, $2)`, authz.LoginKey(username).ID, optional(user))
	return err
}
