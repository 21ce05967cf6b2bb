package mcpservers_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/postern-mcp/postern/mcpservers"
	"github.com/postern-mcp/postern/mcpservers/servertest"
)

// specimen has one tool that echoes its raw arguments and one that panics.
func specimen(*testing.T) *server.MCPServer {
	s := mcpservers.New(mcpservers.Identity{Name: "specimen", Title: "Specimen"})
	schema := `{"type":"object"}`
	s.AddTool(mcpservers.Tool{Name: "echo", Input: schema, Output: schema}.Definition(),
		func(_ context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return mcp.NewToolResultText(string(r.Params.RawArguments)), nil
		})
	s.AddTool(mcpservers.Tool{Name: "burst", Input: schema, Output: schema}.Definition(),
		func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) { panic("secret cause") })
	return s
}

func TestPanicIsAToolError(t *testing.T) {
	servertest.Each(t, specimen, func(t *testing.T, c *client.Client) {
		result := servertest.Call(t, c, "burst", `{}`)
		if text := servertest.Text(t, result); !result.IsError || strings.Contains(text, "secret") {
			t.Errorf("error %v: %s", result.IsError, text)
		}
	})
}

func TestNumbersArriveExactly(t *testing.T) {
	servertest.Each(t, specimen, func(t *testing.T, c *client.Client) {
		for _, call := range []struct{ sent, seen string }{
			{`{"n":9007199254740993}`, `{"n":9007199254740993}`},
			{`{"n":0.1000000000000000000001}`, `{"n":0.1000000000000000000001}`},
			{`{"n":1e999,"m":[-1E999,1]}`, `{"n":"1e999","m":["-1E999",1]}`},
		} {
			if got := servertest.Text(t, servertest.Call(t, c, "echo", call.sent)); got != call.seen {
				t.Errorf("%s arrived as %s, want %s", call.sent, got, call.seen)
			}
		}
	})
}

func TestHandlerNeedsACredential(t *testing.T) {
	if h, err := mcpservers.Handler(specimen(t), ""); err != mcpservers.ErrNoCredential || h != nil {
		t.Errorf("got %v, %v", h, err)
	}
}

const ping = `{"jsonrpc":"2.0","id":1,"method":"ping"}`

// untouched fails the test when it is read.
type untouched struct{ t *testing.T }

func (u untouched) Read([]byte) (int, error) {
	u.t.Error("the body was read before the credential was checked")
	return 0, io.EOF
}

func TestCredential(t *testing.T) {
	handler, err := mcpservers.Handler(specimen(t), servertest.Credential)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		fields []string
	}{
		{"none", nil},
		{"wrong", []string{"Bearer wrong"}},
		{"prefix", []string{"Bearer " + servertest.Credential[:5]}},
		{"longer", []string{"Bearer " + servertest.Credential + "x"}},
		{"empty", []string{"Bearer "}},
		{"bare", []string{servertest.Credential}},
		{"other scheme", []string{"DPoP " + servertest.Credential}},
		{"two fields", []string{"Bearer " + servertest.Credential, "Bearer " + servertest.Credential}},
	} {
		for _, target := range []string{"POST /mcp", "GET /mcp", "DELETE /mcp", "HEAD /mcp", "OPTIONS /mcp", "POST /", "GET /healthz"} {
			method, path, _ := strings.Cut(target, " ")
			r := httptest.NewRequest(method, path, untouched{t})
			r.Header["Authorization"] = c.fields
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s, %s: %d %q", c.name, target, w.Code, w.Header().Get("WWW-Authenticate"))
			}
		}
	}
}

func TestHTTPAnswers(t *testing.T) {
	handler, err := mcpservers.Handler(specimen(t), servertest.Credential)
	if err != nil {
		t.Fatal(err)
	}
	start := `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`
	for _, c := range []struct {
		name, method, path, scheme, body string
		status                           int
	}{
		{"initialize", "POST", "/mcp", "Bearer", start, 200},
		{"scheme in lower case", "POST", "/mcp", "bearer", start, 200},
		{"no session", "POST", "/mcp", "Bearer", ping, 200},
		{"not JSON", "POST", "/mcp", "Bearer", "{", 400},
		{"empty", "POST", "/mcp", "Bearer", "", 400},
		{"two values", "POST", "/mcp", "Bearer", ping + ping, 400},
		{"duplicate name", "POST", "/mcp", "Bearer", `{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}`, 400},
		{"invalid UTF-8", "POST", "/mcp", "Bearer", "{\"a\":\"\xff\"}", 400},
		{"too large", "POST", "/mcp", "Bearer", `"` + strings.Repeat("x", mcpservers.MaxMessage) + `"`, 413},
		{"other path", "POST", "/mcp/", "Bearer", ping, 404},
		{"other method", "PUT", "/mcp", "Bearer", ping, 405},
	} {
		r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
		r.Header.Set("Authorization", c.scheme+" "+servertest.Credential)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%s: %d %.100s, want %d", c.name, w.Code, w.Body, c.status)
		}
	}
}

func TestSessionEnds(t *testing.T) {
	handler, err := mcpservers.Handler(specimen(t), servertest.Credential)
	if err != nil {
		t.Fatal(err)
	}
	do := func(method, session, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/mcp", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+servertest.Credential)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Mcp-Session-Id", session)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	session := do("POST", "", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`).Header().Get("Mcp-Session-Id")
	if w := do("POST", session, ping); session == "" || w.Code != 200 {
		t.Fatalf("in session %q: %d %s", session, w.Code, w.Body)
	}
	if w := do("DELETE", session, ""); w.Code != 200 {
		t.Errorf("DELETE: %d", w.Code)
	}
	if w := do("POST", session, ping); w.Code != 404 {
		t.Errorf("after DELETE: %d, want 404", w.Code)
	}
}

func TestStdioAnswersEverythingBeforeItEnds(t *testing.T) {
	call := `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","arguments":{"x":1}}}`
	var out bytes.Buffer
	in := "\n" + ping + "\n{broken\n" + strings.Repeat(call+"\n", 50) + call
	if err := mcpservers.Stdio(context.Background(), specimen(t), strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 53 {
		t.Fatalf("%d answers, want 53:\n%s", len(lines), out.String())
	}
	if n := strings.Count(out.String(), `-32700`); n != 1 {
		t.Errorf("%d parse errors, want 1", n)
	}
	if n := strings.Count(out.String(), `{\"x\":1}`); n != 51 {
		t.Errorf("%d echoes, want 51", n)
	}
}

func TestStdioEnds(t *testing.T) {
	t.Run("a line too long", func(t *testing.T) {
		in := strings.NewReader(strings.Repeat("x", mcpservers.MaxMessage+1))
		if err := mcpservers.Stdio(context.Background(), specimen(t), in, io.Discard); err == nil {
			t.Error("no error")
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		in, _ := io.Pipe()
		if err := mcpservers.Stdio(ctx, specimen(t), in, io.Discard); err != context.Canceled {
			t.Errorf("got %v", err)
		}
	})
	t.Run("while a subscription is open", func(t *testing.T) {
		listen := `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}},"notifications":{"toolsListChanged":true}}}`
		if err := mcpservers.Stdio(context.Background(), specimen(t), strings.NewReader(listen+"\n"+ping), io.Discard); err != nil {
			t.Error(err)
		}
	})
}
