package directory

import (
	"strings"

	"github.com/postern-authz/postern/internal/authz"
)

// Validate says what is wrong with the record by itself.
func (u User) Validate() error {
	return first(
		checkMadeID(authz.PrefixUser, u.ID),
		checkOneOf("kind", u.Kind, UserPersonal, UserGroup),
		CheckUsername(u.Username),
		checkText("email", u.Email),
		checkOptionalEmail(u.Email),
		checkText("given_name", u.GivenName),
		checkText("family_name", u.FamilyName),
		checkText("phone", u.Phone),
		checkText("country", u.Country),
	)
}

func checkOptionalEmail(address string) error {
	if address == "" {
		return nil
	}
	_, err := EmailKey(address)
	return err
}

func decodeUser(m *members) record {
	return User{
		ID:         m.text("id"),
		Kind:       m.textOr("kind", UserPersonal),
		Username:   m.text("username"),
		Email:      m.text("email"),
		GivenName:  m.text("given_name"),
		FamilyName: m.text("family_name"),
		Phone:      m.text("phone"),
		Country:    m.text("country"),
		MFA:        m.flag("mfa"),
		Removed:    m.flag("removed"),
	}
}

func (u User) append(b []byte) []byte {
	l := startLine(b, "user")
	l.text("id", u.ID)
	l.text("kind", u.Kind)
	l.text("username", u.Username)
	l.text("email", u.Email)
	l.text("given_name", u.GivenName)
	l.text("family_name", u.FamilyName)
	l.text("phone", u.Phone)
	l.text("country", u.Country)
	l.flag("mfa", u.MFA)
	l.flag("removed", u.Removed)
	return l.end()
}

func (u User) put(tx Tx) error { return tx.PutUser(u) }

// A nameEntry is what a name stands for: a user, or the invitation of
// organization temporary, whose temporary username it is (R33).
type nameEntry struct {
	sighting
	id        string // of the user, if known
	key       string // the login key of the name
	email     string // EmailKey of the user's address
	temporary *organizationEntry
	shared    bool // of kind group
	leads     int  // memberships with a role that a shared identity may not have
}

// known finds the user that the record is about: by its id, else by its name.
func (u User) known(l *ledger) *nameEntry {
	if byID := l.userIDs[u.ID]; u.ID != "" && byID != nil {
		return byID
	}
	return l.names[authz.LoginKey(u.Username).ID]
}

func (u User) check(l *ledger) error {
	known, named := u.known(l), l.names[authz.LoginKey(u.Username).ID]
	switch {
	case named != nil && named.temporary != nil:
		return conflict("username %q is the temporary username of an invitation in organization %q", u.Username, named.temporary.id)
	case known != nil && known.seenOtherwise(l, u):
		return l.twice(known.sighting, "user %q", u.Username)
	case named != nil && named.seenOtherwise(l, u):
		return l.twice(named.sighting, "username %q", u.Username)
	case named != nil && named != known:
		return conflict("username %q belongs to user %s", u.Username, named.id)
	case known != nil && u.ID != "" && known.id != u.ID:
		return conflict("user %q has the id %s, and an id never changes", u.Username, known.id)
	case known != nil && known.leads > 0 && u.Kind == UserGroup:
		return conflict("user %q is Primary Contact or administrator somewhere, so it cannot be of kind group (R37)", u.Username)
	}
	return u.checkEmail(l, known)
}

// checkEmail keeps one address to one user; removed users keep theirs (R81).
func (u User) checkEmail(l *ledger, known *nameEntry) error {
	key, err := EmailKey(u.Email)
	if err != nil {
		return nil // there is none: Validate has seen to it
	}
	if owner := l.emails[key]; owner != nil && owner != known {
		return conflict("the e-mail address of user %q belongs to user %q", u.Username, owner.key)
	}
	return nil
}

func (u User) enter(l *ledger, at sighting) {
	known := u.known(l)
	if known == nil {
		known = &nameEntry{}
	}
	delete(l.names, known.key)
	delete(l.emails, known.email)
	email, _ := EmailKey(u.Email)
	*known = nameEntry{
		sighting: at,
		id:       strings.Clone(or(u.ID, known.id)),
		key:      strings.Clone(authz.LoginKey(u.Username).ID),
		email:    email,
		shared:   u.Kind == UserGroup,
		leads:    known.leads,
	}
	l.names[known.key] = known
	if known.id != "" {
		l.userIDs[known.id] = known
	}
	if email != "" {
		l.emails[email] = known
	}
}

// or is value, or other if value is empty.
func or(value, other string) string {
	if value == "" {
		return other
	}
	return value
}
