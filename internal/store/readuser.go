package store

import (
	"cmp"
	"database/sql"
	"slices"

	"github.com/postern-authz/postern/internal/authz"
)

// readUsers reads the documents of users. A user with more accounts than listed
// is Narrow: what it costs to read does not grow with them, but for counting
// those on the lists of tools.
func readUsers(q queryer, rows *rowset, documents []authz.Document, listed int) error {
	const query = `
		SELECT r.n, u.id, u.kind, u.removed_at IS NOT NULL, u.mfa_enrolled` + sought + `
		CROSS JOIN users u WHERE u.id = r.id`
	err := q.each(query, rows, func(row *sql.Rows) error {
		var n int
		u := &authz.User{}
		if err := scan(row, &n, &u.ID, &u.Kind, &u.Removed, &u.MFA); err != nil {
			return err
		}
		documents[n].User = u
		return nil
	})
	if err != nil {
		return err
	}
	owners, members, err := readMemberships(q, rows)
	if err != nil {
		return err
	}
	if err := readHeldTools(q, members); err != nil {
		return err
	}
	if err := readNarrow(q, owners, members, documents, listed); err != nil {
		return err
	}
	whole := &rowset{}
	for i, n := range owners {
		if !documents[n].User.Narrow {
			whole.add(i, members[i].ID)
		}
	}
	if err := readGrants(q, members, whole); err != nil {
		return err
	}
	if err := readLists(q, members, whole); err != nil {
		return err
	}
	for i, n := range owners {
		documents[n].User.Memberships = append(documents[n].User.Memberships, members[i])
	}
	return nil
}

// readMemberships returns the memberships of users in the order of
// organizations, and of each the number of the document it belongs to.
func readMemberships(q queryer, rows *rowset) (owners []int, members []authz.Membership, err error) {
	const query = `
		SELECT r.n, m.id, m.organization_id, m.organization_kind, m.affiliation, m.state, m.role_id, m.cpni_authorized` + sought + `
		CROSS JOIN memberships m WHERE m.user_id = r.id
		ORDER BY r.n, m.organization_id`
	err = q.each(query, rows, func(row *sql.Rows) error {
		var n int
		var m authz.Membership
		err := scan(row, &n, &m.ID, &m.Organization, &m.OrganizationKind, &m.Affiliation, &m.State, &m.Role, &m.CPNI)
		if err != nil {
			return err
		}
		// Asking for states in SQL would tempt PostgreSQL to an index by state.
		if m.State != stateInvited && m.State != stateSuperseded {
			owners, members = append(owners, n), append(members, m)
		}
		return nil
	})
	return owners, members, err
}

func membershipRows(members []authz.Membership) *rowset {
	var rows rowset
	for i, m := range members {
		rows.add(i, m.ID)
	}
	return &rows
}

// readGrants fills in what counts where: account groups, companies whose
// accounts were granted all together and, of those memberships that are read
// whole, accounts.
func readGrants(q queryer, members []authz.Membership, whole *rowset) error {
	const inline = `
		SELECT r.n, 'account_group:' || g.account_group_id, NULL` + sought + `
		CROSS JOIN account_group_grants g WHERE g.membership_id = r.id
		UNION ALL
		SELECT r.n, 'company:' || g.company_id, NULL` + sought + `
		CROSS JOIN membership_companies g WHERE g.membership_id = r.id AND g.all_accounts`
	const accounts = `
		SELECT r.n, 'account:' || g.account_id, g.expires_at` + sought + `
		CROSS JOIN account_grants g WHERE g.membership_id = r.id`
	read := func(row *sql.Rows) error {
		var n int
		var g authz.Grant
		var expires *int64
		if err := scan(row, &n, &g.Scope, &expires); err != nil {
			return err
		}
		g.Expires = instant(expires)
		members[n].Grants = append(members[n].Grants, g)
		return nil
	}
	if err := q.each(inline, membershipRows(members), read); err != nil {
		return err
	}
	if err := q.each(accounts, whole, read); err != nil {
		return err
	}
	byScope := func(a, b authz.Grant) int { return cmp.Compare(a.Scope, b.Scope) }
	for i := range members {
		if !slices.IsSortedFunc(members[i].Grants, byScope) {
			slices.SortFunc(members[i].Grants, byScope)
		}
	}
	return nil
}

// readHeldTools fills in the tools, with the number of accounts on the list of
// each.
func readHeldTools(q queryer, members []authz.Membership) error {
	const query = `
		SELECT r.n, g.tool_id, g.expires_at,
			(SELECT COUNT(*) FROM tool_account_grants a WHERE a.membership_id = g.membership_id AND a.tool_id = g.tool_id)` + sought + `
		CROSS JOIN tool_grants g WHERE g.membership_id = r.id ORDER BY r.n, g.tool_id`
	return q.each(query, membershipRows(members), func(row *sql.Rows) error {
		var n int
		var tool authz.Tool
		var expires *int64
		if err := scan(row, &n, &tool.ID, &expires, &tool.Unlisted); err != nil {
			return err
		}
		tool.Expires = instant(expires)
		members[n].Tools = append(members[n].Tools, tool)
		return nil
	})
}

// readLists lists the accounts of tools.
func readLists(q queryer, members []authz.Membership, whole *rowset) error {
	const query = `
		SELECT r.n, g.tool_id, g.account_id` + sought + `
		CROSS JOIN tool_account_grants g WHERE g.membership_id = r.id`
	err := q.each(query, whole, func(row *sql.Rows) error {
		var n int
		var id, account string
		if err := scan(row, &n, &id, &account); err != nil {
			return err
		}
		// The schema keeps no list without its tool, and both are of one state.
		i, _ := slices.BinarySearchFunc(members[n].Tools, id, func(t authz.Tool, id string) int { return cmp.Compare(t.ID, id) })
		tool := &members[n].Tools[i]
		tool.Accounts, tool.Unlisted = append(tool.Accounts, account), tool.Unlisted-1
		return nil
	})
	for i := range members {
		for _, tool := range members[i].Tools {
			slices.Sort(tool.Accounts)
		}
	}
	return err
}
