package e2e

import (
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// onSocket serves handler on a Unix socket for the length of the test.
func onSocket(t *testing.T, socket string, handler http.HandlerFunc) {
	t.Helper()
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: ln, Config: &http.Server{Handler: handler}}
	server.Start()
	t.Cleanup(server.Close)
}

func TestUnixSocketMayComeLater(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "mcp.sock")
	seen := make(chan string, 4)
	s := startSeveral(t,
		place{name: "plain", way: "upstream: unix:" + socket, tools: []string{"echo"}},
		place{name: "elsewhere", way: "upstream: unix:" + socket + ":/deep/er?v=1", tools: []string{"echo"}},
	)
	c := s.caller("ada", "plain")
	got := c.send(t, modernCall("echo", `{}`)).expect(t, http.StatusBadGateway)
	if !strings.Contains(got.body, "upstream_unreachable") {
		t.Errorf("without a socket: %s", got.body)
	}
	onSocket(t, socket, func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Host + " " + r.URL.String()
		echo(w, r)
	})
	for name, want := range map[string]string{"plain": "localhost /mcp", "elsewhere": "localhost /deep/er?v=1"} {
		s.caller("ada", name).send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
		if got := <-seen; got != want {
			t.Errorf("%s: the upstream was asked for %q, want %q", name, got, want)
		}
	}
}

// TestServersOfOneProxyAreApart: over HTTP, a socket and stdin, what belongs
// to one server is nothing at another.
func TestServersOfOneProxyAreApart(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "mcp.sock")
	onSocket(t, socket, sessions)
	s := startSeveral(t,
		place{name: "http", way: "upstream: " + newUpstream(t, sessions).url, tools: []string{"echo"}},
		place{name: "unix", way: "upstream: unix:" + socket, tools: []string{"echo"}},
		place{name: "stdio", way: "stdio: {command: [" + binary + ", mcp, calculator]}", tools: []string{"add", "echo"}},
	)
	names := []string{"http", "unix", "stdio"}
	held := map[string]*caller{}
	for _, name := range names {
		c := s.caller("ada", name)
		c.session = c.send(t, initialize()).expect(t, http.StatusOK).header.Get("Mcp-Session-Id")
		if c.session == "" {
			t.Fatalf("%s gives no session", name)
		}
		c.send(t, legacyCall("echo", `{}`)).expect(t, http.StatusOK)
		held[name] = c
	}
	for _, from := range names {
		for _, to := range names {
			if from == to {
				continue
			}
			stolen := *held[to]
			stolen.session = held[from].session
			if got := stolen.send(t, legacyCall("echo", `{}`)); got.status != http.StatusNotFound || !strings.Contains(got.body, "session_unknown") {
				t.Errorf("the session of %s at %s: %d %s", from, to, got.status, got.body)
			}
			foreign := caller{url: s.url(to), token: held[from].token}
			if got := foreign.send(t, legacyCall("echo", `{}`)); got.status != http.StatusUnauthorized || !strings.Contains(got.body, "token_audience") {
				t.Errorf("the token of %s at %s: %d %s", from, to, got.status, got.body)
			}
		}
	}
	got := held["stdio"].send(t, legacyCall("add", `{"a":"1/3","b":2}`)).expect(t, http.StatusOK)
	if !strings.Contains(got.body, "7/3") || !strings.Contains(got.body, `"id":7`) {
		t.Errorf("the calculator says %s", got.body)
	}
}
