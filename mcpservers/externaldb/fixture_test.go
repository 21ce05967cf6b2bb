package externaldb

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/server"

	"github.com/postern-mcp/postern/authserver/store/postgrestest"
)

// within are limits that no test meets unless it means to.
func within(url string) Config {
	return Config{URL: url, Timeout: 20 * time.Second, MaxRows: 1000, MaxSize: 1 << 20}
}

func serve(t testing.TB, c Config) *server.MCPServer {
	t.Helper()
	s, done, err := New(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := done(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func sampleFile(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "the sample?.db")
	if err := Sample(context.Background(), path); err != nil {
		t.Fatal(err)
	}
	return path
}

// openDesk is the core below the tools.
func openDesk(t testing.TB, c Config) *desk {
	t.Helper()
	e, err := open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.close(); err != nil {
			t.Error(err)
		}
	})
	return &desk{engine: e, dialect: e.dialect(), limits: c}
}

func postgresSample(t testing.TB, server string) string {
	t.Helper()
	address := postgrestest.Database(t, server)
	script, err := os.ReadFile("testdata/postgres.sql")
	if err != nil {
		t.Fatal(err)
	}
	postgrestest.Exec(t, address, string(script))
	return address
}

// cells runs a read and returns its rows as JSON.
func cells(t testing.TB, d *desk, sql string, params ...param) [][]string {
	t.Helper()
	out, err := d.run(context.Background(), statement{sql: sql, params: params}, d.limits.MaxRows)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	rows := make([][]string, len(out.rows))
	for i, row := range out.rows {
		for _, cell := range row {
			rows[i] = append(rows[i], string(cell))
		}
	}
	return rows
}
