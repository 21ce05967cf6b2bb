// Package mcpservers serves a bundled MCP server over streamable HTTP or stdio.
//
// Its laws: a request without the proxy's own credential is refused before a
// byte of its body is read; a message is read strictly (duplicate member names
// and invalid UTF-8 are parse errors) and within MaxMessage bytes; a tool that
// panics answers with a tool error.
package mcpservers

import (
	"errors"
	"net/http"
	"time"

	"github.com/mark3labs/mcp-go/server"
)

// MaxMessage is the size in bytes above which a message is refused.
const MaxMessage = 4 << 20

const sessionIdle = 30 * time.Minute

// ErrNoCredential is returned for a server that would be open to everyone.
var ErrNoCredential = errors.New("mcpservers: the credential is empty; a bundled server answers only its proxy, so give both the same secret")

// Handler serves s at /mcp, both protocol eras. Every request must carry
// "Authorization: Bearer <credential>", compared in constant time; an empty credential is an error.
func Handler(s *server.MCPServer, credential string) (http.Handler, error) {
	if credential == "" {
		return nil, ErrNoCredential
	}
	transport := server.NewStreamableHTTPServer(s,
		server.WithSessionIdManager(newSessions()),
		server.WithSessionIdleTTL(sessionIdle),
	)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /mcp", strictly(transport))
	mux.Handle("GET /mcp", transport)
	mux.Handle("DELETE /mcp", transport)
	return guard(credential, mux), nil
}
