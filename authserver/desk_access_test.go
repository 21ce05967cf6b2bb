package authserver

import (
	"context"
	"encoding/base64"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/authserver/store"
)

var inBraces = regexp.MustCompile(`\{[a-z]+\}`)

// Each operation opens to the one scope that its document names, and to no
// other, whatever else is wrong with the request.
func TestScopesOfTheAPI(t *testing.T) {
	d := newDriver(t)
	tokens := map[string]string{}
	for _, scope := range allScopes {
		tokens[scope] = d.adminToken(scope)
	}
	opened := 0
	for pattern, item := range d.paths {
		for method, o := range item.(map[string]any) {
			needed := o.(map[string]any)["security"].([]any)[0].(map[string]any)["oauth"].([]any)[0].(string)
			path := inBraces.ReplaceAllString(pattern, "nobody")
			for scope, token := range tokens {
				a := d.api(token, strings.ToUpper(method), path, "")
				if scope == needed && (a.status == 401 || a.status == 403) {
					t.Errorf("%s %s with %s: %d %s", method, pattern, scope, a.status, a.body)
				}
				if scope == needed {
					opened++
					continue
				}
				challenge := a.header.Get("WWW-Authenticate")
				if a.status != 403 || a.str("reason") != "lacks_scope" || !strings.Contains(challenge, `scope="`+needed+`"`) || !strings.HasPrefix(challenge, "Bearer ") {
					t.Errorf("%s %s with %s: %d %s %q", method, pattern, scope, a.status, a.body, challenge)
				}
			}
		}
	}
	if opened < 30 {
		t.Errorf("%d operations opened", opened)
	}
}

// bound is a token of a machine for the API, bound to a key.
func (g *rig) boundAdminToken(key jose.PrivateKey) string {
	g.t.Helper()
	id, secret := g.machine(allScopes...)
	a := g.post("/token", url.Values{"grant_type": {"client_credentials"}, "resource": {g.url + admin.Prefix}, "scope": {"postern:read"}},
		basic(id, secret), g.proof(key, ""))
	g.expect(a, 200, "")
	return a.str("access_token")
}

func TestAPIIsAResourceOfItsOwn(t *testing.T) {
	g := newRig(t)
	key := newKey(t)
	good, bound := g.adminToken(admin.ScopeRead), g.boundAdminToken(key)
	id, secret := g.machine("calc:basic")
	elsewhere := g.post("/token", url.Values{"grant_type": {"client_credentials"}, "resource": {calculator}}, basic(id, secret)).str("access_token")
	revoked := g.adminToken(admin.ScopeRead)
	if err := g.s.store.RevokeToken(t.Context(), g.claims(revoked).ID); err != nil {
		t.Fatal(err)
	}
	at := admin.Prefix + "/users"
	scheme := func(words string) edit { return header("Authorization", words) }
	for _, row := range []struct {
		name   string
		edits  []edit
		status int
		reason string
		first  string // scheme of the first challenge
	}{
		{"a token for it", []edit{scheme("Bearer " + good)}, 200, "", ""},
		{"a bound token with its proof", []edit{scheme("DPoP " + bound), g.proofWithToken(key, at, bound, "")}, 200, "", ""},
		{"nothing", nil, 401, "no_token", "DPoP"},
		{"a cookie", []edit{header("Cookie", g.s.site.cookie(sessionCookie)+"="+strings.Repeat("A", 43))}, 401, "no_token", "DPoP"},
		{"a password", []edit{scheme("Basic YTpi")}, 401, "no_token", "DPoP"},
		{"a token for another resource", []edit{scheme("Bearer " + elsewhere)}, 401, "dead_token", "Bearer"},
		{"a revoked token", []edit{scheme("Bearer " + revoked)}, 401, "dead_token", "Bearer"},
		{"no token", []edit{scheme("Bearer x.y.z")}, 401, "dead_token", "Bearer"},
		{"a bound token as a bearer token", []edit{scheme("Bearer " + bound)}, 401, "dead_token", "Bearer"},
		{"a bearer token as a bound one", []edit{scheme("DPoP " + good), g.proofWithToken(key, at, good, "")}, 401, "dead_token", "DPoP"},
		{"a bound token without a proof", []edit{scheme("DPoP " + bound)}, 401, "bad_proof", "DPoP"},
		{"a proof for another path", []edit{scheme("DPoP " + bound), g.proofWithToken(key, at+"x", bound, "")}, 401, "bad_proof", "DPoP"},
		{"a proof of another key", []edit{scheme("DPoP " + bound), g.proofWithToken(newKey(t), at, bound, "")}, 401, "bad_proof", "DPoP"},
		{"a proof for another token", []edit{scheme("DPoP " + bound), g.proofWithToken(key, at, good, "")}, 401, "bad_proof", "DPoP"},
	} {
		a := g.api("", "GET", "/users", "", row.edits...)
		if a.status != row.status || a.str("reason") != row.reason {
			t.Errorf("%s: %d %s", row.name, a.status, a.body)
		}
		challenge := a.header.Get("WWW-Authenticate")
		if scheme, _, _ := strings.Cut(challenge, " "); scheme != row.first || row.first != "" && !strings.Contains(challenge, `resource_metadata="`+g.url+`/.well-known/oauth-protected-resource/api/v1"`) {
			t.Errorf("%s: %q", row.name, challenge)
		}
		if a.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: other origins may read it", row.name)
		}
	}
	meta := g.get(newBrowser(t), "/.well-known/oauth-protected-resource/api/v1")
	if meta.status != 200 || meta.str("resource") != g.url+admin.Prefix {
		t.Errorf("%d %s", meta.status, meta.body)
	}
}

// Whoever asks too often waits, with a word on how long.
func TestAPIIsLimited(t *testing.T) {
	g := newRig(t)
	token := g.adminToken(admin.ScopeRead)
	var a answerOf
	for range 401 {
		a = g.api(token, "GET", "/status", "")
	}
	if a.status != 429 || a.header.Get("Retry-After") == "" || a.str("reason") != "too_many_requests" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	if a := g.api(g.adminToken(admin.ScopeRead), "GET", "/status", ""); a.status != 200 {
		t.Errorf("another one: %d %s", a.status, a.body)
	}
	g.clock.forward(time.Second)
	if a := g.api(token, "GET", "/status", ""); a.status != 200 {
		t.Errorf("later: %d %s", a.status, a.body)
	}
}

// What is not JSON of the operation's form is refused, and says where it is wrong.
func TestAPIReadsStrictly(t *testing.T) {
	g := newRig(t)
	token := g.adminToken(allScopes...)
	for _, row := range []struct {
		name, method, path, body string
		status                   int
		reason, member           string
	}{
		{"an unknown member", "POST", "/users", `{"name":"eve","admin":true}`, 400, "bad_body", "/admin"},
		{"another case", "POST", "/users", `{"Name":"eve"}`, 400, "bad_body", "/Name"},
		{"a member twice", "POST", "/users", `{"name":"eve","name":"mallory"}`, 400, "bad_body", "/name"},
		{"another type", "POST", "/users", `{"name":7}`, 400, "bad_body", "/name"},
		{"an array", "POST", "/users", `["eve"]`, 400, "bad_body", ""},
		{"two values", "POST", "/users", `{"name":"eve"}{}`, 400, "bad_body", ""},
		{"no UTF-8", "POST", "/users", "{\"name\":\"\xff\"}", 400, "bad_body", "/name"},
		{"a NUL", "POST", "/users", `{"name":"eve\u0000"}`, 400, "bad_body", "/name"},
		{"a NUL in a list", "POST", "/clients", `{"name":"r","scopes":["a","\u0000"]}`, 400, "bad_body", "/scopes/1"},
		{"a NUL far inside", "POST", "/clients/register", `{"metadata":{"client_name":"a","jwks":{"x":["\u0000"]}}}`, 400, "bad_body", "/metadata/jwks/x/0"},
		{"half a letter", "POST", "/users", `{"name":"\ud800"}`, 400, "bad_body", "/name"},
		{"a NUL in a place", "GET", "/users?after=" + base64.RawURLEncoding.EncodeToString([]byte("a\x00")), "", 400, "bad_parameter", "after"},
		{"nothing", "POST", "/users", `{}`, 422, "invalid", "/name"},
		{"too long", "POST", "/users", `{"name":"eve","full_name":"` + strings.Repeat("x", 201) + `"}`, 422, "invalid", "/full_name"},
		{"no such word", "POST", "/users", `{"name":"eve","sign_in":"magic"}`, 422, "invalid", "/sign_in"},
		{"a weak password", "POST", "/users", `{"name":"eve","password":"password1"}`, 422, "invalid", "/password"},
		{"an unknown role", "POST", "/users", `{"name":"eve","roles":["king"]}`, 422, "invalid", "/roles"},
		{"an unknown scope", "POST", "/clients", `{"name":"r","scopes":["fly"]}`, 422, "invalid", "/scopes"},
		{"an unknown resource", "POST", "/clients", `{"name":"r","resources":["https://x"]}`, 422, "invalid", "/resources"},
		{"a large body", "POST", "/users", `{"name":"` + strings.Repeat("x", 70_000) + `"}`, 413, "too_large", ""},
		{"an unknown parameter", "GET", "/users?q=x", "", 400, "bad_parameter", "q"},
		{"a parameter twice", "GET", "/users?limit=1&limit=2", "", 400, "bad_parameter", "limit"},
		{"no number", "GET", "/users?limit=x", "", 400, "bad_parameter", "limit"},
		{"too many", "GET", "/users?limit=201", "", 400, "bad_parameter", "limit"},
		{"a page of something else", "GET", "/users?after=AAAA%20", "", 400, "bad_parameter", "after"},
		{"neither yes nor no", "GET", "/clients?registered=1", "", 400, "bad_parameter", "registered"},
		{"nobody in particular", "GET", "/grants", "", 400, "bad_parameter", "user"},
		{"no such path", "GET", "/nothing", "", 404, "unknown_path", ""},
		{"no such method", "POST", "/status", "", 405, "wrong_method", ""},
		{"nobody", "GET", "/users/user_x", "", 404, "not_found", ""},
	} {
		a := g.api(token, row.method, row.path, row.body)
		if a.status != row.status || a.str("reason") != row.reason || a.str("member") != row.member {
			t.Errorf("%s: %d %s", row.name, a.status, a.body)
		}
		if a.header.Get("Content-Type") != "application/problem+json" || !strings.HasSuffix(a.str("type"), "/docs#"+row.reason) || a.str("detail") == "" {
			t.Errorf("%s: %v %s", row.name, a.header, a.body)
		}
	}
	if a := g.api(token, "POST", "/status", ""); a.header.Get("Allow") != "GET" {
		t.Errorf("Allow: %q", a.header.Get("Allow"))
	}
	a := g.do(noRedirect(), g.request("POST", admin.Prefix+"/users", "text/plain", `{"name":"eve"}`, header("Authorization", "Bearer "+token)))
	if a.status != 415 {
		t.Errorf("text: %d %s", a.status, a.body)
	}
}

// What no database keeps is refused by name, also where nothing else looks at
// requests before.
func TestOperatorsAPIReadsStrictly(t *testing.T) {
	g := newRig(t)
	api, err := g.s.OperatorAPI()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range [][3]string{{"GET", "/users/a%00", "user"}, {"DELETE", "/users/%ff", "user"}, {"GET", "/users?email=a%00", "email"}, {"GET", "/grants?user=%ff", "user"}} {
		w := httptest.NewRecorder()
		api.ServeHTTP(w, httptest.NewRequest(row[0], admin.Prefix+row[1], nil))
		if said := w.Body.String(); w.Code != 400 || !strings.Contains(said, `"member":"`+row[2]+`"`) || !strings.Contains(said, "without the character NUL") {
			t.Errorf("%v: %d %s", row, w.Code, said)
		}
	}
	for _, path := range []string{"/users/a%00", "/users/%ff", "/users?email=a%00", "/grants?user=%ff"} {
		if a := g.api(g.adminToken(admin.ScopeRead), "GET", path, ""); a.status != 400 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

// Only a database that is away passes with time, and Redis.
func TestAPIWithoutItsDatabase(t *testing.T) {
	for err, passing := range map[error]admin.Reason{context.DeadlineExceeded: admin.Unavailable, store.ErrAway: admin.RedisAway, errBroken: "", refuse(TooMany): ""} {
		if (gate{}).Passing(err) != passing || (operators{}).Passing(err) != passing {
			t.Errorf("%v", err)
		}
	}
}
