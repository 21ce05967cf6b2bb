package authserver

import (
	"net/url"
	"strings"
	"testing"
)

const cursorCallback = "cursor://anysphere.cursor-mcp/oauth/callback"

// schemeClient is registered the way Cursor does it.
func (g *rig) schemeClient() answerOf {
	g.t.Helper()
	return g.postJSON("/register", `{"client_name":"Cursor","redirect_uris":["`+cursorCallback+`"],"token_endpoint_auth_method":"none",
		"grant_types":["authorization_code","refresh_token"],"response_types":["code"]}`)
}

func allowCursor(c *Config) { c.RedirectSchemes = []string{"cursor"} }

func TestPrivateSchemeGoesTheWholeWay(t *testing.T) {
	g := newRig(t, allowCursor)
	id := g.schemeClient().str("client_id")
	b := newBrowser(t)
	asked := with(authorization(id), "redirect_uri", cursorCallback)
	for range 2 { // remembered consent never leaves the page out: any program may have the scheme
		page := g.consentPage(b, asked)
		if !strings.Contains(page.words(), "opens cursor: links") {
			t.Fatalf("the page does not say where the answer goes: %s", page.body)
		}
		if csp := page.header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' cursor:;") {
			t.Errorf("policy %q", csp)
		}
		a := g.submit(b, "/consent", url.Values{"request": {formRequest(t, page.body)}, "decision": {"allow"}})
		if !strings.HasPrefix(a.header.Get("Location"), cursorCallback+"?") {
			t.Fatalf("went to %q", a.header.Get("Location"))
		}
		code := g.redirected(a).Get("code")
		g.expect(g.post("/token", with(redemption(id, code), "redirect_uri", cursorCallback)), 200, "")
	}
}

func TestPrivateSchemesNeedLeave(t *testing.T) {
	g := newRig(t)
	g.expect(g.schemeClient(), 400, "invalid_redirect_uri")
	g = newRig(t, allowCursor)
	id := g.schemeClient().str("client_id")
	b := newBrowser(t)
	page := g.consentPage(b, with(authorization(id), "redirect_uri", cursorCallback))
	g.s.config.RedirectSchemes = nil // as after a restart without the setting
	a := g.submit(b, "/consent", url.Values{"request": {formRequest(t, page.body)}, "decision": {"allow"}})
	if a.status != 400 || a.header.Get("Location") != "" {
		t.Errorf("at consent: %d", a.status)
	}
	g.expectReason(UnregisteredTarget)
	a = g.get(newBrowser(t), "/authorize?"+with(authorization(id), "redirect_uri", cursorCallback).Encode())
	if a.status != 400 || a.header.Get("Location") != "" {
		t.Errorf("at the start: %d", a.status)
	}
	g.expectReason(UnregisteredTarget)
}

// The document of a client is held to the same rule.
func TestPrivateSchemesInDocuments(t *testing.T) {
	for _, row := range []struct {
		name   string
		change []func(*Config)
		status int
	}{{"without leave", nil, 400}, {"with leave", []func(*Config){allowCursor}, 200}} {
		g := newRig(t, row.change...)
		id := documentHost(t, func(d string) string { return strings.Replace(d, callback, cursorCallback, 1) })
		if a := g.get(newBrowser(t), "/authorize?"+with(authorization(id), "redirect_uri", cursorCallback).Encode()); a.status != row.status {
			t.Errorf("%s: %d %s", row.name, a.status, a.body)
		}
	}
}

// What a browser does with a private scheme is the system's business; that it
// gets there is the page's: form-action holds the redirects of a form, too,
// and ends the way without a word to the person. A form that must be held
// shows that the ear is open.
func TestBrowserLeavesForAPrivateScheme(t *testing.T) {
	g := newRig(t, allowCursor)
	id := g.schemeClient().str("client_id")
	c := startChromium(t)
	c.call("Log.enable", nil, nil)
	c.call("Network.enable", nil, nil)
	c.open(g.url + "/authorize?" + with(authorization(id), "redirect_uri", cursorCallback).Encode())
	c.signIn()
	c.until(`document.readyState == "complete" && !!document.querySelector("button[name=decision]")`)
	c.keep("consent-scheme")
	c.fits()
	c.decide("allow")
	c.untilHeard("Network.loadingFailed") // nothing here opens such links
	c.eval(`f = document.createElement("form"), f.method = "post", f.action = "https://held.example/", document.body.append(f), f.submit()`)
	c.untilHeard("https://held.example/' violates")
	all := strings.Join(c.heard, "\n")
	if !strings.Contains(all, cursorCallback+"?code=") || strings.Count(all, "violates") != 1 {
		t.Errorf("the browser did not get there: %s", all)
	}
}
