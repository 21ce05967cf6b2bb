package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver named "sqlite"
)

//go:embed migrations/*.sql
var migrations embed.FS

// SQLite is a store in one file. Reads go through a small pool, writes
// through one connection, so that SQLite never has two writers to arbitrate.
type SQLite struct {
	read  *sql.DB
	write *sql.DB
}

// Open opens "sqlite:PATH", creating the file (mode 0600) and migrating it to
// the newest schema. Any other scheme is an error.
func Open(ctx context.Context, databaseURL string) (*SQLite, error) {
	path, ok := strings.CutPrefix(databaseURL, "sqlite:")
	if !ok || path == "" {
		return nil, errors.New("the database must be given as sqlite:PATH")
	}
	if err := createPrivate(path); err != nil {
		return nil, err
	}
	s, err := open(path)
	if err != nil {
		return nil, err
	}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("migrate %s: %w", path, err), s.Close())
	}
	return s, nil
}

// createPrivate makes the file before SQLite does, because SQLite would make
// it readable to all; its journals take the mode of the file.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil // closing it again here would drop locks this process may hold
	}
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	return f.Close()
}

func open(path string) (*SQLite, error) {
	write, err := sql.Open("sqlite", dataSource(path, "immediate"))
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	write.SetMaxOpenConns(1)
	read, err := sql.Open("sqlite", dataSource(path, "deferred"))
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	read.SetMaxOpenConns(4)
	return &SQLite{read: read, write: write}, nil
}

func dataSource(path, lock string) string {
	q := url.Values{"_txlock": {lock}, "_pragma": {
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
	}}
	return (&url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: q.Encode()}).String()
}

func (s *SQLite) migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, s.write, files,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	// Of processes that start at once on a new file, one migrates and the
	// others, who waited for it, fail and find it done when they look again.
	for range migrationTries {
		if _, err = p.Up(ctx); err == nil {
			return nil
		}
	}
	return err
}

const migrationTries = 4

// Ping says whether the database answers.
func (s *SQLite) Ping(ctx context.Context) error {
	var one int
	return s.read.QueryRowContext(ctx, "SELECT 1 FROM (SELECT count(*) FROM signing_keys)").Scan(&one)
}

// Close closes both pools.
func (s *SQLite) Close() error {
	return errors.Join(s.read.Close(), s.write.Close())
}

// tx runs f in one write transaction: all of it, or nothing.
func (s *SQLite) tx(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
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

func found(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
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
