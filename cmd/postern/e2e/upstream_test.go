package e2e

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// recorded is one request as it came over the wire.
type recorded struct {
	line   string // request line
	header []string
	body   string
}

// upstream is an MCP server that writes down every byte it is sent.
type upstream struct {
	url string

	mu       sync.Mutex
	requests []recorded
}

func (u *upstream) all() []recorded {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]recorded(nil), u.requests...)
}

// only is the one request there was.
func (u *upstream) only(t *testing.T) recorded {
	t.Helper()
	all := u.all()
	if len(all) != 1 {
		t.Fatalf("the upstream got %d requests, want 1: %q", len(all), all)
	}
	return all[0]
}

// wiretap keeps what was read from a connection.
type wiretap struct {
	net.Conn
	mu   sync.Mutex
	seen bytes.Buffer
}

func (c *wiretap) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen.Write(p[:n])
	return n, err
}

func (c *wiretap) take() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.seen.Reset()
	return c.seen.String()
}

type tapped struct{ net.Listener }

func (l tapped) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &wiretap{Conn: c}, nil
}

type wiretapKey struct{}

// newUpstream serves handler, which may read the body again.
func newUpstream(t *testing.T, handler http.HandlerFunc) *upstream {
	t.Helper()
	u := &upstream{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("upstream reads the body: %v", err)
		}
		u.record(r.Context().Value(wiretapKey{}).(*wiretap).take())
		r.Body = io.NopCloser(bytes.NewReader(body))
		handler(w, r)
	}))
	server.Listener = tapped{server.Listener}
	server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, wiretapKey{}, c)
	}
	server.Start()
	t.Cleanup(server.Close)
	u.url = server.URL + "/mcp"
	return u
}

func (u *upstream) record(raw string) {
	head, body, _ := strings.Cut(raw, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	u.mu.Lock()
	defer u.mu.Unlock()
	u.requests = append(u.requests, recorded{line: lines[0], header: lines[1:], body: body})
}
