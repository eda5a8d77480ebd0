package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/postern-authz/postern/internal/authz"
)

// A queryer is a transaction, and how to speak to it.
type queryer struct {
	ctx     context.Context
	tx      *sql.Tx
	dialect dialect
}

// unhurried frees the transaction of the limit for one statement.
func (q queryer) unhurried() error {
	if q.dialect.unhurried == "" {
		return nil
	}
	if _, err := q.tx.ExecContext(q.ctx, q.dialect.unhurried); err != nil {
		return fmt.Errorf("begin: %w", q.dialect.classify(err))
	}
	return nil
}

// run runs a statement and says how many rows it wrote.
func (q queryer) run(query string, arguments ...any) (int64, error) {
	if !canBeKept(arguments) {
		return 0, fmt.Errorf("a record holds text that is not UTF-8 or has a NUL: %w", authz.ErrInvalid)
	}
	result, err := q.tx.ExecContext(q.ctx, q.dialect.sql(query), arguments...)
	if err != nil {
		return 0, q.dialect.classify(err)
	}
	return result.RowsAffected()
}

// exec runs a statement over the rows, and none if there are none.
func (q queryer) exec(query string, rows *rowset) error {
	if rows.rows == 0 {
		return nil
	}
	argument, err := rows.argument()
	if err != nil {
		return err
	}
	_, err = q.tx.ExecContext(q.ctx, q.dialect.sql(query), argument)
	return q.dialect.classify(err)
}

// each runs a query over the rows and calls scan with each row of its result.
func (q queryer) each(query string, rows *rowset, scan func(*sql.Rows) error) error {
	if rows.rows == 0 {
		return nil
	}
	argument, err := rows.argument()
	if err != nil {
		return err
	}
	return q.all(query, scan, argument)
}

// all runs a query and calls scan with each row of its result. An error of scan
// ends it and comes back as it is.
func (q queryer) all(query string, scan func(*sql.Rows) error, arguments ...any) error {
	result, err := q.tx.QueryContext(q.ctx, q.dialect.sql(query), arguments...)
	if err != nil {
		return q.dialect.classify(err)
	}
	defer result.Close() //nolint:errcheck // Err below says the same
	for result.Next() {
		if err := scan(result); err != nil {
			return err
		}
	}
	return q.dialect.classify(result.Err())
}

// scan reads one row of a result; it fails only if a query and its reader differ.
func scan(row *sql.Rows, into ...any) error {
	if err := row.Scan(into...); err != nil {
		return fmt.Errorf("read a row: %w", err)
	}
	return nil
}
