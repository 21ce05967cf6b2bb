package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	mcpserver "github.com/mark3labs/mcp-go/server"
	"github.com/spf13/cobra"

	"github.com/postern-mcp/postern/mcpservers"
	"github.com/postern-mcp/postern/mcpservers/calculator"
	"github.com/postern-mcp/postern/mcpservers/externaldb"
)

// bundled says how a bundled MCP server is served.
type bundled struct {
	listen     string // "" for stdio
	credential string // file
	database   string // externaldb
}

func (p program) mcpCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "mcp",
		Short: "Run a bundled MCP server, over HTTP or stdio",
		Args:  noArguments,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(
		p.bundledCommand("calculator", "Exact arithmetic", func(context.Context, bundled) (*mcpserver.MCPServer, func() error, error) {
			return calculator.New(), func() error { return nil }, nil
		}),
		p.bundledCommand("externaldb", "An SQL database: PostgreSQL or SQLite", openExternalDB),
	)
	return c
}

type openBundled func(context.Context, bundled) (*mcpserver.MCPServer, func() error, error)

func (p program) bundledCommand(name, short string, open openBundled) *cobra.Command {
	var b bundled
	c := &cobra.Command{
		Use:   name,
		Short: short,
		Long:  short + ".\n\nWithout --listen it speaks MCP on stdin and stdout.",
		Args:  noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			server, closer, err := open(c.Context(), b)
			if err != nil {
				return err
			}
			return errors.Join(p.serveBundled(c.Context(), name, server, b), closer())
		},
	}
	c.Flags().StringVar(&b.listen, "listen", "", "serve HTTP on this host:port, at /mcp")
	c.Flags().StringVar(&b.credential, "credential-file", "", "with --listen: the file with the bearer credential every request must carry")
	if name == "externaldb" {
		c.Flags().StringVar(&b.database, "database-file", "", "file with the database URL, postgres://… or sqlite:PATH (required)")
	}
	return c
}

func (p program) serveBundled(ctx context.Context, name string, server *mcpserver.MCPServer, b bundled) error {
	if b.listen == "" && b.credential != "" {
		return usageError{errors.New("--credential-file goes with --listen: on stdio there is nobody to check")}
	}
	if b.listen == "" {
		return mcpservers.Stdio(ctx, server, p.stdin, p.stdout)
	}
	if b.credential == "" {
		return usageError{errors.New("--listen needs --credential-file: a bundled server accepts only callers that know its credential")}
	}
	credential, err := readSecret(b.credential)
	if err != nil {
		return usageError{fmt.Errorf("--credential-file: %w", err)}
	}
	handler, err := mcpservers.Handler(server, credential)
	if err != nil {
		return usageError{err}
	}
	log := p.logger(slog.LevelInfo)
	ln, err := listen(b.listen, "--listen", log)
	if err != nil {
		return err
	}
	log.Info("the MCP server listens", "name", name, "address", b.listen)
	return serve(ctx, log, grace, service{name: name, listener: framed(ln, log), handler: handler})
}

func openExternalDB(ctx context.Context, b bundled) (*mcpserver.MCPServer, func() error, error) {
	if b.database == "" {
		return nil, nil, usageError{errors.New("--database-file is required")}
	}
	address, err := readSecret(b.database)
	if err != nil {
		return nil, nil, usageError{fmt.Errorf("--database-file: %w", err)}
	}
	server, closer, err := externaldb.New(ctx, databaseConfig(address))
	if err != nil {
		return nil, nil, fmt.Errorf("database: %w", err)
	}
	return server, closer, nil
}

func databaseConfig(address string) externaldb.Config {
	return externaldb.Config{URL: address, Timeout: 10 * time.Second, MaxRows: 1000, MaxSize: 1 << 20}
}
