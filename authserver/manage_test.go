package authserver

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/postern-mcp/postern/authserver/store"
)

// registration is a client that manages itself.
type registration struct {
	g         *rig
	id, token string
	path      string
}

func (g *rig) registration(a answerOf) registration {
	g.t.Helper()
	r := registration{g, a.str("client_id"), a.str("registration_access_token"), strings.TrimPrefix(a.str("registration_client_uri"), g.url)}
	if r.token == "" || r.path != "/register/"+r.id {
		g.t.Fatalf("no way to manage it: %s", a.body)
	}
	return r
}

func (r registration) do(method, body string, edits ...edit) answerOf {
	r.g.t.Helper()
	kind := ""
	if body != "" {
		kind = "application/json"
	}
	return r.g.do(noRedirect(), r.g.request(method, r.path, kind, body, edits...))
}

// metadata of a public client with one redirect URI; extra are further members.
func (r registration) metadata(redirect, extra string) string {
	return `{"client_id":"` + r.id + `","client_name":"Test client","redirect_uris":["` + redirect + `"],"grant_types":["authorization_code","refresh_token"]` + extra + `}`
}

func TestRegistrationIsRead(t *testing.T) {
	g := newRig(t)
	a := g.registerClient("")
	r := g.registration(a)
	got := r.do("GET", "", bearer(r.token))
	g.expect(got, 200, "")
	if got.str("client_id") != r.id || got.str("registration_access_token") != r.token || got.str("registration_client_uri") != a.str("registration_client_uri") ||
		got.str("client_name") != "Test client" || got.fields["client_secret"] != nil || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %s", got.body)
	}
}

func TestRegistrationNeedsItsToken(t *testing.T) {
	g := newRig(t)
	r, other := g.registration(g.registerClient("")), g.registration(g.registerClient(""))
	robot, _ := g.machine("calc:basic")
	operators := registration{g, robot, "", "/register/" + robot}
	nobody := registration{g, "client_x", "", "/register/client_x"}
	for name, try := range map[string]func(method, body string) answerOf{
		"none":      func(m, b string) answerOf { return r.do(m, b) },
		"another's": func(m, b string) answerOf { return r.do(m, b, bearer(other.token)) },
		"cut short": func(m, b string) answerOf { return r.do(m, b, bearer(r.token[:len(r.token)-1])) },
		"empty":     func(m, b string) answerOf { return r.do(m, b, bearer("")) },
		"two": func(m, b string) answerOf {
			return r.do(m, b, bearer(r.token), header("Authorization", "Bearer "+r.token))
		},
		"as a password":        func(m, b string) answerOf { return r.do(m, b, basic(r.id, r.token)) },
		"an operator's client": func(m, b string) answerOf { return operators.do(m, b, bearer(r.token)) },
		"an operator's, empty": func(m, b string) answerOf { return operators.do(m, b, bearer("")) },
		"nobody's":             func(m, b string) answerOf { return nobody.do(m, b, bearer(r.token)) },
	} {
		for method, body := range map[string]string{"GET": "", "DELETE": "", "PUT": r.metadata(callback, "")} {
			a := try(method, body)
			if a.status != 401 || a.str("error") != "invalid_token" || a.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s, %s: %d %s", name, method, a.status, a.body)
			}
		}
	}
	g.expect(r.do("GET", "", bearer(r.token)), 200, "")
	g.expect(r.do("POST", "x", bearer(r.token)), 405, "invalid_request")
}

func TestRegistrationIsReplaced(t *testing.T) {
	g := newRig(t)
	public := g.registration(g.registerClient(`,"token_endpoint_auth_method":"none","scope":"calc:basic"`))
	a := public.do("PUT", public.metadata("http://127.0.0.1/other", `,"token_endpoint_auth_method":"none"`), bearer(public.token))
	g.expect(a, 200, "")
	if _, left := a.fields["scope"]; left || !strings.Contains(a.body, `"redirect_uris":["http://127.0.0.1/other"]`) {
		t.Errorf("got %s", a.body)
	}
	if page := g.get(newBrowser(t), "/authorize?"+authorization(public.id).Encode()); page.status != 400 {
		t.Errorf("the old redirect: %d", page.status)
	}
	g.expectReason(UnregisteredTarget)
	g.expect(public.do("GET", "", bearer(public.token)), 200, "")

	first := g.registerClient("")
	secret, confidential := first.str("client_secret"), g.registration(first)
	a = confidential.do("PUT", confidential.metadata(callback, `,"client_secret":"`+secret+`"`), bearer(confidential.token))
	g.expect(a, 200, "")
	if a.fields["client_secret"] != nil {
		t.Error("the secret is told again")
	}
	g.expect(g.post("/introspect", url.Values{"token": {"x"}}, basic(confidential.id, secret)), 200, "")
	a = public.do("PUT", public.metadata(callback, `,"token_endpoint_auth_method":"client_secret_post"`), bearer(public.token))
	if a.str("client_secret") == "" || a.fields["client_secret_expires_at"] == nil {
		t.Errorf("no secret: %s", a.body)
	}
}

func TestReplacementIsChecked(t *testing.T) {
	g := newRig(t)
	r := g.registration(g.registerClient(""))
	for name, body := range map[string]string{
		"no client_id":          `{"redirect_uris":["` + callback + `"]}`,
		"another client_id":     strings.Replace(r.metadata(callback, ""), r.id, "client_x", 1),
		"another secret":        r.metadata(callback, `,"client_secret":"guess"`),
		"its token":             r.metadata(callback, `,"registration_access_token":"x"`),
		"its address":           r.metadata(callback, `,"registration_client_uri":"x"`),
		"when it was issued":    r.metadata(callback, `,"client_id_issued_at":0`),
		"when the secret ends":  r.metadata(callback, `,"client_secret_expires_at":0`),
		"what no client may be": r.metadata(callback, `,"grant_types":["client_credentials"]`),
		"member twice":          r.metadata(callback, `,"client_id":"x"`),
		"not JSON":              "x",
	} {
		a := r.do("PUT", body, bearer(r.token))
		if a.status != 400 || a.str("error") != "invalid_client_metadata" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	g.expect(r.do("PUT", r.metadata("http://app.example/cb", ""), bearer(r.token)), 400, "invalid_redirect_uri")
}

// Grants were given to whoever could prove itself in one way; when that is
// another way, they end. Otherwise people are only asked again.
func TestReplacementEndsWhatWasGivenToAnother(t *testing.T) {
	g := newRig(t)
	r := g.registration(g.registerClient(""))
	secret := r.do("PUT", r.metadata("https://app.example/cb", `,"token_endpoint_auth_method":"none"`), bearer(r.token))
	g.expect(secret, 200, "")
	// Of clients that registered themselves people are asked every time.
	if _, err := g.database().Exec("UPDATE clients SET dynamic = 0"); err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t)
	query := with(authorization(r.id), "redirect_uri", "https://app.example/cb")
	form := func(code string) url.Values {
		return with(redemption(r.id, code), "redirect_uri", "https://app.example/cb")
	}
	a := g.post("/token", form(g.authorizeBy(b, query).Get("code")))
	g.expect(a, 200, "")
	if page := g.consentPage(b, query); page.status != 303 {
		t.Fatalf("asked again at once: %d", page.status)
	}
	g.expect(r.do("PUT", r.metadata("https://app.example/cb", `,"token_endpoint_auth_method":"none","client_uri":"https://app.example/"`), bearer(r.token)), 200, "")
	if page := g.consentPage(b, query); page.status != 200 {
		t.Errorf("not asked again: %d", page.status)
	}
	again := g.post("/token", refreshing(r.id, a))
	g.expect(again, 200, "")
	keys := `,"token_endpoint_auth_method":"private_key_jwt","jwks":` + setOf(t, newKey(t))
	g.expect(r.do("PUT", r.metadata("https://app.example/cb", keys), bearer(r.token)), 200, "")
	g.expect(r.do("PUT", r.metadata("https://app.example/cb", `,"token_endpoint_auth_method":"none"`), bearer(r.token)), 200, "")
	g.expect(g.post("/token", refreshing(r.id, again)), 400, "invalid_grant")
	proxy, proxySecret := g.resourceServer(calculator)
	if i := g.post("/introspect", url.Values{"token": {again.str("access_token")}}, basic(proxy, proxySecret)); i.fields["active"] != false {
		t.Errorf("its access token lives: %s", i.body)
	}
}

func TestRegistrationIsDeleted(t *testing.T) {
	g := newRig(t)
	r := g.registration(g.registerClient(`,"token_endpoint_auth_method":"none"`))
	a := g.tokens(r.id)
	gone := r.do("DELETE", "", bearer(r.token))
	if gone.status != 204 || gone.body != "" {
		t.Errorf("got %d %q", gone.status, gone.body)
	}
	g.expect(g.post("/token", refreshing(r.id, a)), 401, "invalid_client")
	g.expect(r.do("GET", "", bearer(r.token)), 401, "invalid_token")
	proxy, secret := g.resourceServer(calculator)
	if i := g.post("/introspect", url.Values{"token": {a.str("access_token")}}, basic(proxy, secret)); i.fields["active"] != false {
		t.Errorf("its token lives: %s", i.body)
	}
}

func TestNoRegistrationsWhereItIsClosed(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Registration = RegistrationClosed })
	id, _ := g.machine("calc:basic")
	g.expect(g.do(noRedirect(), g.request("GET", "/register/"+id, "", "", bearer("x"))), 404, "invalid_request")
}

// A page in a browser may manage its own registration: no cookie is read.
func TestRegistrationIsManagedFromABrowser(t *testing.T) {
	g := newRig(t)
	r := g.registration(g.registerClient(""))
	pre := r.do("OPTIONS", "", header("Origin", "https://app.example"), header("Access-Control-Request-Method", "DELETE"))
	if pre.status != 204 || !strings.Contains(pre.header.Get("Access-Control-Allow-Methods"), "DELETE") || !strings.Contains(pre.header.Get("Access-Control-Allow-Methods"), "PUT") {
		t.Errorf("preflight: %d %v", pre.status, pre.header)
	}
	if a := r.do("GET", "", bearer(r.token), header("Origin", "https://app.example")); a.status != 200 || a.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("got %d %v", a.status, a.header)
	}
}

func TestGuessingRegistrationTokensIsSlowed(t *testing.T) {
	g := newRig(t)
	r := g.registration(g.registerClient(""))
	for range 300 {
		r.do("GET", "", bearer("prm_guess"))
	}
	a := r.do("GET", "", bearer("prm_guess"))
	g.expect(a, 429, "temporarily_unavailable")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

// A page that was shown for what a client said before is shown again.
func TestApprovalIsOfTheClientThatWasShown(t *testing.T) {
	g := newRig(t)
	r := g.registration(g.registerClient(""))
	b := newBrowser(t)
	page := g.consentPage(b, authorization(r.id))
	g.expect(r.do("PUT", strings.Replace(r.metadata(callback, ""), "Test client", "Somebody else", 1), bearer(r.token)), 200, "")
	again := g.submit(b, "/consent", approval(t, page, "allow"))
	if again.status != 200 || !strings.Contains(again.words(), "Somebody else") {
		t.Fatalf("got %d %s", again.status, again.words())
	}
	if back := g.redirected(g.submit(b, "/consent", approval(t, again, "allow"))); back.Get("code") == "" {
		t.Errorf("got %v", back)
	}
}

// replacing is a store in which a client is replaced right before a person's
// answer is written.
type replacing struct {
	Store
	replace func()
}

func (s replacing) Approve(ctx context.Context, a store.Approval) error {
	s.replace()
	return s.Store.Approve(ctx, a)
}

func (s replacing) AllowDevice(ctx context.Context, h store.Hash, g store.Grant, version string) error {
	s.replace()
	return s.Store.AllowDevice(ctx, h, g, version)
}

func TestReplacementWhileApproving(t *testing.T) {
	g := newRig(t)
	r := g.registration(g.registerClient(`,"token_endpoint_auth_method":"none"`))
	other := strings.NewReplacer("Test client", "Somebody else", `"refresh_token"`, `"`+grantDevice+`"`).
		Replace(r.metadata(callback, `,"token_endpoint_auth_method":"none"`))
	replace := sync.OnceFunc(func() { g.expect(r.do("PUT", other, bearer(r.token)), 200, "") })
	b := newBrowser(t)
	page := g.consentPage(b, authorization(r.id))
	g.keepIn(replacing{g.s.store, replace})
	again := g.submit(b, "/consent", approval(t, page, "allow"))
	if again.status != 200 || !strings.Contains(again.words(), "Somebody else") {
		t.Fatalf("got %d %s", again.status, again.words())
	}
	page = g.devicePages(b, g.waits(r.id).str("user_code"))
	g.keepIn(replacing{g.s.store, func() {
		g.expect(r.do("PUT", strings.Replace(other, "Somebody else", "A third", 1), bearer(r.token)), 200, "")
	}})
	again = g.submit(b, "/consent", approval(t, page, "allow"))
	if again.status != 200 || !strings.Contains(again.words(), "A third") {
		t.Fatalf("a device got %d %s", again.status, again.words())
	}
}
