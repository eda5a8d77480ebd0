package store

import (
	"database/sql"
	"fmt"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

// PutAccountGroup weighs as much as its list, so that lists of any length are
// written a bounded number of accounts at a time.
func (t *tx) PutAccountGroup(g directory.AccountGroup) error {
	return put(t, &t.accountGroups, g, 1+len(g.Accounts), g.ID)
}

func (t *tx) writeAccountGroups() error {
	records := t.accountGroups.take()
	var found, changed rowset
	for i, g := range records {
		found.add(i, g.ID, g.Organization, g.Kind, g.Name)
	}
	const find = `
		SELECT r.n, o.id IS NULL, g.organization_id IS DISTINCT FROM r.organization FROM (
			SELECT CAST(value->>0 AS BIGINT) AS n, value->>1 AS id, value->>2 AS organization,
				value->>3 AS kind, value->>4 AS name FROM {rows}
		) r LEFT JOIN organizations o ON o.id = r.organization
		LEFT JOIN account_groups g ON g.id = r.id
		WHERE (g.organization_id, g.kind, g.name) IS DISTINCT FROM (r.organization, r.kind, r.name)`
	err := t.each(find, &found, func(row *sql.Rows) error {
		var n int
		var unknown, document bool
		if err := scan(row, &n, &unknown, &document); err != nil {
			return err
		}
		g := records[n]
		if unknown {
			return fmt.Errorf("account group %s: %w", g.ID, missing("organization", g.Organization))
		}
		changed.add(g.ID, g.Organization, g.Kind, g.Name, int64(t.revision))
		t.change(document, authz.KindAccountGroup, g.ID)
		return nil
	})
	if err != nil {
		return err
	}
	err = t.exec(`
		INSERT INTO account_groups (id, organization_id, kind, name, changed_revision)
		SELECT value->>0, value->>1, value->>2, value->>3, CAST(value->>4 AS BIGINT) FROM {rows} WHERE TRUE
		ON CONFLICT (id) DO UPDATE SET organization_id = excluded.organization_id, kind = excluded.kind, name = excluded.name,
			changed_revision = excluded.changed_revision`, &changed)
	if err != nil {
		return err
	}
	return t.writeAccountGroupMembers(records)
}

// A groupMember is an account in an account group.
type groupMember struct{ group, account string }

// writeAccountGroupMembers makes the lists what the records say: it takes out
// what is no longer listed and puts in what is new.
func (t *tx) writeAccountGroupMembers(records []directory.AccountGroup) error {
	wanted := map[groupMember]bool{}
	var groups rowset
	for _, g := range records {
		groups.add(g.ID)
		for _, account := range g.Accounts {
			wanted[groupMember{g.ID, account}] = true
		}
	}
	var out rowset
	const list = `
		SELECT m.account_group_id, m.account_id FROM {rows} r CROSS JOIN account_group_members m
		WHERE m.account_group_id = r.value->>0`
	err := t.each(list, &groups, func(row *sql.Rows) error {
		var m groupMember
		if err := scan(row, &m.group, &m.account); err != nil {
			return err
		}
		if wanted[m] {
			delete(wanted, m)
			return nil
		}
		out.add(m.group, m.account)
		t.change(true, authz.KindAccount, m.account)
		return nil
	})
	if err != nil {
		return err
	}
	err = t.exec(`DELETE FROM account_group_members
		WHERE (account_group_id, account_id) IN (SELECT value->>0, value->>1 FROM {rows})`, &out)
	if err != nil {
		return err
	}
	if err := t.touchAccountGroups(&out, 0); err != nil {
		return err
	}
	return t.addAccountGroupMembers(records, wanted)
}

func (t *tx) addAccountGroupMembers(records []directory.AccountGroup, wanted map[groupMember]bool) error {
	var found, in rowset
	for _, g := range records {
		for _, account := range g.Accounts {
			if wanted[groupMember{g.ID, account}] {
				delete(wanted, groupMember{g.ID, account}) // a list may name an account twice
				found.add(g.Organization, g.ID, account)
			}
		}
	}
	const find = `
		SELECT r.organization, r.account_group, r.account, a.id IS NULL FROM (
			SELECT value->>0 AS organization, value->>1 AS account_group, value->>2 AS account FROM {rows}
		) r LEFT JOIN accounts a ON a.organization_id = r.organization AND a.id = r.account`
	err := t.each(find, &found, func(row *sql.Rows) error {
		var organization, group, account string
		var unknown bool
		if err := scan(row, &organization, &group, &account, &unknown); err != nil {
			return err
		}
		if unknown {
			return fmt.Errorf("account group %s: organization %s has no account %s: %w", group, organization, account, authz.ErrConflict)
		}
		in.add(organization, group, account)
		t.change(true, authz.KindAccount, account)
		return nil
	})
	if err != nil {
		return err
	}
	err = t.exec(`
		INSERT INTO account_group_members (organization_id, account_group_id, account_id)
		SELECT value->>0, value->>1, value->>2 FROM {rows}`, &in)
	if err != nil {
		return err
	}
	return t.touchAccountGroups(&in, 1)
}

// touchAccountGroups says of account groups, whose ids are in a column of the
// rows, that their lists changed.
func (t *tx) touchAccountGroups(rows *rowset, column int) error {
	return t.exec(fmt.Sprintf(`
		UPDATE account_groups SET changed_revision = %d WHERE id IN (SELECT value->>%d FROM {rows})`, t.revision, column), rows)
}
