package store

import (
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/pap"
)

const selectOrganizations = `SELECT id, kind, name, COALESCE(seats_allowed, 0), settings FROM organizations`

func readOrganization(row *sql.Rows) (o directory.Organization, err error) {
	var settings string
	if err := scan(row, &o.ID, &o.Kind, &o.Name, &o.SeatLimit, &settings); err != nil {
		return o, err
	}
	if settings != "{}" {
		o.Settings = json.RawMessage(settings)
	}
	return o, nil
}

const selectCompanies = `SELECT id, organization_id, name FROM companies`

func readCompany(row *sql.Rows) (c directory.Company, err error) {
	return c, scan(row, &c.ID, &c.Organization, &c.Name)
}

const selectAccounts = `
	SELECT id, company_id, kind, name, COALESCE(contract_id, ''), COALESCE(delivery_id, '') FROM accounts`

func readAccount(row *sql.Rows) (a directory.Account, err error) {
	return a, scan(row, &a.ID, &a.Company, &a.Kind, &a.Name, &a.Contract, &a.Delivery)
}

const selectRoles = `SELECT id, name, partner_only, operator_only FROM roles ORDER BY id`

func readRole(row *sql.Rows) (r directory.Role, err error) {
	return r, scan(row, &r.ID, &r.Name, &r.PartnerOnly, &r.OperatorOnly)
}

func (r reader) Organization(id string) (directory.Organization, error) {
	return one(r, "organization "+id, readOrganization, selectOrganizations+` WHERE id = $1`, id)
}

func (r reader) Organizations(after string, limit int) ([]directory.Organization, error) {
	return list(r, readOrganization, selectOrganizations+` WHERE id > $1 ORDER BY id LIMIT $2`, after, atMost(limit))
}

// Changed knows when organizations and account groups changed; of another kind
// nothing is found.
func (r reader) Changed(key authz.Key) (authz.Revision, error) {
	table := map[authz.Kind]string{authz.KindOrganization: "organizations", authz.KindAccountGroup: "account_groups"}[key.Kind]
	if table == "" {
		return 0, fmt.Errorf("when %s %s changed: %w", key.Kind, key.ID, authz.ErrNotFound)
	}
	n, err := r.number(`SELECT changed_revision FROM `+table+` WHERE id = $1`, key.ID)
	return authz.Revision(n), err
}

func (r reader) SeatsUsed(organization string) (int, error) {
	return r.number(`SELECT seats_used FROM organizations WHERE id = $1`, organization)
}

func (r reader) Company(id string) (directory.Company, error) {
	return one(r, "company "+id, readCompany, selectCompanies+` WHERE id = $1`, id)
}

func (r reader) Companies(organization, after string, limit int) ([]directory.Company, error) {
	const query = selectCompanies + ` WHERE organization_id = $1 AND id > $2 ORDER BY id LIMIT $3`
	return list(r, readCompany, query, organization, after, atMost(limit))
}

func (r reader) Account(id string) (directory.Account, error) {
	return one(r, "account "+id, readAccount, selectAccounts+` WHERE id = $1`, id)
}

func (r reader) Accounts(q pap.AccountQuery) ([]directory.Account, error) {
	var w where
	w.is("id > ?", q.After)
	w.text("organization_id = ?", q.Organization)
	w.text("company_id = ?", q.Company)
	w.text("kind = ?", q.Kind)
	if q.Within != "" {
		w.is("(contract_id = ? OR delivery_id = ?)", q.Within, q.Within)
	}
	query := selectAccounts + w.sql("id", q.Limit)
	return list(r, readAccount, query, w.arguments...)
}

// RolesHolding are in order.
func (r reader) RolesHolding(accountGroup string) ([]string, error) {
	const query = `
		SELECT DISTINCT m.role_id FROM account_group_grants g JOIN memberships m ON m.id = g.membership_id
		WHERE g.account_group_id = $1 AND m.state IN ('invited', 'active', 'suspended')
		ORDER BY 1`
	return list(r, readText, query, accountGroup)
}

// EnclosedCompanies are in order.
func (r reader) EnclosedCompanies(account string) ([]string, error) {
	const query = `
		SELECT e.company_id FROM accounts a CROSS JOIN accounts e
		WHERE a.id = $1 AND e.contract_id = a.id AND e.company_id <> a.company_id
		UNION
		SELECT e.company_id FROM accounts a CROSS JOIN accounts e
		WHERE a.id = $1 AND e.delivery_id = a.id AND e.company_id <> a.company_id
		ORDER BY 1`
	return list(r, readText, query, account)
}

func (r reader) HoldersOutside(account, company string) (int, error) {
	const query = `
		SELECT COUNT(*) FROM (
			SELECT membership_id FROM account_grants WHERE account_id = $1
			UNION
			SELECT membership_id FROM tool_account_grants WHERE account_id = $1
		) g LEFT JOIN membership_companies c ON c.membership_id = g.membership_id AND c.company_id = $2
		WHERE c.company_id IS NULL`
	return r.number(query, account, company)
}

func readText(row *sql.Rows) (text string, err error) { return text, scan(row, &text) }

const selectAccountGroups = `SELECT id, organization_id, kind, name FROM account_groups`

func readAccountGroup(row *sql.Rows) (g directory.AccountGroup, err error) {
	return g, scan(row, &g.ID, &g.Organization, &g.Kind, &g.Name)
}

func (r reader) AccountGroup(id string) (directory.AccountGroup, error) {
	g, err := one(r, "account group "+id, readAccountGroup, selectAccountGroups+` WHERE id = $1`, id)
	if err != nil {
		return g, err
	}
	groups := []directory.AccountGroup{g}
	err = r.fillAccountGroups(groups)
	return groups[0], err
}

func (r reader) AccountGroups(organization, after string, limit int) ([]directory.AccountGroup, error) {
	const query = selectAccountGroups + ` WHERE organization_id = $1 AND id > $2 ORDER BY id LIMIT $3`
	groups, err := list(r, readAccountGroup, query, organization, after, atMost(limit))
	if err != nil {
		return nil, err
	}
	return groups, r.fillAccountGroups(groups)
}

// fillAccountGroups reads the accounts of all groups at once.
func (r reader) fillAccountGroups(groups []directory.AccountGroup) error {
	var rows rowset
	for i, g := range groups {
		rows.add(i, g.ID)
	}
	const query = `
		SELECT r.n, m.account_id` + sought + `CROSS JOIN account_group_members m
		WHERE m.account_group_id = r.id ORDER BY r.n, m.account_id`
	return r.q.each(query, &rows, func(row *sql.Rows) error {
		var n int
		var account string
		if err := scan(row, &n, &account); err != nil {
			return err
		}
		groups[n].Accounts = append(groups[n].Accounts, account)
		return nil
	})
}

func (r reader) Roles() ([]directory.Role, error) { return list(r, readRole, selectRoles) }

func (r reader) Tools() ([]pap.Tool, error) {
	return list(r, func(row *sql.Rows) (t pap.Tool, err error) {
		return t, scan(row, &t.ID, &t.Name, &t.Restricted, kept{&t.RecommendedFor})
	}, `SELECT id, name, restricted, recommended_for FROM tools ORDER BY id`)
}
