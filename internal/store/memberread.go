package store

import (
	"database/sql"
	"strings"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/pap"
)

// A member is who its user is; one that is only invited, who was invited.
const selectMembers = `
	SELECT m.id, m.organization_id, COALESCE(m.user_id, ''), COALESCE(u.kind, m.kind), COALESCE(u.username, ''),
		COALESCE(m.temporary_username, ''), COALESCE(u.email, m.email, ''), m.profile,
		u.given_name, u.family_name, u.phone, u.country, u.address,
		m.role_id, r.name, m.affiliation, m.state, m.state = 'active' AND u.removed_at IS NULL, m.cpni_authorized,
		COALESCE(u.mfa_enrolled, FALSE), m.preferences, COALESCE(i.id, ''), m.role_assigned_by,
		m.created_at, m.activated_at, m.suspended_at, m.removed_at, m.purged_at,
		CASE WHEN u.changed_revision > m.changed_revision THEN u.changed_revision ELSE m.changed_revision END
	FROM memberships m JOIN roles r ON r.id = m.role_id
	LEFT JOIN users u ON u.id = m.user_id
	LEFT JOIN invitations i ON i.membership_id = m.id`

func readMember(row *sql.Rows) (m pap.Member, err error) {
	var invited pap.Profile
	var given, family, phone, country *string
	var created, activated, suspended, removed, purged *int64
	err = scan(row, &m.ID, &m.Organization, &m.User, &m.Kind, &m.Username, &m.TemporaryUsername, &m.Email, kept{&invited},
		&given, &family, &phone, &country, kept{&m.Address},
		&m.Role, &m.RoleName, &m.Affiliation, &m.State, &m.CanSignIn, &m.CPNI, &m.MFA.Enrolled, raw{&m.Preferences}, &m.Invitation,
		&m.RoleAssignedBy, &created, &activated, &suspended, &removed, &purged, &m.Revision)
	if err != nil {
		return m, err
	}
	if m.User == "" {
		m.Profile = invited
	} else {
		m.GivenName, m.FamilyName, m.Phone, m.Country = deref(given), deref(family), deref(phone), deref(country)
	}
	m.CreatedAt, m.ActivatedAt, m.SuspendedAt = instant(created), moment(activated), moment(suspended)
	m.RemovedAt, m.PurgedAt = moment(removed), moment(purged)
	return m, nil
}

// deref is "" for NULL.
func deref(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

func (r reader) Member(organization, id string) (pap.Member, error) {
	return r.member("member "+id, ` WHERE m.organization_id = $1 AND m.id = $2`, organization, id)
}

func (r reader) MemberOf(organization, user string) (pap.Member, error) {
	const where = ` WHERE m.organization_id = $1 AND m.user_id = $2 AND m.state IN ('active', 'suspended', 'removed')`
	return r.member("member of "+organization+" with user "+user, where, organization, user)
}

func (r reader) member(missing, where string, arguments ...any) (pap.Member, error) {
	m, err := one(r, missing, readMember, selectMembers+where, arguments...)
	if err != nil {
		return m, err
	}
	grants, err := r.grantsOf(m.ID)
	if err != nil {
		return m, err
	}
	m.Grants = grants[0]
	return m, nil
}

// PrimaryContacts counts those of active members that may sign in.
func (r reader) PrimaryContacts(organization string) (int, error) {
	const query = `
		SELECT count(*) FROM memberships m JOIN users u ON u.id = m.user_id AND u.removed_at IS NULL
		WHERE m.organization_id = $1 AND m.role_id = $2 AND m.state = 'active'`
	return r.number(query, organization, directory.RolePrimaryContact)
}

// Members reads the grants of all members of a page at once.
func (r reader) Members(q pap.MemberQuery) ([]pap.Member, error) {
	w := membersWhere(q)
	query := selectMembers + w.page("m", q.Page)
	members, err := list(r, readMember, query, w.arguments...)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(members))
	for i, m := range members {
		ids[i] = m.ID
	}
	grants, err := r.grantsOf(ids...)
	for i := range grants {
		members[i].Grants = grants[i]
	}
	return members, err
}

func membersWhere(q pap.MemberQuery) *where {
	w := &where{}
	w.is("m.organization_id = ?", q.Organization)
	w.text("m.state = ?", q.State)
	if q.State == "" {
		w.is("m.state <> 'superseded'")
		if !q.ShowRemoved {
			w.is("m.state <> 'removed'")
		}
	}
	w.text("m.role_id = ?", q.Role)
	w.text("m.affiliation = ?", q.Affiliation)
	w.text("COALESCE(u.kind, m.kind) = ?", q.Kind)
	w.text("m.temporary_username_key = ?", authz.LoginKey(q.TemporaryUsername).ID)
	w.text("m.id IN (SELECT membership_id FROM membership_companies WHERE company_id = ?)", q.Company)
	w.text("m.id IN (SELECT membership_id FROM account_grants WHERE account_id = ?)", q.Account)
	w.text("m.id IN (SELECT membership_id FROM account_group_grants WHERE account_group_id = ?)", q.AccountGroup)
	w.text("m.id IN (SELECT membership_id FROM tool_grants WHERE tool_id = ?)", q.Tool)
	if q.MFA != nil {
		w.is("COALESCE(u.mfa_enrolled, FALSE) = ?", *q.MFA)
	}
	if q.Text != "" {
		w.contains(q.Text)
	}
	return w
}

// contains wants the text in the name, a username or the address. A-Z are as a-z.
func (w *where) contains(text string) {
	var terms []string
	var values []any
	for _, column := range []string{
		`COALESCE(u.given_name, m.profile{json} ->> 'given_name', '') || ' ' || COALESCE(u.family_name, m.profile{json} ->> 'family_name', '')`,
		`u.username`, `m.temporary_username`, `COALESCE(u.email, m.email)`,
	} {
		terms = append(terms, `lower(`+column+`) LIKE ? ESCAPE '\'`)
		values = append(values, containing(authz.LoginKey(text).ID))
	}
	w.is("("+strings.Join(terms, " OR ")+")", values...)
}
