package externaldb

import (
	"context"
	"database/sql"
	"regexp"
	"strings"
	"testing"

	"modernc.org/sqlite"
)

func TestOneStatement(t *testing.T) {
	for text, reason := range map[string]error{
		"SELECT 1":                          nil,
		"SELECT 1;":                         nil,
		" ;; SELECT 1":                      errOneStatement,
		"SELECT 1 ; \n; -- end":             nil,
		"SELECT ';' /* ; */ -- ;\n, \";\"":  nil,
		"SELECT 'it''s; fine', [;], `;`":    nil,
		"SELECT 1; /* a */ SELECT 2":        errOneStatement,
		"SELECT '\\'; DELETE FROM x; --'":   errOneStatement,
		"SELECT 1 /* ; ":                    nil,
		"SELECT 1 /*/ ; DELETE */":          nil,
		"SELECT 1; DELETE":                  errOneStatement,
		"SELECT $a('); DELETE FROM x; --')": errOneStatement,
		"SELECT $a::b('); DELETE FROM x;')": errOneStatement,
		"SELECT @ab_1(1)":                   errOneStatement,
		"SELECT :a, abs(1)":                 nil,
	} {
		if err := oneStatement(text); err != reason {
			t.Errorf("%q: %v, want %v", text, err, reason)
		}
	}
}

// nested are statements that compile others while they run.
var nested = regexp.MustCompile(`(?i)pragma|vacuum|analyze|alter|create|drop|reindex|fts|rtree|json|dbstat`)

// FuzzOneStatement holds oneStatement against SQLite's own reading. The driver
// compiles a text of one statement once, when it is prepared, and a longer one
// again while it runs, which the authorizer sees.
func FuzzOneStatement(f *testing.F) {
	for _, seed := range []string{
		"SELECT 1", "SELECT 1;", "SELECT 1; SELECT 2", "SELECT ';'; SELECT 2", "SELECT $a('); SELECT 2; --')", "SELECT $a::b(';') , 1; SELECT 3 --)",
		"SELECT 1 /* ; */ ; -- ;\nSELECT 2", "SELECT [a;b] FROM (SELECT 1 AS [a;b]); SELECT 2", "SELECT `;`", "SELECT x'00';SELECT 1", "SELECT #1(;)", "SELECT ?1 ; SELECT @x",
		"/*/;SELECT 1", "SELECT '\\'; SELECT 2 --'", "SELECT \"a\"\"; SELECT 1", "-- a\n;SELECT 1; SELECT 2", "SELECT 1 - - 1;;", "SELECT 1\f;SELECT 2", "SELECT 1\v;SELECT 2",
	} {
		f.Add(seed)
	}
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = db.Close() })
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsRune(text, 0) || nested.MatchString(text) || oneStatement(text) != nil {
			return
		}
		if n := compiledAgain(t, db, text); n != 0 {
			t.Errorf("%q was taken for one statement", text)
		}
	})
}

func compiledAgain(t *testing.T, db *sql.DB, text string) int {
	t.Helper()
	ctx := context.Background()
	conn, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	calls := 0
	count := func(sqlite.AuthorizerActionCode, string, string, string, string) sqlite.AuthorizerReturnCode {
		calls++
		return sqlite.AuthorizerOK
	}
	if err := authorize(conn, count); err != nil {
		t.Fatal(err)
	}
	prepared, err := conn.PrepareContext(ctx, trimmed(text))
	if err != nil {
		return 0 // not SQL
	}
	defer prepared.Close()
	calls = 0
	rows, err := prepared.QueryContext(ctx, make([]any, 40)...)
	if err == nil {
		_ = rows.Close()
	}
	return calls
}

// trimmed takes away what may follow a single statement, because the driver
// compiles twice for a comment too.
func trimmed(text string) string {
	end := 0
	for at := 0; at < len(text); {
		next := tokenEnd(text, at)
		if token := text[at:next]; !isBlank(token) && token != ";" {
			end = next
		}
		at = next
	}
	return text[:end]
}
