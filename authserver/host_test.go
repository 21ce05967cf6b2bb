package authserver

import (
	"net/http"
	"strings"
	"testing"
)

func TestHosts(t *testing.T) {
	for _, row := range []struct {
		issuer string
		good   []string
		bad    []string
	}{
		{"https://auth.example", []string{"auth.example", "auth.example:443", "AUTH.example", "internal:8090"},
			[]string{"", "evil.example", "auth.example:8090", "auth.example:80", "auth.example.", "auth.example.evil.example", "127.0.0.1", "localhost", "internal", "auth.example:443:443"}},
		{"https://auth.example:8443/tenant", []string{"auth.example:8443"}, []string{"auth.example", "auth.example:443"}},
		{"http://127.0.0.1:8090", []string{"127.0.0.1:8090", "localhost:8090", "[::1]:8090", "LOCALHOST:8090"},
			[]string{"127.0.0.1", "localhost:80", "127.0.0.2:8090", "evil.example:8090", "evil.example", "::1:8090", "0.0.0.0:8090"}},
		{"http://[::1]", []string{"[::1]", "[::1]:80", "localhost", "127.0.0.1:80"}, []string{"::1", "[::2]", "[::1]:443"}},
	} {
		h := newHosts(row.issuer, []string{"internal:8090"})
		for _, host := range row.good {
			if !h.answers(host) {
				t.Errorf("%s: refuses %q", row.issuer, host)
			}
		}
		for _, host := range row.bad {
			if h.answers(host) {
				t.Errorf("%s: answers %q", row.issuer, host)
			}
		}
	}
}

// A page whose name was made to point at this machine (DNS rebinding) is sent
// away at every path and with every method.
func TestForeignHostsAreRefused(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Hosts = []string{"internal:8090"} })
	port := g.url[strings.LastIndex(g.url, ":"):]
	ask := func(method, path, host string) answerOf {
		req := g.request(method, path, "", "")
		req.Host = host
		return g.do(noRedirect(), req)
	}
	for _, to := range [][2]string{
		{"GET", "/.well-known/oauth-authorization-server"}, {"GET", "/.well-known/openid-configuration"}, {"GET", "/jwks.json"}, {"GET", "/status/0"},
		{"POST", "/token"}, {"OPTIONS", "/token"}, {"POST", "/register"}, {"GET", "/userinfo"}, {"GET", "/style.css"}, {"GET", "/nothing"},
		{"GET", "/authorize"}, {"POST", "/login"}, {"POST", "/consent"}, {"GET", "/device"}, {"GET", "/logout"},
	} {
		for _, host := range []string{"evil.example" + port, "evil.example", "127.0.0.1", "0.0.0.0" + port} {
			if a := ask(to[0], to[1], host); a.status != http.StatusMisdirectedRequest || a.header.Get("Set-Cookie") != "" || !strings.Contains(a.body, "This Host is not served here") {
				t.Errorf("%v as %s: %d %s", to, host, a.status, a.body)
			}
			g.expectReason(WrongHost)
		}
	}
	for _, host := range []string{"127.0.0.1" + port, "localhost" + port, "[::1]" + port, "internal:8090"} {
		g.expect(ask("GET", "/jwks.json", host), 200, "")
	}
}
