package authserver

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/jose"
)

// push pushes a good request of a public client, changed by pairs.
func (g *rig) push(client string, edits []edit, pairs ...string) answerOf {
	g.t.Helper()
	return g.post("/par", with(authorization(client), pairs...), edits...)
}

func byReference(client string, a answerOf) url.Values {
	return url.Values{"client_id": {client}, "request_uri": {a.str("request_uri")}}
}

func TestPushedRequestGoesTheWholeWay(t *testing.T) {
	g := newRig(t)
	client := g.publicClient()
	a := g.push(client, nil)
	g.expect(a, 201, "")
	if life, _ := a.fields["expires_in"].(float64); life <= 0 || life >= 600 || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %s", a.body)
	}
	if strings.Contains(a.body, "calc:basic") || strings.Contains(a.body, client) {
		t.Error("the request_uri can be read")
	}
	back := g.authorizeBy(newBrowser(t), byReference(client, a))
	if back.Get("state") != "st&te=" || back.Get("iss") != g.url {
		t.Errorf("got %v", back)
	}
	g.expect(g.post("/token", redemption(client, back.Get("code"))), 200, "")
}

// What stands beside the request_uri means nothing.
func TestPushedParametersAreTheOnlyOnes(t *testing.T) {
	g := newRig(t)
	client := g.publicClient()
	query := with(byReference(client, g.push(client, nil)), "redirect_uri", "https://evil.example/cb", "scope", "calc:power",
		"state", "other", "code_challenge", challengeOf("another-verifier-of-the-length-that-is-asked-for-01"), "resource", database)
	back := g.authorizeBy(newBrowser(t), query)
	if back.Get("state") != "st&te=" {
		t.Errorf("got %v", back)
	}
	a := g.post("/token", redemption(client, back.Get("code")))
	g.expect(a, 200, "")
	if a.str("scope") != "calc:basic" {
		t.Errorf("got %s", a.body)
	}
}

func TestPushIsRefused(t *testing.T) {
	g := newRig(t)
	client := g.publicClient()
	confidential := g.registerClient("")
	id, secret := confidential.str("client_id"), confidential.str("client_secret")
	good := g.push(client, nil).str("request_uri")
	for _, row := range []struct {
		name   string
		client string
		edits  []edit
		pairs  []string
		status int
		code   string
		reason Reason
	}{
		{"a reference inside", client, nil, []string{"request_uri", good}, 400, "invalid_request", NestedRequest},
		{"no proof of a confidential client", id, nil, nil, 401, "invalid_client", WrongClientSecret},
		{"another's secret", id, []edit{basic(id, secret+"x")}, nil, 401, "invalid_client", WrongClientSecret},
		{"unknown client", "client_x", nil, nil, 401, "invalid_client", UnknownClient},
		{"no client", client, nil, []string{"client_id", "-"}, 401, "invalid_client", NoClient},
		{"unregistered redirect", client, nil, []string{"redirect_uri", callback + "/x"}, 400, "invalid_request", PushedElsewhere},
		{"no redirect", client, nil, []string{"redirect_uri", "-"}, 400, "invalid_request", MissingParameter},
		{"no PKCE", client, nil, []string{"code_challenge", "-"}, 400, "invalid_request", BadChallenge},
		{"plain PKCE", client, nil, []string{"code_challenge_method", "plain"}, 400, "invalid_request", BadChallenge},
		{"unknown scope", client, nil, []string{"scope", "x"}, 400, "invalid_scope", BadScope},
		{"unknown resource", client, nil, []string{"resource", "https://x.example"}, 400, "invalid_target", BadTarget},
		{"an implicit token", client, nil, []string{"response_type", "token"}, 400, "unsupported_response_type", UnknownResponseType},
		{"a thumbprint that is none", client, nil, []string{"dpop_jkt", "x"}, 400, "invalid_request", BadThumbprint},
		{"a proof for the token endpoint", client, []edit{g.proof(newKey(t), "")}, nil, 400, "invalid_dpop_proof", BadProof},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := g.push(row.client, row.edits, row.pairs...)
			g.expect(a, row.status, row.code)
			g.expectReason(row.reason)
		})
	}
	g.expect(g.push(id, []edit{basic(id, secret)}), 201, "")
	g.expect(g.get(noRedirect(), "/par"), 405, "invalid_request")
}

func TestRequestURIBelongsToItsClient(t *testing.T) {
	g := newRig(t)
	client, other := g.publicClient(), g.publicClient()
	a := g.push(client, nil)
	for name, query := range map[string]url.Values{
		"another client": byReference(other, a),
		"no client":      {"request_uri": {a.str("request_uri")}},
		"changed":        with(byReference(client, a), "request_uri", a.str("request_uri")[:len(a.str("request_uri"))-2]+"AA"),
		"another form":   with(byReference(client, a), "request_uri", "https://evil.example/request.jwt"),
		"empty":          with(byReference(client, a), "request_uri", ""),
		"only a prefix":  with(byReference(client, a), "request_uri", pushedPrefix),
	} {
		if page := g.get(newBrowser(t), "/authorize?"+query.Encode()); page.status != 400 || page.header.Get("Location") != "" {
			t.Errorf("%s: %d %s", name, page.status, page.header.Get("Location"))
		}
	}
	g.clock.forward(pushedLife)
	if page := g.get(newBrowser(t), "/authorize?"+byReference(client, a).Encode()); page.status != 400 {
		t.Errorf("too old: %d", page.status)
	}
	g.expectReason(BadRequestURI)
}

// One code comes of a request_uri, however often its page is loaded; loading
// it does not use it up, as browsers load ahead.
func TestRequestURIIsGoodOnce(t *testing.T) {
	g := newRig(t)
	client := g.publicClient()
	a := g.push(client, nil)
	first, second := newBrowser(t), newBrowser(t)
	g.get(first, "/authorize?"+byReference(client, a).Encode())
	page := g.consentPage(second, byReference(client, a))
	if g.authorizeBy(first, byReference(client, a)).Get("code") == "" {
		t.Fatal("no code")
	}
	late := g.submit(second, "/consent", url.Values{"request": {formRequest(t, page.body)}, "decision": {"allow"}})
	if late.status != 400 || late.header.Get("Location") != "" {
		t.Errorf("a second code: %d %v", late.status, late.header)
	}
	g.expectReason(RequestSpent)
	// What is kept of the decision outlives every page of the request.
	a = g.push(client, nil)
	g.clock.forward(pushedLife - time.Second)
	page = g.consentPage(second, byReference(client, a))
	g.authorizeBy(first, byReference(client, a))
	g.clock.forward(requestLife)
	g.s.sweep(t.Context())
	late = g.submit(second, "/consent", url.Values{"request": {formRequest(t, page.body)}, "decision": {"allow"}})
	if late.status != 400 {
		t.Errorf("after a sweep: %d", late.status)
	}
}

// RFC 9449 §10 and §10.1.
func TestCodesAreBoundToTheKeyOfThePush(t *testing.T) {
	g := newRig(t)
	client := g.publicClient()
	key, other := newKey(t), newKey(t)
	proof := func(k jose.PrivateKey) edit { return g.proofFor(k, "POST", "/par", "") }
	for _, row := range []struct {
		name   string
		edits  func() []edit
		pairs  []string
		status int
	}{
		{"by dpop_jkt", func() []edit { return nil }, []string{"dpop_jkt", key.Public().Thumbprint()}, 201},
		{"by a proof", func() []edit { return []edit{proof(key)} }, nil, 201},
		{"by both", func() []edit { return []edit{proof(key)} }, []string{"dpop_jkt", key.Public().Thumbprint()}, 201},
		{"by two keys", func() []edit { return []edit{proof(other)} }, []string{"dpop_jkt", key.Public().Thumbprint()}, 400},
		{"by two proofs", func() []edit { return []edit{proof(key), proof(key)} }, nil, 400},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := g.push(client, row.edits(), row.pairs...)
			if row.status != 201 {
				g.expect(a, row.status, "invalid_dpop_proof")
				return
			}
			g.expect(a, 201, "")
			code := g.authorizeBy(newBrowser(t), byReference(client, a)).Get("code")
			g.expect(g.post("/token", redemption(client, code), g.proof(other, "")), 400, "invalid_grant")
			g.expectReason(WrongKey)
			g.expect(g.post("/token", redemption(client, code)), 400, "invalid_grant")
			g.expect(g.post("/token", redemption(client, code), g.proof(key, "")), 200, "")
		})
	}
	once := proof(key)
	g.expect(g.push(client, []edit{once}), 201, "")
	g.expect(g.push(client, []edit{once}), 400, "invalid_dpop_proof")
	g.expectReason(ProofReplayed)
}

// RFC 9126 §6: a client may bind itself to pushing.
func TestClientsThatPushOnly(t *testing.T) {
	g := newRig(t)
	id := g.registerClient(`,"token_endpoint_auth_method":"none","require_pushed_authorization_requests":true`).str("client_id")
	page := g.get(newBrowser(t), "/authorize?"+authorization(id).Encode())
	g.expectReason(PushRequired)
	if page.status != 303 || g.redirected(page).Get("error") != "invalid_request" {
		t.Errorf("got %d %s", page.status, page.header.Get("Location"))
	}
	if g.authorizeBy(newBrowser(t), byReference(id, g.push(id, nil))).Get("code") == "" {
		t.Error("no code")
	}
}

func TestPushedRequestIsBounded(t *testing.T) {
	g := newRig(t)
	client := g.publicClient()
	state := strings.Repeat("x", maxState)
	a := g.push(client, nil, "state", state)
	g.expect(a, 201, "")
	if g.authorizeBy(newBrowser(t), byReference(client, a)).Get("state") != state {
		t.Error("the state is lost")
	}
	g.expect(g.push(client, nil, "state", state+"x"), 400, "invalid_request")
}

// What a pushed request demands of the sign-in counts as if it stood in the address.
func TestPushedDemandsCount(t *testing.T) {
	g := newRig(t)
	client := g.publicClient()
	back := g.redirected(g.get(newBrowser(t), "/authorize?"+byReference(client, g.push(client, nil, "prompt", "none")).Encode()))
	if back.Get("error") != "login_required" || back.Get("state") != "st&te=" {
		t.Errorf("got %v", back)
	}
	g.expect(g.push(client, nil, "prompt", "none login"), 400, "invalid_request")
	g.expectReason(BadPrompt)
	b := newBrowser(t)
	g.authorizeBy(b, authorization(client))
	g.clock.forward(time.Minute)
	if page := g.get(b, "/authorize?"+byReference(client, g.push(client, nil, "max_age", "30")).Encode()); !strings.Contains(page.body, `name="password"`) {
		t.Errorf("an old sign-in is good enough: %d", page.status)
	}
}
