package store

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
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
		columns:     "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1",
		damages:     postgresDamages(),
		examine:     examineReferences,
		unhurried:   "SET LOCAL statement_timeout = 0",
		connect:     func(ctx context.Context, db *sql.DB) error { return db.PingContext(ctx) },
		constraint:  postgresConstraint,
		unavailable: postgresUnavailable,
		dead:        postgresDead,
		unknown:     postgresUnknown,
		clock:       "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
		notify:      "SELECT pg_notify('" + channel + "', $1)",
	}
}

func openPostgres(options Options) (*Store, error) {
	config, err := postgresConfig(options)
	if err != nil {
		return nil, err
	}
	s := &Store{dialect: postgresDialect(), listener: config}
	if options.Pooler {
		s.dialect.settings, s.listener = pooled(config), nil
	}
	s.writer, s.reader, s.follow = postgresPool(config, 2), postgresPool(config, options.ReadConns), postgresPool(config, 1)
	return s, nil
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
	endure(config)
	set := config.RuntimeParams
	delete(set, "application_name")
	if options.Pooler && len(set) > 0 {
		return nil, fmt.Errorf("the database's DSN sets parameters that a pooler would hand to others; set them in the pooler, or by ALTER ROLE: %w", authz.ErrInvalid)
	}
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

// pooled makes a configuration one that a pooler in transaction mode can serve,
// and returns the statement that sets for a transaction what is otherwise set
// for a connection. Each statement is described once and never kept by name.
func pooled(config *pgx.ConnConfig) string {
	config.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	var settings strings.Builder
	for _, name := range slices.Sorted(maps.Keys(config.RuntimeParams)) {
		if name == "application_name" {
			continue // poolers know it
		}
		fmt.Fprintf(&settings, "SET LOCAL %s = '%s';", name, config.RuntimeParams[name])
		delete(config.RuntimeParams, name)
	}
	return settings.String()
}

func postgresPool(config *pgx.ConnConfig, conns int) *sql.DB {
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	db.SetConnMaxLifetime(time.Hour)
	return db
}
