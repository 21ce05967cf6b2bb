package authserver

import (
	"net/url"
	"strings"
	"testing"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/store"
)

// says compares a page with what it must and must not say.
func says(t *testing.T, page answerOf, words ...string) {
	t.Helper()
	text := page.words()
	for _, w := range words {
		if unwanted, ok := strings.CutPrefix(w, "-"); ok == strings.Contains(text, unwanted) {
			t.Errorf("%q is wrong for %d %s", w, page.status, text)
		}
	}
}

// commandPage is the page on which root is asked about the command line.
func (g *rig) commandPage(scope string) answerOf {
	g.t.Helper()
	b := g.administrator("admin")
	w := g.post("/device_authorization", url.Values{"client_id": {adminClient}, "resource": {g.url + admin.Prefix}, "scope": {scope}},
		g.proofFor(newKey(g.t), "POST", "/device_authorization", ""))
	return g.devicePages(b, w.str("user_code"))
}

func TestConsentPageSaysWhatAdministrationIs(t *testing.T) {
	g := newRig(t)
	page := g.commandPage("postern:read postern:users")
	says(t, page, "This is the administration.", "everybody’s accounts on this server, not only for yours", "The postern command on the machine where you started it", "We cannot tell whether it is really this command",
		"Create, change and delete anybody's account", "-known here", "-not verified", "-An administrator of this server registered it", "-calls itself")
	if n := strings.Count(page.body, `<span class="tag bad">Risk: high</span>`); n != 2 {
		t.Errorf("%d of 2 scopes are said to be risky: %s", n, page.words())
	}
	other := g.consentPage(newBrowser(t), authorization(g.publicClient()))
	says(t, other, "-This is the administration", "-The postern command")
}

// Every scope of the administration has words and a risk.
func TestAdministrationHasWords(t *testing.T) {
	for _, s := range adminResource(newSite("https://as.example")).Scopes {
		if s.Description == "" || s.Risk != "high" {
			t.Errorf("%+v", s)
		}
	}
}

func TestConsentPageSaysHowLong(t *testing.T) {
	g := newRig(t)
	brief := g.postJSON("/register", `{"client_name":"Brief","redirect_uris":["`+callback+`"],"token_endpoint_auth_method":"none","grant_types":["authorization_code"]}`).str("client_id")
	const at = "https://app.example/cb"
	own, _, err := g.s.RegisterClient(t.Context(), []byte(`{"client_name":"App","redirect_uris":["`+at+`"],"token_endpoint_auth_method":"none","grant_types":["authorization_code"]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name  string
		query url.Values
		says  string
	}{
		{"with refresh tokens", authorization(g.publicClient()), "It ends by itself when it is not used for 24 hours."},
		{"without, and asked every time", authorization(brief), "For 10 minutes. Then it has to ask you again."},
		{"without, and remembered", with(authorization(own), "redirect_uri", at), "For 10 minutes each time it comes back here, until you take it back."},
	} {
		t.Run(row.name, func(t *testing.T) {
			page := g.consentPage(newBrowser(t), row.query)
			says(t, page, row.says)
			if !strings.Contains(page.body, `href="`+g.url+`/account/applications"`) {
				t.Error("nobody says where it is taken back")
			}
		})
	}
}

func TestConsentPageSaysWhereOneGoes(t *testing.T) {
	g := newRig(t)
	_, web := g.httpsClient()
	says(t, g.consentPage(newBrowser(t), authorization(g.publicClient())), "an application on this computer 127.0.0.1", "We cannot tell which one")
	says(t, g.consentPage(newBrowser(t), web), "-on this computer", "-Nobody has checked")
	at := "https://evil.example.net/cb"
	stranger := g.postJSON("/register", `{"client_name":"Claude","redirect_uris":["`+at+`"],"token_endpoint_auth_method":"none"}`).str("client_id")
	says(t, g.consentPage(newBrowser(t), with(authorization(stranger), "redirect_uri", at)),
		"Nobody has checked who runs evil.example.net. Go on only if you just came from there yourself.")
}

// calling is what an application of that name, which registered itself, asks for.
func (g *rig) calling(name string) url.Values {
	g.t.Helper()
	return authorization(g.postJSON("/register", `{"client_name":"`+name+`","redirect_uris":["`+callback+`"],"token_endpoint_auth_method":"none"}`).str("client_id"))
}

// The page on which the password is typed says as much of who asks as the next one.
func TestSignInPageSaysWhoAsks(t *testing.T) {
	g := newRig(t)
	_, web := g.httpsClient()
	signIn := func(query url.Values) answerOf { return g.get(newBrowser(t), "/authorize?"+query.Encode()) }
	says(t, signIn(g.calling("Claude")), "an application that calls itself Claude use", "not verified", "Any program could call itself", "-imitates")
	says(t, signIn(g.calling("Cl\u0430ude")), "The name imitates another one.")
	says(t, signIn(web), "An administrator of this server registered it", "-not verified", "-calls itself")
	says(t, g.get(newBrowser(t), "/account"), "-verified", "-application")
}

func TestNamesStayInTheirBox(t *testing.T) {
	g := newRig(t)
	page := g.consentPage(newBrowser(t), g.calling("Claude” (verified by Anthropic) “"))
	const box = `<span class="name claim"><bdi>Claude<span class="odd">” U+201D</span> (verified by Anthropic) <span class="odd">“ U+201C</span></bdi></span>`
	if !strings.Contains(page.body, box) {
		t.Errorf("got %s", page.body)
	}
}

func TestApplicationWithoutAName(t *testing.T) {
	g := newRig(t)
	b := newBrowser(t)
	query := g.calling("")
	says(t, g.consentPage(b, query), "Let an application without a name use", "not verified", "It does not say what it is", "-calls itself")
	g.authorizeBy(b, query)
	says(t, g.get(b, "/account/applications"), "An application without a name")
}

func TestConsentPageSaysThatNothingIsNew(t *testing.T) {
	g := newRig(t)
	b, query := newBrowser(t), authorization(g.publicClient())
	const words = "Nothing here is new. You allowed all of this before. “Don’t allow” leaves that as it is"
	says(t, g.consentPage(b, query), "-"+words)
	g.authorizeBy(b, query)
	page := g.consentPage(b, query)
	says(t, page, words)
	says(t, g.consentPage(b, with(query, "scope", "calc:basic calc:power")), "-"+words)
	g.submit(b, "/consent", approval(t, page, "deny"))
	says(t, g.get(b, "/account/applications"), "Test client", "-No application has access now")
}

func TestConsentPageShowsImitations(t *testing.T) {
	g := newRig(t)
	says(t, g.consentPage(newBrowser(t), g.calling("Cl\u0430ude")), "Clа U+0430ude", "The name imitates another one.", "-like that of this server")
	says(t, g.consentPage(newBrowser(t), g.calling("Postern Admin")), "Its name is like that of this server.", "Go on only if you know who made it")
	says(t, g.consentPage(newBrowser(t), g.calling("Клод")), "Клод", "-U+", "-imitates")
}

func TestDeviceIsDoneSaysWhatNext(t *testing.T) {
	g := newRig(t)
	w := g.waits(g.television(""))
	done := g.answerDevice(newBrowser(t), w.str("user_code"), "allow")
	says(t, done, "You can close this page and go back to your device", strings.TrimPrefix(g.url, "http://")+"/account/applications")
	w = g.waits(g.television(""))
	says(t, g.answerDevice(newBrowser(t), w.str("user_code"), "deny"), "You can close this page", "-/account/applications")
}

func TestSignInPageSaysWhomToAsk(t *testing.T) {
	g := newRig(t)
	b := newBrowser(t)
	page := g.get(b, "/account")
	says(t, page, "Forgot your password? Ask an administrator", "-You are signed out here")
	a := g.submit(b, "/login", url.Values{"request": {formRequest(t, page.body)}, "username": {testUser}, "password": {"wrong"}})
	says(t, a, "Type both again", "ask an administrator", "-You are signed out here")
}

// Whoever was signed in hears that they are no more, and why that may be.
func TestWhoeverIsOutHearsWhy(t *testing.T) {
	off := func(p store.Person) (store.User, error) {
		p.DisabledAt = p.CreatedAt
		return p.User, nil
	}
	for name, end := range map[string]func(g *rig) error{
		"disabled": func(g *rig) error { return g.s.store.ChangePerson(g.t.Context(), g.userID(), g.clock.Now(), off) },
		"deleted":  func(g *rig) error { return g.s.DeleteUser(g.t.Context(), testUser) },
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			b := g.visitor()
			if err := end(g); err != nil {
				t.Fatal(err)
			}
			says(t, g.get(b, "/account"), "You are signed out here.", "an administrator ended it, or disabled or deleted your account", "this server lost what it knew of it", "ask an administrator of this server")
			says(t, g.get(b, "/authorize?"+authorization(g.publicClient()).Encode()), "You are signed out here.")
		})
	}
	g := newRig(t)
	b := g.visitor()
	g.submit(b, "/logout", url.Values{"confirm": {"yes"}})
	says(t, g.get(b, "/account"), "-You are signed out here")
}

func TestSecuritySaysWhenACodeIsAskedFor(t *testing.T) {
	g := newRig(t)
	says(t, g.get(g.visitor(), "/account/security"), "We ask for one when a sign-in is unusual", "-after your password", "browsers keep passkeys for names", "-Add a passkey")
	always := newRig(t, asking)
	says(t, always.get(always.visitor(), "/account/security"), "We ask for one at every sign-in")
}
