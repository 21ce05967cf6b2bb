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
