package store

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	modernc "modernc.org/sqlite"
)

// Operation is one thing the database was asked.
type Operation struct {
	Write   bool
	Took    time.Duration // until it was answered, with all that was tried again
	Failure Failure
}

// Failure is what became of an operation: a closed set.
type Failure string

// What is refused for what stands in the database, such as a name that is
// taken, is no failure.
const (
	Succeeded Failure = ""
	Away      Failure = "away"     // it may succeed later
	Collided  Failure = "collided" // with others, as often as it was tried
	Failed    Failure = "failed"   // a mistake, of ours or in the database
)

// watch is whoever wants to hear of operations.
type watch struct {
	of atomic.Pointer[func(Operation)]
}

// Observe has f hear of every operation from now on, from many goroutines.
func (s *DB) Observe(f func(Operation)) { s.watch.of.Store(&f) }

func (w *watch) tell(write bool, began time.Time, err error) {
	if f := w.of.Load(); f != nil {
		(*f)(Operation{Write: write, Took: time.Since(began), Failure: failureOf(err)})
	}
}

func failureOf(err error) Failure {
	_, ofPostgres := errors.AsType[*pgconn.PgError](err)
	_, ofSQLite := errors.AsType[*modernc.Error](err)
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return Succeeded
	case collided(err):
		return Collided
	case Unavailable(err):
		return Away
	case ofPostgres || ofSQLite:
		return Failed
	}
	return Succeeded
}

// pool is connections whose single statements are heard of.
type pool struct {
	*sql.DB
	write bool
	watch *watch
}

// QueryContext hides the one of sql.DB.
func (p pool) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	began := time.Now()
	rows, err := p.DB.QueryContext(ctx, query, args...)
	p.watch.tell(p.write, began, err)
	return rows, err
}

// QueryRowContext hides the one of sql.DB.
func (p pool) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	began := time.Now()
	row := p.DB.QueryRowContext(ctx, query, args...)
	p.watch.tell(p.write, began, row.Err())
	return row
}

// ExecContext hides the one of sql.DB.
func (p pool) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	began := time.Now()
	r, err := p.DB.ExecContext(ctx, query, args...)
	p.watch.tell(p.write, began, err)
	return r, err
}

// poolsOver are both pools of a store.
func poolsOver(read, write *sql.DB, d dialect) *DB {
	w := &watch{}
	return &DB{read: pool{read, false, w}, write: pool{write, true, w}, watch: w, dialect: d}
}
