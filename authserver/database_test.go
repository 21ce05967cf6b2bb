package authserver

import (
	"database/sql"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
	"github.com/postern-mcp/postern/authserver/store/postgrestest"
	"github.com/postern-mcp/postern/authserver/store/storetest"
)

// postgresServer names the environment variable with the URL of a PostgreSQL
// on which this run's servers keep their databases, instead of in files.
const postgresServer = "POSTERN_TEST_POSTGRES"

func onPostgres() bool { return os.Getenv(postgresServer) != "" }

// newDatabase is the URL of an empty database: the file at path, or one on the
// PostgreSQL of this run.
func newDatabase(t *testing.T, path string) string {
	t.Helper()
	if onPostgres() {
		return postgrestest.Borrow(t, os.Getenv(postgresServer), migrated)
	}
	text, err := storetest.Migrated()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return "sqlite:" + path
}

// database is a rig's database, for whoever goes around the server.
func (g *rig) database() *sql.DB {
	g.t.Helper()
	driver, source := "sqlite", g.path
	if onPostgres() {
		driver, source = "pgx", g.db
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = db.Close() })
	return db
}

// elsewhere are tests that PostgreSQL makes no difference to: what browsers
// show, what reads the file, and those that have a PostgreSQL of their own.
const elsewhere = `^(TestBrowser.*|TestDatabaseHoldsNoSecrets|TestTwoInstances|TestEverythingOnPostgres|TestWaitingInRedis)$`

// migrated is the database on that PostgreSQL that new ones are copies of.
const migrated = "migrated"

var ran = regexp.MustCompile(`(?m)^--- PASS`)

// All tests of this package once more, on PostgreSQL, beside these.
func TestEverythingOnPostgres(t *testing.T) {
	server := postgrestest.Start(t)
	postgrestest.Exec(t, server, "CREATE DATABASE "+migrated)
	db, err := store.Open(t.Context(), postgrestest.On(server, migrated))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	ours, done := testsOnPostgres(t), make(chan struct{})
	go func() {
		defer close(done)
		runOnPostgres(t, server, ours)
	}()
	t.Parallel() // the others go on meanwhile
	<-done
}

func testsOnPostgres(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command(os.Args[0], "-test.list", "^Test").Output()
	if err != nil {
		t.Fatal(err)
	}
	skip := regexp.MustCompile(elsewhere)
	names := slices.DeleteFunc(strings.Fields(string(out)), skip.MatchString)
	if len(names) < 200 {
		t.Fatalf("%d tests are listed", len(names))
	}
	return names
}

func runOnPostgres(t *testing.T, server string, names []string) {
	pattern := "^(" + strings.Join(names, "|") + ")$"
	again := exec.Command(os.Args[0], "-test.v", "-test.timeout", (30 * time.Minute).String(), "-test.run", pattern)
	again.Env = append(os.Environ(), postgresServer+"="+server)
	out, err := again.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if n := len(ran.FindAll(out, -1)); n != len(names) {
		t.Errorf("%d tests of %d ran", n, len(names))
	}
}
