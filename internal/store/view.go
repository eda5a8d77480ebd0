package store

import (
	"context"
	"database/sql"

	"github.com/postern-authz/postern/internal/directory"
)

// View runs fn on one unchanging state of the directory. See directory.Store.
// The records stream: fn must not ask the Reader for more while one of its
// functions runs, as both would speak over one connection.
func (s *Store) View(ctx context.Context, fn func(directory.Reader) error) error {
	return s.snapshot(ctx, func(q queryer) error {
		if err := q.unhurried(); err != nil {
			return err
		}
		return fn(view{q})
	})
}

// A view reads the directory in the order of its keys.
type view struct{ queryer }

var _ directory.Reader = view{}

// handOver reads the rows of a query and hands each record out.
func handOver[T any](v view, query string, read func(*sql.Rows) (T, error), fn func(T) error) error {
	return v.all(query, func(row *sql.Rows) error {
		record, err := read(row)
		if err != nil {
			return err
		}
		return fn(record)
	})
}

func (v view) Organizations(fn func(directory.Organization) error) error {
	return handOver(v, selectOrganizations+` ORDER BY id`, readOrganization, fn)
}

func (v view) Companies(fn func(directory.Company) error) error {
	return handOver(v, selectCompanies+` ORDER BY id`, readCompany, fn)
}

func (v view) Accounts(fn func(directory.Account) error) error {
	return handOver(v, selectAccounts+` ORDER BY id`, readAccount, fn)
}

// AccountGroups reads a row per account and hands out the group when the next
// one begins.
func (v view) AccountGroups(fn func(directory.AccountGroup) error) error {
	const query = `
		SELECT g.id, g.organization_id, g.kind, g.name, COALESCE(m.account_id, '')
		FROM account_groups g LEFT JOIN account_group_members m ON m.account_group_id = g.id
		ORDER BY g.id, m.account_id`
	var group directory.AccountGroup
	err := v.all(query, func(row *sql.Rows) error {
		var g directory.AccountGroup
		var account string
		if err := scan(row, &g.ID, &g.Organization, &g.Kind, &g.Name, &account); err != nil {
			return err
		}
		if g.ID != group.ID {
			if err := handOut(group, fn); err != nil {
				return err
			}
			group = g
		}
		if account != "" {
			group.Accounts = append(group.Accounts, account)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return handOut(group, fn)
}

func handOut(g directory.AccountGroup, fn func(directory.AccountGroup) error) error {
	if g.ID == "" {
		return nil
	}
	return fn(g)
}

func (v view) Tools(fn func(directory.Tool) error) error {
	return v.all(`SELECT id, name, restricted FROM tools ORDER BY id`, func(row *sql.Rows) error {
		var t directory.Tool
		if err := scan(row, &t.ID, &t.Name, &t.Restricted); err != nil {
			return err
		}
		return fn(t)
	})
}

func (v view) Roles(fn func(directory.Role) error) error {
	return handOver(v, selectRoles, readRole, fn)
}

func (v view) Users(fn func(directory.User) error) error {
	const query = `
		SELECT id, kind, username, COALESCE(email, ''), COALESCE(given_name, ''), COALESCE(family_name, ''),
			COALESCE(phone, ''), COALESCE(country, ''), mfa_enrolled, removed_at IS NOT NULL
		FROM users ORDER BY username_key`
	return v.all(query, func(row *sql.Rows) error {
		var u directory.User
		err := scan(row, &u.ID, &u.Kind, &u.Username, &u.Email, &u.GivenName, &u.FamilyName, &u.Phone, &u.Country, &u.MFA, &u.Removed)
		if err != nil {
			return err
		}
		return fn(u)
	})
}

func (v view) Memberships(fn func(directory.Membership) error) error {
	const query = `
		SELECT m.id, m.organization_id, COALESCE(u.username, m.temporary_username), COALESCE(m.email, ''), m.role_id,
			m.affiliation, m.state, m.cpni_authorized, m.role_assigned_by
		FROM memberships m LEFT JOIN users u ON u.id = m.user_id
		WHERE m.state <> 'superseded' ORDER BY m.organization_id, m.login_key`
	return v.all(query, func(row *sql.Rows) error {
		var m directory.Membership
		err := scan(row, &m.ID, &m.Organization, &m.User, &m.Email, &m.Role, &m.Affiliation, &m.State, &m.CPNI, &m.AssignedBy)
		if err != nil {
			return err
		}
		return fn(m)
	})
}
