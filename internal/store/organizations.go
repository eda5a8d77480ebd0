package store

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/postern-authz/postern/internal/authz"
	"github.com/postern-authz/postern/internal/directory"
)

func (t *tx) PutOrganization(o directory.Organization) error {
	settings, err := compactObject(o.Settings)
	if err != nil {
		return fmt.Errorf("settings of organization %s: %w", o.ID, err)
	}
	o.Settings = settings
	return put(t, &t.organizations, o, 1, o.ID)
}

func (t *tx) PutCompany(c directory.Company) error { return put(t, &t.companies, c, 1, c.ID) }

// compactObject is a JSON object without white space, {} for none.
func compactObject(object json.RawMessage) (json.RawMessage, error) {
	if len(object) == 0 {
		return json.RawMessage("{}"), nil
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, object); err != nil || compact.Bytes()[0] != '{' {
		return nil, fmt.Errorf("not a JSON object: %w", authz.ErrInvalid)
	}
	return compact.Bytes(), nil
}

func (t *tx) writeOrganizations() error {
	records := t.organizations.take()
	var found, changed rowset
	for i, o := range records {
		found.add(i, o.ID, o.Kind, o.Name, seats(o), string(o.Settings))
	}
	const find = `
		SELECT r.n, COALESCE(o.kind, '') FROM (
			SELECT CAST(value->>0 AS BIGINT) AS n, value->>1 AS id, value->>2 AS kind, value->>3 AS name,
				CAST(value->>4 AS BIGINT) AS seat_limit, value->>5 AS settings FROM {rows}
		) r LEFT JOIN organizations o ON o.id = r.id
		WHERE (o.kind, o.name, o.seats_allowed, o.settings) IS DISTINCT FROM (r.kind, r.name, r.seat_limit, r.settings)`
	err := t.each(find, &found, func(row *sql.Rows) error {
		var n int
		var kind string
		if err := scan(row, &n, &kind); err != nil {
			return err
		}
		o := records[n]
		if kind != "" && kind != o.Kind {
			return fmt.Errorf("organization %s is of kind %s and stays so: %w", o.ID, kind, authz.ErrConflict)
		}
		changed.add(o.ID, o.Kind, o.Name, seats(o), string(o.Settings), t.now, int64(t.revision))
		t.change(kind == "", authz.KindOrganization, o.ID)
		return nil
	})
	if err != nil {
		return err
	}
	return t.exec(`
		INSERT INTO organizations (id, kind, name, seats_allowed, seat_limit, settings, created_at, changed_revision)
		SELECT value->>0, value->>1, value->>2, CAST(value->>3 AS BIGINT), CAST(value->>3 AS BIGINT), value->>4, CAST(value->>5 AS BIGINT), CAST(value->>6 AS BIGINT)
		FROM {rows} WHERE TRUE
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, settings = excluded.settings, seats_allowed = excluded.seats_allowed,
			seat_limit = CASE WHEN excluded.seat_limit < organizations.seats_used THEN organizations.seats_used ELSE excluded.seat_limit END,
			changed_revision = excluded.changed_revision`, &changed)
}

func seats(o directory.Organization) any {
	if o.SeatLimit == 0 {
		return nil
	}
	return o.SeatLimit
}

func (t *tx) writeCompanies() error {
	records := t.companies.take()
	var found, changed rowset
	for i, c := range records {
		found.add(i, c.ID, c.Organization, c.Name)
	}
	const find = `
		SELECT r.n, o.id IS NULL, c.organization_id IS DISTINCT FROM r.organization FROM (
			SELECT CAST(value->>0 AS BIGINT) AS n, value->>1 AS id, value->>2 AS organization, value->>3 AS name FROM {rows}
		) r LEFT JOIN organizations o ON o.id = r.organization
		LEFT JOIN companies c ON c.id = r.id
		WHERE (c.organization_id, c.name) IS DISTINCT FROM (r.organization, r.name)`
	err := t.each(find, &found, func(row *sql.Rows) error {
		var n int
		var unknown, document bool
		if err := scan(row, &n, &unknown, &document); err != nil {
			return err
		}
		c := records[n]
		if unknown {
			return fmt.Errorf("company %s: %w", c.ID, missing("organization", c.Organization))
		}
		changed.add(c.ID, c.Organization, c.Name)
		t.change(document, authz.KindCompany, c.ID)
		return nil
	})
	if err != nil {
		return err
	}
	return t.exec(`
		INSERT INTO companies (id, organization_id, name)
		SELECT value->>0, value->>1, value->>2 FROM {rows} WHERE TRUE
		ON CONFLICT (id) DO UPDATE SET organization_id = excluded.organization_id, name = excluded.name`, &changed)
}

// missing says that a record refers to one that is not there.
func missing(noun, id string) error {
	return fmt.Errorf("the directory has no %s %s: %w", noun, id, authz.ErrConflict)
}
