package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/pressly/goose/v3"

	"github.com/postern-authz/postern/internal/authz"
)

// A dialect is where the two engines differ. Everything else is one SQL: the
// statements of this package number their parameters $1, $2, … and read the
// rows they are given from {rows}, which is parameter $1: a JSON array whose
// elements, themselves arrays, are the column "value". {json} after a column
// of text says that it is JSON; {skip locked} leaves out what another claims.
type dialect struct {
	name       string
	goose      goose.Dialect
	migrations string // folder of the embedded migrations
	rewrite    *strings.Replacer
	snapshot   sql.TxOptions // of a transaction that reads one state
	hasTable   string        // query: is there a table named $1
	columns    string        // query: name and type of the columns of a table named $1
	// damages are queries whose rows say what is wrong with the database: about
	// what, and what of it. examine, if any, looks further.
	damages []string
	examine func(q queryer, found func(about, says string) error) error
	// unhurried, if any, frees a transaction of the limit for one statement:
	// reading everything and checking an import take their time.
	unhurried string
	// settings, if any, begin each transaction: a pooler keeps none for longer.
	settings string
	// notify, if any, tells of a revision ($1) whoever listens, once it is committed.
	notify string
	// clock, if any, is a query for the database's time in milliseconds.
	clock    string
	migrates bool // serve makes the schema itself
	// connect makes the first connection of a pool.
	connect func(context.Context, *sql.DB) error
	// constraint names what refused a statement, "" if it was no constraint.
	constraint func(error) string
	// unavailable says that the statement may succeed later or elsewhere.
	unavailable func(error) bool
	// dead says that the connection had ended before anything was said on it.
	dead func(error) bool
	// unknown says that a commit which failed so may have been kept after all.
	unknown func(error) bool
}

func (d dialect) sql(query string) string { return d.rewrite.Replace(query) }

// connect opens the pools of the database that the DSN names.
func connect(options Options) (*Store, error) {
	switch scheme, rest, _ := strings.Cut(options.DSN, ":"); scheme {
	case "sqlite":
		return openSQLite(rest, options)
	case "postgres", "postgresql":
		return openPostgres(options)
	default:
		return nil, fmt.Errorf("the database is neither sqlite:PATH nor postgres://USER:PASSWORD@HOST/DATABASE: %w", authz.ErrInvalid)
	}
}
