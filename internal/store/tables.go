package store

import (
	"cmp"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/postern-authz/postern/internal/backup"
)

// A table is one of the schema's, and the key that its rows are read in the
// order of.
type table struct{ name, key string }

// tables are all of the schema but the versions of its migrations, each after
// those it refers to.
func tables() []table {
	return []table{
		{"directory", "id"},
		{"changes", "revision, seq"},
		{"organizations", "id"},
		{"companies", "id"},
		{"accounts", "id"},
		{"account_groups", "id"},
		{"account_group_members", "account_group_id, account_id"},
		{"tools", "id"},
		{"roles", "id"},
		{"users", "id"},
		{"usernames", "username_key"},
		{"memberships", "id"},
		{"membership_companies", "membership_id, company_id"},
		{"account_grants", "membership_id, account_id"},
		{"account_group_grants", "membership_id, account_group_id"},
		{"tool_grants", "membership_id, tool_id"},
		{"tool_account_grants", "membership_id, tool_id, account_id"},
		{"invitations", "id"},
		{"sent_mails", "email_key, sent_at, id"},
		{"credentials", "user_id"},
		{"password_resets", "user_id"},
		{"email_changes", "user_id"},
		{"audit_events", "organization_id, sequence"},
		{"outbox", "id"},
		{"webhooks", "id"},
		{"service_tokens", "id"},
		{"app_keys", "id"},
		{"replays", "principal, route, key"},
	}
}

// born says whether a new schema has rows in the table.
func (t table) born() bool { return slices.Contains([]string{"directory", "changes", "roles"}, t.name) }

// A field is a column as the engine keeps it.
type field struct{ name, declared string }

// fields are the columns of a table by name, and none of a table that this
// version of the schema does not have.
func (q queryer) fields(table string) ([]field, error) {
	var fields []field
	err := q.all(q.dialect.columns, func(row *sql.Rows) error {
		var f field
		err := scan(row, &f.name, &f.declared)
		fields = append(fields, f)
		return err
	}, table)
	slices.SortFunc(fields, func(a, b field) int { return cmp.Compare(a.name, b.name) })
	return fields, err
}

// kind is what the column is in a backup.
func (f field) kind() string {
	switch strings.ToUpper(f.declared) {
	case "INTEGER", "BIGINT", "SMALLINT", "BOOLEAN":
		return backup.Integer
	case "BLOB", "BYTEA":
		return backup.Bytes
	}
	return backup.Text
}

// from reads the column's value from the element of a row that is given as JSON.
func (f field) from(element int) string {
	value := fmt.Sprintf("value->>%d", element)
	switch strings.ToUpper(f.declared) {
	case "INTEGER", "BIGINT", "SMALLINT":
		return "CAST(" + value + " AS BIGINT)"
	case "BOOLEAN":
		return "CAST(CAST(" + value + " AS INTEGER) AS BOOLEAN)"
	case "BLOB":
		return "unhex(" + value + ")"
	case "BYTEA":
		return "decode(" + value + ", 'hex')"
	}
	return value
}

func columnsOf(fields []field) []backup.Column {
	columns := make([]backup.Column, len(fields))
	for i, f := range fields {
		columns[i] = backup.Column{Name: f.name, Type: f.kind()}
	}
	return columns
}

// names are the quoted names of columns, as SQL lists them.
func names(fields []field) string {
	quoted := make([]string, len(fields))
	for i, f := range fields {
		quoted[i] = `"` + f.name + `"`
	}
	return strings.Join(quoted, ", ")
}
