package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver named "sqlite"
)

// Writes go through one connection that begins every transaction by taking the
// file's write lock, so transactions of all processes have an order.
var sqlite = dialect{
	goose:     goose.DialectSQLite3,
	lastPlace: "SELECT coalesce(max(seq), 0) AS last FROM sqlite_sequence WHERE name = 'access_tokens'",
}

func openSQLite(ctx context.Context, path string) (*DB, error) {
	if err := createPrivate(path); err != nil {
		return nil, err
	}
	s, err := poolsOf(path)
	if err != nil {
		return nil, err
	}
	created, err := s.migrateFile(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("migrate %s: %w", path, err), s.Close())
	}
	if created {
		s.created = "sqlite:" + path
	}
	if err := s.foldNames(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
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

func poolsOf(path string) (*DB, error) {
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
	return poolsOver(read, write, sqlite), nil
}

func dataSource(path, lock string) string {
	q := url.Values{"_txlock": {lock}, "_pragma": {
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
	}}
	return (&url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: q.Encode()}).String()
}

const migrationTries = 4

// migrateFile: of processes that start at once on a new file, one migrates and
// the others, who waited for it, fail and find it done when they look again.
func (s *DB) migrateFile(ctx context.Context) (created bool, err error) {
	p, err := migrator(s.dialect, s.write.DB)
	if err != nil {
		return false, err
	}
	for range migrationTries {
		if created, err = upgrade(ctx, p); err == nil || errors.Is(err, errNewer) {
			return created, err
		}
	}
	return false, err
}
