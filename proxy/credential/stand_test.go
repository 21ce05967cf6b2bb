package credential_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"sync"
	"testing"

	"github.com/postern-mcp/postern/proxy"
	"github.com/postern-mcp/postern/proxy/credential"
)

// asked is one token request.
type asked struct {
	header http.Header
	form   url.Values
}

// issuerStand is an issuer's token endpoint that answers as told.
type issuerStand struct {
	*httptest.Server
	mu     sync.Mutex
	seen   []asked
	algs   string // of proofs, in the metadata
	silent bool   // no metadata
	answer func(n int, a asked) (status int, body string, header http.Header)
}

func newIssuer(t *testing.T, answer func(n int, a asked) (int, string, http.Header)) *issuerStand {
	t.Helper()
	i := &issuerStand{answer: answer}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.silent {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintf(w, `{"issuer":%q,"token_endpoint":%q%s}`, i.URL, i.URL+"/token", i.algs)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		i.mu.Lock()
		a := asked{r.Header, r.PostForm}
		i.seen = append(i.seen, a)
		answer, n := i.answer, len(i.seen)
		i.mu.Unlock()
		status, body, header := answer(n, a)
		w.Header().Set("Content-Type", "application/json")
		for name, values := range header {
			w.Header()[name] = values
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

func (i *issuerStand) all() []asked {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]asked(nil), i.seen...)
}

func (i *issuerStand) answers(answer func(n int, a asked) (int, string, http.Header)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = answer
}

// numbered gives bearer tokens t1, t2, … of an hour.
func numbered(n int, _ asked) (int, string, http.Header) {
	return 200, fmt.Sprintf(`{"access_token":"t%d","token_type":"Bearer","expires_in":3600}`, n), nil
}

func away(int, asked) (int, string, http.Header) { return 503, "away", nil }

func says(status int, body string) func(int, asked) (int, string, http.Header) {
	return func(int, asked) (int, string, http.Header) { return status, body, nil }
}

var upstream = &url.URL{Scheme: "http", Host: "mcp.internal:8101", Path: "/mcp"}

func secretClient(t *testing.T, b *bench) credential.Client {
	t.Helper()
	c, err := credential.NewSecretClient(b.Kit, "proxy:1", write(t, filepath.Join(t.TempDir(), "secret"), "hush hush/+é\n"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (i *issuerStand) conf(t *testing.T, b *bench, binding credential.Binding) credential.Issuer {
	t.Helper()
	return credential.Issuer{URL: i.URL, Client: secretClient(t, b), Binding: binding}
}

func machineToken(t *testing.T, b *bench, conf credential.Issuer) *credential.ClientCredentials {
	t.Helper()
	c, err := credential.NewClientCredentials(b.Kit, conf, credential.Want{Resource: "https://mcp.internal", Audience: "mcp", Scope: []string{"a", "b"}}, upstream)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var post = proxy.Purpose{Server: "recorder", Method: "POST"}

// shown is the Authorization header, or "" when there is none to be had.
func shown(t *testing.T, c proxy.Credential) string {
	t.Helper()
	header, err := c.Show(t.Context(), post)
	if err != nil {
		return ""
	}
	return header.Get("Authorization")
}
