package externaldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"modernc.org/sqlite"
)

// sqliteFile is a database file. Every call gets a fresh connection, so no
// call sees temporary tables or settings of another.
type sqliteFile struct {
	reader, writer *sql.DB
	limits         Config
}

func openSQLite(path string, c Config) *sqliteFile {
	return &sqliteFile{
		reader: sqlitePool(path, c, "mode=ro", "_pragma=query_only(1)"),
		writer: sqlitePool(path, c, "mode=rw", "_pragma=foreign_keys(1)"),
		limits: c,
	}
}

const sqliteConnections = 8

func sqlitePool(path string, c Config, mode, pragma string) *sql.DB {
	name := (&url.URL{Scheme: "file", Opaque: url.PathEscape(path)}).String()
	dsn := fmt.Sprintf("%s?%s&_defensive=1&_dqs=0&_pragma=busy_timeout(%d)&_pragma=trusted_schema(0)&%s", name, mode, c.Timeout.Milliseconds(), pragma)
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		panic(err) // unreachable: the driver is linked in and checks nothing here
	}
	db.SetMaxIdleConns(-1)
	db.SetMaxOpenConns(sqliteConnections)
	return db
}

func (f *sqliteFile) close() error { return errors.Join(f.reader.Close(), f.writer.Close()) }

func (f *sqliteFile) run(ctx context.Context, st statement, out *rowSet) error {
	if err := oneStatement(st.sql); err != nil {
		return err
	}
	arguments, err := sqliteArguments(st.params)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, f.limits.Timeout)
	defer cancel()
	pool := f.reader
	if st.writes {
		pool = f.writer
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return timedOut(ctx, err)
	}
	defer conn.Close()
	if err := f.confine(conn); err != nil {
		return err
	}
	if !st.writes {
		return timedOut(ctx, collectSQLite(ctx, conn, st.sql, arguments, out, false))
	}
	return timedOut(ctx, writeSQLite(ctx, conn, st.sql, arguments, out))
}

// writeSQLite keeps all of the statement's effects or none.
func writeSQLite(ctx context.Context, conn *sql.Conn, text string, arguments []any, out *rowSet) error {
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := collectSQLite(ctx, conn, text, arguments, out, true)
	if err == nil {
		err = conn.QueryRowContext(ctx, "SELECT changes()").Scan(&out.affected)
	}
	if err == nil {
		_, err = conn.ExecContext(ctx, "COMMIT")
	}
	return err // closing the connection rolls back what was not committed
}

// collectSQLite runs the statement under the authorizer. A statement that
// writes runs to its end even when its rows no longer fit.
func collectSQLite(ctx context.Context, conn *sql.Conn, text string, arguments []any, out *rowSet, toEnd bool) error {
	if err := authorize(conn, permit); err != nil {
		return err
	}
	rows, err := conn.QueryContext(ctx, text, arguments...)
	if err != nil {
		return bindFault(ctx, err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return err
	}
	for _, column := range types {
		out.columns = append(out.columns, column.Name())
	}
	cells, targets := make([]any, len(types)), make([]any, len(types))
	for i := range cells {
		targets[i] = &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		if more := out.add(sqliteRow(cells, types)); !more && !toEnd {
			return nil
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	return authorize(conn, nil)
}

// bindFault marks what the driver refuses itself, which is params that do not
// match the statement's placeholders.
func bindFault(ctx context.Context, err error) error {
	var fromSQLite *sqlite.Error
	if ctx.Err() != nil || errors.As(err, &fromSQLite) {
		return err
	}
	return fmt.Errorf("%w: %s", errPlaceholders, err)
}

func sqliteArguments(params []param) ([]any, error) {
	arguments := make([]any, len(params))
	for i, p := range params {
		switch p.kind {
		case '"':
			arguments[i] = p.text
		case 't', 'f':
			arguments[i] = p.kind == 't'
		case '0':
			n, err := sqliteNumber(p.text)
			if err != nil {
				return nil, err
			}
			arguments[i] = n
		}
	}
	return arguments, nil
}

func sqliteNumber(text string) (any, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, fmt.Errorf("%w: %s is beyond what SQLite can hold", errParam, text)
	}
	return f, nil
}

func sqliteRow(cells []any, types []*sql.ColumnType) []jsontext.Value {
	row := make([]jsontext.Value, len(cells))
	for i, cell := range cells {
		row[i] = sqliteCell(cell, types[i].DatabaseTypeName())
	}
	return row
}

func sqliteCell(cell any, declared string) jsontext.Value {
	switch v := cell.(type) {
	case int64:
		return whole(v)
	case float64:
		return float(v)
	case string:
		return text(v)
	case []byte:
		return binary(v)
	case bool:
		return boolean(v)
	case time.Time:
		if declared == "DATE" {
			return text(v.Format(time.DateOnly))
		}
		return instant(v)
	}
	return null()
}

// SQLite's limits, by the numbers of sqlite3_limit.
const (
	limitLength   = 0
	limitSQL      = 1
	limitAttached = 7
)

const (
	maxStatement = 100_000
	minValue     = 1 << 20
)

// confine bounds what a statement may allocate, and takes away ATTACH, by
// which VACUUM INTO would write files too.
func (f *sqliteFile) confine(conn *sql.Conn) error {
	for id, most := range map[int]int{
		limitLength:   max(minValue, f.limits.MaxSize),
		limitSQL:      maxStatement,
		limitAttached: 0,
	} {
		if _, err := sqlite.Limit(conn, id, most); err != nil {
			return err
		}
	}
	return nil
}

var errNoAuthorizer = errors.New("externaldb: the SQLite driver has no authorizer")

func authorize(conn *sql.Conn, rule sqlite.AuthorizerFn) error {
	return conn.Raw(func(c any) error {
		registerer, ok := c.(sqlite.AuthorizerRegisterer)
		if !ok {
			return errNoAuthorizer // unreachable: the driver is this one
		}
		return registerer.RegisterAuthorizer(rule)
	})
}

// describing are the pragmas that only tell about the schema.
var describing = map[string]bool{
	"table_info": true, "table_xinfo": true, "table_list": true, "foreign_key_list": true,
	"index_list": true, "index_info": true, "index_xinfo": true, "data_version": true,
}

// permit refuses what reaches beyond one statement in one transaction on one
// file: attached files, extensions, transaction control, and settings, some of
// which hold for the whole process.
func permit(action sqlite.AuthorizerActionCode, first, second, _, _ string) sqlite.AuthorizerReturnCode {
	switch action {
	case sqlite.AuthAttach, sqlite.AuthDetach, sqlite.AuthTransaction, sqlite.AuthSavepoint,
		sqlite.AuthCreateVTable, sqlite.AuthDropVTable:
		return sqlite.AuthorizerDeny
	case sqlite.AuthPragma:
		if !describing[first] {
			return sqlite.AuthorizerDeny
		}
	case sqlite.AuthFunction:
		if second == "load_extension" || second == "fts3_tokenizer" {
			return sqlite.AuthorizerDeny
		}
	}
	return sqlite.AuthorizerOK
}
