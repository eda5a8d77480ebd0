package directory

import (
	"strings"

	"github.com/postern-authz/postern/internal/authz"
)

// Validate says what is wrong with the record by itself.
func (m Membership) Validate() error {
	return first(
		checkMadeID(authz.PrefixMembership, m.ID),
		checkKey("organization", m.Organization),
		m.checkWho(),
		checkKey("role", m.Role),
		checkOneOf("affiliation", m.Affiliation, AffiliationCustomer, AffiliationEndCustomer, AffiliationAccountTeam),
		checkOneOf("state", m.State, StateInvited, StateActive, StateSuspended, StateRemoved),
		checkOneOf("assigned_by", m.AssignedBy, ByOperator, ByUser, BySCIM, BySystem),
		m.checkAccountTeam(),
	)
}

// checkWho: an invitation has an address and a temporary username and is
// nobody's yet; every other membership is some user's (R33).
func (m Membership) checkWho() error {
	if err := CheckUsername(m.User); err != nil {
		return err
	}
	switch {
	case m.State != StateInvited && m.Email != "":
		return invalid("email is of the user, who is %s already; only an invited membership has its own", m.State)
	case m.State != StateInvited:
		return nil
	}
	_, err := EmailKey(m.Email)
	return first(checkText("email", m.Email), err)
}

// checkAccountTeam: the operator's people in a customer's organization may run
// it and never own it (R7).
func (m Membership) checkAccountTeam() error {
	if m.Affiliation == AffiliationAccountTeam && m.Role == RolePrimaryContact {
		return invalid("an account team member cannot be primary_contact; make it administrator (R7)")
	}
	return nil
}

func decodeMembership(m *members) record {
	return Membership{
		ID:           m.text("id"),
		Organization: m.text("organization"),
		User:         m.text("user"),
		Email:        m.text("email"),
		Role:         m.text("role"),
		Affiliation:  m.textOr("affiliation", AffiliationCustomer),
		State:        m.textOr("state", StateActive),
		CPNI:         m.flag("cpni"),
		AssignedBy:   m.textOr("assigned_by", BySystem),
	}
}

func (m Membership) append(b []byte) []byte {
	l := startLine(b, "membership")
	l.text("id", m.ID)
	l.text("organization", m.Organization)
	l.text("user", m.User)
	l.text("email", m.Email)
	l.text("role", m.Role)
	l.text("affiliation", m.Affiliation)
	l.text("state", m.State)
	l.flag("cpni", m.CPNI)
	l.text("assigned_by", m.AssignedBy)
	return l.end()
}

func (m Membership) put(tx Tx) error { return tx.PutMembership(m) }

// A memberKey is a name in an organization.
type memberKey struct {
	organization *organizationEntry
	name         *nameEntry
}

type memberEntry struct {
	sighting
	ordinal
	id   string
	key  memberKey
	lead bool // its role is one that a shared identity may not have
}

func (m Membership) key(l *ledger) memberKey {
	return memberKey{l.organizations[m.Organization], l.names[authz.LoginKey(m.User).ID]}
}

func (m Membership) check(l *ledger) error {
	key := m.key(l)
	if key.organization == nil {
		return l.missing("organization", m.Organization)
	}
	return first(
		m.checkKnown(l, key),
		m.checkName(l, key),
		m.checkRole(l, key),
	)
}

func (m Membership) checkKnown(l *ledger, key memberKey) error {
	known, byID := l.memberships[key], l.membershipIDs[m.ID]
	switch {
	case known != nil && known.seenOtherwise(l, m):
		return l.twice(known.sighting, "membership of %q in organization %q", m.User, m.Organization)
	case m.ID == "":
		return nil
	case byID != nil && byID != known:
		return conflict("%s is the membership of %q in organization %q", m.ID, byID.key.name.key, byID.key.organization.id)
	case known != nil && known.id != m.ID:
		return conflict("the membership of %q in organization %q has the id %s, and an id never changes", m.User, m.Organization, known.id)
	}
	return nil
}

// checkName: a temporary username is one invitation's and no user's.
func (m Membership) checkName(l *ledger, key memberKey) error {
	name, invited := key.name, m.State == StateInvited
	switch {
	case invited && name == nil:
		return nil
	case invited && name.temporary == nil:
		return conflict("%q is a user; an invited membership has a temporary username of its own", m.User)
	case invited && name.temporary != key.organization:
		return conflict("%q is the temporary username of an invitation in organization %q", m.User, name.temporary.id)
	case invited:
		return nil
	case name == nil:
		return l.missing("user", m.User)
	case name.temporary != nil:
		return conflict("%q is a temporary username; a membership that is %s needs the user", m.User, m.State)
	}
	return nil
}

func (m Membership) checkRole(l *ledger, key memberKey) error {
	role := l.roles[m.Role]
	switch {
	case role == nil:
		return l.missing("role", m.Role)
	case role.partnerOnly && key.organization.kind != OrganizationPartner:
		return conflict("role %q is for partners, and organization %q is a %s (R16)", m.Role, m.Organization, key.organization.kind)
	case m.Role == RoleOperator && key.organization.kind != OrganizationOperator:
		return conflict("role %s is for the operator's own organization, and organization %q is a %s", m.Role, m.Organization, key.organization.kind)
	case role.operatorOnly && m.AssignedBy != ByOperator && m.AssignedBy != BySystem:
		return conflict("role %q is assigned by the operator only, and assigned_by is %s (R3)", m.Role, m.AssignedBy)
	case leads(m.Role) && key.name != nil && key.name.shared:
		return conflict("%q is a shared identity and cannot be %s (R37)", m.User, m.Role)
	}
	return nil
}

// leads reports a role that a shared identity may not have (R37).
func leads(role string) bool { return role == RolePrimaryContact || role == RoleAdministrator }

func (m Membership) enter(l *ledger, at sighting) {
	key := m.key(l)
	if key.name == nil {
		key.name = &nameEntry{key: strings.Clone(authz.LoginKey(m.User).ID), temporary: key.organization}
		l.names[key.name.key] = key.name
	}
	known := entry(l.memberships, key)
	key.name.leads += count(leads(m.Role)) - count(known.lead)
	*known = memberEntry{at, l.number(known.ordinal), strings.Clone(or(m.ID, known.id)), key, leads(m.Role)}
	if known.id != "" {
		l.membershipIDs[known.id] = known
	}
}

func count(one bool) int {
	if one {
		return 1
	}
	return 0
}
