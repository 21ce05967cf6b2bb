package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	modernc "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Classes and conditions of PostgreSQL that pass (its manual, appendix A):
// connections, resources, an operator's doing, the system beneath; a standby, a
// lock that was not had in time.
var passing = []string{"08", "53", "57", "58", "25006", "55P03", serializationFailure, deadlockDetected}

// What SQLite says of a file that others hold, or a disk that is full or away.
var passingSQLite = []int{sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY,
	sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN}

// ErrAway is in the errors of whoever keeps things beside the database, and
// cannot answer now.
var ErrAway = errors.New("cannot be had now")

// Unavailable says whether an error of a store means that it cannot answer now
// and may later. Any other is a mistake of ours, which time does not mend.
func Unavailable(err error) bool {
	for _, away := range []error{ErrAway, context.DeadlineExceeded, driver.ErrBadConn, sql.ErrConnDone, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, away) {
			return true
		}
	}
	if said, ok := errors.AsType[*pgconn.PgError](err); ok {
		return slices.ContainsFunc(passing, func(code string) bool { return strings.HasPrefix(said.Code, code) })
	}
	if said, ok := errors.AsType[*modernc.Error](err); ok {
		return slices.Contains(passingSQLite, said.Code()&0xff)
	}
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	_, network := errors.AsType[net.Error](err)
	return connecting || network
}
