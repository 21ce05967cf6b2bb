package externaldb

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
)

//go:embed sample.sql
var sampleSQL string

// Sample creates the embedded sample database at path unless the file exists.
// The file appears complete or not at all.
func Sample(ctx context.Context, path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	folder, err := os.MkdirTemp(filepath.Dir(path), ".sample-")
	if err != nil {
		return fmt.Errorf("externaldb: sample: %w", err)
	}
	defer os.RemoveAll(folder)
	draft := filepath.Join(folder, "sample.db")
	if err := fill(ctx, draft); err != nil {
		return fmt.Errorf("externaldb: sample: %w", err)
	}
	// A link, unlike a rename, never replaces a file that came in between.
	if err := os.Link(draft, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("externaldb: sample: %w", err)
	}
	return nil
}

func fill(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", "file:"+url.PathEscape(path))
	if err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, "BEGIN;\n"+sampleSQL+"\nCOMMIT"); err != nil {
		return errors.Join(err, db.Close())
	}
	return errors.Join(db.Close(), os.Chmod(path, 0o600))
}
