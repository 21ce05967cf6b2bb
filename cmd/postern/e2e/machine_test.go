package e2e

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
)

// granted is a token response (RFC 6749 §5.1).
type granted struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	Scope       string `json:"scope"`
	Error       string `json:"error"`
}

// token is an access token for the demo machine, by client credentials.
func (e *everything) token(t *testing.T, server, scope string) string {
	t.Helper()
	return e.grant(t, server, scope).AccessToken
}

func (e *everything) grant(t *testing.T, server, scope string) granted {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {e.Servers[server]}}
	if scope != "" {
		form.Set("scope", scope)
	}
	req, err := http.NewRequest(http.MethodPost, e.tokenEndpoint(t), strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(e.Client.ID), url.QueryEscape(e.Client.Secret))
	var g granted
	body := fetch(t, req)
	if err := json.Unmarshal(body, &g); err != nil || g.AccessToken == "" {
		t.Fatalf("no token: %v\n%s", err, body)
	}
	return g
}

func (e *everything) tokenEndpoint(t *testing.T) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, e.Issuer+"/.well-known/oauth-authorization-server", nil)
	if err != nil {
		t.Fatal(err)
	}
	var metadata struct {
		Issuer        string `json:"issuer"`
		TokenEndpoint string `json:"token_endpoint"`
	}
	if err := json.Unmarshal(fetch(t, req), &metadata); err != nil || metadata.Issuer != e.Issuer {
		t.Fatalf("metadata of %q: %v, %+v", e.Issuer, err, metadata)
	}
	return metadata.TokenEndpoint
}

func fetch(t *testing.T, req *http.Request) []byte {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// agent is mcp-go's client with a token that can be replaced.
type agent struct {
	*client.Client
	store    *client.MemoryTokenStore
	statuses statuses
}

// statuses are those of the answers so far, and what was refused with them.
type statuses struct {
	mu         sync.Mutex
	seen       []int
	challenges http.Header // of the last refusal
}

func (s *statuses) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.seen = append(s.seen, resp.StatusCode)
		if resp.StatusCode >= 400 {
			s.challenges = resp.Header
		}
	}
	return resp, err
}

// last is the newest status.
func (s *statuses) last() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[len(s.seen)-1]
}

func newAgent(t *testing.T, endpoint, token string, options ...client.ClientOption) *agent {
	t.Helper()
	a := &agent{store: transport.NewMemoryTokenStore()}
	a.use(t, token)
	streamable, err := transport.NewStreamableHTTP(endpoint,
		transport.WithHTTPOAuth(transport.OAuthConfig{TokenStore: a.store}),
		transport.WithHTTPBasicClient(&http.Client{Transport: &a.statuses}))
	if err != nil {
		t.Fatal(err)
	}
	a.Client = client.NewClient(streamable, options...)
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	_, err = a.Initialize(t.Context(), mcp.InitializeRequest{Params: mcp.InitializeParams{
		ProtocolVersion: mcp.LATEST_PROTOCOL_VERSION,
		ClientInfo:      mcp.Implementation{Name: "postern-e2e-machine", Version: "1.0.0"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *agent) use(t *testing.T, token string) {
	t.Helper()
	if err := a.store.SaveToken(t.Context(), &transport.Token{AccessToken: token, TokenType: "Bearer"}); err != nil {
		t.Fatal(err)
	}
}

func (a *agent) tools(t *testing.T) []string {
	t.Helper()
	list, err := a.ListTools(t.Context(), mcp.ListToolsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tool := range list.Tools {
		names = append(names, tool.Name)
	}
	slices.Sort(names)
	return names
}

func (a *agent) call(ctx context.Context, tool string, args map[string]any) (string, error) {
	result, err := a.CallTool(ctx, mcp.CallToolRequest{Params: mcp.CallToolParams{Name: tool, Arguments: args}})
	if err != nil {
		return "", err
	}
	var text strings.Builder
	for _, part := range result.Content {
		if t, ok := part.(mcp.TextContent); ok {
			text.WriteString(t.Text)
		}
	}
	return text.String(), nil
}

var (
	basicTools    = []string{"add", "divide", "multiply", "subtract"}
	advancedTools = []string{"add", "divide", "evaluate", "multiply", "power", "subtract"}
)

func TestMachineWithGoClient(t *testing.T) {
	up := shared.get(t)
	eras := map[string][]client.ClientOption{modern: nil, legacy: {client.WithLegacyProtocolOnly()}}
	for era, options := range eras {
		t.Run(era, func(t *testing.T) {
			first := up.grant(t, "calculator", "")
			if first.TokenType != "Bearer" || first.Scope != "calc:basic" {
				t.Fatalf("granted %s with %q, want Bearer with calc:basic", first.TokenType, first.Scope)
			}
			a := newAgent(t, up.Servers["calculator"], first.AccessToken, options...)
			if got := a.ProtocolVersion(); got != era {
				t.Errorf("negotiated %s, want %s", got, era)
			}
			if got := a.tools(t); !slices.Equal(got, basicTools) {
				t.Errorf("tools %v, want %v", got, basicTools)
			}
			if got, err := a.call(t.Context(), "add", map[string]any{"a": 2, "b": 3}); err != nil || got != "5" {
				t.Errorf("add: %q, %v", got, err)
			}
			power := map[string]any{"base": 2, "exponent": 10}
			got, err := a.call(t.Context(), "power", power)
			if err == nil || a.statuses.last() != http.StatusForbidden {
				t.Errorf("power without its scope: %q, %v, status %d; want 403", got, err, a.statuses.last())
			}
			needed := challenges(t, a.statuses.challenges)["Bearer"]["scope"]
			a.use(t, up.token(t, "calculator", needed))
			if got, err := a.call(t.Context(), "power", power); err != nil || got != "1024" {
				t.Errorf("power: %q, %v", got, err)
			}
			if got := a.tools(t); !slices.Equal(got, advancedTools) {
				t.Errorf("tools %v, want %v", got, advancedTools)
			}
		})
	}
}
