package store

import (
	"cmp"
	"database/sql"
	"slices"

	"github.com/postern-authz/postern/internal/directory"
)

// grantsAtOnce is how many memberships' grants are in memory at a time.
const grantsAtOnce = 200

// Grants reads the memberships in their order a few at a time and sorts the
// grants of each: no engine then has to sort them all.
func (v view) Grants(fn func(directory.GrantRecord) error) error {
	var last cursor
	for {
		members, err := v.membersAfter(last)
		if err != nil || len(members) == 0 {
			return err
		}
		grants, err := v.grantsOf(members)
		if err != nil {
			return err
		}
		for _, g := range grants {
			if err := fn(g); err != nil {
				return err
			}
		}
		last = members[len(members)-1].cursor
	}
}

// A cursor is a place in the order of memberships.
type cursor struct{ organization, login string }

type member struct {
	cursor
	id, user string
}

func (v view) membersAfter(after cursor) ([]member, error) {
	const query = `
		SELECT m.organization_id, m.login_key, m.id, COALESCE(u.username, m.temporary_username)
		FROM memberships m LEFT JOIN users u ON u.id = m.user_id
		WHERE m.state <> 'superseded' AND (m.organization_id, m.login_key) > ($1, $2)
		ORDER BY m.organization_id, m.login_key LIMIT $3`
	members := make([]member, 0, grantsAtOnce)
	err := v.all(query, func(row *sql.Rows) error {
		var m member
		if err := scan(row, &m.organization, &m.login, &m.id, &m.user); err != nil {
			return err
		}
		members = append(members, m)
		return nil
	}, after.organization, after.login, grantsAtOnce)
	return members, err
}

// grantsOf are the grants of the members in order.
func (v view) grantsOf(members []member) ([]directory.GrantRecord, error) {
	ids := make([]string, len(members))
	for i, m := range members {
		ids[i] = m.id
	}
	byMember, err := grantRecords(v.queryer, ids)
	var all []directory.GrantRecord
	for i, grants := range byMember {
		for _, g := range grants {
			g.Organization, g.User = members[i].organization, members[i].user
			all = append(all, g)
		}
	}
	return all, err
}

// grantRecords are the grants of each membership, without its organization and
// user, in order: companies, accounts, account groups, then each tool before its
// accounts.
func grantRecords(q queryer, memberships []string) ([][]directory.GrantRecord, error) {
	var rows rowset
	for i, id := range memberships {
		rows.add(i, id)
	}
	const query = `
		SELECT r.n, g.company_id, '', '', '', g.all_accounts, NULL, g.granted_by` + sought + `
		CROSS JOIN membership_companies g WHERE g.membership_id = r.id
		UNION ALL
		SELECT r.n, '', g.account_id, '', '', FALSE, g.expires_at, g.granted_by` + sought + `
		CROSS JOIN account_grants g WHERE g.membership_id = r.id
		UNION ALL
		SELECT r.n, '', '', g.account_group_id, '', FALSE, NULL, g.granted_by` + sought + `
		CROSS JOIN account_group_grants g WHERE g.membership_id = r.id
		UNION ALL
		SELECT r.n, '', '', '', g.tool_id, FALSE, g.expires_at, g.granted_by` + sought + `
		CROSS JOIN tool_grants g WHERE g.membership_id = r.id
		UNION ALL
		SELECT r.n, '', g.account_id, '', g.tool_id, FALSE, NULL, g.granted_by` + sought + `
		CROSS JOIN tool_account_grants g WHERE g.membership_id = r.id`
	byMember := make([][]directory.GrantRecord, len(memberships))
	err := q.each(query, &rows, func(row *sql.Rows) error {
		var n int
		var g directory.GrantRecord
		var expires *int64
		if err := scan(row, &n, &g.Company, &g.Account, &g.AccountGroup, &g.Tool, &g.AllAccounts, &expires, &g.GrantedBy); err != nil {
			return err
		}
		g.Expires = instant(expires)
		byMember[n] = append(byMember[n], g)
		return nil
	})
	for _, grants := range byMember {
		slices.SortFunc(grants, compareGrants)
	}
	return byMember, err
}

func compareGrants(a, b directory.GrantRecord) int {
	return cmp.Or(
		cmp.Compare(rank(a), rank(b)),
		cmp.Compare(a.Company+a.AccountGroup+a.Tool, b.Company+b.AccountGroup+b.Tool),
		cmp.Compare(a.Account, b.Account),
	)
}

// rank orders what is granted, things before those that need them.
func rank(g directory.GrantRecord) int {
	switch {
	case g.Company != "":
		return grantCompany
	case g.Tool != "":
		return grantTool
	case g.AccountGroup != "":
		return grantAccountGroup
	}
	return grantAccount
}
