package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/postern-authz/postern/internal/authz"
)

// readOnly is the SQLSTATE of a write to a server that only reads.
const readOnly = "25006"

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
		return failure.Code == readOnly || failure.Code == "25P03"
	}
	var connecting *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connecting) || errors.As(err, &network) || pgconn.SafeToRetry(err) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, sql.ErrConnDone)
}

// postgresDead knows a connection that the server, or who stands before it, has
// closed. One that could not be made, or does not answer, is another matter: the
// next would not either.
func postgresDead(err error) bool {
	var failure *pgconn.PgError
	if errors.As(err, &failure) {
		return strings.HasPrefix(failure.Code, "57P")
	}
	var connecting *pgconn.ConnectError
	var network net.Error
	if errors.As(err, &connecting) || errors.As(err, &network) && network.Timeout() {
		return false
	}
	return postgresUnavailable(err)
}

// postgresUnknown: once COMMIT was sent only the server's own word tells. An
// error it answers with undoes the transaction, but for the class of the
// operator's intervention, which may come when the commit is on the disk. That
// pgx calls an error safe to retry says nothing here: it calls so whatever finds
// the connection closed, also by the loss of the answer.
func postgresUnknown(err error) bool {
	var failure *pgconn.PgError
	switch {
	case errors.As(err, &failure):
		return failure.Code[:2] == "57"
	case err == context.Canceled, err == context.DeadlineExceeded: // unwrapped they are database/sql's, which sent nothing
		return false
	}
	return !errors.Is(err, sql.ErrTxDone) && !errors.Is(err, pgx.ErrTxCommitRollback)
}

// usable says whether a connection can be used after an error. One that ended a
// session cannot; nor can one to a server that only reads, which was the primary
// until another took over: the next connection may find that one.
func usable(_ *pgconn.PgConn, failure *pgconn.PgError) bool {
	return !strings.EqualFold(failure.Severity, "FATAL") && failure.Code != readOnly
}

// misdirected says what is wrong with the way to the database if no waiting
// mends it.
func misdirected(err error) error {
	var failure *pgconn.PgError
	if errors.As(err, &failure) && failure.Code == "08P01" && strings.Contains(failure.Message, "startup parameter") {
		return fmt.Errorf("the database's DSN leads to a pooler, which refuses the settings of a connection; set POSTERN_DATABASE_POOLER=true: %w", authz.ErrInvalid)
	}
	return nil
}
