package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/postern-authz/postern/internal/authz"
)

// Read returns the documents of all keys as of one point, in the order of keys;
// a key the directory does not know has the zero Document. It takes a
// constant number of queries, each by index.
//
// Ids are compared byte by byte, a login as usernames are: A-Z as a-z. Expired
// grants are in the documents, as a document does not know when it is used. A
// user with more than Options.Listed accounts is Narrow; what was granted on one
// of them is there to be read of every user, narrow or not.
func (s *Store) Read(ctx context.Context, keys []authz.Key) ([]authz.Document, authz.Point, error) {
	var at authz.Point
	documents := make([]authz.Document, len(keys))
	err := s.snapshot(ctx, func(q queryer) (err error) {
		if at, err = readPoint(q); err != nil {
			return err
		}
		return readDocuments(q, keys, documents, s.listed)
	})
	if err != nil {
		return nil, authz.Point{}, fmt.Errorf("read %d documents: %w", len(keys), err)
	}
	return documents, at, nil
}

func readPoint(q queryer) (at authz.Point, err error) {
	var stamp string
	err = q.all("SELECT d.revision, "+headStamp+" FROM directory d", func(row *sql.Rows) error {
		return scan(row, &at.Revision, &stamp)
	})
	if err != nil {
		return at, err
	}
	at.Stamp, err = parseStamp(stamp)
	return at, err
}

func readRevision(q queryer) (revision authz.Revision, err error) {
	err = q.all("SELECT revision FROM directory", func(row *sql.Rows) error { return scan(row, &revision) })
	return revision, err
}

// readDocuments reads the documents of keys, of users those with listed accounts
// at most whole.
func readDocuments(q queryer, keys []authz.Key, documents []authz.Document, listed int) error {
	wanted := map[authz.Kind]*rowset{}
	for i, key := range keys {
		if !storable(key.ID) {
			continue // nothing is kept under such an id
		}
		if wanted[key.Kind] == nil {
			wanted[key.Kind] = &rowset{}
		}
		want(wanted[key.Kind], i, key)
	}
	users := func(q queryer, rows *rowset, documents []authz.Document) error {
		return readUsers(q, rows, documents, listed)
	}
	for kind, read := range map[authz.Kind]func(queryer, *rowset, []authz.Document) error{
		authz.KindUser:         users,
		authz.KindUserAccount:  readUserAccounts,
		authz.KindLogin:        readLogins,
		authz.KindAccount:      readAccounts,
		authz.KindCompany:      readCompanies,
		authz.KindOrganization: readOrganizations,
		authz.KindAccountGroup: readAccountGroups,
		authz.KindTool:         readTools,
	} {
		if rows := wanted[kind]; rows != nil {
			if err := read(q, rows, documents); err != nil {
				return err
			}
		}
	}
	return nil
}

// want adds the row of a key.
func want(rows *rowset, n int, key authz.Key) {
	switch key.Kind {
	case authz.KindLogin:
		rows.add(n, authz.LoginKey(key.ID).ID)
	case authz.KindUserAccount:
		user, account := key.UserAccount()
		rows.add(n, user, account)
	default:
		rows.add(n, key.ID)
	}
}

// sought are the rows of a Read: the number of the document, and an id.
const sought = ` FROM (SELECT CAST(value->>0 AS BIGINT) AS n, value->>1 AS id FROM {rows}) r `

func readLogins(q queryer, rows *rowset, documents []authz.Document) error {
	const query = `SELECT r.n, u.id` + sought + `CROSS JOIN users u WHERE u.username_key = r.id`
	return q.each(query, rows, func(row *sql.Rows) error {
		var n int
		var id string
		if err := scan(row, &n, &id); err != nil {
			return err
		}
		documents[n].Login = id
		return nil
	})
}

func readAccounts(q queryer, rows *rowset, documents []authz.Document) error {
	const query = `
		SELECT r.n, a.id, a.kind, COALESCE(a.contract_id, ''), COALESCE(a.delivery_id, ''), a.company_id, a.organization_id, o.kind` + sought + `
		CROSS JOIN accounts a JOIN organizations o ON o.id = a.organization_id WHERE a.id = r.id`
	err := q.each(query, rows, func(row *sql.Rows) error {
		var n int
		p := &authz.Place{}
		err := scan(row, &n, &p.Account, &p.AccountKind, &p.Contract, &p.Delivery, &p.Company, &p.Organization, &p.OrganizationKind)
		if err != nil {
			return err
		}
		switch p.AccountKind {
		case "contract":
			p.Contract = p.Account
		case "delivery":
			p.Delivery = p.Account
		}
		documents[n].Place = p
		return nil
	})
	if err != nil {
		return err
	}
	const groups = `
		SELECT r.n, m.account_group_id` + sought + `CROSS JOIN account_group_members m
		WHERE m.account_id = r.id ORDER BY r.n, m.account_group_id`
	return q.each(groups, rows, func(row *sql.Rows) error {
		var n int
		var group string
		if err := scan(row, &n, &group); err != nil {
			return err
		}
		documents[n].Place.AccountGroups = append(documents[n].Place.AccountGroups, group)
		return nil
	})
}

func readCompanies(q queryer, rows *rowset, documents []authz.Document) error {
	const query = `
		SELECT r.n, c.id, c.organization_id, o.kind` + sought + `
		CROSS JOIN companies c JOIN organizations o ON o.id = c.organization_id WHERE c.id = r.id`
	return q.each(query, rows, func(row *sql.Rows) error {
		var n int
		p := &authz.Place{}
		if err := scan(row, &n, &p.Company, &p.Organization, &p.OrganizationKind); err != nil {
			return err
		}
		documents[n].Place = p
		return nil
	})
}

func readOrganizations(q queryer, rows *rowset, documents []authz.Document) error {
	const query = `SELECT r.n, o.id, o.kind` + sought + `CROSS JOIN organizations o WHERE o.id = r.id`
	return q.each(query, rows, func(row *sql.Rows) error {
		var n int
		p := &authz.Place{}
		if err := scan(row, &n, &p.Organization, &p.OrganizationKind); err != nil {
			return err
		}
		documents[n].Place = p
		return nil
	})
}

func readAccountGroups(q queryer, rows *rowset, documents []authz.Document) error {
	const query = `
		SELECT r.n, g.id, g.organization_id, o.kind` + sought + `
		CROSS JOIN account_groups g JOIN organizations o ON o.id = g.organization_id WHERE g.id = r.id`
	return q.each(query, rows, func(row *sql.Rows) error {
		var n int
		var group string
		p := &authz.Place{}
		if err := scan(row, &n, &group, &p.Organization, &p.OrganizationKind); err != nil {
			return err
		}
		p.AccountGroups = []string{group}
		documents[n].Place = p
		return nil
	})
}

func readTools(q queryer, rows *rowset, documents []authz.Document) error {
	const query = `SELECT r.n, o.id, o.restricted` + sought + `CROSS JOIN tools o WHERE o.id = r.id`
	return q.each(query, rows, func(row *sql.Rows) error {
		var n int
		p := &authz.Place{}
		if err := scan(row, &n, &p.Tool, &p.Restricted); err != nil {
			return err
		}
		documents[n].Place = p
		return nil
	})
}
