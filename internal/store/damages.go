package store

import (
	"database/sql"
	"fmt"
)

// sqliteDamages are queries whose rows, about what and what of it, are wrong:
// the file's pages, its indexes, its constraints, and rows that refer to none.
func sqliteDamages() []string {
	return []string{
		`SELECT 'database file', integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'`,
		`SELECT 'table ' || "table", count(*) || ' rows refer to rows of ' || parent || ' that are not there'
			FROM pragma_foreign_key_check GROUP BY "table", parent`,
		`SELECT 'trigger ' || column1, 'missing, so that audit events can be changed'
			FROM (VALUES ('audit_events_stay'), ('audit_events_remain'))
			WHERE column1 NOT IN (SELECT name FROM sqlite_master WHERE type = 'trigger')`,
	}
}

// postgresDamages are likewise. PostgreSQL keeps what it promised unless somebody
// told it not to.
func postgresDamages() []string {
	return []string{
		`SELECT 'constraint ' || conname, 'it was never checked on the rows of ' || conrelid::regclass::text
			FROM pg_constraint WHERE connamespace = current_schema()::regnamespace AND NOT convalidated`,
		`SELECT 'trigger ' || tgname, 'disabled on ' || tgrelid::regclass::text || ', so that it defends nothing'
			FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
			WHERE c.relnamespace = current_schema()::regnamespace AND tgenabled IN ('D', 'R')`,
		`SELECT 'trigger audit_events_stay', 'missing, so that audit events can be changed'
			WHERE NOT EXISTS (SELECT 1 FROM pg_trigger WHERE tgrelid = to_regclass('audit_events') AND tgname = 'audit_events_stay')`,
		`SELECT 'index ' || indexrelid::regclass::text, 'not valid: rebuild it with REINDEX'
			FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
			WHERE c.relnamespace = current_schema()::regnamespace AND NOT indisvalid`,
	}
}

// references are the foreign keys of a PostgreSQL schema, each as a query for how
// many rows break it.
const references = `
	SELECT 'table ' || k.conrelid::regclass::text, k.confrelid::regclass::text,
		'SELECT count(*) FROM ' || k.conrelid::regclass::text || ' c WHERE '
		|| (SELECT string_agg(format('c.%I IS NOT NULL', a.attname), ' AND ') FROM unnest(k.conkey) n
			JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = n)
		|| ' AND NOT EXISTS (SELECT 1 FROM ' || k.confrelid::regclass::text || ' p WHERE '
		|| (SELECT string_agg(format('p.%I = c.%I', b.attname, a.attname), ' AND ') FROM unnest(k.conkey, k.confkey) n (own, other)
			JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = n.own
			JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = n.other) || ')'
	FROM pg_constraint k WHERE k.contype = 'f' AND k.connamespace = current_schema()::regnamespace ORDER BY k.conname`

// examineReferences checks every foreign key again, as rows can be written past
// them by whoever owns the database.
func examineReferences(q queryer, fn func(about, says string) error) error {
	var keys [][3]string
	err := q.all(references, func(row *sql.Rows) error {
		var k [3]string
		err := scan(row, &k[0], &k[1], &k[2])
		keys = append(keys, k)
		return err
	})
	if err != nil {
		return fmt.Errorf("read the foreign keys: %w", err)
	}
	for _, k := range keys {
		var broken int64
		if err := q.all(k[2], func(row *sql.Rows) error { return scan(row, &broken) }); err != nil {
			return fmt.Errorf("check a foreign key of %s: %w", k[0], err)
		}
		if broken == 0 {
			continue
		}
		if err := fn(k[0], fmt.Sprintf("%d rows refer to rows of %s that are not there", broken, k[1])); err != nil {
			return err
		}
	}
	return nil
}
