package externaldb

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Nothing that a caller of a reading tool may write changes the file or
// creates another one.
func TestSQLiteReadingChangesNothing(t *testing.T) {
	path := sampleFile(t)
	d := openDesk(t, within("sqlite:"+path))
	before := digest(t, path)
	for _, sql := range []string{
		"DELETE FROM orders",
		"UPDATE customers SET name = 'x'",
		"INSERT INTO customers SELECT 99, 'x', 'x', 'x', 'x', '2025-01-01'",
		"INSERT INTO orders (customer_id, placed_at, status) VALUES (1, '', 'open') RETURNING id",
		"DROP TABLE order_items",
		"CREATE TABLE t (x)",
		"CREATE TEMP TABLE t (x)",
		"WITH x AS (SELECT 1) DELETE FROM orders",
		"PRAGMA query_only = OFF",
		"PRAGMA writable_schema = ON",
		"PRAGMA journal_mode = DELETE",
		"PRAGMA user_version = 7",
		"PRAGMA hard_heap_limit = 1",
		"PRAGMA database_list",
		"SELECT * FROM pragma_query_only(0)",
		"ATTACH '" + path + ".other' AS other",
		"ATTACH ':memory:' AS other",
		"VACUUM",
		"VACUUM INTO '" + path + ".copy'",
		"REINDEX",
		"ANALYZE",
		"BEGIN",
		"COMMIT",
		"SAVEPOINT s",
		"CREATE VIRTUAL TABLE v USING fts5(x)",
		"SELECT load_extension('x.so')",
		"SELECT 1; DELETE FROM orders",
		"PRAGMA query_only = OFF; DELETE FROM orders",
		"SELECT $a('); DELETE FROM orders; --'",
	} {
		if out, err := d.run(context.Background(), statement{sql: sql}, 10); err == nil {
			t.Errorf("%s is answered: %v", sql, out.rows)
		}
	}
	if digest(t, path) != before {
		t.Error("the file changed")
	}
	if files, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(files) != 1 {
		t.Errorf("there are new files: %v", files)
	}
}

// The file is read-only even to a connection without the authorizer and with
// query_only off: the database holds the line by itself.
func TestSQLiteReaderIsReadOnlyByItself(t *testing.T) {
	f := openSQLite(sampleFile(t), within(""))
	defer f.close()
	conn, err := f.reader.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(context.Background(), "PRAGMA query_only = OFF"); err != nil {
		t.Fatal(err)
	}
	_, err = conn.ExecContext(context.Background(), "DELETE FROM order_items")
	if err == nil || !strings.Contains(err.Error(), "readonly database") {
		t.Errorf("DELETE: %v", err)
	}
}

func digest(t *testing.T, path string) [32]byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(content)
}

func TestSQLiteWriting(t *testing.T) {
	path := sampleFile(t)
	d := openDesk(t, within("sqlite:"+path))
	for _, c := range []struct {
		sql      string
		params   []param
		affected int64
		says     string // the refusal
	}{
		{"UPDATE products SET stock = stock + ?", []param{{'0', "1"}}, 15, ""},
		{"INSERT INTO order_items VALUES (1, 15, 1, 5) RETURNING order_id", nil, 1, ""},
		{"CREATE TABLE notes (x)", nil, 0, ""},
		{"DELETE FROM order_items WHERE order_id = 1; DELETE FROM orders", nil, 0, "exactly one SQL statement"},
		{"DELETE FROM customers", nil, 0, "FOREIGN KEY"},
		{"UPDATE products SET stock = -1", nil, 0, "CHECK"},
		{"COMMIT", nil, 0, "not authorized"},
		{"ROLLBACK", nil, 0, "not authorized"},
		{"SAVEPOINT a", nil, 0, "not authorized"},
		{"ATTACH '" + path + ".other' AS other", nil, 0, "not authorized"},
		{"VACUUM INTO '" + path + ".copy'", nil, 0, "VACUUM"},
		{"PRAGMA foreign_keys = OFF", nil, 0, "not authorized"},
		{"SELECT 1 \x00; DELETE FROM order_items", nil, 0, "NUL"},
		{"SELEC 1", nil, 0, "syntax error"},
		{"SELECT ?", nil, 0, "placeholders"},
	} {
		out, err := d.run(context.Background(), statement{c.sql, c.params, true}, 10)
		if c.says == "" && (err != nil || out.affected != c.affected) {
			t.Errorf("%s: %v, want %d rows", c.sql, err, c.affected)
		}
		if c.says != "" && (err == nil || !strings.Contains(publicMessage(context.Background(), err), c.says)) {
			t.Errorf("%s: %v, want %q", c.sql, err, c.says)
		}
	}
	if got := cells(t, d, "SELECT count(*) FROM order_items WHERE order_id = 1 AND product_id = 15"); got[0][0] != "1" {
		t.Error("the insert was not kept")
	}
	if files, _ := filepath.Glob(path + "*"); len(files) != 1 {
		t.Errorf("there are new files: %v", files)
	}
}

func TestSQLiteValues(t *testing.T) {
	d := openDesk(t, within("sqlite:"+sampleFile(t)))
	for _, c := range []struct {
		sql    string
		params []param
		want   []string
	}{
		{"SELECT 1, -1.5, 'ä\"', NULL, x'00ff', 1 = 1", nil, []string{"1", "-1.5", `"ä\""`, "null", `{"base64":"AP8=","size":2}`, "1"}},
		{"SELECT 9007199254740992, 9007199254740993, -9007199254740993", nil, []string{"9007199254740992", `"9007199254740993"`, `"-9007199254740993"`}},
		{"SELECT 9e999, -9e999", nil, []string{`"+Inf"`, `"-Inf"`}},
		{"SELECT ?, ?, ?, ?, ?", []param{{'"', "x"}, {'0', "9007199254740993"}, {'0', "0.5"}, {'t', "true"}, {'n', "null"}},
			[]string{`"x"`, `"9007199254740993"`, "0.5", "1", "null"}},
		{"SELECT since FROM customers WHERE id = 1", nil, []string{`"2020-06-08"`}},
		{"SELECT placed_at FROM orders WHERE id = 1", nil, []string{`"2025-01-12T09:13:00Z"`}},
		{"SELECT cast(x'ff' AS text)", nil, []string{`"` + "\uFFFD" + `"`}},
		{"SELECT ?2, ?1", []param{{'0', "1"}, {'0', "2"}}, []string{"2", "1"}},
	} {
		if got := cells(t, d, c.sql, c.params...); len(got) != 1 || !reflect.DeepEqual(got[0], c.want) {
			t.Errorf("%s = %v, want %v", c.sql, got, c.want)
		}
	}
}

const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT "

func TestSQLiteLimits(t *testing.T) {
	c := within("sqlite:" + sampleFile(t))
	c.Timeout, c.MaxRows, c.MaxSize = 300*time.Millisecond, 5, 100
	d := openDesk(t, c)
	for _, l := range []struct {
		name, sql string
		rows      int
		truncated string
		reason    error
	}{
		{"within", "SELECT id FROM customers LIMIT 5", 5, "", nil},
		{"rows", "SELECT id FROM customers", 5, "first 5 rows", nil},
		{"endless rows", endless + "i FROM n", 5, "first 5 rows", nil},
		{"bytes", "SELECT 'twenty characters text' FROM customers", 4, "100 bytes", nil},
		{"one large value", "SELECT zeroblob(1000)", 0, "100 bytes", nil},
		{"time", endless + "count(*) FROM n", 0, "", errTimeout},
	} {
		out, err := d.run(context.Background(), statement{sql: l.sql}, c.MaxRows)
		if !errors.Is(err, l.reason) {
			t.Errorf("%s: %v, want %v", l.name, err, l.reason)
		}
		if err == nil && (len(out.rows) != l.rows || (out.truncated != "") != (l.truncated != "") || !strings.Contains(out.truncated, l.truncated)) {
			t.Errorf("%s: %d rows, %q", l.name, len(out.rows), out.truncated)
		}
	}
	for _, sql := range []string{"SELECT length(zeroblob(100000000))", "SELECT printf('%.*c', 100000000, 'x')", "SELECT 1 " + strings.Repeat("-- x\n", 50_000)} {
		if _, err := d.run(context.Background(), statement{sql: sql}, 1); err == nil {
			t.Errorf("%.40s is answered", sql)
		}
	}
}

func TestSQLiteWriteRunsToItsEnd(t *testing.T) {
	c := within("sqlite:" + sampleFile(t))
	c.MaxRows = 3
	d := openDesk(t, c)
	out, err := d.run(context.Background(), statement{sql: "UPDATE products SET stock = 77 RETURNING id", writes: true}, c.MaxRows)
	if err != nil || len(out.rows) != 3 || out.truncated == "" || out.affected != 15 || out.seen != 15 {
		t.Fatalf("%+v, %v", out, err)
	}
	if got := cells(t, d, "SELECT count(*) FROM products WHERE stock = 77"); got[0][0] != "15" {
		t.Errorf("%s products were updated, want 15", got[0][0])
	}
}

func TestSQLiteSearch(t *testing.T) {
	d := openDesk(t, within("sqlite:"+sampleFile(t)))
	if _, err := d.run(context.Background(), statement{sql: `CREATE TABLE "odd ""table"" --" ("odd ""column""; DROP" TEXT, n)`, writes: true}, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := d.run(context.Background(), statement{sql: `INSERT INTO "odd ""table"" --" VALUES ('needle', 1), ('100%', 2), ('a_b', 3), ('!', 4)`, writes: true}, 1); err != nil {
		t.Fatal(err)
	}
	odd := `odd "table" --`
	for _, c := range []struct {
		table, text string
		rows        int
		reason      error
	}{
		{"customers", "london", 1, nil},
		{"customers", "EXAMPLE.COM", 16, nil},
		{"customers", "nobody", 0, nil},
		{odd, "needle", 1, nil},
		{odd, "%", 1, nil},
		{odd, "_", 1, nil},
		{odd, "!", 1, nil},
		{odd, "' OR 1=1 --", 0, nil},
		{"order_totals", "cancelled", 5, nil},
		{"nothing", "x", 0, errUnknownTable},
		{"sqlite_schema", "x", 0, errUnknownTable},
		{`customers" --`, "x", 0, errUnknownTable},
		{"", "x", 0, errUnknownTable},
	} {
		out, err := d.search(context.Background(), c.table, c.text, 20)
		if !errors.Is(err, c.reason) {
			t.Errorf("%s, %s: %v, want %v", c.table, c.text, err, c.reason)
		} else if err == nil && len(out.rows) != c.rows {
			t.Errorf("%s, %s: %d rows, want %d", c.table, c.text, len(out.rows), c.rows)
		}
	}
	out, err := d.search(context.Background(), "customers", "example", 5)
	if err != nil || len(out.rows) != 5 || out.truncated == "" {
		t.Errorf("limit: %+v, %v", out, err)
	}
}
