package store

import (
	"database/sql"
	"errors"
	"fmt"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/pap"
)

// A membershipPlace is what the directory has of what a membership refers to.
type membershipPlace struct {
	organizationKind          string
	partnerOnly, operatorOnly bool
	login                     string // key of the user's username; "": there is no such user
}

// PutMember keeps who was invited with the membership until there is a user to
// keep it, and what is personal in one place only then.
func (c change) PutMember(m pap.Member) error {
	before, err := c.Member(m.Organization, m.ID)
	if err != nil && !errors.Is(err, authz.ErrNotFound) {
		return err
	}
	place, err := c.placeMember(m)
	if err != nil {
		return fmt.Errorf("membership %s: %w", m.ID, err)
	}
	if m.TemporaryUsername != "" && m.TemporaryUsername != before.TemporaryUsername {
		if err := c.takeUsername(m.TemporaryUsername, ""); err != nil {
			return fmt.Errorf("membership %s: temporary username: %w", m.ID, err)
		}
	}
	if err := c.writeMember(m, place); err != nil {
		return err
	}
	c.changeMembership(foundMembership{
		user: m.User, oldUser: before.User,
		document: m.User != before.User || m.Affiliation != before.Affiliation || m.State != before.State || m.Role != before.Role || m.CPNI != before.CPNI,
	})
	return c.takeSeats(map[string]int{m.Organization: seat(m.State, m.Affiliation) - seat(before.State, before.Affiliation)})
}

// placeMember looks up what the membership refers to.
func (c change) placeMember(m pap.Member) (membershipPlace, error) {
	const query = `
		SELECT COALESCE(o.kind, ''), COALESCE(r.id, ''), COALESCE(r.partner_only, FALSE), COALESCE(r.operator_only, FALSE),
			COALESCE(u.username_key, ''), COALESCE(x.organization_id, '')
		FROM (SELECT CAST($1 AS TEXT) AS organization, CAST($2 AS TEXT) AS role, CAST($3 AS TEXT) AS user_id, CAST($4 AS TEXT) AS id) q
		LEFT JOIN organizations o ON o.id = q.organization
		LEFT JOIN roles r ON r.id = q.role
		LEFT JOIN users u ON u.id = q.user_id
		LEFT JOIN memberships x ON x.id = q.id`
	var role, organization string
	p, err := one(c.reader, "membership "+m.ID, func(row *sql.Rows) (p membershipPlace, err error) {
		return p, scan(row, &p.organizationKind, &role, &p.partnerOnly, &p.operatorOnly, &p.login, &organization)
	}, query, m.Organization, m.Role, m.User, m.ID)
	switch {
	case err != nil:
		return p, err
	case p.organizationKind == "":
		return p, missing("organization", m.Organization)
	case role == "":
		return p, missing("role", m.Role)
	case m.User != "" && p.login == "":
		return p, missing("user", m.User)
	case organization != "" && organization != m.Organization:
		return p, fmt.Errorf("it is in organization %s and stays there: %w", organization, authz.ErrConflict)
	}
	return p, nil
}

func (c change) writeMember(m pap.Member, place membershipPlace) error {
	login, temporary := place.login, optional(authz.LoginKey(m.TemporaryUsername).ID)
	email, profile := optional(m.Email), m.Profile
	if m.User != "" {
		email, profile = nil, pap.Profile{}
	} else {
		login = authz.LoginKey(m.TemporaryUsername).ID
	}
	if m.CreatedAt.IsZero() {
		m.CreatedAt = instant(&c.now)
	}
	preferences, err := compactObject(m.Preferences)
	if err != nil {
		return fmt.Errorf("preferences of membership %s: %w", m.ID, err)
	}
	return c.upsert("memberships", "id",
		column{name: "id", value: m.ID},
		column{name: "organization_id", value: m.Organization, first: true},
		column{name: "organization_kind", value: place.organizationKind, first: true},
		column{name: "user_id", value: optional(m.User)},
		column{name: "login_key", value: login},
		column{name: "temporary_username", value: optional(m.TemporaryUsername)},
		column{name: "temporary_username_key", value: temporary},
		column{name: "email", value: email},
		column{name: "affiliation", value: m.Affiliation},
		column{name: "state", value: m.State},
		column{name: "role_id", value: m.Role},
		column{name: "role_partner_only", value: place.partnerOnly},
		column{name: "role_operator_only", value: place.operatorOnly},
		column{name: "role_assigned_by", value: m.RoleAssignedBy},
		column{name: "cpni_authorized", value: m.CPNI},
		column{name: "kind", value: m.Kind},
		column{name: "profile", value: kept{profile}},
		column{name: "preferences", value: string(preferences)},
		column{name: "created_at", value: m.CreatedAt.UnixMilli(), first: true},
		column{name: "activated_at", value: when(m.ActivatedAt)},
		column{name: "suspended_at", value: when(m.SuspendedAt)},
		column{name: "removed_at", value: when(m.RemovedAt)},
		column{name: "purged_at", value: when(m.PurgedAt)},
		column{name: "changed_revision", value: int64(c.reader.revision)},
	)
}
