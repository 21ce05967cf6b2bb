package authserver

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/authserver/token"
)

func TestMachineGetsToken(t *testing.T) {
	g := newRig(t)
	id, secret := g.machine("calc:basic", "calc:power")
	for _, row := range []struct{ name, asked, want string }{
		{"defaults", "", "calc:basic"},
		{"all it may have", "calc:basic calc:power", "calc:basic calc:power"},
		{"repeats count once", "calc:power  calc:power", "calc:power"},
		{"offline_access asks for nothing here", "calc:basic offline_access", "calc:basic"},
	} {
		t.Run(row.name, func(t *testing.T) {
			form := url.Values{"grant_type": {"client_credentials"}, "resource": {calculator}, "scope": {row.asked}}
			a := g.post("/token", form, basic(id, secret))
			g.expect(a, 200, "")
			if a.str("scope") != row.want || a.str("token_type") != "Bearer" || a.header.Get("Cache-Control") != "no-store" {
				t.Errorf("got %s %v", a.body, a.header)
			}
			c := g.verified(a)
			if c.Subject != id || c.ClientID != id || c.Audience[0] != calculator || strings.Join(c.Scope, " ") != row.want {
				t.Errorf("claims: %+v", c)
			}
			if c.Expiry.Sub(c.IssuedAt) != 10*time.Minute || c.ID == "" || c.Thumbprint != "" {
				t.Errorf("claims: %+v", c)
			}
		})
	}
}

// verified is what the access token says to a resource that checks it with the published keys.
func (g *rig) verified(a answerOf) token.Claims {
	g.t.Helper()
	keys, err := jose.ParseKeySet([]byte(g.get(noRedirect(), "/jwks.json").body))
	if err != nil {
		g.t.Fatal(err)
	}
	rules, err := token.NewRules(g.url, []string{calculator}, token.RFC9068, 0)
	if err != nil {
		g.t.Fatal(err)
	}
	u, err := token.Parse(a.str("access_token"))
	if err != nil {
		g.t.Fatal(err)
	}
	v, err := u.Verify(g.clock.Now(), rules, keys)
	if err != nil {
		g.t.Fatal(err)
	}
	return v.Claims()
}

// An empty bound is nothing, not everything.
func TestMachineWithoutScopesGetsNone(t *testing.T) {
	g := newRig(t)
	id, secret := g.machine()
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {calculator}}
	g.expect(g.post("/token", form, basic(id, secret)), 400, "invalid_target")
	g.expect(g.post("/token", with(form, "scope", "calc:basic"), basic(id, secret)), 400, "invalid_target")
}

func TestTokenRequestsRefused(t *testing.T) {
	g := newRig(t)
	id, secret := g.machine("calc:basic")
	public := g.publicClient()
	good := url.Values{"grant_type": {"client_credentials"}, "resource": {calculator}}
	for _, row := range []struct {
		name   string
		form   url.Values
		edits  []edit
		status int
		code   string
		reason Reason
	}{
		{"no client", good, nil, 401, "invalid_client", NoClient},
		{"unknown client", good, []edit{basic("client_nobody", secret)}, 401, "invalid_client", UnknownClient},
		{"wrong secret", good, []edit{basic(id, secret+"x")}, 401, "invalid_client", WrongClientSecret},
		{"secret cut short", good, []edit{basic(id, secret[:len(secret)-1])}, 401, "invalid_client", WrongClientSecret},
		{"empty secret", good, []edit{basic(id, "")}, 401, "invalid_client", WrongClientSecret},
		{"not basic", good, []edit{header("Authorization", "Bearer "+secret)}, 401, "invalid_client", WrongClientSecret},
		{"not base64", good, []edit{header("Authorization", "Basic ???")}, 401, "invalid_client", WrongClientSecret},
		{"public client with a secret", with(good, "client_id", public, "client_secret", "x"), nil, 401, "invalid_client", WrongClientSecret},
		{"two ways at once", with(good, "client_secret", secret), []edit{basic(id, secret)}, 400, "invalid_request", SeveralCredentials},
		{"two headers", good, []edit{basic(id, secret), header("Authorization", "Basic eA==")}, 400, "invalid_request", SeveralCredentials},
		{"another client_id in the body", with(good, "client_id", public), []edit{basic(id, secret)}, 400, "invalid_request", SeveralCredentials},
		{"public client as a machine", with(good, "client_id", public), nil, 400, "unauthorized_client", GrantNotAllowed},
		{"no grant type", with(good, "grant_type", ""), []edit{basic(id, secret)}, 400, "invalid_request", MissingParameter},
		{"password grant", with(good, "grant_type", "password"), []edit{basic(id, secret)}, 400, "unsupported_grant_type", UnknownGrantType},
		{"grant of another kind of client", with(good, "grant_type", "refresh_token"), []edit{basic(id, secret)}, 400, "unauthorized_client", GrantNotAllowed},
		{"unknown scope", with(good, "scope", "calc:all"), []edit{basic(id, secret)}, 400, "invalid_scope", BadScope},
		{"scope beyond its bound", with(good, "scope", "calc:power"), []edit{basic(id, secret)}, 400, "invalid_scope", BadScope},
		{"scope of another resource", with(good, "scope", "db:read"), []edit{basic(id, secret)}, 400, "invalid_scope", BadScope},
		{"scope that is no token", with(good, "scope", `calc"basic`), []edit{basic(id, secret)}, 400, "invalid_scope", BadScope},
		{"unknown resource", with(good, "resource", "https://mcp.example/other"), []edit{basic(id, secret)}, 400, "invalid_target", BadTarget},
		{"path in other case", with(good, "resource", "https://mcp.example/Calculator"), []edit{basic(id, secret)}, 400, "invalid_target", BadTarget},
		{"trailing slash", with(good, "resource", calculator+"/"), []edit{basic(id, secret)}, 400, "invalid_target", BadTarget},
		{"no resource, and two to choose from", with(good, "resource", "-"), []edit{basic(id, secret)}, 400, "invalid_target", BadTarget},
		{"two resources", url.Values{"grant_type": good["grant_type"], "resource": {calculator, database}}, []edit{basic(id, secret)}, 400, "invalid_target", BadTarget},
		{"repeated parameter", url.Values{"grant_type": {"client_credentials", "client_credentials"}, "resource": good["resource"]}, []edit{basic(id, secret)}, 400, "invalid_request", RepeatedParameter},
		{"repeated unknown parameter", url.Values{"grant_type": good["grant_type"], "x": {"1", "1"}}, []edit{basic(id, secret)}, 400, "invalid_request", RepeatedParameter},
		{"not UTF-8", with(good, "scope", "\xff"), []edit{basic(id, secret)}, 400, "invalid_request", BadForm},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := g.post("/token", row.form, row.edits...)
			g.expect(a, row.status, row.code)
			if !strings.Contains(g.log.String(), `"reason":"`+string(row.reason)+`"`) {
				t.Errorf("no line with reason %s", row.reason)
			}
			g.expectReason(row.reason)
			if (a.status == 401) != strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Basic realm=") {
				t.Errorf("challenge %q", a.header.Get("WWW-Authenticate"))
			}
		})
	}
	if strings.Contains(g.log.String(), secret) {
		t.Error("the log holds a secret")
	}
}

// The stranger has the id of a confidential client, a code of its, and no secret.
func TestConfidentialClientMustAuthenticate(t *testing.T) {
	g := newRig(t)
	reg := g.registerClient(`,"token_endpoint_auth_method":"client_secret_post"`)
	id, secret := reg.str("client_id"), reg.str("client_secret")
	form := redemption(id, g.code(id))
	g.expect(g.post("/token", form), 401, "invalid_client")
	g.expectReason(WrongClientSecret)
	a := g.post("/token", with(form, "client_secret", secret))
	g.expect(a, 200, "")
	refresh := url.Values{"grant_type": {"refresh_token"}, "client_id": {id}, "refresh_token": {a.str("refresh_token")}}
	if a.str("refresh_token") == "" {
		t.Fatal("no refresh token")
	}
	g.expect(g.post("/token", refresh), 401, "invalid_client")
	g.expect(g.post("/token", refresh, basic(id, secret)), 200, "")
}

func TestTokenEndpointTakesFormsOnly(t *testing.T) {
	g := newRig(t)
	id, secret := g.machine("calc:basic")
	body := url.Values{"grant_type": {"client_credentials"}, "resource": {calculator}, "client_id": {id}, "client_secret": {secret}}.Encode()
	for _, row := range []struct {
		name, path, kind, body string
		status                 int
		code                   string
	}{
		{"a form", "/token", "application/x-www-form-urlencoded", body, 200, ""},
		{"a form with charset", "/token", "application/x-www-form-urlencoded; charset=UTF-8", body, 200, ""},
		{"JSON", "/token", "application/json", `{"grant_type":"client_credentials"}`, 400, "invalid_request"},
		{"no content type", "/token", "", body, 400, "invalid_request"},
		{"in the query", "/token?" + body, "application/x-www-form-urlencoded", "", 401, "invalid_client"},
		{"broken escapes", "/token", "application/x-www-form-urlencoded", "grant_type=%zz", 400, "invalid_request"},
		{"semicolons", "/token", "application/x-www-form-urlencoded", "a=1;b=2", 400, "invalid_request"},
		{"too large", "/token", "application/x-www-form-urlencoded", body + "&x=" + strings.Repeat("x", maxBody), 413, "invalid_request"},
	} {
		t.Run(row.name, func(t *testing.T) {
			g.expect(g.do(noRedirect(), g.request("POST", row.path, row.kind, row.body)), row.status, row.code)
		})
	}
}

func TestResourceSpelling(t *testing.T) {
	c := newCatalogue([]Resource{{URL: "https://a.example"}, {URL: "https://a.example/mcp"}, {URL: "https://b.example/x/"}}, Resource{URL: "https://as.example/api/v1"})
	for asked, want := range map[string]string{
		"https://a.example": "https://a.example", "https://a.example/": "https://a.example", "HTTPS://A.Example/": "https://a.example",
		"HTTPS://A.EXAMPLE/mcp": "https://a.example/mcp", "https://a.example/MCP": "", "https://a.example/mcp/": "",
		"https://b.example/x/": "https://b.example/x/", "https://b.example/x": "", "": "", "a.example": "",
	} {
		got, err := c.find(asked)
		if got.URL != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v; want %q", asked, got.URL, err, want)
		}
	}
	only := newCatalogue([]Resource{{URL: "https://a.example/mcp"}}, Resource{URL: "https://as.example/api/v1"})
	if r, err := only.find(""); err != nil || r.URL != "https://a.example/mcp" {
		t.Errorf("the only resource: %v %v", r, err)
	}
}

func TestFailuresOfOneAddressAreLimited(t *testing.T) {
	g := newRig(t)
	id, secret := g.machine("calc:basic")
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {calculator}}
	for range 300 {
		g.expect(g.post("/token", form, basic(id, "wrong")), 401, "invalid_client")
	}
	a := g.post("/token", form, basic(id, secret))
	g.expect(a, 429, "temporarily_unavailable")
	if a.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
	g.clock.forward(2 * time.Second)
	for range 3 { // successes cost nothing
		g.expect(g.post("/token", form, basic(id, secret)), 200, "")
	}
}
