package proxy_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/postern-mcp/postern/policy"
	"github.com/postern-mcp/postern/proxy"
)

// TestListsTellScopes: with security_schemes, a client can ask the issuer for
// what a tool needs before it calls; without, lists are the server's own words.
func TestListsTellScopes(t *testing.T) {
	told := func(c *proxy.Config) {
		p, err := policy.Parse("policy.yaml", []byte(testPolicy+"security_schemes: true\n"))
		if err != nil {
			t.Fatal(err)
		}
		c.Servers[0].Policy = p
	}
	const listed = `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"add"},{"name":"hinted"},{"name":"ping"},{"name":"power"}]}}`
	for name, row := range map[string]struct {
		changes []change
		want    string
	}{
		"off": {nil, `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"add"},{"name":"hinted"},{"name":"ping"}]}}`},
		"on": {[]change{told}, `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"add","securitySchemes":[{"type":"oauth2","scopes":["basic"]}]},` +
			`{"name":"hinted","securitySchemes":[{"type":"oauth2","scopes":["advanced"]}]},{"name":"ping","securitySchemes":[{"type":"oauth2","scopes":[]}]}]}}`},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, append(row.changes, mode(proxy.Accepted))...)
			s.upstream.answers(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, listed)
			})
			got := s.post(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, "Authorization", "Bearer "+s.token())
			if string(got.body) != row.want {
				t.Errorf("got  %s\nwant %s", got.body, row.want)
			}
		})
	}
}
