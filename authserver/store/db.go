package store

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
)

// DB is a store in one SQLite file, or in a PostgreSQL database that several
// processes share. Reads go through one pool of connections and writes through
// another, so that neither waits for the other's.
//
// A statement is written once for both: parameters are $1, $2, times and flags
// are integers, hashes are bytes.
type DB struct {
	read, write pool
	watch       *watch
	dialect     dialect
	created     string
}

// Created is where the database is, without its user and password, if it was empty
// when it was opened, and else "".
func (s *DB) Created() string { return s.created }

// dialect is what differs between the two.
type dialect struct {
	goose     goose.Dialect
	serial    *sql.TxOptions // transactions have an order, and each sees all before it
	locking   *sql.TxOptions // statements see what is committed, and lock what they rely on
	alone     string         // behind a SELECT: until its end the transaction alone changes the row or relies on it
	beside    string         // the same beside others who only rely on it: nobody deletes the row
	steady    string         // the same, and nobody changes it
	ended     string         // the same, and nothing new refers to the row
	inOrder   string         // whoever executes it waits until the one before has committed
	lastPlace string         // the highest place that was ever given
}

// Open opens "sqlite:PATH", creating the file (mode 0600), or a
// "postgres://…" URL, and migrates to the newest schema. Any other scheme is
// an error. No error shows a password of the URL.
func Open(ctx context.Context, databaseURL string) (*DB, error) {
	if path, ok := strings.CutPrefix(databaseURL, "sqlite:"); ok && path != "" {
		return openSQLite(ctx, path)
	}
	if strings.HasPrefix(databaseURL, "postgres://") || strings.HasPrefix(databaseURL, "postgresql://") {
		return openPostgres(ctx, databaseURL)
	}
	return nil, errors.New("the database must be given as sqlite:PATH or postgres://USER@HOST/DATABASE")
}

// Ping says whether the database answers.
func (s *DB) Ping(ctx context.Context) error {
	var keys int
	return s.read.QueryRowContext(ctx, "SELECT count(*) FROM signing_keys").Scan(&keys)
}

// Close closes both pools.
func (s *DB) Close() error {
	return errors.Join(s.read.Close(), s.write.Close())
}

// tx runs f as one: all of it, or nothing, and as if no other tx ran at the
// same time. f may run more than once, and changes nothing but the database.
func (s *DB) tx(ctx context.Context, f func(*sql.Tx) error) error {
	return s.transact(ctx, s.dialect.serial, f)
}

// Transactions that met others begin again after a pause, which doubles up to
// the longest. Whoever has no luck in so many tries waited about five seconds.
const (
	firstPause   = 2 * time.Millisecond
	longestPause = 200 * time.Millisecond
	tries        = 32
)

func (s *DB) transact(ctx context.Context, o *sql.TxOptions, f func(*sql.Tx) error) error {
	began, pause := time.Now(), firstPause
	var err error
	defer func() { s.watch.tell(true, began, err) }()
	for try := 1; ; try++ {
		err = s.once(ctx, o, f)
		if !collided(err) || try == tries {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause/2 + rand.N(pause)):
		}
		pause = min(2*pause, longestPause)
	}
}

func (s *DB) once(ctx context.Context, o *sql.TxOptions, f func(*sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, o)
	if err != nil {
		return err
	}
	if err := s.onProof(ctx, tx, f); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// exactlyOne is a statement that must change one row: changing none is miss.
func exactlyOne(ctx context.Context, tx *sql.Tx, miss error, query string, args ...any) error {
	r, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return err
	}
	n, err := r.RowsAffected()
	if err != nil {
		return err
	}
	if n != 1 {
		return miss
	}
	return nil
}

// found: what cannot be in a database is not in it.
func found(err error) error {
	if errors.Is(err, sql.ErrNoRows) || unreadable(err) {
		return ErrNotFound
	}
	return err
}

// millis and moment keep times as milliseconds since the epoch, 0 for none.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// flag keeps a yes as 1.
func flag(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}
