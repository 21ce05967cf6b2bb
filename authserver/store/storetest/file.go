package storetest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/postern-mcp/postern/authserver/store"
)

// Migrated is the SQLite file of an empty database with the newest schema: the
// migrations take longer than most tests, so new databases are copies of it.
var Migrated = sync.OnceValues(func() ([]byte, error) {
	folder, err := os.MkdirTemp("", "postern-migrated-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "auth.db")
	db, err := store.Open(context.Background(), "sqlite:"+path)
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// File is the URL of such a database, for the length of a test.
func File(t *testing.T) string {
	t.Helper()
	text, err := Migrated()
	must(t, err)
	path := filepath.Join(t.TempDir(), "auth.db")
	must(t, os.WriteFile(path, text, 0o600))
	return "sqlite:" + path
}
