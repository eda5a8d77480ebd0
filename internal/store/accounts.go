package store

import (
	"database/sql"
	"fmt"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

func (t *tx) PutAccount(a directory.Account) error { return put(t, &t.accounts, a, 1, a.ID) }

func (t *tx) writeAccounts() error {
	records := t.accounts.take()
	var found, changed rowset
	for i, a := range records {
		found.add(i, a.ID, a.Company, a.Kind, a.Name, optional(a.Contract), optional(a.Delivery))
	}
	const find = `
		SELECT r.n, COALESCE(c.organization_id, ''),
			(a.company_id, a.kind, a.contract_id, a.delivery_id) IS DISTINCT FROM (r.company, r.kind, r.contract, r.delivery)
		FROM (
			SELECT CAST(value->>0 AS BIGINT) AS n, value->>1 AS id, value->>2 AS company, value->>3 AS kind,
				value->>4 AS name, value->>5 AS contract, value->>6 AS delivery FROM {rows}
		) r LEFT JOIN companies c ON c.id = r.company
		LEFT JOIN accounts a ON a.id = r.id
		WHERE (a.company_id, a.kind, a.name, a.contract_id, a.delivery_id)
			IS DISTINCT FROM (r.company, r.kind, r.name, r.contract, r.delivery)`
	err := t.each(find, &found, func(row *sql.Rows) error {
		var n int
		var organization string
		var document bool
		if err := scan(row, &n, &organization, &document); err != nil {
			return err
		}
		a := records[n]
		if organization == "" {
			return fmt.Errorf("account %s: %w", a.ID, missing("company", a.Company))
		}
		changed.add(a.ID, organization, a.Company, a.Kind, a.Name, optional(a.Contract), optional(a.Delivery))
		t.change(document, authz.KindAccount, a.ID)
		if a.Contract != "" || a.Delivery != "" {
			t.enclosed = append(t.enclosed, a)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return t.exec(`
		INSERT INTO accounts (id, organization_id, company_id, kind, name, contract_id, delivery_id)
		SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6 FROM {rows} WHERE TRUE
		ON CONFLICT (id) DO UPDATE SET organization_id = excluded.organization_id, company_id = excluded.company_id,
			kind = excluded.kind, name = excluded.name, contract_id = excluded.contract_id, delivery_id = excluded.delivery_id`, &changed)
}

// checkEnclosed says which account names a contract or delivery account that is
// not there. The schema would refuse it as well, but only at the commit and
// without a name, as accounts may come in any order.
func (t *tx) checkEnclosed() error {
	const find = `
		SELECT r.id, COALESCE(a.contract_id, ''), a.contract_id IS NOT NULL AND c.id IS NULL, COALESCE(a.delivery_id, '')
		FROM (SELECT value->>0 AS id FROM {rows}) r CROSS JOIN accounts a
		LEFT JOIN accounts c ON c.organization_id = a.organization_id AND c.id = a.contract_id AND c.kind = 'contract'
		LEFT JOIN accounts d ON d.organization_id = a.organization_id AND d.id = a.delivery_id AND d.kind = 'delivery'
		WHERE a.id = r.id AND (a.contract_id IS NOT NULL AND c.id IS NULL OR a.delivery_id IS NOT NULL AND d.id IS NULL)`
	for start := 0; start < len(t.enclosed); start += flushAt {
		var rows rowset
		for _, a := range t.enclosed[start:min(start+flushAt, len(t.enclosed))] {
			rows.add(a.ID)
		}
		err := t.each(find, &rows, func(row *sql.Rows) error {
			var id, contract, delivery string
			var noContract bool
			if err := scan(row, &id, &contract, &noContract, &delivery); err != nil {
				return err
			}
			if noContract {
				return fmt.Errorf("account %s: its organization has no contract account %s: %w", id, contract, authz.ErrConflict)
			}
			return fmt.Errorf("account %s: its organization has no delivery account %s: %w", id, delivery, authz.ErrConflict)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
