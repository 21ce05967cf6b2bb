package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

const (
	modern = "2026-07-28"
	legacy = "2025-11-25"
)

// caller speaks MCP over HTTP by hand. The zero key means bearer.
type caller struct {
	url     string // the resource, as in htu
	address string // where to connect, "" for the URL's own
	token   string
	key     *signer
	session string
	nonce   string       // the last one the proxy gave
	http    *http.Client // nil for one that trusts whom the system trusts
}

// message is what one request carries.
type message struct {
	method string // HTTP
	body   string
	header map[string]string
}

// meta is the envelope every 2026-07-28 request carries.
const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"` + modern + `",` +
	`"io.modelcontextprotocol/clientInfo":{"name":"e2e","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}`

func modernCall(tool, arguments string) message {
	return message{
		method: http.MethodPost,
		body:   fmt.Sprintf(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{%s,"name":%q,"arguments":%s}}`, meta, tool, arguments),
		header: map[string]string{"Mcp-Protocol-Version": modern, "Mcp-Method": "tools/call", "Mcp-Name": tool},
	}
}

func modernList() message {
	return message{
		method: http.MethodPost,
		body:   `{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{` + meta + `}}`,
		header: map[string]string{"Mcp-Protocol-Version": modern, "Mcp-Method": "tools/list"},
	}
}

func legacyPost(body string) message {
	return message{method: http.MethodPost, body: body, header: map[string]string{"Mcp-Protocol-Version": legacy}}
}

func initialize() message {
	return message{method: http.MethodPost, body: `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{` +
		`"protocolVersion":"` + legacy + `","capabilities":{},"clientInfo":{"name":"e2e","version":"1"}}}`}
}

func legacyCall(tool, arguments string) message {
	return legacyPost(fmt.Sprintf(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, tool, arguments))
}

// reply is an answer read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

// open sends m with a fresh proof and, when the proxy asks for a nonce, once
// more with that. The caller closes the body.
func (c *caller) open(t *testing.T, m message) *http.Response {
	t.Helper()
	resp := c.present(t, m, c.proof(m.method))
	if nonce := resp.Header.Get("DPoP-Nonce"); nonce != "" {
		c.nonce = nonce
		if resp.StatusCode == http.StatusUnauthorized {
			resp.Body.Close()
			return c.present(t, m, c.proof(m.method))
		}
	}
	return resp
}

// send is open for answers that end by themselves.
func (c *caller) send(t *testing.T, m message) reply {
	t.Helper()
	return read(t, c.open(t, m))
}

func (c *caller) proof(method string) string {
	if c.key == nil {
		return ""
	}
	return c.key.proof(method, c.url, c.token, c.nonce)
}

// present sends m once, with exactly this proof; "" means bearer.
func (c *caller) present(t *testing.T, m message, proof string) *http.Response {
	t.Helper()
	resp, err := c.attempt(m, proof)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func (c *caller) attempt(m message, proof string) (*http.Response, error) {
	req, err := c.request(m)
	if err != nil {
		return nil, err
	}
	c.authorize(req, proof)
	return c.client().Do(req)
}

// request is m without credentials.
func (c *caller) request(m message) (*http.Request, error) {
	req, err := http.NewRequest(m.method, c.url, strings.NewReader(m.body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json, text/event-stream")
	if m.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.session != "" {
		req.Header.Set("Mcp-Session-Id", c.session)
	}
	for name, value := range m.header {
		req.Header.Set(name, value)
	}
	return req, nil
}

func (c *caller) authorize(req *http.Request, proof string) {
	switch {
	case c.token == "":
	case proof == "":
		req.Header.Set("Authorization", "Bearer "+c.token)
	default:
		req.Header.Set("Authorization", "DPoP "+c.token)
		req.Header.Set("DPoP", proof)
	}
}

// client connects to the caller's address, whatever the URL says: what a
// load balancer does.
func (c *caller) client() *http.Client {
	if c.http != nil {
		return c.http
	}
	if c.address == "" {
		return http.DefaultClient
	}
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, c.address)
		},
	}}
}

func read(t *testing.T, resp *http.Response) reply {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(body)}
}

// expect fails unless the answer has this status; it returns the answer.
func (r reply) expect(t *testing.T, status int) reply {
	t.Helper()
	if r.status != status {
		t.Fatalf("status %d, want %d\n%v\n%s", r.status, status, r.header, r.body)
	}
	return r
}

func (r reply) decode(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.body), into); err != nil {
		t.Fatalf("%v\n%s", err, r.body)
	}
}
