package store

import (
	"database/sql"
	"fmt"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// States of memberships that are nobody's access: no document has them.
const (
	stateInvited    = "invited"
	stateSuperseded = "superseded" // an invitation in whose place another was accepted (R54)
)

func (t *tx) PutMembership(m directory.Membership) error {
	if m.User == "" {
		return fmt.Errorf("a membership in %s names no user: %w", m.Organization, authz.ErrInvalid)
	}
	keys := []string{"login:" + m.Organization + " " + authz.LoginKey(m.User).ID}
	if m.ID != "" {
		keys = append(keys, "id:"+m.ID)
	}
	return put(t, &t.memberships, m, 1, keys...)
}

func (t *tx) writeMemberships() error { return t.writeMembershipRecords(t.memberships.take()) }

// A foundMembership is what the directory has by what a record names.
type foundMembership struct {
	n                         int
	organizationKind          string // "": there is no such organization
	role                      string // "": there is no such role
	partnerOnly, operatorOnly bool
	user                      string // the id of the user of that name
	byID, byLogin             string // ids
	// Of the membership that is meant, if there is one:
	organization, oldUser, loginKey, state, affiliation string

	changed, document bool
}

func (t *tx) writeMembershipRecords(records []directory.Membership) error {
	found, moves, err := t.findMemberships(records)
	if err != nil {
		return err
	}
	if moves && len(records) > 1 {
		// As with users: a record may take what another leaves.
		for i := range records {
			if err := t.writeMembershipRecords(records[i : i+1]); err != nil {
				return err
			}
		}
		return nil
	}
	var changed, temporary, accepted rowset
	seats := map[string]int{}
	for _, f := range found {
		m := records[f.n]
		if m.ID, err = membershipID(m, f); err != nil {
			return fmt.Errorf("membership of %s in %s: %w", m.User, m.Organization, err)
		}
		if f.changed {
			changed.add(t.membershipRow(m, f)...)
			t.changeMembership(f)
			if m.State == stateInvited {
				temporary.add(authz.LoginKey(m.User).ID)
			} else if f.state == stateInvited {
				accepted.add(m.ID)
			}
			seats[m.Organization] += seat(m.State, m.Affiliation) - seat(f.state, f.affiliation)
		}
	}
	if err := t.exec(insertMemberships, &changed); err != nil {
		return err
	}
	if err := t.exec(insertTemporaryUsernames, &temporary); err != nil {
		return err
	}
	if err := t.supersede(&accepted); err != nil {
		return err
	}
	return t.takeSeats(seats)
}

const insertTemporaryUsernames = `
	INSERT INTO usernames (username_key) SELECT value->>0 FROM {rows} WHERE TRUE ON CONFLICT DO NOTHING`

// supersede ends the invitations of memberships that came to somebody otherwise.
func (t *tx) supersede(memberships *rowset) error {
	return t.exec(fmt.Sprintf(`
		UPDATE invitations SET state = 'superseded', changed_revision = %d
		WHERE state = 'pending' AND membership_id IN (SELECT value->>0 FROM {rows})`, t.revision), memberships)
}

const insertMemberships = `
	INSERT INTO memberships (id, organization_id, organization_kind, user_id, login_key, temporary_username, temporary_username_key,
		email, affiliation, state, role_id, role_partner_only, role_operator_only, role_assigned_by, cpni_authorized, created_at,
		activated_at, suspended_at, removed_at, changed_revision)
	SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6,
		value->>7, value->>8, value->>9, value->>10, CAST(value->>11 AS BOOLEAN), CAST(value->>12 AS BOOLEAN),
		value->>13, CAST(value->>14 AS BOOLEAN), CAST(value->>15 AS BIGINT),
		CAST(value->>16 AS BIGINT), CAST(value->>17 AS BIGINT), CAST(value->>18 AS BIGINT), CAST(value->>19 AS BIGINT) FROM {rows} WHERE TRUE
	ON CONFLICT (id) DO UPDATE SET user_id = excluded.user_id, login_key = excluded.login_key,
		temporary_username = COALESCE(excluded.temporary_username, memberships.temporary_username),
		temporary_username_key = COALESCE(excluded.temporary_username_key, memberships.temporary_username_key),
		email = excluded.email, affiliation = excluded.affiliation, state = excluded.state, role_id = excluded.role_id,
		role_partner_only = excluded.role_partner_only, role_operator_only = excluded.role_operator_only,
		role_assigned_by = excluded.role_assigned_by, cpni_authorized = excluded.cpni_authorized,
		profile = CASE WHEN excluded.user_id IS NULL THEN memberships.profile ELSE '{}' END,
		activated_at = COALESCE(memberships.activated_at, excluded.activated_at),
		suspended_at = CASE WHEN excluded.state = 'suspended' THEN COALESCE(memberships.suspended_at, excluded.suspended_at) END,
		removed_at = CASE WHEN excluded.state = 'removed' THEN COALESCE(memberships.removed_at, excluded.removed_at) END,
		changed_revision = excluded.changed_revision`

// findMemberships looks up what the records name, and says whether one of them
// gives a membership to another login.
func (t *tx) findMemberships(records []directory.Membership) (found []foundMembership, moves bool, err error) {
	var rows rowset
	for i, m := range records {
		rows.add(i, optional(m.ID), m.Organization, authz.LoginKey(m.User).ID, m.User, optional(m.Email), m.Role, m.Affiliation,
			m.State, m.CPNI, m.AssignedBy)
	}
	const find = `
		SELECT r.n, COALESCE(o.kind, ''), COALESCE(ro.id, ''), COALESCE(ro.partner_only, FALSE), COALESCE(ro.operator_only, FALSE),
			COALESCE(u.id, ''), COALESCE(i.id, ''), COALESCE(k.id, ''),
			COALESCE(m.organization_id, ''), COALESCE(m.user_id, ''), COALESCE(m.login_key, ''), COALESCE(m.state, ''), COALESCE(m.affiliation, ''),
			(m.login_key, m.email, m.affiliation, m.state, m.role_id, m.role_assigned_by, m.cpni_authorized)
				IS DISTINCT FROM (r.login, r.email, r.affiliation, r.state, r.role, r.assigned_by, r.cpni)
				OR m.user_id IS NULL AND m.temporary_username IS DISTINCT FROM r.username,
			(m.login_key, m.affiliation, m.state, m.role_id, m.cpni_authorized)
				IS DISTINCT FROM (r.login, r.affiliation, r.state, r.role, r.cpni)
		FROM (
			SELECT CAST(value->>0 AS BIGINT) AS n, value->>1 AS id, value->>2 AS organization, value->>3 AS login, value->>4 AS username,
				value->>5 AS email, value->>6 AS role, value->>7 AS affiliation, value->>8 AS state,
				CAST(value->>9 AS BOOLEAN) AS cpni, value->>10 AS assigned_by FROM {rows}
		) r LEFT JOIN organizations o ON o.id = r.organization
		LEFT JOIN roles ro ON ro.id = r.role
		LEFT JOIN users u ON u.username_key = r.login
		LEFT JOIN memberships i ON i.id = r.id
		LEFT JOIN memberships k ON k.organization_id = r.organization AND k.login_key = r.login AND k.state <> 'superseded'
		LEFT JOIN memberships m ON m.id = COALESCE(i.id, k.id)`
	err = t.each(find, &rows, func(row *sql.Rows) error {
		var f foundMembership
		err := scan(row, &f.n, &f.organizationKind, &f.role, &f.partnerOnly, &f.operatorOnly, &f.user, &f.byID, &f.byLogin,
			&f.organization, &f.oldUser, &f.loginKey, &f.state, &f.affiliation, &f.changed, &f.document)
		if err != nil {
			return err
		}
		moves = moves || f.byID != "" && f.loginKey != authz.LoginKey(records[f.n].User).ID
		found = append(found, f)
		return nil
	})
	return found, moves, err
}

// membershipID is the id the record gets: its own, that of the membership it
// means, or a new one.
func membershipID(m directory.Membership, f foundMembership) (string, error) {
	switch {
	case f.organizationKind == "":
		return "", missing("organization", m.Organization)
	case f.role == "":
		return "", missing("role", m.Role)
	case m.State == stateInvited && f.user != "":
		return "", fmt.Errorf("the temporary username is the username of a user: %w", authz.ErrConflict)
	case m.State != stateInvited && f.user == "":
		return "", missing("user", m.User)
	case f.organization != "" && f.organization != m.Organization:
		return "", fmt.Errorf("membership %s is in organization %s and stays there: %w", m.ID, f.organization, authz.ErrConflict)
	case m.ID != "" && f.byLogin != "" && f.byLogin != m.ID:
		return "", fmt.Errorf("it has the id %s and not %s: %w", f.byLogin, m.ID, authz.ErrConflict)
	case m.ID != "":
		return m.ID, nil
	case f.byLogin != "":
		return f.byLogin, nil
	}
	return newID(authz.PrefixMembership)
}

func (t *tx) membershipRow(m directory.Membership, f foundMembership) []any {
	login := authz.LoginKey(m.User).ID
	var temporary, temporaryKey any
	if m.State == stateInvited {
		temporary, temporaryKey = m.User, login
	}
	return []any{
		m.ID, m.Organization, f.organizationKind, optional(f.user), login, temporary, temporaryKey, optional(m.Email),
		m.Affiliation, m.State, m.Role, f.partnerOnly, f.operatorOnly, m.AssignedBy, m.CPNI, t.now,
		t.nowIf(m.State == directory.StateActive), t.nowIf(m.State == directory.StateSuspended), t.nowIf(m.State == directory.StateRemoved),
		int64(t.revision),
	}
}

// nowIf is the time of the transaction, or NULL.
func (t *tx) nowIf(it bool) any {
	if it {
		return t.now
	}
	return nil
}

// changeMembership marks the user whose document says who it is there, and the
// one whose document said so before. An invitation is nobody's yet.
func (t *tx) changeMembership(f foundMembership) {
	t.changed = true
	for _, user := range []string{f.user, f.oldUser} {
		if user != "" && f.document {
			t.dirty.mark(authz.KindUser, user)
		}
	}
}

// seat is how many seats a membership takes: an invitation reserves one, a
// removed member gives it back, and the operator's account team needs none (R7).
func seat(state, affiliation string) int {
	if affiliation == directory.AffiliationAccountTeam {
		return 0
	}
	switch state {
	case stateInvited, "active", "suspended":
		return 1
	}
	return 0
}

// takeSeats counts by organization; the schema refuses more than its limit. Where
// more seats are used than allowed, those that are given back are gone.
func (t *tx) takeSeats(seats map[string]int) error {
	var rows rowset
	for organization, n := range seats {
		if n != 0 {
			rows.add(organization, n)
		}
	}
	return t.exec(`
		UPDATE organizations SET seats_used = seats_used + r.n, seat_limit = CASE
			WHEN r.n > 0 THEN seat_limit
			WHEN seats_used + r.n > seats_allowed THEN seats_used + r.n
			ELSE seats_allowed END
		FROM (SELECT value->>0 AS id, CAST(value->>1 AS BIGINT) AS n FROM {rows}) r
		WHERE organizations.id = r.id`, &rows)
}

// touch says of memberships, a row each, that something about them changed.
func (t *tx) touch(memberships *rowset) error {
	return t.exec(fmt.Sprintf(`
		UPDATE memberships SET changed_revision = %d
		FROM (SELECT DISTINCT value->>0 AS id FROM {rows}) r
		WHERE memberships.id = r.id AND memberships.changed_revision <> %d`, t.revision, t.revision), memberships)
}
