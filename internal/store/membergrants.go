package store

import (
	"database/sql"
	"time"

	"github.com/postern-authz/postern/internal/directory"
	"github.com/postern-authz/postern/internal/pap"
)

// grantsOf are the grants of each membership.
func (r reader) grantsOf(memberships ...string) ([]pap.Grants, error) {
	if err := r.settle(); err != nil {
		return nil, err
	}
	records, err := grantRecords(r.q, memberships)
	if err != nil {
		return nil, err
	}
	grants := make([]pap.Grants, len(records))
	for i := range records {
		grants[i] = grantsFrom(records[i])
	}
	return grants, nil
}

// grantsFrom takes records in the order of grantRecords.
func grantsFrom(records []directory.GrantRecord) pap.Grants {
	g := pap.Grants{Companies: []pap.CompanyGrant{}, Accounts: []pap.AccountGrant{}, AccountGroups: []string{}, Tools: []pap.ToolGrant{}}
	for _, r := range records {
		switch {
		case r.Company != "":
			g.Companies = append(g.Companies, pap.CompanyGrant{ID: r.Company, AllAccounts: r.AllAccounts})
		case r.Tool != "" && r.Account != "":
			tool := &g.Tools[len(g.Tools)-1]
			tool.Accounts = append(tool.Accounts, r.Account)
		case r.Tool != "":
			g.Tools = append(g.Tools, pap.ToolGrant{ID: r.Tool, Accounts: []string{}, ExpiresAt: end(r.Expires)})
		case r.AccountGroup != "":
			g.AccountGroups = append(g.AccountGroups, r.AccountGroup)
		default:
			g.Accounts = append(g.Accounts, pap.AccountGrant{ID: r.Account, ExpiresAt: end(r.Expires)})
		}
	}
	return g
}

// end is nil for the zero time: never.
func end(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// recordsFrom is grantsFrom turned round.
func recordsFrom(g pap.Grants) (records []directory.GrantRecord) {
	until := func(t *time.Time) time.Time {
		if t == nil {
			return time.Time{}
		}
		return t.Truncate(time.Millisecond).UTC()
	}
	for _, c := range g.Companies {
		records = append(records, directory.GrantRecord{Company: c.ID, AllAccounts: c.AllAccounts})
	}
	for _, a := range g.Accounts {
		records = append(records, directory.GrantRecord{Account: a.ID, Expires: until(a.ExpiresAt)})
	}
	for _, id := range g.AccountGroups {
		records = append(records, directory.GrantRecord{AccountGroup: id})
	}
	for _, t := range g.Tools {
		records = append(records, directory.GrantRecord{Tool: t.ID, Expires: until(t.ExpiresAt)})
		for _, a := range t.Accounts {
			records = append(records, directory.GrantRecord{Tool: t.ID, Account: a})
		}
	}
	return records
}

// SetGrants takes away first, as a company takes its accounts along, and then
// gives what is missing from what is left. A grant whose end or reach differs is
// a new one: whoever changed it granted it.
func (c change) SetGrants(member string, g pap.Grants, granted string) error {
	const find = `SELECT organization_id, login_key FROM memberships WHERE id = $1 AND state <> 'superseded'`
	m, err := one(c.reader, "member "+member, func(row *sql.Rows) (m cursor, err error) {
		return m, scan(row, &m.organization, &m.login)
	}, find, member)
	if err != nil {
		return err
	}
	wanted := recordsFrom(g)
	held, err := grantRecords(c.queryer, []string{member})
	if err != nil {
		return err
	}
	if err := c.putGrants(m, without(held[0], wanted, sameThing), true, granted); err != nil {
		return err
	}
	if held, err = grantRecords(c.queryer, []string{member}); err != nil {
		return err
	}
	return c.putGrants(m, without(wanted, held[0], sameGrant), false, granted)
}

// putGrants gives or takes records as an import does, but at once.
func (c change) putGrants(m cursor, records []directory.GrantRecord, revoked bool, granted string) error {
	for _, g := range records {
		g.Organization, g.User, g.Revoked, g.GrantedBy = m.organization, m.login, revoked, granted
		if err := c.PutGrant(g); err != nil {
			return err
		}
	}
	return c.tx.settle()
}

// without are the records that have no like among the others.
func without(records, others []directory.GrantRecord, like func(directory.GrantRecord) directory.GrantRecord) (left []directory.GrantRecord) {
	known := map[directory.GrantRecord]bool{}
	for _, g := range others {
		known[like(g)] = true
	}
	for _, g := range records {
		if !known[like(g)] {
			left = append(left, g)
		}
	}
	return left
}

// sameThing leaves of a record what is granted.
func sameThing(g directory.GrantRecord) directory.GrantRecord {
	return directory.GrantRecord{Company: g.Company, Account: g.Account, AccountGroup: g.AccountGroup, Tool: g.Tool}
}

// sameGrant leaves of a record all but who granted it.
func sameGrant(g directory.GrantRecord) directory.GrantRecord {
	g.GrantedBy = ""
	return g
}
