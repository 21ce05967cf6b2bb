package authserver

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver/jose"
)

// signing is a client that proves itself with a key.
type signing struct {
	id  string
	key jose.PrivateKey
}

func keyWith(t *testing.T, alg jose.Algorithm) jose.PrivateKey {
	t.Helper()
	k, err := jose.GenerateKey(alg)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func setOf(t *testing.T, keys ...jose.PrivateKey) string {
	t.Helper()
	var public []jose.PublicKey
	for _, k := range keys {
		public = append(public, k.Public())
	}
	doc, err := json.Marshal(jose.NewKeySet(public...))
	if err != nil {
		t.Fatal(err)
	}
	return string(doc)
}

// signingMachine registers a machine with this key; extra are further members.
func (g *rig) signingMachine(key jose.PrivateKey, extra string) signing {
	g.t.Helper()
	id, secret, err := g.s.RegisterClient(context.Background(), []byte(`{"client_name":"robot","grant_types":["client_credentials"],
		"scope":"calc:basic","token_endpoint_auth_method":"private_key_jwt","jwks":`+setOf(g.t, key)+extra+`}`))
	if err != nil || secret != "" {
		g.t.Fatalf("%v, secret %q", err, secret)
	}
	return signing{id, key}
}

// saying is what a good assertion says.
func (g *rig) saying(c signing, jti string) map[string]any {
	now := g.clock.Now().Unix()
	return map[string]any{"iss": c.id, "sub": c.id, "aud": g.s.config.Issuer, "jti": jti, "iat": now, "exp": now + 60}
}

func sign(t *testing.T, key jose.PrivateKey, typ string, claims map[string]any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := key.Sign(typ, payload)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func asserting(assertion string) url.Values {
	return url.Values{"client_assertion_type": {assertionType}, "client_assertion": {assertion}}
}

func machineWith(assertion string) url.Values {
	form := asserting(assertion)
	form.Set("grant_type", "client_credentials")
	form.Set("resource", calculator)
	return form
}

func TestAssertions(t *testing.T) {
	g := newRig(t)
	own, stranger := newKey(t), newKey(t)
	c := g.signingMachine(own, "")
	other := g.signingMachine(stranger, "")
	now := g.clock.Now().Unix()
	change := func(name string, value any) func(map[string]any) {
		return func(m map[string]any) {
			m[name] = value
			if value == nil {
				delete(m, name)
			}
		}
	}
	for _, row := range []struct {
		name   string
		key    jose.PrivateKey
		typ    string
		change func(map[string]any)
		reason Reason // "" for a token
	}{
		{"good", own, "JWT", nil, ""},
		{"type of rfc7523bis", own, "client-authentication+jwt", nil, ""},
		{"clocks apart", own, "JWT", change("iat", now+10), ""},
		{"just over", own, "JWT", change("exp", now-29), ""},
		{"without iat", own, "JWT", change("iat", nil), ""},
		{"an access token's type", own, "at+jwt", nil, BadAssertion},
		{"a proof's type", own, "dpop+jwt", nil, BadAssertion},
		{"another client's key", stranger, "JWT", nil, AssertionKey},
		{"another client named", own, "JWT", change("iss", other.id), BadAssertion},
		{"no iss", own, "JWT", change("iss", nil), BadAssertion},
		{"no sub", own, "JWT", change("sub", nil), BadAssertion},
		{"for the token endpoint", own, "JWT", change("aud", g.url+"/token"), AssertionAudience},
		{"for the issuer in a list", own, "JWT", change("aud", []string{g.url}), BadAssertion},
		{"for two", own, "JWT", change("aud", []string{g.url, "https://other.example"}), BadAssertion},
		{"for the issuer with a slash", own, "JWT", change("aud", g.url+"/"), AssertionAudience},
		{"for nobody", own, "JWT", change("aud", nil), AssertionAudience},
		{"no exp", own, "JWT", change("exp", nil), AssertionTime},
		{"expired", own, "JWT", change("exp", now-31), AssertionTime},
		{"for an hour", own, "JWT", change("exp", now+3600), AssertionTime},
		{"issued ahead", own, "JWT", change("iat", now+61), AssertionTime},
		{"not yet", own, "JWT", change("nbf", now+61), AssertionTime},
		{"no jti", own, "JWT", change("jti", nil), BadAssertion},
		{"a long jti", own, "JWT", change("jti", strings.Repeat("x", maxAssertionID+1)), BadAssertion},
		{"a number for a jti", own, "JWT", change("jti", 7), BadAssertion},
	} {
		t.Run(row.name, func(t *testing.T) {
			claims := g.saying(c, row.name)
			if row.change != nil {
				row.change(claims)
			}
			a := g.post("/token", machineWith(sign(t, row.key, row.typ, claims)))
			if row.reason == "" {
				g.expect(a, 200, "")
				return
			}
			g.expect(a, 401, "invalid_client")
			g.expectReason(row.reason)
		})
	}
}

// fosite CVE-2020-15222, Hydra GHSA-3p3g-vpw6-4w66.
func TestAssertionIsUsedOnce(t *testing.T) {
	g := newRig(t)
	c, other := g.signingMachine(newKey(t), ""), g.signingMachine(newKey(t), "")
	once := sign(t, c.key, "JWT", g.saying(c, "same"))
	g.expect(g.post("/token", machineWith(once)), 200, "")
	g.expect(g.post("/token", machineWith(once)), 401, "invalid_client")
	g.expectReason(AssertionReplayed)
	claims := g.saying(c, "same")
	claims["exp"] = g.clock.Now().Unix() + 90
	g.expect(g.post("/token", machineWith(sign(t, c.key, "JWT", claims))), 401, "invalid_client")
	g.expectReason(AssertionReplayed)
	g.expect(g.post("/token", machineWith(sign(t, other.key, "JWT", g.saying(other, "same")))), 200, "")
	for range 3 { // as long as it is good, at every endpoint, and after a sweep
		g.clock.forward(29 * time.Second)
		g.s.sweep(t.Context())
		g.expect(g.post("/introspect", with(asserting(once), "token", "x")), 401, "invalid_client")
	}
}

func TestAssertionSentByManyAtOnce(t *testing.T) {
	g := newRig(t)
	c := g.signingMachine(newKey(t), "")
	once := sign(t, c.key, "JWT", g.saying(c, "raced"))
	var all sync.WaitGroup
	var mu sync.Mutex
	got := map[int]int{}
	for range 10 {
		all.Go(func() {
			resp, err := http.PostForm(g.url+"/token", machineWith(once))
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			mu.Lock()
			defer mu.Unlock()
			got[resp.StatusCode]++
		})
	}
	all.Wait()
	if !maps.Equal(got, map[int]int{200: 1, 401: 9}) {
		t.Errorf("got %v", got)
	}
}

func TestAssertionOfARefusedRequestIsNotUsedUp(t *testing.T) {
	g := newRig(t)
	c := g.signingMachine(newKey(t), "")
	late := g.saying(c, "later")
	late["nbf"] = g.clock.Now().Unix() + 40
	signed := sign(t, c.key, "JWT", late)
	g.expect(g.post("/token", machineWith(signed)), 401, "invalid_client")
	g.clock.forward(20 * time.Second)
	g.expect(g.post("/token", machineWith(signed)), 200, "")
}

func TestOneWayOfAuthentication(t *testing.T) {
	g := newRig(t)
	c := g.signingMachine(newKey(t), "")
	robot, secret := g.machine("calc:basic")
	public := g.publicClient()
	fresh := 0
	assertion := func(as signing) string {
		fresh++
		return sign(t, as.key, "JWT", g.saying(as, string(rune('a'+fresh))))
	}
	plain := url.Values{"grant_type": {"client_credentials"}, "resource": {calculator}}
	for _, row := range []struct {
		name   string
		form   url.Values
		edits  []edit
		reason Reason
	}{
		{"assertion", machineWith(assertion(c)), nil, ""},
		{"assertion and its own client_id", with(machineWith(assertion(c)), "client_id", c.id), nil, ""},
		{"assertion and another client_id", with(machineWith(assertion(c)), "client_id", robot), nil, SeveralCredentials},
		{"assertion and secret", with(machineWith(assertion(c)), "client_secret", secret), nil, SeveralCredentials},
		{"assertion and Basic", machineWith(assertion(c)), []edit{basic(robot, secret)}, SeveralCredentials},
		{"another type of assertion", with(machineWith(assertion(c)), "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"), nil, BadAssertion},
		{"no type of assertion", with(machineWith(assertion(c)), "client_assertion_type", "-"), nil, BadAssertion},
		{"type alone", with(plain, "client_assertion_type", assertionType, "client_id", c.id), nil, BadAssertion},
		{"no JWT", machineWith("x"), nil, BadAssertion},
		{"the id alone of a client with keys", with(plain, "client_id", c.id), nil, WrongMethod},
		{"a secret for a client with keys", plain, []edit{basic(c.id, "x")}, WrongMethod},
		{"an assertion for a client with a secret", machineWith(assertion(signing{robot, c.key})), nil, WrongMethod},
		{"an assertion for a public client", machineWith(assertion(signing{public, c.key})), nil, WrongMethod},
		{"an assertion for nobody", machineWith(assertion(signing{"client_nobody", c.key})), nil, UnknownClient},
		{"secret in the body", with(plain, "client_id", robot, "client_secret", secret), nil, ""}, // B4
		{"the id alone of a client with a secret", with(plain, "client_id", robot), nil, WrongClientSecret},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := g.post("/token", row.form, row.edits...)
			if row.reason == "" {
				g.expect(a, 200, "")
				return
			}
			if a.status != answers[row.reason].status || a.str("access_token") != "" {
				t.Errorf("got %d %s", a.status, a.body)
			}
			g.expectReason(row.reason)
		})
	}
}

func TestAssertionAlgorithms(t *testing.T) {
	for _, alg := range jose.Algorithms() {
		g := newRig(t)
		c := g.signingMachine(keyWith(t, alg), "")
		g.expect(g.post("/token", machineWith(sign(t, c.key, "JWT", g.saying(c, "x")))), 200, "")
	}
	g := newRig(t)
	c := g.signingMachine(newKey(t), `,"token_endpoint_auth_signing_alg":"EdDSA"`)
	g.expect(g.post("/token", machineWith(sign(t, c.key, "JWT", g.saying(c, "x")))), 401, "invalid_client")
	g.expectReason(AssertionKey)
}

// keyHost serves a JWK Set that tests change, and counts who asks.
type keyHost struct {
	mu    sync.Mutex
	set   string
	asked int
	url   string
}

func newKeyHost(t *testing.T, set string) *keyHost {
	t.Helper()
	h := &keyHost{set: set}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.asked++
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(h.set))
	}))
	t.Cleanup(web.Close)
	h.url = web.URL + "/keys"
	return h
}

func (h *keyHost) serve(set string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.set = set
}

func (g *rig) machineAt(uri string) string {
	g.t.Helper()
	id, _, err := g.s.RegisterClient(context.Background(), []byte(`{"grant_types":["client_credentials"],"scope":"calc:basic",
		"token_endpoint_auth_method":"private_key_jwt","jwks_uri":"`+uri+`"}`))
	if err != nil {
		g.t.Fatal(err)
	}
	return id
}

func TestKeysAreFetched(t *testing.T) {
	g := newRig(t)
	first, second := newKey(t), newKey(t)
	h := newKeyHost(t, setOf(t, first))
	id := g.machineAt(h.url)
	try := func(key jose.PrivateKey, jti string) answerOf {
		c := signing{id, key}
		return g.post("/token", machineWith(sign(t, key, "JWT", g.saying(c, jti))))
	}
	g.expect(try(first, "1"), 200, "")
	g.expect(try(first, "2"), 200, "")
	if h.asked != 1 {
		t.Errorf("asked %d times", h.asked)
	}
	h.serve(setOf(t, second))
	g.expect(try(second, "3"), 401, "invalid_client") // asked a moment ago
	g.clock.forward(31 * time.Second)
	g.expect(try(second, "4"), 200, "") // an unknown kid is a reason to ask again
	g.expect(try(first, "5"), 401, "invalid_client")
	g.expectReason(AssertionKey)
	if h.asked != 2 {
		t.Errorf("asked %d times", h.asked)
	}
	h.serve(strings.Replace(setOf(t, second), `"use"`, `"d":"AAAA","use"`, 1))
	g.clock.forward(time.Hour)
	g.expect(try(second, "6"), 503, "temporarily_unavailable") // its secret is out
}

func TestKeysAreNotFetchedFromInside(t *testing.T) {
	g := newRig(t, func(c *Config) { c.LoopbackDocuments = false })
	h := newKeyHost(t, setOf(t, newKey(t)))
	for name, uri := range map[string]string{
		"http": h.url, "https by address": strings.Replace(h.url, "http:", "https:", 1), "cloud metadata": "https://169.254.169.254/keys",
	} {
		id, _, err := g.s.RegisterClient(context.Background(), []byte(`{"grant_types":["client_credentials"],"scope":"calc:basic",
			"token_endpoint_auth_method":"private_key_jwt","jwks_uri":"`+uri+`"}`))
		if name == "http" {
			if err == nil {
				t.Error("plain http was registered")
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		c := signing{id, newKey(t)}
		g.expect(g.post("/token", machineWith(sign(t, c.key, "JWT", g.saying(c, "x")))), 503, "temporarily_unavailable")
		g.expectReason(KeysUnreachable)
	}
	if h.asked != 0 {
		t.Errorf("asked %d times", h.asked)
	}
}

func TestKeysOutOfReach(t *testing.T) {
	g := newRig(t)
	c := signing{g.machineAt("http://127.0.0.1:1/keys"), newKey(t)}
	g.expect(g.post("/token", machineWith(sign(t, c.key, "JWT", g.saying(c, "x")))), 503, "temporarily_unavailable")
	g.expectReason(KeysUnreachable)
}

func TestResourceServerWithAKey(t *testing.T) {
	g := newRig(t)
	key := newKey(t)
	id, err := g.s.RegisterResourceServer(context.Background(), "proxy", []string{calculator}, []byte(setOf(t, key)))
	if err != nil {
		t.Fatal(err)
	}
	access := g.tokens(g.publicClient()).str("access_token")
	c := signing{id, key}
	i := g.post("/introspect", with(asserting(sign(t, key, "JWT", g.saying(c, "1"))), "token", access))
	if i.fields["active"] != true {
		t.Errorf("got %s", i.body)
	}
	g.expect(g.post("/token", machineWith(sign(t, key, "JWT", g.saying(c, "2")))), 400, "unauthorized_client")
}
