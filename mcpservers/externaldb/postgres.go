package externaldb

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// postgres is a server reached over the extended protocol, which takes one
// statement at a time. Reading and writing have connections of their own.
type postgres struct {
	reader, writer *connections
	limits         Config
}

func openPostgres(c Config) (*postgres, error) {
	reader, err := newConnections(c.URL, "on")
	if err != nil {
		return nil, err
	}
	writer, err := newConnections(c.URL, "off")
	if err != nil {
		return nil, err
	}
	return &postgres{reader: reader, writer: writer, limits: c}, nil
}

func (p *postgres) close() error { return errors.Join(p.reader.close(), p.writer.close()) }

// grace lets the server end a statement by its own timeout, and say so.
const grace = 500 * time.Millisecond

func (p *postgres) run(ctx context.Context, st statement, out *rowSet) error {
	ctx, cancel := context.WithTimeout(ctx, p.limits.Timeout+grace)
	defer cancel()
	pool, begin := p.reader, "BEGIN READ ONLY"
	if st.writes {
		pool, begin = p.writer, "BEGIN READ WRITE"
	}
	conn, err := pool.take(ctx)
	if err != nil {
		return timedOut(ctx, err)
	}
	defer pool.give(conn)
	if err := p.start(ctx, conn, begin); err != nil {
		return timedOut(ctx, err)
	}
	if err := collectPostgres(ctx, conn, st, out); err != nil {
		return timedOut(ctx, err)
	}
	if !st.writes {
		return nil
	}
	return timedOut(ctx, commit(ctx, conn))
}

// start begins the transaction. The query that sets the timeout also takes the
// transaction's first snapshot, after which PostgreSQL refuses to make a
// read-only transaction writable (SET TRANSACTION, "Notes").
func (p *postgres) start(ctx context.Context, conn *pgconn.PgConn, begin string) error {
	if _, err := conn.Exec(ctx, begin).ReadAll(); err != nil {
		return err
	}
	timeout := strconv.FormatInt(max(1, p.limits.Timeout.Milliseconds()), 10)
	return conn.ExecParams(ctx, "SELECT pg_catalog.set_config('statement_timeout', $1, true)", [][]byte{[]byte(timeout)}, nil, nil, nil).Read().Err
}

const inTransaction = 'T'

func commit(ctx context.Context, conn *pgconn.PgConn) error {
	if conn.TxStatus() != inTransaction {
		return errTransaction
	}
	_, err := conn.Exec(ctx, "COMMIT").ReadAll()
	return err
}

// collectPostgres runs the statement. One that writes runs to its end even
// when its rows no longer fit; one that reads is cancelled.
func collectPostgres(ctx context.Context, conn *pgconn.PgConn, st statement, out *rowSet) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	params := make([][]byte, len(st.params))
	for i, p := range st.params {
		if p.kind != 'n' {
			params[i] = []byte(p.text)
		}
	}
	result := conn.ExecParams(ctx, st.sql, params, nil, nil, nil)
	fields := result.FieldDescriptions()
	for _, field := range fields {
		out.columns = append(out.columns, field.Name)
	}
	for result.NextRow() {
		if more := out.add(postgresRow(result.Values(), fields)); !more && !st.writes {
			cancel()
			_, _ = result.Close() // reports the cancelling
			return nil
		}
	}
	tag, err := result.Close()
	out.affected = affected(tag)
	return err
}

func affected(tag pgconn.CommandTag) int64 {
	if tag.Select() {
		return 0
	}
	return tag.RowsAffected()
}

// connections are a few idle ones, and slots for those in use.
type connections struct {
	config *pgconn.Config
	idle   chan *pgconn.PgConn
	slots  chan struct{}
}

const postgresConnections = 8

func newConnections(url, readOnly string) (*connections, error) {
	config, err := pgconn.ParseConfig(url)
	if err != nil {
		return nil, ErrURL // the cause may quote the URL
	}
	for name, value := range map[string]string{
		"application_name":              "postern-externaldb",
		"client_encoding":               "UTF8",
		"DateStyle":                     "ISO",
		"TimeZone":                      "UTC",
		"bytea_output":                  "hex",
		"extra_float_digits":            "1",
		"default_transaction_read_only": readOnly,
	} {
		config.RuntimeParams[name] = value
	}
	return &connections{
		config: config,
		idle:   make(chan *pgconn.PgConn, postgresConnections),
		slots:  make(chan struct{}, postgresConnections),
	}, nil
}

func (c *connections) take(ctx context.Context) (*pgconn.PgConn, error) {
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for {
		select {
		case conn := <-c.idle:
			if conn.CheckConn() == nil {
				return conn, nil
			}
			discard(conn)
		default:
			conn, err := pgconn.ConnectConfig(ctx, c.config)
			if err != nil {
				<-c.slots
				return nil, fmt.Errorf("externaldb: connect: %w", err)
			}
			return conn, nil
		}
	}
}

// give takes a connection back once nothing of the last call is left on it.
func (c *connections) give(conn *pgconn.PgConn) {
	defer func() { <-c.slots }()
	if conn.IsClosed() || conn.IsBusy() || reset(conn) != nil {
		discard(conn)
		return
	}
	select {
	case c.idle <- conn:
	default:
		discard(conn)
	}
}

const resetTimeout = 2 * time.Second

func reset(conn *pgconn.PgConn) error {
	ctx, cancel := context.WithTimeout(context.Background(), resetTimeout)
	defer cancel()
	if _, err := conn.Exec(ctx, "ROLLBACK").ReadAll(); err != nil {
		return err
	}
	_, err := conn.Exec(ctx, "DISCARD ALL").ReadAll()
	return err
}

func discard(conn *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.Background(), resetTimeout)
	defer cancel()
	_ = conn.Close(ctx)
}

func (c *connections) close() error {
	for {
		select {
		case conn := <-c.idle:
			discard(conn)
		default:
			return nil
		}
	}
}
