package authserver

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver/dpop"
	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/authserver/replay"
	"github.com/postern-mcp/postern/authserver/token"
)

// identified redeems a code of a request with scope openid.
func (g *rig) identified(id string, edits ...edit) answerOf {
	g.t.Helper()
	code := g.code(id, "scope", "openid profile calc:basic", "nonce", "n-0S6&")
	a := g.post("/token", redemption(id, code), edits...)
	g.expect(a, 200, "")
	return a
}

func (g *rig) idToken(a answerOf) map[string]any {
	g.t.Helper()
	u, err := jose.Parse(a.str("id_token"), 8<<10)
	if err != nil {
		g.t.Fatalf("%v: %s", err, a.body)
	}
	if err := u.VerifyIn(g.publishedKeys()); err != nil || u.Type != "JWT" {
		g.t.Fatalf("typ %q: %v", u.Type, err)
	}
	var claims map[string]any
	if err := json.Unmarshal(u.Payload, &claims); err != nil {
		g.t.Fatal(err)
	}
	return claims
}

func TestIDToken(t *testing.T) {
	g := newRig(t)
	id := g.publicClient()
	a := g.identified(id)
	access := g.verified(a)
	half := sha256.Sum256([]byte(a.str("access_token")))
	c := g.idToken(a)
	for name, want := range map[string]any{
		"iss": g.url, "sub": access.Subject, "aud": id, "nonce": "n-0S6&", "acr": "pwd",
		"at_hash": base64.RawURLEncoding.EncodeToString(half[:16]), "auth_time": float64(access.AuthTime.Unix()),
		"iat": float64(g.clock.Now().Unix()), "exp": float64(g.clock.Now().Add(10 * time.Minute).Unix()),
	} {
		if c[name] != want {
			t.Errorf("%s: %v, want %v", name, c[name], want)
		}
	}
	if strings.Join(access.Scope, " ") != "openid profile calc:basic" {
		t.Errorf("scope %v", access.Scope)
	}
	plain := g.tokens(id)
	if _, there := plain.fields["id_token"]; there {
		t.Error("an ID token that nobody asked for")
	}
	if c := g.idToken(g.post("/token", redemption(id, g.code(id, "scope", "openid")))); c["nonce"] != nil {
		t.Errorf("a nonce that nobody sent: %v", c)
	}
}

// at_hash follows the algorithm of the signature.
func TestHalfHash(t *testing.T) {
	for alg, want := range map[jose.Algorithm]int{jose.ES256: 22, jose.RS256: 22, jose.PS256: 22, jose.ES384: 32, jose.EdDSA: 43} {
		if got := halfHash(alg, "token"); len(got) != want {
			t.Errorf("%s: %d characters", alg, len(got))
		}
	}
}

func TestDeviceIsToldWhoItsPersonIs(t *testing.T) {
	g := newRig(t)
	id := g.television("")
	w := g.post("/device_authorization", deviceForm(id, "scope", "openid"))
	page := g.devicePages(newBrowser(t), w.str("user_code"))
	if !strings.Contains(page.body, "Know that it is you") {
		t.Errorf("got %s", page.body)
	}
	g.answerDevice(newBrowser(t), w.str("user_code"), "allow")
	a := g.post("/token", polling(id, w))
	if c := g.idToken(a); c["aud"] != id || c["sub"] != g.verified(a).Subject {
		t.Errorf("got %v", c)
	}
}

// Machines are nobody.
func TestIdentityIsForPeople(t *testing.T) {
	g := newRig(t)
	id, secret := g.machine("calc:basic")
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {calculator}, "scope": {"openid"}}
	g.expect(g.post("/token", form, basic(id, secret)), 400, "invalid_scope")
}

func TestIDTokenIsNoAccessToken(t *testing.T) {
	g := newRig(t)
	a := g.identified(g.publicClient())
	watcher, secret := g.resourceServer(calculator)
	if i := g.post("/introspect", url.Values{"token": {a.str("id_token")}}, basic(watcher, secret)); i.fields["active"] != false {
		t.Errorf("introspection: %s", i.body)
	}
	g.expect(g.do(noRedirect(), g.request("GET", "/userinfo", "", "", bearer(a.str("id_token")))), 401, "invalid_token")
	for profile, reason := range map[token.Profile]token.Reason{token.RFC9068: token.WrongType, token.JWT: token.WrongTarget} {
		rules, err := token.NewRules(g.url, []string{calculator}, profile, 0)
		if err != nil {
			t.Fatal(err)
		}
		u, err := token.Parse(a.str("id_token"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = u.Verify(g.clock.Now(), rules, g.publishedKeys())
		if refused, ok := err.(*token.Error); !ok || refused.Reason != reason {
			t.Errorf("profile %s: %v", profile, err)
		}
	}
}

func TestUserinfo(t *testing.T) {
	g := newRig(t)
	id := g.publicClient()
	a := g.identified(id)
	sub := g.verified(a).Subject
	for _, method := range []string{"GET", "POST"} {
		info := g.do(noRedirect(), g.request(method, "/userinfo", "", "", bearer(a.str("access_token"))))
		if info.status != 200 || info.str("sub") != sub || info.str("preferred_username") != testUser || len(info.fields) != 2 {
			t.Errorf("%s: %d %s", method, info.status, info.body)
		}
	}
	less := g.post("/token", redemption(id, g.code(id, "scope", "openid")))
	if info := g.do(noRedirect(), g.request("GET", "/userinfo", "", "", bearer(less.str("access_token")))); info.str("sub") != sub || len(info.fields) != 1 {
		t.Errorf("without profile: %s", info.body)
	}
}

func TestUserinfoRefuses(t *testing.T) {
	g := newRig(t)
	id := g.publicClient()
	good, plain := g.identified(id), g.tokens(id)
	robot, secret := g.machine("calc:basic")
	machine := g.post("/token", url.Values{"grant_type": {"client_credentials"}, "resource": {calculator}}, basic(robot, secret))
	gone := g.identified(id)
	g.expect(g.post("/revoke", url.Values{"token": {gone.str("access_token")}, "client_id": {id}}), 200, "")
	for _, row := range []struct {
		name      string
		edits     []edit
		status    int
		reason    Reason
		challenge string
	}{
		{"nothing", nil, 401, NoAccessToken, `Bearer realm=`},
		{"two", []edit{bearer(good.str("access_token")), header("Authorization", "Bearer x")}, 401, NoAccessToken, `Bearer `},
		{"basic", []edit{basic("x", "y")}, 401, NoAccessToken, `Bearer `},
		{"changed", []edit{bearer(good.str("access_token") + "x")}, 401, DeadAccessToken, `Bearer `},
		{"refresh token", []edit{bearer(good.str("refresh_token"))}, 401, DeadAccessToken, `Bearer `},
		{"revoked", []edit{bearer(gone.str("access_token"))}, 401, DeadAccessToken, `Bearer `},
		{"unbound, as bound", []edit{header("Authorization", "DPoP "+good.str("access_token"))}, 401, DeadAccessToken, `DPoP `},
		{"without openid", []edit{bearer(plain.str("access_token"))}, 403, TokenWithoutOpenID, `error="insufficient_scope"`},
		{"of a machine", []edit{bearer(machine.str("access_token"))}, 403, TokenWithoutOpenID, `Bearer `},
	} {
		a := g.do(noRedirect(), g.request("GET", "/userinfo", "", "", row.edits...))
		if a.status != row.status || !strings.Contains(a.header.Get("WWW-Authenticate"), row.challenge) || a.str("sub") != "" {
			t.Errorf("%s: %d %v %s", row.name, a.status, a.header, a.body)
		}
		g.expectReason(row.reason)
	}
}

func (g *rig) proofWithToken(key jose.PrivateKey, path, access, nonce string) edit {
	g.t.Helper()
	target, err := dpop.ParseTarget(g.url + path)
	if err != nil {
		g.t.Fatal(err)
	}
	p, err := dpop.Make(key, g.clock.Now(), "GET", target, access, nonce)
	if err != nil {
		g.t.Fatal(err)
	}
	return header("DPoP", p)
}

func TestUserinfoWantsTheProof(t *testing.T) {
	g := newRig(t)
	key := newKey(t)
	a := g.identified(g.publicClient(), g.proof(key, ""))
	access := a.str("access_token")
	shownAs := header("Authorization", "DPoP "+access)
	used := g.proofWithToken(key, "/userinfo", access, "")
	for _, row := range []struct {
		name   string
		edits  []edit
		status int
		reason Reason
	}{
		{"as bearer", []edit{bearer(access), g.proofWithToken(key, "/userinfo", access, "")}, 401, DeadAccessToken},
		{"none", []edit{shownAs}, 401, BadResourceProof},
		{"another key", []edit{shownAs, g.proofWithToken(newKey(t), "/userinfo", access, "")}, 401, BadResourceProof},
		{"another path", []edit{shownAs, g.proofWithToken(key, "/token", access, "")}, 401, BadResourceProof},
		{"another token", []edit{shownAs, g.proofWithToken(key, "/userinfo", access+"x", "")}, 401, BadResourceProof},
		{"no token", []edit{shownAs, g.proofWithToken(key, "/userinfo", "", "")}, 401, BadResourceProof},
		{"good", []edit{shownAs, used}, 200, ""},
		{"used", []edit{shownAs, used}, 401, BadResourceProof},
	} {
		got := g.do(noRedirect(), g.request("GET", "/userinfo", "", "", row.edits...))
		if got.status != row.status {
			t.Errorf("%s: %d %s", row.name, got.status, got.body)
		}
		if row.reason != "" {
			g.expectReason(row.reason)
		}
	}
}

func TestUserinfoHandsOutNonces(t *testing.T) {
	g := newRig(t, demandsNonces)
	key := newKey(t)
	id := g.publicClient()
	code := g.code(id, "scope", "openid")
	first := g.post("/token", redemption(id, code), g.proof(key, ""))
	a := g.post("/token", redemption(id, code), g.proof(key, first.header.Get("DPoP-Nonce")))
	g.expect(a, 200, "")
	access := a.str("access_token")
	ask := func(nonce string) answerOf {
		return g.do(noRedirect(), g.request("GET", "/userinfo", "", "", header("Authorization", "DPoP "+access), g.proofWithToken(key, "/userinfo", access, nonce)))
	}
	refused := ask("")
	g.expect(refused, 401, "use_dpop_nonce")
	if !strings.HasPrefix(refused.header.Get("WWW-Authenticate"), "DPoP ") {
		t.Errorf("challenge %q", refused.header.Get("WWW-Authenticate"))
	}
	g.expect(ask(refused.header.Get("DPoP-Nonce")), 200, "")
}

func demandsNonces(c *Config) { c.Proofs = newProofs(replay.NewMemory(1000, time.Unix(0, 0)), true) }

func TestOpenIDMetadata(t *testing.T) {
	g := newRig(t)
	a := g.get(noRedirect(), "/.well-known/openid-configuration")
	for _, name := range []string{"userinfo_endpoint", "end_session_endpoint", "token_endpoint", "authorization_endpoint"} {
		if p := g.get(noRedirect(), strings.TrimPrefix(a.str(name), g.url)); p.status == 404 || a.str(name) == "" {
			t.Errorf("%s: nothing at %q", name, a.str(name))
		}
	}
	if a.fields["request_uri_parameter_supported"] != false || a.str("issuer") != g.url {
		t.Errorf("got %s", a.body)
	}
	v := g.redirected(g.get(newBrowser(t), "/authorize?"+with(authorization(g.publicClient()), "request", "eyJ.e.x").Encode()))
	if v.Get("error") != "request_not_supported" {
		t.Errorf("got %v", v)
	}
}

// leaver is a client with a place to go after signing out, its person's
// browser, and its ID token.
func (g *rig) leaver() (id string, b *http.Client, hint string) {
	g.t.Helper()
	id = g.registerClient(`,"token_endpoint_auth_method":"none","post_logout_redirect_uris":["http://127.0.0.1/bye?x=1"]`).str("client_id")
	b = newBrowser(g.t)
	code := g.authorizeBy(b, with(authorization(id), "scope", "openid")).Get("code")
	return id, b, g.post("/token", redemption(id, code)).str("id_token")
}

func (g *rig) signedIn(b *http.Client) bool {
	return !asksWho(g.get(b, "/authorize?"+authorization(g.publicClient()).Encode()))
}

func TestLogout(t *testing.T) {
	g := newRig(t)
	id, b, hint := g.leaver()
	g.clock.forward(time.Hour) // an old ID token says who it was all the same
	a := g.get(b, "/logout?"+url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {"http://127.0.0.1/bye?x=1"}, "state": {"s&"}, "client_id": {id}}.Encode())
	if a.status != 303 || a.header.Get("Location") != "http://127.0.0.1/bye?state=s%26&x=1" {
		t.Errorf("got %d %q %s", a.status, a.header.Get("Location"), a.body)
	}
	if g.signedIn(b) {
		t.Error("still signed in")
	}
	if a := g.get(b, "/logout"); a.status != 200 || !strings.Contains(a.body, "You are signed out") {
		t.Errorf("signed out already: %d %s", a.status, a.body)
	}
}

// Whoever brings no ID token of this person only asks, and moves nobody.
func TestLogoutAsks(t *testing.T) {
	g := newRig(t)
	id, b, hint := g.leaver()
	if err := g.s.CreateUser(t.Context(), "bob", testPassword); err != nil {
		t.Fatal(err)
	}
	bye := "http://127.0.0.1/bye?x=1"
	for name, query := range map[string]url.Values{
		"nothing":       {},
		"no hint":       {"post_logout_redirect_uri": {bye}, "client_id": {id}},
		"a spoiled one": {"id_token_hint": {hint + "x"}, "post_logout_redirect_uri": {bye}},
		"access token":  {"id_token_hint": {g.tokens(g.publicClient()).str("access_token")}, "post_logout_redirect_uri": {bye}},
	} {
		a := g.get(b, "/logout?"+query.Encode())
		if a.status != 200 || !strings.Contains(a.body, "Sign out?") || a.header.Get("Location") != "" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		checkPageHeaders(t, a.header)
	}
	for name, edits := range map[string][]edit{"another site": {header("Sec-Fetch-Site", "cross-site")}, "without a yes": nil} {
		form := url.Values{"id_token_hint": {hint}}
		if name == "another site" {
			form.Set("confirm", "yes")
		}
		if a := g.submit(b, "/logout", form, edits...); a.status != 200 || !strings.Contains(a.body, "Sign out?") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if !g.signedIn(b) {
		t.Fatal("signed out without a yes")
	}
	for name, row := range map[string]struct {
		query  url.Values
		reason Reason
	}{
		"elsewhere":      {url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {"https://evil.example/"}}, UnregisteredLogout},
		"another client": {url.Values{"id_token_hint": {hint}, "client_id": {g.publicClient()}}, ForeignHint},
	} {
		if a := g.get(b, "/logout?"+row.query.Encode()); a.status != 400 || a.header.Get("Location") != "" {
			t.Errorf("%s: %d", name, a.status)
		}
		g.expectReason(row.reason)
	}
	a := g.submit(b, "/logout", url.Values{"confirm": {"yes"}, "id_token_hint": {hint}, "post_logout_redirect_uri": {bye}})
	if a.status != 303 || a.header.Get("Location") != bye || g.signedIn(b) {
		t.Errorf("got %d %q", a.status, a.header.Get("Location"))
	}
}

func TestLogoutRedirectsAreCheckedAtRegistration(t *testing.T) {
	g := newRig(t)
	for _, uri := range []string{"javascript:alert(1)", "http://shop.example/bye", "https://shop.example/bye#x", ""} {
		a := g.postJSON("/register", `{"redirect_uris":["`+callback+`"],"post_logout_redirect_uris":["`+uri+`"]}`)
		g.expect(a, 400, "invalid_redirect_uri")
	}
}
