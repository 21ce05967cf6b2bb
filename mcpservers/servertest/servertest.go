// Package servertest connects real MCP clients to a bundled server under test.
package servertest

import (
	"context"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/postern-mcp/postern/mcpservers"
)

// Credential is what the served handlers ask for.
const Credential = "servertest-credential"

// Each runs f with a client of every kind: the stateless and the
// initialize-based era over HTTP, and stdio.
func Each(t *testing.T, build func(*testing.T) *server.MCPServer, f func(*testing.T, *client.Client)) {
	t.Helper()
	t.Run("http stateless", func(t *testing.T) { f(t, HTTP(t, build(t), mcp.ProtocolVersion20260728)) })
	t.Run("http sessions", func(t *testing.T) { f(t, HTTP(t, build(t), mcp.LATEST_LEGACY_PROTOCOL_VERSION)) })
	t.Run("stdio", func(t *testing.T) { f(t, Stdio(t, build(t))) })
}

// HTTP connects over a loopback socket; the client must end up speaking version.
func HTTP(t *testing.T, s *server.MCPServer, version string) *client.Client {
	t.Helper()
	handler, err := mcpservers.Handler(s, Credential)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(handler)
	t.Cleanup(web.Close)
	link, err := transport.NewStreamableHTTP(web.URL+"/mcp",
		transport.WithHTTPHeaders(map[string]string{"Authorization": "Bearer " + Credential}))
	if err != nil {
		t.Fatal(err)
	}
	return connect(t, link, version)
}

// Stdio connects over a pair of pipes.
func Stdio(t *testing.T, s *server.MCPServer) *client.Client {
	t.Helper()
	fromClient, toServer := io.Pipe()
	fromServer, toClient := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- mcpservers.Stdio(context.Background(), s, fromClient, toClient) }()
	t.Cleanup(func() {
		_ = toServer.Close()
		if err := <-ended; err != nil {
			t.Errorf("stdio ended with %v", err)
		}
	})
	return connect(t, transport.NewIO(fromServer, toServer, io.NopCloser(strings.NewReader(""))), "")
}

func connect(t *testing.T, link transport.Interface, version string) *client.Client {
	t.Helper()
	c := client.NewClient(link)
	if err := c.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	hello := mcp.InitializeRequest{}
	hello.Params.ProtocolVersion = version
	hello.Params.ClientInfo = mcp.Implementation{Name: "servertest", Version: "1"}
	result, err := c.Initialize(context.Background(), hello)
	if err != nil {
		t.Fatal(err)
	}
	if version != "" && result.ProtocolVersion != version {
		t.Fatalf("speaks %s, want %s", result.ProtocolVersion, version)
	}
	return c
}

// Call calls a tool with arguments written as JSON, sent as they stand.
func Call(t *testing.T, c *client.Client, tool, arguments string) *mcp.CallToolResult {
	t.Helper()
	r := mcp.CallToolRequest{}
	r.Params.Name = tool
	r.Params.RawArguments = []byte(arguments)
	result, err := c.CallTool(context.Background(), r)
	if err != nil {
		t.Fatalf("%s %s: %v", tool, arguments, err)
	}
	return result
}

// Text is the text content of a result.
func Text(t *testing.T, result *mcp.CallToolResult) string {
	t.Helper()
	if len(result.Content) != 1 {
		t.Fatalf("%d content blocks, want 1", len(result.Content))
	}
	text, ok := result.Content[0].(mcp.TextContent)
	if !ok {
		t.Fatalf("content is %T, want text", result.Content[0])
	}
	return text.Text
}
