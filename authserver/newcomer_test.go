package authserver

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// Who asks for nothing but who somebody is, uses nothing.
func TestPagesSayWhoIsKnownRatherThanUsed(t *testing.T) {
	g := newRig(t, calledSums)
	query := with(authorization(g.publicClient()), "scope", "openid profile")
	says(t, g.get(newBrowser(t), "/authorize?"+query.Encode()), "know who you are, sign in.", "-Calculator")
	says(t, g.consentPage(newBrowser(t), query), "know who you are?", "asks who you are, and for nothing else", "-Calculator", "-"+sums)
	says(t, g.consentPage(newBrowser(t), with(query, "scope", "openid calc:basic")), "use Calculator?", "asks to act in your name", "What Calculator is "+sums)
	w := g.post("/device_authorization", deviceForm(g.television(""), "scope", "openid"))
	says(t, g.answerDevice(newBrowser(t), w.str("user_code"), "allow"), "You let an application that calls itself Television know who you are.", "-Calculator")
	for name, row := range map[string]struct {
		p    pending
		of   Resource
		want bool
	}{
		"who":               {pending{Scope: []string{scopeOpenID}}, Resource{Scopes: []Scope{{Name: "a"}}}, true},
		"and something":     {pending{Scope: []string{scopeOpenID, "a"}}, Resource{Scopes: []Scope{{Name: "a"}}}, false},
		"and details":       {pending{Scope: []string{scopeOpenID}, Details: "[]"}, Resource{Scopes: []Scope{{Name: "a"}}}, false},
		"nothing":           {pending{}, Resource{Scopes: []Scope{{Name: "a"}}}, false},
		"where scopes lack": {pending{Scope: []string{scopeOpenID}}, Resource{}, false},
	} {
		if got := row.of.identifies(row.p); got != row.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

const sums = "Sums and powers"

func calledSums(c *Config) { c.Resources[0].About = sums }

func TestPagesSayWhatAServerIs(t *testing.T) {
	g := newRig(t, calledSums)
	b, id := newBrowser(t), g.publicClient()
	query := authorization(id)
	says(t, g.consentPage(b, query), "What Calculator is "+sums)
	g.authorizeBy(b, query)
	says(t, g.get(b, "/account/applications"), "Calculator"+sums)
	says(t, g.get(b, "/account/application?client="+url.QueryEscape(id)), "What it may do with Calculator "+sums)
	w := g.waits(g.television(""))
	says(t, g.answerDevice(newBrowser(t), w.str("user_code"), "allow"), "Calculator: "+sums)
	plain := newRig(t)
	says(t, plain.consentPage(newBrowser(t), authorization(plain.publicClient())), "-What Calculator is")
}

// A program hears which of its scopes is refused, in characters it can print; a
// page shows nothing of what a link says.
func TestRefusedScopeIsNamed(t *testing.T) {
	g := newRig(t)
	id, secret := g.machine("calc:basic")
	machine := url.Values{"grant_type": {"client_credentials"}, "resource": {calculator}}
	for name, row := range map[string]struct{ scope, want string }{
		"unknown":          {"calc:basic calc:all", " It is 'calc:all'."},
		"beyond its bound": {"calc:power", " It is 'calc:power'."},
		"longest":          {"calc:" + strings.Repeat("x", mostSent-5), "x'."},
		"longer":           {"calc:" + strings.Repeat("x", mostSent-4), "this client may have."},
		"a secret":         {secret, "this client may have."},
		"no scope":         {"calc\"\\\u00e9\n<b>", " It is 'calc''??<b>'."},
	} {
		a := g.post("/token", with(machine, "scope", row.scope), basic(id, secret))
		if said := a.str("error_description"); a.status != 400 || !strings.HasSuffix(said, row.want) || strings.ContainsFunc(said, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
			t.Errorf("%s: %d %q", name, a.status, said)
		}
	}
	public := g.publicClient()
	if v := g.redirected(g.get(newBrowser(t), "/authorize?"+with(authorization(public), "scope", "calc:all").Encode())); !strings.HasSuffix(v.Get("error_description"), " It is 'calc:all'.") {
		t.Errorf("the redirect says %q", v.Get("error_description"))
	}
	tokens := g.tokens(public)
	if a := g.post("/token", with(refreshing(public, tokens), "scope", "db:read")); !strings.HasSuffix(a.str("error_description"), " It is 'db:read'.") {
		t.Errorf("a refresh: %s", a.body)
	}
	_, query := g.httpsClient()
	says(t, g.get(newBrowser(t), "/authorize?"+with(query, "scope", "Call-0800-123456").Encode()), "A requested scope does not exist here", "-0800")
}

// Who is signed in and proves it once more types no name. Whoever else sits
// there says so, and is asked for theirs; nobody is somebody else by a form.
func TestSignInOnceMoreKnowsTheName(t *testing.T) {
	g := newRig(t)
	b := g.visitor()
	g.clock.forward(securityAge + time.Second)
	page := g.get(b, "/account/security")
	says(t, page, "Sign in once more", "You are signed in as "+testUser+". Not you?", "-User name")
	if !strings.Contains(page.body, `value="`+testUser+`" autocomplete="username" readonly hidden`) {
		t.Errorf("the name can be typed, or is not told to password managers: %s", page.body)
	}
	form := url.Values{"request": {formRequest(t, page.body)}, "username": {testUser}, "password": {"wrong"}}
	wrong := g.submit(b, "/login", form)
	says(t, wrong, "Sign in once more", "The name or the password is wrong", "Not you?", "-User name")
	if a := g.submit(b, "/login", with(form, "password", testPassword)); a.status != 303 || g.local(a) != "/account/security" {
		t.Errorf("the right password: %d %s", a.status, a.words())
	}
	says(t, g.get(b, "/account/security"), "How you prove that it is you")

	g.clock.forward(securityAge + time.Second)
	page = g.get(b, "/account/security")
	if a := g.submit(b, "/login", url.Values{"request": {formRequest(t, page.body)}, "other": {"yes"}}, header("Sec-Fetch-Site", "cross-site")); a.status != 403 {
		t.Errorf("another site signs out: %d", a.status)
	}
	a := g.submit(b, "/login", url.Values{"request": {formRequest(t, page.body)}, "other": {"yes"}})
	if a.status != 303 || g.local(a) != "/account/security" {
		t.Fatalf("not them: %d %s", a.status, a.words())
	}
	page = g.get(b, g.local(a))
	says(t, page, "User name", "-"+testUser, "-Sign in once more", "-You are signed out here")
}

// Another account on a form that names one is a sign-in to that other account.
func TestSignInOnceMoreAsSomebodyElse(t *testing.T) {
	g := newRig(t)
	if err := g.s.CreateUser(t.Context(), "root", adminPassword); err != nil {
		t.Fatal(err)
	}
	b := g.visitor()
	g.clock.forward(securityAge + time.Second)
	page := g.get(b, "/account/security")
	form := url.Values{"request": {formRequest(t, page.body)}, "username": {"root"}, "password": {"wrong"}}
	says(t, g.submit(b, "/login", form), "-Not you?", "User name")
	g.submit(b, "/login", with(form, "password", adminPassword))
	says(t, g.get(b, "/account"), "Hello, root", "-"+testUser)
	if got, err := g.s.store.Sessions(t.Context(), g.idOf(testUser), g.clock.Now()); err != nil || len(got) != 0 {
		t.Errorf("the first session goes on beside it: %v %v", got, err)
	}
}

// After an application is removed, the page says what that means, and the way back.
func TestRemovalIsExplained(t *testing.T) {
	g := newRig(t)
	b, id := newBrowser(t), g.publicClient()
	g.authorizeBy(b, authorization(id))
	one := g.get(b, "/account/application?client="+url.QueryEscape(id))
	folded := strings.Index(one.body, "<details>")
	if end := strings.Index(one.body, "/account/application/remove"); folded < 0 || end > folded || strings.Count(one.body, "<details>") != 2 {
		t.Errorf("what people come for stands behind what they do not: %s", one.body)
	}
	says(t, one, "For whoever you ask for help", "Its id here"+id, "Each time you said yes: 1", "runs on your device")
	gone := g.press(b, g.get(b, "/account/application/remove?client="+url.QueryEscape(id)), "/account/application/remove")
	says(t, gone, "its tokens end within seconds", "To let it in again, use it: it asks you as it did the first time")
}

func TestRecoveryCodeIsNamedInTheListOfBrowsers(t *testing.T) {
	g := newRig(t, asking)
	home := newBrowser(t)
	g.setUpCodes(home)
	codes := g.recoveryCodesOf(home)
	b, id := newBrowser(t), g.publicClient()
	a := g.second(b, g.halfway(b, with(authorization(id), "scope", "openid calc:basic")), "recovery", codes[0])
	if a.status != 303 {
		t.Fatalf("got %d %s", a.status, a.words())
	}
	says(t, g.get(b, "/account/sessions"), "by password and recovery code")
	v := g.authorizeBy(b, with(authorization(id), "scope", "openid calc:basic"))
	tokens := g.post("/token", redemption(id, v.Get("code")))
	if got := g.claims(tokens.str("access_token")).AMR; !slices.Contains(got, amrCode) || slices.Contains(got, recordedRecovery) {
		t.Errorf("the token says %v", got)
	}
}

// Whoever signs up is told that it worked, wherever they are led.
func TestNewcomersHearThatTheirAccountIsMade(t *testing.T) {
	g := newRig(t, func(c *Config) { c.SignUp = SignUpOpen })
	b := newBrowser(t)
	a := g.submit(b, "/sign-up", g.newcomer(b, "/sign-up"))
	if a.status != 303 {
		t.Fatalf("got %d %s", a.status, a.words())
	}
	says(t, g.get(b, g.local(a)), "Hello, Grace Hopper", "Your account is made, and you are signed in.", "Address of this page"+g.url+"/account")
	says(t, g.get(b, "/account"), "-Your account is made")
}
