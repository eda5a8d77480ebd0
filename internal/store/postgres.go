package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/postern-authz/postern/internal/authz"
)

func postgresDialect() dialect {
	return dialect{
		name:        "PostgreSQL",
		goose:       goose.DialectPostgres,
		migrations:  "postgres",
		rewrite:     strings.NewReplacer("{rows}", "json_array_elements(CAST($1 AS JSON))", "{json}", "::json", "{skip locked}", "FOR UPDATE OF o SKIP LOCKED"),
		snapshot:    sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead},
		hasTable:    "SELECT to_regclass(CAST($1 AS TEXT)) IS NOT NULL",
		unhurried:   "SET LOCAL statement_timeout = 0",
		connect:     func(ctx context.Context, db *sql.DB) error { return db.PingContext(ctx) },
		constraint:  postgresConstraint,
		unavailable: postgresUnavailable,
	}
}

func openPostgres(options Options) (*Store, error) {
	config, err := postgresConfig(options)
	if err != nil {
		return nil, err
	}
	return &Store{
		dialect: postgresDialect(),
		writer:  postgresPool(config, 2),
		reader:  postgresPool(config, options.ReadConns),
		follow:  postgresPool(config, 1),
	}, nil
}

// postgresConfig reads the DSN. What pgx says about a DSN it cannot read may
// repeat parts of it, the password among them, so it is not passed on.
func postgresConfig(options Options) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(options.DSN)
	if err != nil {
		return nil, fmt.Errorf("the database's DSN cannot be read; it is written "+
			"postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full, with special characters percent-encoded: %w", authz.ErrInvalid)
	}
	if config.DefaultQueryExecMode == pgx.QueryExecModeSimpleProtocol {
		return nil, fmt.Errorf("the database's DSN asks for the simple protocol, which writes values into SQL; leave default_query_exec_mode out: %w", authz.ErrInvalid)
	}
	set := config.RuntimeParams
	set["application_name"] = "postern"
	set["statement_timeout"] = strconv.FormatInt(options.StatementTimeout.Milliseconds(), 10)
	set["lock_timeout"] = "10000"
	set["idle_in_transaction_session_timeout"] = "60000"
	// A plan kept from when the tables were empty reads them whole when they are
	// full, as in the middle of a first import.
	set["plan_cache_mode"] = "force_custom_plan"
	// Every statement finds its rows by index. Left to guess how many rows a JSON
	// array has, the planner reads whole tables to save a few lookups.
	set["enable_seqscan"] = "off"
	set["enable_hashjoin"] = "off"
	set["enable_mergejoin"] = "off"
	set["jit"] = "off" // compiling takes longer than any statement here
	return config, nil
}

func postgresPool(config *pgx.ConnConfig, conns int) *sql.DB {
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	db.SetConnMaxLifetime(time.Hour)
	return db
}

func postgresConstraint(err error) string {
	var failure *pgconn.PgError
	if !errors.As(err, &failure) || !strings.HasPrefix(failure.Code, "23") {
		return ""
	}
	if failure.ConstraintName == "" {
		return failure.ColumnName
	}
	return failure.ConstraintName
}

// postgresUnavailable goes by the classes of SQLSTATE (PostgreSQL, appendix A):
// connection, transaction rollback, resources, a lock not had, the operator's
// intervention; and 25006, a server that only reads.
func postgresUnavailable(err error) bool {
	var failure *pgconn.PgError
	if errors.As(err, &failure) {
		switch failure.Code[:2] {
		case "08", "40", "53", "55", "57":
			return true
		}
		return failure.Code == "25006" || failure.Code == "25P03"
	}
	var connecting *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connecting) || errors.As(err, &network) || pgconn.SafeToRetry(err) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, sql.ErrConnDone)
}
