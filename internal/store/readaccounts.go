package store

import (
	"database/sql"

	"github.com/postern-authz/postern/internal/authz"
)

// readNarrow says which users have more accounts than are listed, by all of
// their memberships. It counts the accounts granted only as far as that takes.
func readNarrow(q queryer, owners []int, members []authz.Membership, documents []authz.Document, listed int) error {
	const query = `
		SELECT r.n, (SELECT COUNT(*) FROM (SELECT 1 FROM account_grants g WHERE g.membership_id = r.id LIMIT $2) a)` + sought
	rows := membershipRows(members)
	if rows.rows == 0 {
		return nil
	}
	argument, err := rows.argument()
	if err != nil {
		return err
	}
	accounts := map[int]int{} // by number of the document
	for i, n := range owners {
		for _, tool := range members[i].Tools {
			accounts[n] += tool.Unlisted
		}
	}
	enough := int64(min(max(listed, 0), 1<<30)) + 1
	err = q.all(query, func(row *sql.Rows) error {
		var n, granted int
		if err := scan(row, &n, &granted); err != nil {
			return err
		}
		accounts[owners[n]] += granted
		return nil
	}, argument, enough)
	for _, n := range owners {
		documents[n].User.Narrow = accounts[n] > listed
	}
	return err
}

// readUserAccounts reads what users were granted on one account each, in the
// order in which their documents would list it.
func readUserAccounts(q queryer, rows *rowset, documents []authz.Document) error {
	const (
		pairs = ` FROM (SELECT CAST(value->>0 AS BIGINT) AS n, value->>1 AS id, value->>2 AS account FROM {rows}) r
			CROSS JOIN memberships m `
		query = `
			SELECT r.n, m.organization_id, m.id, m.state, '' AS tool, g.expires_at` + pairs + `
			JOIN account_grants g ON g.membership_id = m.id AND g.account_id = r.account WHERE m.user_id = r.id
			UNION ALL
			SELECT r.n, m.organization_id, m.id, m.state, t.tool_id, NULL` + pairs + `
			JOIN tool_grants t ON t.membership_id = m.id
			JOIN tool_account_grants g ON g.membership_id = t.membership_id AND g.tool_id = t.tool_id AND g.account_id = r.account
			WHERE m.user_id = r.id
			ORDER BY 1, 2, 5`
	)
	return q.each(query, rows, func(row *sql.Rows) error {
		var n int
		var organization, state string
		var g authz.Granted
		var expires *int64
		if err := scan(row, &n, &organization, &g.Membership, &state, &g.Tool, &expires); err != nil {
			return err
		}
		if state != stateInvited && state != stateSuperseded {
			g.Expires = instant(expires)
			documents[n].Granted = append(documents[n].Granted, g)
		}
		return nil
	})
}
