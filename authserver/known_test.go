package authserver

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// exhaust fails at a name from a strange browser until it may not go on.
func (g *rig) exhaust(name string) {
	g.t.Helper()
	b := newBrowser(g.t)
	form := g.loginForm(b, name, "wrong")
	for range 10 {
		if a := g.submit(b, "/login", form); a.status != 403 {
			g.t.Fatalf("got %d", a.status)
		}
	}
	if a := g.submit(b, "/login", form); a.status != 429 {
		g.t.Fatalf("not limited: %d", a.status)
	}
}

func TestStrangersDoNotLockTheOwnerOut(t *testing.T) {
	g := newRig(t)
	owner := newBrowser(t)
	if a := g.submit(owner, "/login", g.loginForm(owner, testUser, testPassword)); a.status != 303 {
		t.Fatalf("first sign-in: %d", a.status)
	}
	g.exhaust(testUser)
	again := g.loginFormAgain(owner)
	if a := g.submit(owner, "/login", again); a.status != 303 {
		t.Errorf("the owner at a known browser: %d", a.status)
	}
	stranger := newBrowser(t)
	if a := g.submit(stranger, "/login", g.loginForm(stranger, testUser, testPassword)); a.status != 429 {
		t.Errorf("a strange browser: %d", a.status)
	}
	for range 10 {
		if a := g.submit(owner, "/login", with(again, "password", "wrong")); a.status != 403 {
			t.Errorf("a try of the known browser: %d", a.status)
		}
	}
	if a := g.submit(owner, "/login", again); a.status != 429 {
		t.Errorf("a known browser has tries without end: %d", a.status)
	}
}

// loginFormAgain signs a browser out first.
func (g *rig) loginFormAgain(b *http.Client) url.Values {
	g.t.Helper()
	page := g.consentPage(b, authorization(g.publicClient()))
	a := g.submit(b, "/consent", url.Values{"request": {formRequest(g.t, page.body)}, "decision": {"switch"}})
	page = g.get(b, strings.TrimPrefix(a.header.Get("Location"), g.url))
	return url.Values{"request": {formRequest(g.t, page.body)}, "username": {testUser}, "password": {testPassword}}
}

func TestKnownBrowsers(t *testing.T) {
	g := newRig(t)
	b := newBrowser(t)
	a := g.submit(b, "/login", g.loginForm(b, testUser, testPassword))
	var cookie *http.Cookie
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == "postern-known" {
			cookie = c
		}
	}
	if cookie == nil || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.MaxAge != int(knownLife.Seconds()) {
		t.Fatalf("got %v", cookie)
	}
	with := func(values ...string) *http.Request {
		r := g.request("POST", "/login", "", "")
		for _, v := range values {
			r.AddCookie(&http.Cookie{Name: cookie.Name, Value: v})
		}
		return r
	}
	if g.s.known(with(cookie.Value), testUser).id == "" {
		t.Error("not known")
	}
	for name, r := range map[string]*http.Request{
		"no cookie": with(), "two": with(cookie.Value, cookie.Value), "changed": with(flip(cookie.Value)),
		"cut short": with(cookie.Value[:len(cookie.Value)-4]), "not base64": with("%%"), "empty": with(""),
	} {
		if g.s.known(r, testUser).id != "" {
			t.Errorf("%s: known", name)
		}
	}
	if g.s.known(with(cookie.Value), "bob").id != "" {
		t.Error("known for another name")
	}
	if g.s.known(with(cookie.Value), "ADA").id == "" {
		t.Error("not known in capitals")
	}
	g.clock.forward(knownLife)
	if g.s.known(with(cookie.Value), testUser).id != "" {
		t.Error("known for ever")
	}
}
