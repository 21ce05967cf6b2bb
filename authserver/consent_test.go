package authserver

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func approval(t *testing.T, page answerOf, decision string) url.Values {
	t.Helper()
	return url.Values{"request": {formRequest(t, page.body)}, "decision": {decision}}
}

func TestConsentPageSaysWhoAndWhat(t *testing.T) {
	g := newRig(t)
	page := g.consentPage(newBrowser(t), with(authorization(g.publicClient()), "scope", "calc:basic calc:power"))
	checkPageHeaders(t, page.header)
	for _, words := range []string{"Test client", "Calculator", "not verified", "127.0.0.1", "It asks to", "Raise to a power", "calc:power", testUser, calculator} {
		if !strings.Contains(page.words(), words) {
			t.Errorf("the page does not say %q", words)
		}
	}
	if p := page.header.Get("Content-Security-Policy"); !strings.Contains(p, "form-action 'self' http://127.0.0.1:7777;") {
		t.Errorf("CSP %q", p)
	}
}

func TestNameOfAClientIsNeverMarkup(t *testing.T) {
	g := newRig(t)
	a := g.postJSON("/register", `{"client_name":"<script>x</script>","redirect_uris":["`+callback+`"],"token_endpoint_auth_method":"none"}`)
	page := g.consentPage(newBrowser(t), authorization(a.str("client_id")))
	if page.status != 200 || strings.Contains(page.body, "<script>") {
		t.Errorf("got %d %s", page.status, page.body)
	}
}

func TestStepUpShowsWhatIsNew(t *testing.T) {
	g := newRig(t)
	id, b := g.publicClient(), newBrowser(t)
	if g.authorizeBy(b, authorization(id)).Get("code") == "" {
		t.Fatal("no code")
	}
	page := g.consentPage(b, with(authorization(id), "scope", "calc:basic calc:power"))
	added, held, ok := strings.Cut(page.body, "You already let it")
	if !ok || !strings.Contains(added, "Raise to a power") || strings.Contains(added, "Add, subtract") || !strings.Contains(held, "Add, subtract") {
		t.Errorf("got %s", page.body)
	}
	v := g.redirected(g.submit(b, "/consent", approval(t, page, "allow")))
	a := g.post("/token", redemption(id, v.Get("code")))
	if a.str("scope") != "calc:basic calc:power" {
		t.Errorf("got %s", a.body)
	}
}

func TestWhenConsentIsAskedAgain(t *testing.T) {
	g := newRig(t)
	at, other := "https://shop.example/cb", "https://shop.example:8443/cb"
	metadata := `{"redirect_uris":["` + at + `","` + other + `"],"token_endpoint_auth_method":"none"}`
	register := func() string {
		id, _, err := g.s.RegisterClient(t.Context(), []byte(metadata))
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	shop, twin := register(), register()
	itself := with(authorization(g.postJSON("/register", metadata).str("client_id")), "redirect_uri", at)
	web := with(authorization(shop), "redirect_uri", at)
	b := newBrowser(t)
	g.authorizeBy(b, web)
	g.authorizeBy(b, itself)
	local := g.publicClient()
	g.authorizeBy(b, authorization(local))
	for _, row := range []struct {
		name  string
		query url.Values
		asked bool
	}{
		{"the same again", web, false},
		{"another client", with(web, "client_id", twin), true},
		{"another redirect host", with(web, "redirect_uri", other), true},
		{"more scope", with(web, "scope", "calc:basic calc:power"), true},
		{"another resource", with(web, "resource", database, "scope", "db:read"), true},
		{"a program on this device, every time", authorization(local), true},
		{"one that registered itself, every time", itself, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			page := g.get(b, "/authorize?"+row.query.Encode())
			if (page.status == 200) != row.asked || (page.status == 303) == row.asked {
				t.Errorf("got %d %s", page.status, page.body)
			}
		})
	}
}

func TestDenialGoesBack(t *testing.T) {
	g := newRig(t)
	b := newBrowser(t)
	page := g.consentPage(b, authorization(g.publicClient()))
	v := g.redirected(g.submit(b, "/consent", approval(t, page, "deny")))
	if v.Get("error") != "access_denied" || v.Get("iss") != g.url || v.Get("state") != "st&te=" || v.Get("code") != "" {
		t.Errorf("got %v", v)
	}
	again := g.submit(b, "/consent", approval(t, page, "allow"))
	if again.status != 400 {
		t.Errorf("a denied request was approved: %d", again.status)
	}
	g.expectReason(RequestSpent)
}

// Everything a thief or another site could try with a form that is not theirs.
func TestApprovalBelongsToOneBrowserAndOneRequest(t *testing.T) {
	g := newRig(t)
	id := g.publicClient()
	mine, thief := newBrowser(t), newBrowser(t)
	page := g.consentPage(mine, authorization(id))
	g.consentPage(thief, authorization(id)) // the thief is signed in, too
	loginForm := g.get(newBrowser(t), "/authorize?"+authorization(id).Encode())
	allow := approval(t, page, "allow")
	for _, row := range []struct {
		name   string
		by     *http.Client
		form   url.Values
		edits  []edit
		status int
		reason Reason
	}{
		{"another browser", thief, allow, nil, 400, BadRequestState},
		{"a browser without cookies", newBrowser(t), allow, nil, 400, BadRequestState},
		{"another site", mine, allow, []edit{header("Sec-Fetch-Site", "cross-site")}, 403, CrossSite},
		{"a sibling host", mine, allow, []edit{header("Sec-Fetch-Site", "same-site")}, 403, CrossSite},
		{"another origin, old browser", mine, allow, []edit{header("Origin", "https://evil.example")}, 403, CrossSite},
		{"the form of the sign-in page", mine, approval(t, loginForm, "allow"), nil, 400, BadRequestState},
		{"a changed form", mine, with(allow, "request", flip(allow.Get("request"))), nil, 400, BadRequestState},
		{"no form", mine, url.Values{"decision": {"allow"}}, nil, 400, BadRequestState},
		{"no decision", mine, with(allow, "decision", "-"), nil, 400, MissingParameter},
		{"an unknown decision", mine, with(allow, "decision", "maybe"), nil, 400, MissingParameter},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := g.submit(row.by, "/consent", row.form, row.edits...)
			if a.status != row.status || a.header.Get("Location") != "" {
				t.Errorf("got %d %q", a.status, a.header.Get("Location"))
			}
			g.expectReason(row.reason)
		})
	}
	if g.redirected(g.submit(mine, "/consent", allow)).Get("code") == "" {
		t.Error("the rightful approval gave no code")
	}
	if a := g.submit(mine, "/consent", allow); a.status != 400 {
		t.Errorf("approved twice: %d", a.status)
	}
	g.expectReason(RequestSpent)
}

// The address of the consent page is worth nothing in another browser, signed in or not.
func TestConsentAddressBelongsToOneBrowser(t *testing.T) {
	g := newRig(t)
	mine, thief := newBrowser(t), newBrowser(t)
	done := g.submit(mine, "/login", g.loginForm(mine, testUser, testPassword))
	g.consentPage(thief, authorization(g.publicClient()))
	for name, row := range map[string]struct {
		by     *http.Client
		status int
	}{"the one": {mine, 200}, "one without cookies": {newBrowser(t), 400}, "one signed in": {thief, 400}} {
		a := g.get(row.by, done.header.Get("Location"))
		if a.status != row.status || strings.Contains(a.body, `name="decision"`) != (row.status == 200) {
			t.Errorf("%s: %d", name, a.status)
		}
	}
}

func TestApprovalGrowsOld(t *testing.T) {
	g := newRig(t)
	b := newBrowser(t)
	page := g.consentPage(b, authorization(g.publicClient()))
	g.clock.forward(requestLife)
	if a := g.submit(b, "/consent", approval(t, page, "allow")); a.status != 400 {
		t.Errorf("got %d", a.status)
	}
	g.expectReason(BadRequestState)
}

func TestSomeoneElseSignsIn(t *testing.T) {
	g := newRig(t)
	b := newBrowser(t)
	page := g.consentPage(b, authorization(g.publicClient()))
	a := g.submit(b, "/consent", approval(t, page, "switch"))
	if login := g.get(b, a.header.Get("Location")); !strings.Contains(login.body, `name="password"`) {
		t.Errorf("got %d %s", login.status, login.body)
	}
	if again := g.submit(b, "/consent", approval(t, page, "allow")); again.status != 400 {
		t.Errorf("the old session's form still works: %d", again.status)
	}
}

func TestSessionEnds(t *testing.T) {
	g := newRig(t)
	b, query := newBrowser(t), "/authorize?"+authorization(g.publicClient()).Encode()
	g.consentPage(b, authorization(g.publicClient()))
	if page := g.get(b, query); strings.Contains(page.body, `name="password"`) {
		t.Fatal("not signed in")
	}
	g.clock.forward(sessionLife - time.Second)
	if page := g.get(b, query); strings.Contains(page.body, `name="password"`) {
		t.Error("signed out early")
	}
	g.clock.forward(time.Second)
	if page := g.get(b, query); !strings.Contains(page.body, `name="password"`) {
		t.Error("still signed in")
	}
}

func TestConsentPageSaysHowRiskyAScopeIs(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Resources[0].Scopes[1].Risk = "high" })
	page := g.consentPage(newBrowser(t), with(authorization(g.publicClient()), "scope", "calc:basic calc:power"))
	tame, risky, ok := strings.Cut(page.body, "Raise to a power")
	if !ok || strings.Contains(tame, "Risk:") || !strings.Contains(risky, `<span class="tag bad">Risk: high</span>`) {
		t.Errorf("got %s", page.body)
	}
}

func TestConsentPageSaysWhoVouches(t *testing.T) {
	g := newRig(t)
	id, _, err := g.s.RegisterClient(t.Context(), []byte(`{"client_name":"Desk tool","redirect_uris":["`+callback+`"],"application_type":"native","token_endpoint_auth_method":"none"}`))
	if err != nil {
		t.Fatal(err)
	}
	_, web := g.httpsClient()
	for _, row := range []struct {
		name  string
		query url.Values
		known bool
	}{
		{"an operator's, at its own address", web, true},
		{"an operator's, that any program on the device may say it is", authorization(id), false},
		{"one that registered itself", authorization(g.publicClient()), false},
	} {
		page := g.consentPage(newBrowser(t), row.query).words()
		if known := strings.Contains(page, "An administrator of this server registered it"); known != row.known || known == strings.Contains(page, "an application that calls itself") {
			t.Errorf("%s: %s", row.name, page)
		}
	}
}
