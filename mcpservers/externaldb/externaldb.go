// Package externaldb is the bundled MCP server in front of an SQL database.
package externaldb

import (
	"context"
	"time"

	"github.com/mark3labs/mcp-go/server"
)

// Config of one database.
type Config struct {
	URL     string        // postgres://… , or sqlite:PATH
	Timeout time.Duration // one statement; required
	MaxRows int           // required
	MaxSize int           // bytes of one result; required
}

// New opens the database and builds the server. Close the returned closer at the end.
func New(ctx context.Context, c Config) (*server.MCPServer, func() error, error) { panic("unwritten") }

// Sample creates the embedded sample database at path unless the file exists.
func Sample(ctx context.Context, path string) error { panic("unwritten") }
