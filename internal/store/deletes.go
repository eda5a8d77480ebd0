package store

import (
	"database/sql"
	"fmt"

	"github.com/postern-authz/postern/internal/authz"
)

// remove deletes the row of an id. Without one the error is of kind
// authz.ErrNotFound.
func (t *tx) remove(noun, query, id string) error {
	n, err := t.run(query, id)
	if err == nil && n == 0 {
		err = fmt.Errorf("%s %s: %w", noun, id, authz.ErrNotFound)
	}
	return err
}

func (c change) DeleteCompany(id string) error {
	c.dirty.mark(authz.KindCompany, id)
	return c.remove("company", `DELETE FROM companies WHERE id = $1`, id)
}

// DeleteAccount looks for accounts that lie in it, as the schema does so only at
// the end.
func (c change) DeleteAccount(id string) error {
	const lying = `SELECT id FROM accounts WHERE contract_id = $1 UNION SELECT id FROM accounts WHERE delivery_id = $1 ORDER BY id LIMIT 1`
	others, err := list(c.reader, readText, lying, id)
	if err != nil {
		return err
	}
	if len(others) > 0 {
		return fmt.Errorf("account %s: account %s lies in it: %w", id, others[0], authz.ErrConflict)
	}
	const groups = `
		UPDATE account_groups SET changed_revision = $1
		WHERE id IN (SELECT account_group_id FROM account_group_members WHERE account_id = $2)`
	if _, err := c.run(groups, int64(c.reader.revision), id); err != nil {
		return err
	}
	c.dirty.mark(authz.KindAccount, id)
	return c.remove("account", `DELETE FROM accounts WHERE id = $1`, id)
}

// DeleteAccountGroup takes its grants along, and so changes whoever had one.
func (c change) DeleteAccountGroup(id string) error {
	accounts, err := list(c.reader, readText, `SELECT account_id FROM account_group_members WHERE account_group_id = $1`, id)
	if err != nil {
		return err
	}
	for _, account := range accounts {
		c.dirty.mark(authz.KindAccount, account)
	}
	const holders = `
		SELECT m.id, COALESCE(m.user_id, '') FROM account_group_grants g JOIN memberships m ON m.id = g.membership_id
		WHERE g.account_group_id = $1`
	var touched rowset
	_, err = list(c.reader, func(row *sql.Rows) (user string, err error) {
		var member string
		if err := scan(row, &member, &user); err != nil {
			return "", err
		}
		touched.add(member)
		c.tx.change(user != "", authz.KindUser, user)
		return user, nil
	}, holders, id)
	if err != nil {
		return err
	}
	if err := c.touch(&touched); err != nil {
		return err
	}
	c.dirty.mark(authz.KindAccountGroup, id)
	return c.remove("account group", `DELETE FROM account_groups WHERE id = $1`, id)
}

func (c change) DeleteRole(id string) error {
	return c.remove("role", `DELETE FROM roles WHERE id = $1`, id)
}

func (c change) SetRecommendations(tool string, products []string) error {
	n, err := c.run(`UPDATE tools SET recommended_for = $1 WHERE id = $2`, kept{append([]string{}, products...)}, tool)
	if err == nil && n == 0 {
		err = fmt.Errorf("tool %s: %w", tool, authz.ErrNotFound)
	}
	return err
}
