package authserver

import (
	"net/netip"
	"net/url"
	"testing"
)

// TestClientThatGuessesPaysItself: wherever it is, and its neighbours do not.
func TestClientThatGuessesPaysItself(t *testing.T) {
	g := newRig(t, func(c *Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	reg, honest := g.registerClient(""), g.registerClient("")
	mine := basic(reg.str("client_id"), reg.str("client_secret"))
	guess := url.Values{"grant_type": {"authorization_code"}, "code": {"x"}, "code_verifier": {verifier}}
	here, there := header("X-Forwarded-For", "203.0.113.1"), header("X-Forwarded-For", "203.0.113.2")
	for range 300 {
		g.expect(g.post("/token", guess, mine, here), 400, "invalid_grant")
	}
	for name, from := range map[string]edit{"here": here, "there": there} {
		a := g.post("/token", guess, mine, from)
		g.expect(a, 429, "temporarily_unavailable")
		if a.header.Get("Retry-After") == "" {
			t.Errorf("%s: not told for how long", name)
		}
	}
	g.expect(g.post("/token", guess, basic(honest.str("client_id"), honest.str("client_secret")), here), 400, "invalid_grant")
}
