package authserver

import (
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func networks(list ...string) []netip.Prefix {
	var n []netip.Prefix
	for _, s := range list {
		n = append(n, netip.MustParsePrefix(s))
	}
	return n
}

func TestCallers(t *testing.T) {
	inner := networks("10.0.0.0/8", "fd00::/8")
	for _, row := range []struct {
		name      string
		trusted   []netip.Prefix
		peer      string
		forwarded []string
		want      string
	}{
		{"nobody is trusted", nil, "192.0.2.1:99", []string{"203.0.113.9"}, "192.0.2.1"},
		{"not even loopback", nil, "127.0.0.1:99", []string{"203.0.113.9"}, "127.0.0.1"},
		{"an untrusted peer says something", inner, "192.0.2.1:99", []string{"203.0.113.9"}, "192.0.2.1"},
		{"an untrusted peer names a trusted one", inner, "192.0.2.1:99", []string{"203.0.113.9, 10.0.0.1"}, "192.0.2.1"},
		{"the proxy says who", inner, "10.0.0.1:99", []string{"203.0.113.9"}, "203.0.113.9"},
		{"the caller wrote some itself", inner, "10.0.0.1:99", []string{"198.51.100.7, 203.0.113.9"}, "203.0.113.9"},
		{"the caller wrote its own line", inner, "10.0.0.1:99", []string{"198.51.100.7", "203.0.113.9"}, "203.0.113.9"},
		{"the caller wrote rubbish", inner, "10.0.0.1:99", []string{"<script>,,", "203.0.113.9"}, "203.0.113.9"},
		{"two proxies", inner, "10.0.0.1:99", []string{"198.51.100.7, 203.0.113.9, 10.2.3.4"}, "203.0.113.9"},
		{"two proxies, two lines", inner, "10.0.0.1:99", []string{"203.0.113.9", "10.2.3.4"}, "203.0.113.9"},
		{"rubbish between proxies", inner, "10.0.0.1:99", []string{"203.0.113.9, unknown, 10.2.3.4"}, "10.0.0.1"},
		{"an empty element between proxies", inner, "10.0.0.1:99", []string{"203.0.113.9, , 10.2.3.4"}, "10.0.0.1"},
		{"rubbish from the proxy", inner, "10.0.0.1:99", []string{"203.0.113.9, _hidden"}, "10.0.0.1"},
		{"no header", inner, "10.0.0.1:99", nil, "10.0.0.1"},
		{"an empty header", inner, "10.0.0.1:99", []string{""}, "10.0.0.1"},
		{"everybody is a proxy", inner, "10.0.0.1:99", []string{"10.9.9.9, 10.2.3.4"}, "10.0.0.1"},
		{"with a port", inner, "10.0.0.1:99", []string{"203.0.113.9:4711"}, "203.0.113.9"},
		{"IPv6", inner, "[fd00::1]:99", []string{"2001:db8:1:2:3::4"}, "2001:db8:1:2:3::4"},
		{"IPv6 with a port", inner, "[fd00::1]:99", []string{"[2001:db8:1:2:3::4]:4711"}, "2001:db8:1:2:3::4"},
		{"IPv6 with a zone is nobody's", inner, "[fd00::1]:99", []string{"fe80::1%eth0"}, "fd00::1"},
		{"a mapped proxy", inner, "[::ffff:10.0.0.1]:99", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		{"a mapped proxy on the way", inner, "10.0.0.1:99", []string{"203.0.113.9, ::ffff:10.2.3.4"}, "203.0.113.9"},
		{"a mapped untrusted peer", inner, "[::ffff:192.0.2.1]:99", []string{"203.0.113.9"}, "192.0.2.1"},
		{"a link-local peer", nil, "[fe80::1%eth0]:99", nil, "fe80::1"},
		{"a socket without address", inner, "@", []string{"203.0.113.9"}, "unknown"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = row.peer
		for _, line := range row.forwarded {
			r.Header.Add("X-Forwarded-For", line)
		}
		r.Header.Set("Forwarded", "for=192.0.2.99")
		r.Header.Set("X-Real-IP", "192.0.2.99")
		s := &Server{config: Config{TrustedProxies: row.trusted}}
		if got := s.address(r); got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
	}
}

func TestCountedByNetwork(t *testing.T) {
	for peer, want := range map[string]string{
		"192.0.2.1:99": "192.0.2.1", "[::ffff:192.0.2.1]:99": "192.0.2.1", "[2001:db8:1:2:3::4]:99": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:99": "fe80::/64", "@": "unknown",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = peer
		if got := (&Server{}).network(r); got != want {
			t.Errorf("%s: %s, want %s", peer, got, want)
		}
	}
}

// Behind a proxy each caller has limits of its own; without trust in one,
// writing other addresses buys nothing.
func TestLimitsBehindAProxy(t *testing.T) {
	body := `{"redirect_uris":["` + callback + `"]}`
	for _, row := range []struct {
		name    string
		trusted []netip.Prefix
		status  int
		address string
	}{
		{"untrusted", nil, 429, "127.0.0.1"},
		{"trusted", networks("127.0.0.0/8"), 201, "203.0.113.2"},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := newRig(t, func(c *Config) { c.TrustedProxies = row.trusted })
			for range 30 {
				g.expect(g.postJSON("/register", body, header("X-Forwarded-For", "203.0.113.1")), 201, "")
			}
			if a := g.postJSON("/register", body, header("X-Forwarded-For", "203.0.113.1")); a.status != 429 {
				t.Errorf("the same caller: %d", a.status)
			}
			if a := g.postJSON("/register", body, header("X-Forwarded-For", "203.0.113.2")); a.status != row.status {
				t.Errorf("another caller: %d", a.status)
			}
			if lines := strings.Split(strings.TrimSpace(g.log.String()), "\n"); !strings.Contains(lines[len(lines)-1], `"address":"`+row.address+`"`) {
				t.Errorf("audited as %s", lines[len(lines)-1])
			}
		})
	}
}
