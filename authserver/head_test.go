package authserver

import (
	"net/url"
	"strings"
	"testing"
)

// Whoever looks at a link without following it gets no code, and signs nobody out.
func TestLookingAtALinkChangesNothing(t *testing.T) {
	g := newRig(t)
	id, b, hint := g.leaver()
	head := func(path string) answerOf { return g.do(b, g.request("HEAD", path, "", "")) }
	for _, path := range []string{
		"/authorize?" + authorization(id).Encode(), "/logout?" + url.Values{"id_token_hint": {hint}}.Encode(),
		"/consent?request=x", "/device", "/account",
	} {
		a := head(path)
		if a.status != 405 || strings.Contains(a.header.Get("Allow"), "HEAD") || a.header.Get("Location") != "" {
			t.Errorf("%s: %d %v", path, a.status, a.header)
		}
	}
	if !g.signedIn(b) {
		t.Error("signed out")
	}
	if a, err := b.Head(g.url + "/jwks.json"); err != nil || a.StatusCode != 200 {
		t.Errorf("keys: %v, %v", a, err)
	}
}

// Whoever types the address of the server at a browser gets to their account;
// for everybody else there is nothing.
func TestTheAddressAloneLeadsToTheAccount(t *testing.T) {
	const browsers = "text/html,application/xhtml+xml,*/*;q=0.8"
	for _, base := range []string{"", "/tenant"} {
		g := newRig(t, func(c *Config) { c.Issuer += base })
		b := newBrowser(t)
		for _, row := range []struct {
			method, path, accept string
			status               int
			location             string
		}{
			{"GET", "/", browsers, 303, base + "/account"},
			{"GET", "/", "*/*", 404, ""},
			{"GET", "/", "", 404, ""},
			{"POST", "/", browsers, 404, ""},
			{"GET", "/nothing", browsers, 404, ""},
		} {
			q := g.request(row.method, row.path, "", "")
			q.Header.Set("Accept", row.accept)
			a := g.do(b, q)
			if a.status != row.status || a.header.Get("Location") != row.location {
				t.Errorf("%s%s %s %s: %d %s", base, row.method, row.path, row.accept, a.status, a.header.Get("Location"))
			}
		}
	}
}
