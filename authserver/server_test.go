package authserver

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/keyring"
)

func TestMetadata(t *testing.T) {
	g := newRig(t)
	a := g.get(noRedirect(), "/.well-known/oauth-authorization-server")
	for name, want := range map[string]string{
		"issuer": g.url, "authorization_endpoint": g.url + "/authorize", "token_endpoint": g.url + "/token", "jwks_uri": g.url + "/jwks.json",
		"registration_endpoint": g.url + "/register", "revocation_endpoint": g.url + "/revoke", "device_authorization_endpoint": g.url + "/device_authorization", "introspection_endpoint": g.url + "/introspect",
	} {
		if a.str(name) != want {
			t.Errorf("%s: %q", name, a.str(name))
		}
	}
	for name, want := range map[string]string{
		"code_challenge_methods_supported": `["S256"]`, "grant_types_supported": `["authorization_code","refresh_token","client_credentials","` + grantDevice + `"]`,
		"token_endpoint_auth_methods_supported": `["none","client_secret_basic","client_secret_post","private_key_jwt"]`, "response_types_supported": `["code"]`,
		"scopes_supported": `["calc:basic","calc:power","db:read"]`, "protected_resources": `["` + calculator + `","` + database + `"]`,
		"authorization_response_iss_parameter_supported": "true", "client_id_metadata_document_supported": "true",
	} {
		if !strings.Contains(a.body, `"`+name+`":`+want) {
			t.Errorf("no %s %s in %s", name, want, a.body)
		}
	}
	for _, absent := range []string{"userinfo_endpoint", "id_token", "none_signed", `"plain"`, "HS256", "offline_access"} {
		if strings.Contains(a.body, absent) {
			t.Errorf("advertises %s", absent)
		}
	}
	if b := g.get(noRedirect(), "/.well-known/openid-configuration"); b.str("issuer") != g.url || b.fields["subject_types_supported"] == nil {
		t.Errorf("alias: %s", b.body)
	}
	if k := g.get(noRedirect(), "/jwks.json"); !strings.Contains(k.body, `"ES256"`) || strings.Contains(k.body, `"d"`) {
		t.Errorf("keys: %s", k.body)
	}
}

// Every endpoint the metadata names exists.
func TestMetadataNamesOnlyWhatExists(t *testing.T) {
	g := newRig(t)
	for name, v := range g.get(noRedirect(), "/.well-known/oauth-authorization-server").fields {
		if u, ok := v.(string); ok && (strings.HasSuffix(name, "_endpoint") || name == "jwks_uri") {
			if a := g.get(noRedirect(), strings.TrimPrefix(u, g.url)); a.status == 404 {
				t.Errorf("%s: nothing at %s", name, u)
			}
		}
	}
}

func TestIssuerWithPath(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Issuer += "/tenant" })
	root := strings.TrimSuffix(g.url, "/tenant")
	for path, want := range map[string]int{
		"/.well-known/oauth-authorization-server/tenant": 200, "/.well-known/openid-configuration/tenant": 200,
		"/tenant/.well-known/openid-configuration": 200, "/tenant/jwks.json": 200, "/tenant/status/0": 200, "/tenant/status": 200, "/status/0": 404, "/tenant/style.css": 200,
		"/.well-known/oauth-authorization-server": 404, "/jwks.json": 404, "/tenant": 404, "/": 404,
	} {
		resp, err := http.Get(root + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
	page := g.get(newBrowser(t), "/authorize?"+authorization(g.publicClient()).Encode())
	if !strings.Contains(page.body, `action="/tenant/login"`) || !strings.Contains(page.body, `href="/tenant/style.css"`) {
		t.Errorf("got %s", page.body)
	}
	g.url = root + "/tenant"
	b := newBrowser(t)
	done := g.submit(b, "/login", g.loginForm(b, testUser, testPassword))
	if !strings.HasPrefix(done.header.Get("Location"), "/tenant/consent?") {
		t.Errorf("got %v", done.header)
	}
}

func TestPathsAndMethods(t *testing.T) {
	g := newRig(t)
	for _, row := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/nothing", 404, ""}, {"POST", "/token/", 404, ""}, {"GET", "//token", 404, ""}, {"POST", "/Token", 404, ""},
		{"GET", "/token", 405, "POST, OPTIONS"}, {"PUT", "/token", 405, "POST, OPTIONS"}, {"POST", "/jwks.json", 405, "GET, HEAD, OPTIONS"},
		{"GET", "/register", 405, "POST, OPTIONS"}, {"GET", "/login", 405, "POST"}, {"DELETE", "/authorize", 405, "GET, POST"},
		{"OPTIONS", "/authorize", 405, "GET, POST"}, {"OPTIONS", "/introspect", 405, "POST"}, {"BREW", "/revoke", 405, "POST, OPTIONS"},
	} {
		t.Run(row.method+" "+row.path, func(t *testing.T) {
			a := g.do(noRedirect(), g.request(row.method, row.path, "", ""))
			if a.status != row.status || a.header.Get("Allow") != row.allow {
				t.Errorf("got %d %q", a.status, a.header.Get("Allow"))
			}
			page := row.path == "/login" || row.path == "/authorize"
			if !page && a.str("error") != "invalid_request" {
				t.Errorf("got %s", a.body)
			}
		})
	}
}

func TestOtherOriginsMayCallOnlyWhatReadsNoCookie(t *testing.T) {
	g := newRig(t)
	open := []string{"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration", "/jwks.json", "/token", "/revoke", "/register", "/register/x", "/par"}
	for _, path := range append(open, "/authorize", "/login", "/consent", "/introspect", "/style.css") {
		a := g.do(noRedirect(), g.request("POST", path, "", "", header("Origin", "https://app.example")))
		want := ""
		if slices.Contains(open, path) {
			want = "*"
		}
		if a.header.Get("Access-Control-Allow-Origin") != want || a.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %q", path, a.header.Get("Access-Control-Allow-Origin"))
		}
		if want == "*" && !strings.Contains(a.header.Get("Access-Control-Expose-Headers"), "DPoP-Nonce") {
			t.Errorf("%s: exposes %q", path, a.header.Get("Access-Control-Expose-Headers"))
		}
	}
	pre := g.do(noRedirect(), g.request("OPTIONS", "/token", "", "", header("Origin", "https://app.example"), header("Access-Control-Request-Method", "POST")))
	if pre.status != 204 || !strings.Contains(pre.header.Get("Access-Control-Allow-Headers"), "DPoP") {
		t.Errorf("preflight: %d %v", pre.status, pre.header)
	}
}

// reopen starts another server on the same database.
func (g *rig) reopen(change ...func(*Config)) (*Server, error) {
	c := g.s.config
	for _, f := range change {
		f(&c)
	}
	return New(context.Background(), c, g.db)
}

func TestRestartKeepsEverything(t *testing.T) {
	g := newRig(t)
	id := g.publicClient()
	a := g.tokens(id)
	if err := g.s.Close(); err != nil {
		t.Fatal(err)
	}
	if g.s.Ready(t.Context()) == nil {
		t.Error("ready after Close")
	}
	s, err := g.reopen()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if !bytes.Equal(g.s.keys.Signer().Public().JWK(), s.keys.Signer().Public().JWK()) {
		t.Error("another key")
	}
	g.serve = s.Handler()
	g.expect(g.post("/token", refreshing(id, a)), 200, "")
	if err := s.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWrongSecretDoesNotStart(t *testing.T) {
	g := newRig(t)
	_, err := g.reopen(func(c *Config) { c.Secret = bytes.Repeat([]byte("x"), 32) })
	if err == nil || !strings.Contains(err.Error(), "does not open with this secret") {
		t.Errorf("got %v", err)
	}
}

// The seal holds each key to its own row: what opens under one id does not under another.
func TestStoredKeyCannotBeSwapped(t *testing.T) {
	g := newRig(t)
	if _, err := g.database().Exec("UPDATE signing_keys SET id = 'another'"); err != nil {
		t.Fatal(err)
	}
	if _, err := g.reopen(); err == nil {
		t.Error("a key opened under another's name")
	}
}

// What a thief of the database file finds.
func TestDatabaseHoldsNoSecrets(t *testing.T) {
	g := newRig(t)
	id, secret := g.machine("calc:basic")
	public := g.publicClient()
	code := g.code(public)
	a := g.post("/token", redemption(public, code))
	b := g.post("/token", refreshing(public, a))
	factors := g.factorSecrets()
	var kept []byte
	for _, suffix := range []string{"", "-wal"} {
		part, err := os.ReadFile(g.path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, part...)
	}
	if !bytes.Contains(kept, []byte(id)) {
		t.Fatal("the client is not in the file: the search proves nothing")
	}
	for name, s := range map[string]string{"client secret": secret, "code": code, "refresh token": a.str("refresh_token"),
		"successor": b.str("refresh_token"), "password": testPassword, "access token": a.str("access_token"),
		"signing key": strings.Trim(strings.Split(strings.SplitN(string(g.s.keys.Signer().SecretJWK()), `"d":`, 2)[1], ",")[0], `"}`)} {
		if s == "" || bytes.Contains(kept, []byte(s)) {
			t.Errorf("the database holds the %s", name)
		}
	}
	for _, s := range factors {
		if len(s) < 12 || bytes.Contains(kept, []byte(s)) {
			t.Errorf("the database holds %q", s)
		}
	}
	if info, err := os.Stat(g.path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v %v", info.Mode(), err)
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	ok := baseConfig("https://auth.example", &clock{now: time.Now()}, &logbook{})
	for name, change := range map[string]func(*Config){
		"no issuer":                func(c *Config) { c.Issuer = "" },
		"plain http":               func(c *Config) { c.Issuer = "http://auth.example" },
		"issuer with slash":        func(c *Config) { c.Issuer = "https://auth.example/" },
		"issuer with query":        func(c *Config) { c.Issuer = "https://auth.example?x" },
		"issuer with user":         func(c *Config) { c.Issuer = "https://a@auth.example" },
		"a host that is a URL":     func(c *Config) { c.Hosts = []string{"http://auth.example"} },
		"short secret":             func(c *Config) { c.Secret = c.Secret[:31] },
		"short previous secret":    func(c *Config) { c.PreviousSecret = c.Secret[:31] },
		"no previous secret in it": func(c *Config) { c.PreviousSecret = []byte{} },
		"no algorithm":             func(c *Config) { c.Keys.Algorithm = "" },
		"an algorithm of secrets":  func(c *Config) { c.Keys.Algorithm = "HS256" },
		"a curve few verify":       func(c *Config) { c.Keys.Algorithm = "ES384" },
		"keys for ever":            func(c *Config) { c.Keys.RotateEvery = 0 },
		"keys for a minute":        func(c *Config) { c.Keys.RotateEvery = time.Minute },
		"keys that nobody knows":   func(c *Config) { c.Keys.PublishBefore = keyring.Soonest - 1 },
		"the next key too early":   func(c *Config) { c.Keys.PublishBefore = c.Keys.RotateEvery/2 + 1 },
		"no resources":             func(c *Config) { c.Resources = nil },
		"relative resource":        func(c *Config) { c.Resources = []Resource{{URL: "/mcp"}} },
		"resource twice":           func(c *Config) { c.Resources = append(c.Resources, c.Resources[0]) },
		"scope with space":         func(c *Config) { c.Resources = []Resource{{URL: "https://a.example", Scopes: []Scope{{Name: "a b"}}}} },
		"scope of a person's name": func(c *Config) {
			c.Resources = []Resource{{URL: "https://a.example", Scopes: []Scope{{Name: "openid"}}}}
		},
		"scope of a person's phone": func(c *Config) {
			c.Resources = []Resource{{URL: "https://a.example", Scopes: []Scope{{Name: "phone"}}}}
		},
		"unknown policy":             func(c *Config) { c.Registration = "" },
		"token policy without token": func(c *Config) { c.Registration = RegistrationToken },
		"access tokens for a day":    func(c *Config) { c.AccessTokenLife = 24 * time.Hour },
		"no access token life":       func(c *Config) { c.AccessTokenLife = 0 },
		"no refresh token life":      func(c *Config) { c.RefreshTokenLife = 0 },
		"codes for an hour":          func(c *Config) { c.CodeLife = time.Hour },
		"no replay memory":           func(c *Config) { c.Proofs = nil },
		"no log":                     func(c *Config) { c.Log = nil },
		"no clock":                   func(c *Config) { c.Now = nil },
	} {
		c := ok
		c.Resources = slices.Clone(ok.Resources)
		change(&c)
		path := filepath.Join(t.TempDir(), "auth.db")
		if s, err := New(t.Context(), c, "sqlite:"+path); err == nil {
			t.Errorf("%s: started", name)
			_ = s.Close()
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s: made a database", name)
		}
	}
	for _, u := range []string{"", "postgres://x", "sqlite:", "/auth.db"} {
		if _, err := New(t.Context(), ok, u); err == nil {
			t.Errorf("%q: opened", u)
		}
	}
}

func TestBodyIsBounded(t *testing.T) {
	g := newRig(t)
	for _, path := range []string{"/token", "/revoke", "/introspect", "/login", "/consent", "/authorize"} {
		a := g.post(path, map[string][]string{"x": {strings.Repeat("x", maxBody)}})
		if a.status != 413 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	if a := g.postJSON("/register", `{"x":"`+strings.Repeat("x", maxBody)+`"}`); a.status != 413 {
		t.Errorf("/register: %d", a.status)
	}
}

// A caller that promises a body and keeps it holds a connection only so long.
func TestBodyThatDoesNotCome(t *testing.T) {
	g := newRig(t)
	g.s.arrival = 50 * time.Millisecond
	for _, path := range []string{"/token", "/revoke", "/introspect", "/login", "/authorize"} {
		never, hold := io.Pipe()
		req, err := http.NewRequest("POST", g.url+path, never)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if a := g.do(noRedirect(), req); a.status != 408 {
			t.Errorf("%s: %d", path, a.status)
		}
		g.expectReason(BodyTooSlow)
		_ = hold.Close()
	}
}

// A stranger writes into the log what it sends: not much, and on one line.
func TestLogLinesAreBounded(t *testing.T) {
	g := newRig(t)
	long := strings.Repeat("x", 20_000)
	g.get(noRedirect(), "/"+long)
	g.post("/token", map[string][]string{"grant_type": {long + "\nlevel=ERROR"}, "client_id": {g.publicClient()}})
	g.do(noRedirect(), g.request(strings.Repeat("M", 5000), "/token", "", ""))
	g.get(noRedirect(), "/a%0Alevel=ERROR%20msg=forged")
	for line := range strings.SplitSeq(strings.TrimSpace(g.log.String()), "\n") {
		if len(line) > 2000 || !strings.HasPrefix(line, "{") {
			t.Errorf("%d bytes: %.100s", len(line), line)
		}
	}
}

// Every reason has its answer, and none of them says what it must not.
func TestErrorTable(t *testing.T) {
	for reason, a := range answers {
		if a.status < 400 || a.status > 503 || a.code == "" || a.text == "" {
			t.Errorf("%s: %+v", reason, a)
		}
	}
	if a := answerTo(errBroken); a != unlisted || describe(errBroken) != "" {
		t.Errorf("an unlisted error: %+v", a)
	}
	if a := answerTo(refuse("invented")); a != unlisted {
		t.Errorf("an invented reason: %+v", a)
	}
}

// A path has one spelling: what stands in front may have judged another.
func TestPathsHaveOneSpelling(t *testing.T) {
	g := newRig(t)
	for path, status := range map[string]int{
		"/jwks.json": 200, "/%6awks.json": 404, "/jwks%2Ejson": 404, "/jwks.json%3f": 404, "/jwks.json/": 404, "//jwks.json": 404, "/./jwks.json": 404, "/x/../jwks.json": 404,
		"/%2Ewell-known/openid-configuration": 404, "/.well-known%2fopenid-configuration": 404, "/status/%31": 404, "/%61uthorize": 404,
	} {
		if a := g.get(noRedirect(), path); a.status != status {
			t.Errorf("%s: %d, want %d", path, a.status, status)
		}
	}
}
