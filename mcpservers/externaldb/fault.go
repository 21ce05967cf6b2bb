package externaldb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
)

// What a call is refused for, before or beside what the database says.
var (
	errOneStatement = errors.New("give exactly one SQL statement in a call; a trigger's body cannot be given here")
	errTransaction  = errors.New("transaction control is not accepted; every call is a transaction of its own")
	errTimeout      = errors.New("the statement took too long and was stopped; nothing of it was kept")
	errUnknownTable = errors.New("there is no such table; call list_tables for the names")
	errParam        = errors.New("a parameter must be a string, a number, a boolean or null")
	errPlaceholders = errors.New("params do not match the statement's placeholders")
	errNUL          = errors.New("the statement contains a NUL character")
	errUnreachable  = errors.New("the database cannot be reached at the moment")
)

var own = []error{errOneStatement, errTransaction, errTimeout, errUnknownTable, errParam, errPlaceholders, errNUL}

// publicMessage is what the caller is told: the database's own words about the
// statement, and nothing about where the database is.
func publicMessage(ctx context.Context, err error) string {
	for _, known := range own {
		if errors.Is(err, known) {
			return err.Error()
		}
	}
	var fromPostgres *pgconn.PgError
	if errors.As(err, &fromPostgres) {
		return postgresMessage(fromPostgres)
	}
	var fromSQLite *sqlite.Error
	if errors.As(err, &fromSQLite) {
		return fromSQLite.Error()
	}
	slog.ErrorContext(ctx, "database call failed", "error", err)
	return errUnreachable.Error()
}

func postgresMessage(e *pgconn.PgError) string {
	const queryCanceled = "57014"
	if e.Code == queryCanceled {
		return errTimeout.Error()
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s: %s (SQLSTATE %s)", e.Severity, e.Message, e.Code)
	for _, more := range []string{e.Detail, e.Hint} {
		if more != "" {
			text.WriteString("; " + more)
		}
	}
	return text.String()
}

// timedOut replaces whatever the driver made of an exceeded deadline.
func timedOut(ctx context.Context, err error) error {
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errTimeout
	}
	return err
}
