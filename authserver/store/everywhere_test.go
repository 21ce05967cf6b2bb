package store

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/postern-mcp/postern/authserver/store/postgrestest"
)

// opener opens a new store for the length of a test.
type opener func(*testing.T) *DB

// everywhere runs a test on every kind of database.
func everywhere(t *testing.T, test func(*testing.T, opener)) {
	t.Run("sqlite", func(t *testing.T) { test(t, openFile) })
	t.Run("postgres", func(t *testing.T) { test(t, openServer) })
}

func openFile(t *testing.T) *DB {
	t.Helper()
	return openURL(t, newFile(t))
}

func openServer(t *testing.T) *DB {
	t.Helper()
	return openURL(t, newDatabase(t))
}

func openURL(t *testing.T, url string) *DB {
	t.Helper()
	s, err := Open(t.Context(), url)
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func newFile(t *testing.T) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "odd name?#%.db")
}

func newDatabase(t *testing.T) string {
	t.Helper()
	return postgrestest.Borrow(t, server(t), migrated(t))
}

var running = struct {
	sync.Mutex
	address  string
	template string
	stop     func()
}{stop: func() {}}

// server is the one PostgreSQL of this run, started for the first test that asks.
func server(t *testing.T) string {
	t.Helper()
	running.Lock()
	defer running.Unlock()
	if running.address != "" {
		return running.address
	}
	address, stop, err := postgrestest.Serve()
	must(t, err)
	running.address, running.stop = address, stop
	return address
}

// migrated is a database with the newest schema, to copy.
func migrated(t *testing.T) string {
	t.Helper()
	address := server(t)
	running.Lock()
	defer running.Unlock()
	if running.template != "" {
		return running.template
	}
	postgrestest.Exec(t, address, "CREATE DATABASE migrated")
	s, err := Open(t.Context(), postgrestest.On(address, "migrated"))
	must(t, err)
	must(t, s.Close())
	running.template = "migrated"
	return running.template
}

func TestMain(m *testing.M) {
	code := m.Run()
	running.stop()
	os.Exit(code)
}
