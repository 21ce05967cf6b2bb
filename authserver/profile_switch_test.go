package authserver

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/jose"
)

// becomesFAPI2 ends the server, and goes on under the other profile.
func (g *rig) becomesFAPI2() {
	g.t.Helper()
	if err := g.s.Close(); err != nil {
		g.t.Fatal(err)
	}
	g.reconfigure(underFAPI2, func(c *Config) { c.Keys.Algorithm = jose.ES256 })
}

// §5.4.1: nothing is signed with a key of before, nor with one that waits.
func TestForbiddenKeysSignNoMore(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Keys.Algorithm = jose.RS256 })
	if alg, _ := signedWith(t, newRobot(g).token()); alg != "RS256" {
		t.Fatalf("signed by %s", alg)
	}
	if _, err := g.s.keys.Rotate(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	old := g.s.keys.Signer().Public().ID()
	g.becomesFAPI2()
	if !publishedBy(g).Has(old) {
		t.Error("nobody can verify what was signed before")
	}
	for range 2 {
		if alg := g.s.keys.Signer().Algorithm(); alg != jose.ES256 {
			t.Errorf("signed by %s after %v", alg, g.clock.Now())
		}
		g.clock.forward(90 * time.Minute)
	}
	keys, err := g.s.keys.List(t.Context())
	if err != nil || len(keys) != 2 {
		t.Errorf("%v, %v: want the one of before and the one that signs", keys, err)
	}
	g.becomesFAPI2()
	if again, err := g.s.keys.List(t.Context()); err != nil || len(again) != 2 {
		t.Errorf("%v, %v: another start makes no other key", again, err)
	}
}

// §5.3.2.2: what was not pushed ends with the profile that allowed it.
func TestUnpushedRequestsEndWithTheirProfile(t *testing.T) {
	b := &banker{rig: newRig(t), proofKey: newKey(t)}
	key := newKey(t)
	b.signing = signing{b.registerClient(`,"token_endpoint_auth_method":"private_key_jwt","jwks":` + setOf(t, key)).str("client_id"), key}
	browser := newBrowser(t)
	code := b.authorizeBy(browser, authorization(b.id)).Get("code")
	page := b.consentPage(browser, with(authorization(b.id), "prompt", "consent"))
	pushedBefore := b.pushes()
	b.becomesFAPI2()
	a := b.submit(browser, "/consent", url.Values{"request": {formRequest(t, page.body)}, "decision": {"allow"}})
	if a.status != 400 || a.header.Get("Location") != "" {
		t.Errorf("allowed: %d %v", a.status, a.header)
	}
	b.expectReason(PushRequired)
	b.expect(b.post("/token", b.asserted(redemption(b.id, code)), b.proof(b.proofKey, "")), 400, "invalid_grant")
	b.expectReason(BadCode)
	forged := pushedCode + strings.TrimPrefix(code, openCode)
	b.expect(b.post("/token", b.asserted(redemption(b.id, forged)), b.proof(b.proofKey, "")), 400, "invalid_grant")
	good := b.authorizeBy(browser, byReference(b.id, pushedBefore)).Get("code")
	b.expect(b.post("/token", b.asserted(redemption(b.id, good)), b.proof(b.proofKey, "")), 200, "")
}

// §5.3.2.1: a token of before that is bound to nothing is worth nothing here,
// and can be revoked where others still take it.
func TestUnboundTokensEndWithTheirProfile(t *testing.T) {
	b := &banker{rig: newRig(t), proofKey: newKey(t)}
	b.signing = b.signingMachine(newKey(t), "")
	ask := func(token string) answerOf {
		return b.post("/introspect", b.asserted(url.Values{"client_id": {b.id}, "token": {token}}))
	}
	issued := func(edits ...edit) string {
		return b.post("/token", b.asserted(url.Values{"grant_type": {"client_credentials"}, "resource": {calculator}, "client_id": {b.id}}), edits...).str("access_token")
	}
	free, bound := issued(), issued(b.proof(b.proofKey, ""))
	for _, token := range []string{free, bound} {
		if a := ask(token); a.fields["active"] != true {
			t.Errorf("before: %s", a.body)
		}
	}
	b.becomesFAPI2()
	if a := ask(free); a.body != `{"active":false}` {
		t.Errorf("unbound: %s", a.body)
	}
	if a := ask(bound); a.fields["active"] != true {
		t.Errorf("bound: %s", a.body)
	}
	b.expect(b.post("/revoke", b.asserted(url.Values{"client_id": {b.id}, "token": {free}})), 200, "")
	if !strings.Contains(b.log.String(), `"token.revoked"`) {
		t.Error("not revoked")
	}
}

func TestPagesStayOnHTTPS(t *testing.T) {
	g := newRig(t)
	plain := g.get(noRedirect(), "/device")
	g.reconfigure(func(c *Config) { c.Issuer = "https://auth.example" })
	as := func(r *http.Request) { r.Host = "auth.example" }
	secure := g.do(noRedirect(), g.request("GET", "/device", "", "", as))
	keys := g.do(noRedirect(), g.request("GET", "/jwks.json", "", "", as))
	for name, row := range map[string]struct {
		got  answerOf
		want string
	}{"plain": {plain, ""}, "secure": {secure, "max-age=31536000"}, "for machines": {keys, ""}} {
		if row.got.status != 200 || row.got.header.Get("Strict-Transport-Security") != row.want {
			t.Errorf("%s: %d %q", name, row.got.status, row.got.header.Get("Strict-Transport-Security"))
		}
	}
}
