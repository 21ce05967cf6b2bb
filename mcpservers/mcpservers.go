// Package mcpservers serves a bundled MCP server over streamable HTTP or stdio.
package mcpservers

import (
	"context"
	"io"
	"net/http"

	"github.com/mark3labs/mcp-go/server"
)

// Handler serves s at /mcp, both protocol eras. Every request must carry
// "Authorization: Bearer <credential>", compared in constant time; an empty credential is an error.
func Handler(s *server.MCPServer, credential string) (http.Handler, error) { panic("unwritten") }

// Stdio serves s on the pair until in ends or ctx is done.
func Stdio(ctx context.Context, s *server.MCPServer, in io.Reader, out io.Writer) error {
	panic("unwritten")
}
