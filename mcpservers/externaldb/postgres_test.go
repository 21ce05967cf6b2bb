package externaldb

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/store/postgrestest"
)

// TestPostgres gives every case a database of its own on one server.
func TestPostgres(t *testing.T) {
	address := postgrestest.Start(t)
	for _, c := range []struct {
		name string
		run  func(*testing.T, string)
	}{
		{"ReadingChangesNothing", testPostgresReadingChangesNothing},
		{"CallsLeaveNothing", testPostgresCallsLeaveNothing},
		{"Writing", testPostgresWriting},
		{"Values", testPostgresValues},
		{"Limits", testPostgresLimits},
		{"SearchAndSchema", testPostgresSearchAndSchema},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, postgresSample(t, address)) })
	}
}

// Nothing that a caller of a reading tool may write changes the database.
func testPostgresReadingChangesNothing(t *testing.T, address string) {
	d := openDesk(t, within(address))
	for _, c := range []struct{ sql, says string }{
		{"DELETE FROM orders", "read-only transaction"},
		{"INSERT INTO customers VALUES (9, 'x') RETURNING id", "read-only transaction"},
		{"WITH x AS (DELETE FROM orders RETURNING id) SELECT * FROM x", "read-only transaction"},
		{"DROP TABLE orders", "read-only transaction"},
		{"CREATE TABLE t (x int)", "read-only transaction"},
		{"SELECT nextval('counter')", "read-only transaction"},
		{"SELECT setval('counter', 5)", "read-only transaction"},
		{"SELECT * FROM customers FOR UPDATE", "read-only transaction"},
		{"EXPLAIN ANALYZE DELETE FROM orders", "read-only transaction"},
		{"SELECT deletes()", "read-only transaction"},
		{"CALL writes_inside()", "read-only transaction"},
		{"DO $$ BEGIN DELETE FROM orders; END $$", "read-only transaction"},
		{"DO $$ BEGIN SET TRANSACTION READ WRITE; DELETE FROM orders; END $$", "before any query"},
		{"DO $$ BEGIN PERFORM set_config('transaction_read_only', 'off', false); DELETE FROM orders; END $$", "before any query"},
		{"DO $$ BEGIN COMMIT; DELETE FROM orders; END $$", "invalid transaction termination"},
		{"SELECT set_config('transaction_read_only', 'off', true)", "before any query"},
		{"SET TRANSACTION READ WRITE", "before any query"},
		{"SET transaction_read_only = off", "before any query"},
		{"COMMIT; DELETE FROM orders", "multiple commands"},
		{"SELECT 1; SELECT 2", "multiple commands"},
		{"COPY customers FROM STDIN", "read-only transaction"},
	} {
		out, err := d.run(context.Background(), statement{sql: c.sql}, 10)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %+v, %v, want %q", c.sql, out, err, c.says)
		}
	}
	// PostgreSQL before 16 lets a read-only transaction make large objects; the
	// rollback at the end of every reading call takes them away.
	_, _ = d.run(context.Background(), statement{sql: "SELECT lo_create(0)"}, 10)
	if got := cells(t, d, "SELECT count(*) FROM pg_largeobject_metadata"); got[0][0] != "0" {
		t.Errorf("%s large objects were kept", got[0][0])
	}
	if got := cells(t, d, "SELECT count(*), (SELECT count(*) FROM customers), (SELECT last_value FROM counter) FROM orders"); !reflect.DeepEqual(got[0], []string{"3", "2", "1"}) {
		t.Errorf("the database changed: %v", got)
	}
}

// Whatever a call leaves behind on its connection is gone for the next one.
func testPostgresCallsLeaveNothing(t *testing.T, address string) {
	d := openDesk(t, within(address))
	fresh := `SELECT current_user, current_setting('search_path'), current_setting('statement_timeout'), current_setting('DateStyle'),
		current_setting('default_transaction_read_only'), current_setting('transaction_read_only'),
		(SELECT count(*) FROM pg_prepared_statements WHERE name <> ''), (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'),
		(SELECT count(*) FROM pg_listening_channels()), (SELECT count(*) FROM pg_class WHERE relpersistence = 't')`
	want := cells(t, d, fresh)
	for _, sql := range []string{
		"SELECT set_config('search_path', 'nowhere', false)",
		"SET SESSION statement_timeout = 0",
		"SET DateStyle = German",
		"SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
		"SET default_transaction_read_only = off",
		"SET ROLE pg_monitor",
		"PREPARE p AS SELECT 1",
		"SELECT pg_advisory_lock(1)",
		"LISTEN news",
		"COMMIT",
		"ROLLBACK",
		"COMMIT AND CHAIN",
		"CREATE TEMP TABLE t (x int)",
		"DISCARD ALL",
		"SELECT 1/0",
	} {
		for _, writes := range []bool{false, true} {
			_, _ = d.run(context.Background(), statement{sql: sql, writes: writes}, 10) // refused or not, nothing may stay
			if got := cells(t, d, fresh); !reflect.DeepEqual(got, want) {
				t.Errorf("after %s (writes %v): %v, want %v", sql, writes, got, want)
			}
			if _, err := d.run(context.Background(), statement{sql: "SELECT count(*) FROM customers", writes: true}, 10); err != nil {
				t.Errorf("writing after %s: %v", sql, err)
			}
		}
	}
	if _, err := d.run(context.Background(), statement{sql: "DELETE FROM orders"}, 10); err == nil {
		t.Error("reading has become writing")
	}
}

func testPostgresWriting(t *testing.T, address string) {
	d := openDesk(t, within(address))
	for _, c := range []struct {
		sql      string
		params   []param
		affected int64
		says     string
	}{
		{"INSERT INTO customers VALUES ($1, $2, $3)", []param{{'0', "7"}, {'"', "Grace"}, {'n', "null"}}, 1, ""},
		{"UPDATE customers SET email = $1 WHERE id = $2 RETURNING id", []param{{'"', "g@example.com"}, {'"', "7"}}, 1, ""},
		{"SELECT * FROM customers", nil, 0, ""},
		{"CREATE TABLE notes (x text)", nil, 0, ""},
		{"DELETE FROM customers WHERE id = 1", nil, 0, "foreign key"}, // only COMMIT finds it
		{"DELETE FROM orders; DELETE FROM customers", nil, 0, "multiple commands"},
		{"COMMIT", nil, 0, "transaction control"},
		{"ROLLBACK", nil, 0, "transaction control"},
		{"VACUUM", nil, 0, "transaction block"},
		{"SELEC 1", nil, 0, "syntax error"},
		{"SELECT $1::int", nil, 0, "parameters"},
		{"SELECT 1", []param{{'0', "1"}}, 0, "parameters"},
		{"SELECT $1::int", []param{{'"', "x"}}, 0, "invalid input syntax"},
		{"SELECT 1 \x00; DELETE FROM orders", nil, 0, "NUL"},
	} {
		out, err := d.run(context.Background(), statement{c.sql, c.params, true}, 10)
		if c.says == "" && (err != nil || out.affected != c.affected) {
			t.Errorf("%s: %v, want %d rows", c.sql, err, c.affected)
		}
		if c.says != "" && (err == nil || !strings.Contains(publicMessage(context.Background(), err), c.says)) {
			t.Errorf("%s: %v, want %q", c.sql, err, c.says)
		}
	}
	if got := cells(t, d, "SELECT string_agg(id || coalesce(email, '-'), ' ' ORDER BY id) FROM customers"); got[0][0] != `"1ada1@example.com 2- 7g@example.com"` {
		t.Errorf("customers are %s", got[0][0])
	}
}

func testPostgresValues(t *testing.T, address string) {
	d := openDesk(t, within(address))
	for _, c := range []struct {
		sql    string
		params []param
		want   []string
	}{
		{`SELECT 1, -1.5::float8, 'ä"', NULL, '\x00ff'::bytea, true, false`, nil, []string{"1", "-1.5", `"ä\""`, "null", `{"base64":"AP8=","size":2}`, "true", "false"}},
		{"SELECT 9007199254740992, 9007199254740993, -9223372036854775808", nil, []string{"9007199254740992", `"9007199254740993"`, `"-9223372036854775808"`}},
		{"SELECT 0.1::numeric(40,20), 'NaN'::numeric, 'Infinity'::float8, 0.1::float8, 1e300::float8", nil, []string{`"0.10000000000000000000"`, `"NaN"`, `"Infinity"`, "0.1", "1e+300"}},
		{"SELECT '2025-01-02 03:04:05.678+02'::timestamptz, '2025-01-02 03:04:05'::timestamp, '2025-01-02'::date, 'infinity'::timestamptz", nil,
			[]string{`"2025-01-02T01:04:05.678Z"`, `"2025-01-02T03:04:05Z"`, `"2025-01-02"`, `"infinity"`}},
		{`SELECT '{"a": 1}'::jsonb, '{"a": 1, "a": 2}'::json, ARRAY[1,2]`, nil, []string{`{"a": 1}`, `"{\"a\": 1, \"a\": 2}"`, `"{1,2}"`}},
		{"SELECT $1::bigint, $2, $3::boolean, $4::text, $5::numeric", []param{{'0', "9007199254740993"}, {'"', "x"}, {'t', "true"}, {'n', "null"}, {'0', "1e30"}},
			[]string{`"9007199254740993"`, `"x"`, "true", "null", `"1000000000000000000000000000000"`}},
	} {
		if got := cells(t, d, c.sql, c.params...); len(got) != 1 || !reflect.DeepEqual(got[0], c.want) {
			t.Errorf("%s = %v, want %v", c.sql, got, c.want)
		}
	}
}

func testPostgresLimits(t *testing.T, address string) {
	c := within(address)
	c.Timeout, c.MaxRows, c.MaxSize = 300*time.Millisecond, 5, 100
	d := openDesk(t, c)
	for _, l := range []struct {
		name, sql string
		rows      int
		truncated string
		reason    string
	}{
		{"within", "SELECT generate_series(1, 5)", 5, "", ""},
		{"rows", "SELECT generate_series(1, 6)", 5, "first 5 rows", ""},
		{"no row in time", "SELECT i FROM generate_series(1, 1000000000000) i, generate_series(1, 1000) j LIMIT 100000000", 5, "", errTimeout.Error()},
		{"many rows", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n", 5, "first 5 rows", ""},
		{"bytes", "SELECT 'twenty characters text' FROM generate_series(1, 9)", 4, "100 bytes", ""},
		{"one large value", "SELECT repeat('x', 1000)", 0, "100 bytes", ""},
		{"time", "SELECT pg_sleep(60)", 0, "", errTimeout.Error()},
		{"a copy to the client", "COPY customers TO STDOUT", 0, "", ""},
	} {
		out, err := d.run(context.Background(), statement{sql: l.sql}, c.MaxRows)
		if l.reason != "" {
			if err == nil || publicMessage(context.Background(), err) != l.reason {
				t.Errorf("%s: %v, want %s", l.name, err, l.reason)
			}
			continue
		}
		if err != nil || len(out.rows) != l.rows || (out.truncated != "") != (l.truncated != "") || !strings.Contains(out.truncated, l.truncated) {
			t.Errorf("%s: %+v, %v", l.name, out, err)
		}
	}
	if _, err := d.run(context.Background(), statement{sql: "COPY customers FROM STDIN", writes: true}, 5); !errors.Is(err, errTimeout) {
		t.Errorf("a copy that waits for its client: %v", err)
	}
	if got := cells(t, d, "SELECT 1"); got[0][0] != "1" {
		t.Errorf("after the limits: %v", got)
	}
}

func testPostgresSearchAndSchema(t *testing.T, address string) {
	d := openDesk(t, within(address))
	odd := `odd schema.odd "table" name`
	for _, c := range []struct {
		table, text string
		rows        int
		reason      error
	}{
		{"customers", "ada", 1, nil},
		{"customers", "%", 1, nil},
		{"customers", "_!", 1, nil},
		{"customers", "nobody", 0, nil},
		{"names", "BYRON", 1, nil},
		{odd, "needle", 1, nil},
		{"nothing", "x", 0, errUnknownTable},
		{"pg_catalog.pg_authid", "x", 0, errUnknownTable},
		{`customers" --`, "x", 0, errUnknownTable},
	} {
		out, err := d.search(context.Background(), c.table, c.text, 20)
		if !errors.Is(err, c.reason) {
			t.Errorf("%s, %s: %v, want %v", c.table, c.text, err, c.reason)
		} else if err == nil && len(out.rows) != c.rows {
			t.Errorf("%s, %s: %d rows, want %d", c.table, c.text, len(out.rows), c.rows)
		}
	}
	tables, err := d.tables(context.Background())
	if err != nil || len(tables.rows) != 4 {
		t.Errorf("tables: %+v, %v", tables, err)
	}
	name := "orders"
	columns, err := d.columns(context.Background(), &name)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, row := range columns.rows {
		line := ""
		for _, cell := range row[1:] {
			line += string(cell) + " "
		}
		lines = append(lines, line)
	}
	want := []string{
		`"id" "integer" "no" "nextval('orders_id_seq'::regclass)" "yes" null `,
		`"customer_id" "integer" "no" null "no" "customers.id" `,
		`"placed_at" "timestamp with time zone" "no" "'2025-01-02 03:04:05+00'::timestamp with time zone" "no" null `,
	}
	if !reflect.DeepEqual(lines, want) {
		t.Errorf("columns:\n%s", strings.Join(lines, "\n"))
	}
}

func TestPostgresGone(t *testing.T) {
	d := openDesk(t, within("postgres://someone:s3cret@/nothing?host=/nonexistent"))
	_, err := d.run(context.Background(), statement{sql: "SELECT 1"}, 1)
	if message := publicMessage(context.Background(), err); message != errUnreachable.Error() {
		t.Errorf("the caller is told %q", message)
	}
}
