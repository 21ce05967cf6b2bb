// Package externaldb is the bundled MCP server in front of an SQL database.
//
// Its laws: query, search and the schema cannot change anything because the
// database refuses it (SQLite: the file is opened read-only; PostgreSQL: the
// transaction is), never because of what the text looks like; a call is one
// statement; no call leaves a trace on the connection the next one gets; time,
// rows and bytes of a call are bounded, and a result that was cut says so.
//
// It does not limit what the database role may see or call. A PostgreSQL
// superuser can read server files and run programs even in a read-only
// transaction, so give this server a role with the rights it needs and no more.
package externaldb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/server"

	"github.com/postern-mcp/postern/mcpservers"
)

// Config of one database.
type Config struct {
	URL     string        // postgres://… , or sqlite:PATH
	Timeout time.Duration // one statement; required
	MaxRows int           // required
	MaxSize int           // bytes of one result; required
}

// What a configuration is refused for.
var (
	ErrURL   = errors.New("externaldb: the URL must be sqlite:PATH or postgres://…")
	ErrLimit = errors.New("externaldb: Timeout, MaxRows and MaxSize must be positive")
)

// New opens the database and builds the server. Close the returned closer at the end.
func New(ctx context.Context, c Config) (*server.MCPServer, func() error, error) {
	if c.Timeout <= 0 || c.MaxRows <= 0 || c.MaxSize <= 0 {
		return nil, nil, ErrLimit
	}
	e, err := open(c)
	if err != nil {
		return nil, nil, err
	}
	d := &desk{engine: e, dialect: e.dialect(), limits: c}
	if _, err := d.run(ctx, statement{sql: "SELECT 1"}, 1); err != nil {
		_ = e.close()
		return nil, nil, fmt.Errorf("externaldb: the database does not answer: %w", err)
	}
	s := mcpservers.New(mcpservers.Identity{
		Name:  "postern-externaldb",
		Title: "SQL database",
		Instructions: "A " + d.dialect.name + " database. Call list_tables and describe_table first; " +
			"read with query or search; change data with execute, one statement a call.",
	})
	d.addTools(s)
	d.addResources(s)
	return s, e.close, nil
}

// engine runs one statement at a time against one kind of database.
type engine interface {
	run(ctx context.Context, st statement, out *rowSet) error
	dialect() dialect
	close() error
}

// statement is one SQL statement with its parameters.
type statement struct {
	sql    string
	params []param
	writes bool
}

func open(c Config) (engine, error) {
	if path, ok := strings.CutPrefix(c.URL, "sqlite:"); ok && path != "" {
		return openSQLite(path, c), nil
	}
	if strings.HasPrefix(c.URL, "postgres://") || strings.HasPrefix(c.URL, "postgresql://") {
		return openPostgres(c)
	}
	return nil, ErrURL
}

// desk is the database with its limits, as tools and resources use it.
type desk struct {
	engine  engine
	dialect dialect
	limits  Config
}

func (d *desk) run(ctx context.Context, st statement, maxRows int) (*rowSet, error) {
	if strings.ContainsRune(st.sql, 0) { // both databases would read only what stands before it
		return nil, errNUL
	}
	out := &rowSet{maxRows: maxRows, maxSize: d.limits.MaxSize}
	if err := d.engine.run(ctx, st, out); err != nil {
		return nil, err
	}
	return out, nil
}
