package store

import (
	"database/sql"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

func (t *tx) PutRole(r directory.Role) error { return put(t, &t.roles, r, 1, r.ID) }

func (t *tx) PutTool(tool directory.Tool) error { return put(t, &t.tools, tool, 1, tool.ID) }

// writeRoles marks no document: a document names its role and says nothing of it.
func (t *tx) writeRoles() error {
	records := t.roles.take()
	var found, changed rowset
	for i, r := range records {
		found.add(i, r.ID, r.Name, r.PartnerOnly, r.OperatorOnly)
	}
	const find = `
		SELECT r.n FROM (
			SELECT CAST(value->>0 AS BIGINT) AS n, value->>1 AS id, value->>2 AS name,
				CAST(value->>3 AS BOOLEAN) AS partner_only, CAST(value->>4 AS BOOLEAN) AS operator_only FROM {rows}
		) r LEFT JOIN roles o ON o.id = r.id
		WHERE (o.name, o.partner_only, o.operator_only) IS DISTINCT FROM (r.name, r.partner_only, r.operator_only)`
	err := t.each(find, &found, func(row *sql.Rows) error {
		var n int
		if err := scan(row, &n); err != nil {
			return err
		}
		r := records[n]
		changed.add(r.ID, r.Name, r.PartnerOnly, r.OperatorOnly)
		t.changed = true
		return nil
	})
	if err != nil {
		return err
	}
	return t.exec(`
		INSERT INTO roles (id, name, partner_only, operator_only)
		SELECT value->>0, value->>1, CAST(value->>2 AS BOOLEAN), CAST(value->>3 AS BOOLEAN) FROM {rows} WHERE TRUE
		ON CONFLICT (id) DO UPDATE SET name = excluded.name,
			partner_only = excluded.partner_only, operator_only = excluded.operator_only`, &changed)
}

func (t *tx) writeTools() error {
	records := t.tools.take()
	var found, changed rowset
	for i, tool := range records {
		found.add(i, tool.ID, tool.Name, tool.Restricted)
	}
	const find = `
		SELECT r.n, o.restricted IS DISTINCT FROM r.restricted FROM (
			SELECT CAST(value->>0 AS BIGINT) AS n, value->>1 AS id, value->>2 AS name,
				CAST(value->>3 AS BOOLEAN) AS restricted FROM {rows}
		) r LEFT JOIN tools o ON o.id = r.id
		WHERE (o.name, o.restricted) IS DISTINCT FROM (r.name, r.restricted)`
	err := t.each(find, &found, func(row *sql.Rows) error {
		var n int
		var document bool
		if err := scan(row, &n, &document); err != nil {
			return err
		}
		tool := records[n]
		changed.add(tool.ID, tool.Name, tool.Restricted)
		t.change(document, authz.KindTool, tool.ID)
		return nil
	})
	if err != nil {
		return err
	}
	return t.exec(`
		INSERT INTO tools (id, name, restricted)
		SELECT value->>0, value->>1, CAST(value->>2 AS BOOLEAN) FROM {rows} WHERE TRUE
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, restricted = excluded.restricted`, &changed)
}

// change remembers that a record changed, and whether its document did.
func (t *tx) change(document bool, kind authz.Kind, id string) {
	t.changed = true
	if document {
		t.dirty.mark(kind, id)
	}
}
