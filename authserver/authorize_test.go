package authserver

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// What is wrong before client and redirect are known to belong together stays here.
func TestUnknownRedirectIsNeverFollowed(t *testing.T) {
	g := newRig(t)
	id := g.publicClient()
	machine, _ := g.machine("calc:basic")
	good := authorization(id)
	for _, row := range []struct {
		name   string
		query  url.Values
		status int
		reason Reason
	}{
		{"no client", with(good, "client_id", "-"), 400, MissingParameter},
		{"unknown client", with(good, "client_id", "client_nobody"), 400, UnknownClient},
		{"no redirect", with(good, "redirect_uri", "-"), 400, MissingParameter},
		{"another host", with(good, "redirect_uri", "https://evil.example/cb"), 400, UnregisteredTarget},
		{"another path", with(good, "redirect_uri", "http://127.0.0.1:7777/cb/x"), 400, UnregisteredTarget},
		{"path in other case", with(good, "redirect_uri", "http://127.0.0.1:7777/CB"), 400, UnregisteredTarget},
		{"with a query", with(good, "redirect_uri", callback+"?x=1"), 400, UnregisteredTarget},
		{"localhost for 127.0.0.1", with(good, "redirect_uri", "http://localhost:7777/cb"), 400, UnregisteredTarget},
		{"https for http", with(good, "redirect_uri", "https://127.0.0.1:7777/cb"), 400, UnregisteredTarget},
		{"user information", with(good, "redirect_uri", "http://x@127.0.0.1:7777/cb"), 400, UnregisteredTarget},
		{"a host that begins alike", with(good, "redirect_uri", "http://127.0.0.1.evil.example/cb"), 400, UnregisteredTarget},
		{"dot segments", with(good, "redirect_uri", "http://127.0.0.1:7777/x/../cb"), 400, UnregisteredTarget},
		{"two redirects", url.Values{"client_id": {id}, "redirect_uri": {callback, callback}}, 400, RepeatedParameter},
		{"two clients", url.Values{"client_id": {id, id}, "redirect_uri": {callback}}, 400, RepeatedParameter},
		{"a machine, without any", with(good, "client_id", machine), 400, UnregisteredTarget},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := g.get(newBrowser(t), "/authorize?"+row.query.Encode())
			if a.status != row.status || a.header.Get("Location") != "" || strings.Contains(a.body, "evil.example") {
				t.Errorf("got %d %q %s", a.status, a.header.Get("Location"), a.body)
			}
			g.expectReason(row.reason)
			checkPageHeaders(t, a.header)
		})
	}
}

func checkPageHeaders(t *testing.T, h http.Header) {
	t.Helper()
	policy := h.Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") {
		t.Errorf("CSP %q", policy)
	}
	for name, want := range map[string]string{"X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
		"X-Content-Type-Options": "nosniff", "Access-Control-Allow-Origin": ""} {
		if h.Get(name) != want {
			t.Errorf("%s: %q", name, h.Get(name))
		}
	}
}

func TestLoopbackPortMayDiffer(t *testing.T) {
	g := newRig(t)
	id := g.publicClient()
	at := "http://127.0.0.1:50123/cb"
	v := g.consentPage(newBrowser(t), with(authorization(id), "redirect_uri", at))
	if v.status != 200 {
		t.Fatalf("got %d %s", v.status, v.body)
	}
	code := g.code(id, "redirect_uri", at)
	g.expect(g.post("/token", redemption(id, code)), 400, "invalid_grant") // the port asked for is the port it is bound to
	g.expect(g.post("/token", with(redemption(id, code), "redirect_uri", at)), 200, "")
}

func TestAuthorizationErrorsGoBack(t *testing.T) {
	g := newRig(t)
	id := g.publicClient()
	good := authorization(id)
	for _, row := range []struct {
		name  string
		query url.Values
		code  string
	}{
		{"no response type", with(good, "response_type", "-"), "invalid_request"},
		{"implicit", with(good, "response_type", "token"), "unsupported_response_type"},
		{"hybrid", with(good, "response_type", "code id_token"), "unsupported_response_type"},
		{"no challenge", with(good, "code_challenge", "-"), "invalid_request"},
		{"no challenge method", with(good, "code_challenge_method", "-"), "invalid_request"},
		{"plain", with(good, "code_challenge_method", "plain"), "invalid_request"},
		{"method in other case", with(good, "code_challenge_method", "s256"), "invalid_request"},
		{"challenge that is no digest", with(good, "code_challenge", verifier), "invalid_request"},
		{"unknown scope", with(good, "scope", "calc:basic calc:all"), "invalid_scope"},
		{"scope of another resource", with(good, "scope", "db:read"), "invalid_scope"},
		{"unknown resource", with(good, "resource", "https://mcp.example/x"), "invalid_target"},
		{"no resource, and two to choose from", with(good, "resource", "-"), "invalid_target"},
		{"bad key thumbprint", with(good, "dpop_jkt", "x"), "invalid_request"},
		{"repeated parameter", func() url.Values { v := with(good); v["scope"] = []string{"a", "b"}; return v }(), "invalid_request"},
	} {
		t.Run(row.name, func(t *testing.T) {
			v := g.redirected(g.get(newBrowser(t), "/authorize?"+row.query.Encode()))
			if v.Get("error") != row.code || v.Get("state") != "st&te=" || v.Get("iss") != g.url || v.Get("code") != "" {
				t.Errorf("got %v", v)
			}
		})
	}
}

// Anyone can register an https address; a link through this server must not
// become a way to send people there unasked.
func TestErrorsDoNotMakeAnOpenRedirect(t *testing.T) {
	g := newRig(t)
	at := "https://shop.example/cb"
	id := g.postJSON("/register", `{"redirect_uris":["`+at+`"],"token_endpoint_auth_method":"none","client_name":"Shop"}`).str("client_id")
	bad := "/authorize?" + with(authorization(id), "redirect_uri", at, "response_type", "token").Encode()
	b := newBrowser(t)
	a := g.get(b, bad)
	if a.status != 400 || a.header.Get("Location") != "" || !strings.Contains(a.words(), "Go back to shop.example") {
		t.Errorf("got %d %q %s", a.status, a.header.Get("Location"), a.body)
	}
	g.consentPage(b, with(authorization(id), "redirect_uri", at)) // signs in
	if v := g.redirected(g.get(b, bad)); v.Get("error") != "unsupported_response_type" {
		t.Errorf("signed in: %v", v)
	}
}

func TestDefaultScopeOfAnAuthorization(t *testing.T) {
	g := newRig(t)
	plain := g.publicClient()
	own := g.registerClient(`,"token_endpoint_auth_method":"none","scope":"calc:power db:read"`).str("client_id")
	for id, want := range map[string]string{plain: "calc:basic", own: "calc:power"} {
		a := g.post("/token", redemption(id, g.code(id, "scope", "-")))
		if a.str("scope") != want {
			t.Errorf("got %s, want %s", a.body, want)
		}
	}
}

func TestAuthorizationByPost(t *testing.T) {
	g := newRig(t)
	id := g.publicClient()
	a := g.submit(newBrowser(t), "/authorize", authorization(id), header("Sec-Fetch-Site", "cross-site"))
	if a.status != 303 || !strings.HasPrefix(a.header.Get("Location"), "/authorize?") {
		t.Fatalf("got %d %v", a.status, a.header)
	}
	if page := g.get(newBrowser(t), a.header.Get("Location")); !strings.Contains(page.body, `name="password"`) {
		t.Errorf("got %d %s", page.status, page.body)
	}
}

func TestRedirectKeepsItsOwnQuery(t *testing.T) {
	g := newRig(t)
	at := "http://127.0.0.1/cb?tenant=7"
	id := g.postJSON("/register", `{"redirect_uris":["`+at+`"],"token_endpoint_auth_method":"none"}`).str("client_id")
	v := g.authorizeBy(newBrowser(t), with(authorization(id), "redirect_uri", at))
	if v.Get("tenant") != "7" || v.Get("code") == "" {
		t.Errorf("got %v", v)
	}
}

// What a client registered for is what it gets when it asks for nothing, as
// far as the resource knows it; of what it does not know, the defaults.
func TestScopeWithoutAsking(t *testing.T) {
	g := newRig(t)
	for registered, want := range map[string]string{
		"": "calc:basic", "calc:power": "calc:power", "calc:power db:read": "calc:power", "openid profile": "calc:basic", "db:read": "calc:basic",
	} {
		id := g.registerClient(`,"token_endpoint_auth_method":"none","scope":"` + registered + `"`).str("client_id")
		a := g.post("/token", redemption(id, g.code(id, "scope", "-")))
		if a.status != 200 || a.str("scope") != want {
			t.Errorf("%q: got %d %q, want %q", registered, a.status, a.str("scope"), want)
		}
	}
}
