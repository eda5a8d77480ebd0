package store

import (
	"database/sql"
	"fmt"
	"strings"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// What a grant gives: one table each.
const (
	grantCompany = iota
	grantAccount
	grantAccountGroup
	grantTool
	grantToolAccount
	grantKinds
)

func (t *tx) PutGrant(g directory.GrantRecord) error {
	kind, err := grantKind(g)
	if err != nil {
		return fmt.Errorf("grant to %s in %s: %w", g.User, g.Organization, err)
	}
	// Taking a company away takes its accounts along, so granting and revoking do
	// not mix in one statement.
	if held := t.grants.records; len(held) > 0 && held[0].Revoked != g.Revoked {
		if err := t.flush(); err != nil {
			return err
		}
	}
	key := strings.Join([]string{g.Organization, authz.LoginKey(g.User).ID, fmt.Sprint(kind), g.Company, g.Account, g.AccountGroup, g.Tool}, " ")
	return put(t, &t.grants, g, 1, key)
}

// grantKind says what the record gives.
func grantKind(g directory.GrantRecord) (kind int, err error) {
	given := 0
	for k, id := range []string{g.Company, g.Account, g.AccountGroup, g.Tool} {
		if id != "" {
			given, kind = given+1, k
		}
	}
	if given == 2 && g.Tool != "" && g.Account != "" {
		given, kind = 1, grantToolAccount
	}
	switch {
	case given != 1:
		return 0, fmt.Errorf("a grant gives exactly one of a company, an account, an account group and a tool, or an account to a tool: %w", authz.ErrInvalid)
	case g.AllAccounts && kind != grantCompany:
		return 0, fmt.Errorf("all accounts are those of a company: %w", authz.ErrInvalid)
	case !g.Expires.IsZero() && kind != grantAccount && kind != grantTool:
		return 0, fmt.Errorf("only an account or a tool is granted until a time: %w", authz.ErrInvalid)
	}
	return kind, nil
}

// A grantTable is how one kind of grant is looked up, written and deleted.
type grantTable struct {
	noun   string
	find   string // joins and columns, see findGrants
	write  string // of rows of membership, company, thing, account, all_accounts, expires_at, granted_by, now
	delete string // of rows of membership, thing, account
}

func (t *tx) writeGrants() error {
	records := t.grants.take()
	if len(records) == 0 {
		return nil
	}
	var byKind [grantKinds][]directory.GrantRecord
	for _, g := range records {
		kind, err := grantKind(g)
		if err != nil {
			return err
		}
		byKind[kind] = append(byKind[kind], g)
	}
	write := t.grant
	if records[0].Revoked {
		write = t.revoke
	}
	for kind, table := range grantTables() {
		if err := write(table, byKind[kind]); err != nil {
			return err
		}
	}
	return nil
}

// grantRows are the records as the queries of grantTables read them.
func grantRows(records []directory.GrantRecord) *rowset {
	var rows rowset
	for i, g := range records {
		rows.add(i, g.Organization, authz.LoginKey(g.User).ID, thing(g), g.Account, g.AllAccounts, milliseconds(g.Expires), g.GrantedBy)
	}
	return &rows
}

// thing is the id of what is granted; of an account on a tool's list, the tool.
func thing(g directory.GrantRecord) string { return g.Company + g.AccountGroup + g.Tool }

const granted = `
	FROM (
		SELECT CAST(value->>0 AS BIGINT) AS n, value->>1 AS organization, value->>2 AS login, value->>3 AS thing,
			value->>4 AS account, CAST(value->>5 AS BOOLEAN) AS all_accounts, CAST(value->>6 AS BIGINT) AS expires_at,
			value->>7 AS granted_by FROM {rows}
	) r LEFT JOIN memberships m
		ON m.organization_id = r.organization AND m.login_key = r.login AND m.state <> 'superseded'`

// grant puts records of one kind.
func (t *tx) grant(table grantTable, records []directory.GrantRecord) error {
	var changed, touched rowset
	err := t.each(table.find, grantRows(records), func(row *sql.Rows) error {
		var n int
		var membership, user, company string
		var known, authorized, change, document bool
		if err := scan(row, &n, &membership, &user, &company, &known, &authorized, &change, &document); err != nil {
			return err
		}
		g := records[n]
		if err := grantable(table, g, membership, known, authorized); err != nil {
			return fmt.Errorf("grant to %s in %s: %w", g.User, g.Organization, err)
		}
		if change {
			changed.add(membership, optional(company), thing(g), g.Account, g.AllAccounts, milliseconds(g.Expires), g.GrantedBy, t.now)
			touched.add(membership)
			t.change(document && user != "", authz.KindUser, user)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := t.exec(table.write, &changed); err != nil {
		return err
	}
	return t.touch(&touched)
}

// grantable says what the grant refers to and the directory does not have.
func grantable(table grantTable, g directory.GrantRecord, membership string, known, authorized bool) error {
	id := g.Account
	if id == "" {
		id = thing(g)
	}
	switch {
	case membership == "":
		return fmt.Errorf("the organization has no such member: %w", authz.ErrConflict)
	case !known:
		return missing(table.noun, id)
	case !authorized && g.Tool != "":
		return fmt.Errorf("account %s is in a company, or for a tool, that was not granted: %w", id, authz.ErrConflict)
	case !authorized:
		return fmt.Errorf("account %s is in a company that was not granted: %w", id, authz.ErrConflict)
	}
	return nil
}

// revoke takes away what the records of one kind name; what was not granted, or
// to nobody, was not there.
func (t *tx) revoke(table grantTable, records []directory.GrantRecord) error {
	users := map[string]string{} // by membership
	var rows rowset
	find := `SELECT r.n, m.id, COALESCE(m.user_id, '')` + granted + ` WHERE m.id IS NOT NULL`
	err := t.each(find, grantRows(records), func(row *sql.Rows) error {
		var n int
		var membership, user string
		if err := scan(row, &n, &membership, &user); err != nil {
			return err
		}
		users[membership] = user
		rows.add(membership, thing(records[n]), records[n].Account)
		return nil
	})
	if err != nil {
		return err
	}
	var touched rowset
	err = t.each(table.delete, &rows, func(row *sql.Rows) error {
		var membership string
		if err := scan(row, &membership); err != nil {
			return err
		}
		touched.add(membership)
		t.change(users[membership] != "", authz.KindUser, users[membership])
		return nil
	})
	if err != nil {
		return err
	}
	return t.touch(&touched)
}
