package authserver

import (
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestPersonGetsTokens(t *testing.T) {
	g := newRig(t)
	id := g.publicClient()
	code := g.code(id)
	a := g.post("/token", redemption(id, code))
	g.expect(a, 200, "")
	c := g.verified(a)
	if !strings.HasPrefix(c.Subject, "user_") || c.AuthTime.IsZero() || a.str("refresh_token") == "" || a.str("scope") != "calc:basic" {
		t.Errorf("got %s, %+v", a.body, c)
	}
	for _, event := range []string{"client.registered", "login.ok", "consent.granted", "token.issued"} {
		if !strings.Contains(g.log.String(), `"msg":"`+event+`"`) {
			t.Errorf("no %s in the log", event)
		}
	}
	for _, secret := range []string{a.str("access_token"), a.str("refresh_token"), code, testPassword} {
		if strings.Contains(g.log.String(), secret) {
			t.Error("a secret is in the log")
		}
	}
}

func TestCodeIsBound(t *testing.T) {
	g := newRig(t)
	mine, other := g.publicClient(), g.publicClient()
	code := g.code(mine)
	good := redemption(mine, code)
	for _, row := range []struct {
		name   string
		form   url.Values
		code   string
		reason Reason
	}{
		{"another client", with(good, "client_id", other), "invalid_grant", BadCode},
		{"another redirect", with(good, "redirect_uri", callback+"x"), "invalid_grant", OtherRedirect},
		{"another port of the redirect", with(good, "redirect_uri", strings.Replace(callback, "7777", "7778", 1)), "invalid_grant", OtherRedirect},
		{"another resource", with(good, "resource", database), "invalid_target", OtherResource},
		{"cut short", with(good, "code", code[:len(code)-1]), "invalid_grant", BadCode},
		{"longer", with(good, "code", code+"A"), "invalid_grant", BadCode},
		{"one bit changed", with(good, "code", flip(code)), "invalid_grant", BadCode},
		{"no code", with(good, "code", "-"), "invalid_request", MissingParameter},
		{"no verifier", with(good, "code_verifier", "-"), "invalid_request", MissingParameter},
		{"another verifier", with(good, "code_verifier", strings.Repeat("x", 50)), "invalid_grant", BadVerifier},
		{"the challenge as verifier", with(good, "code_verifier", challengeOf(verifier)), "invalid_grant", BadVerifier},
		{"verifier in other case", with(good, "code_verifier", strings.ToUpper(verifier)), "invalid_grant", BadVerifier},
	} {
		t.Run(row.name, func(t *testing.T) {
			g.expect(g.post("/token", row.form), 400, row.code)
			g.expectReason(row.reason)
		})
	}
	// None of it used the code up or ended the grant.
	g.expect(g.post("/token", good), 200, "")
}

// flip changes the lowest bit of the last character but one.
func flip(s string) string {
	b := []byte(s)
	b[len(b)-2] ^= 1
	return string(b)
}

func TestCodeExpires(t *testing.T) {
	g := newRig(t)
	id := g.publicClient()
	code := g.code(id)
	g.clock.forward(time.Minute)
	g.expect(g.post("/token", redemption(id, code)), 400, "invalid_grant")
}

func TestCodeUsedTwiceRevokesTheFamily(t *testing.T) {
	g := newRig(t)
	id := g.publicClient()
	watcher, secret := g.resourceServer(calculator)
	code := g.code(id)
	a := g.post("/token", redemption(id, code))
	g.expect(a, 200, "")
	active := func() bool {
		return g.post("/introspect", url.Values{"token": {a.str("access_token")}}, basic(watcher, secret)).fields["active"] == true
	}
	// A thief without the verifier cannot end the grant (OAuth 2.1 §4.1.3).
	g.expect(g.post("/token", with(redemption(id, code), "code_verifier", strings.Repeat("x", 43))), 400, "invalid_grant")
	if !active() {
		t.Error("revoked by a request that could never have redeemed the code")
	}
	g.expect(g.post("/token", redemption(id, code)), 400, "invalid_grant")
	g.expectReason(CodeReused)
	if active() {
		t.Error("the access token of a reused code is still active")
	}
	g.expect(g.post("/token", refreshing(id, a)), 400, "invalid_grant")
}

func TestCodeRedeemedByManyAtOnce(t *testing.T) {
	g := newRig(t)
	id := g.publicClient()
	form := redemption(id, g.code(id))
	var ok atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if g.post("/token", form).status == 200 {
				ok.Add(1)
			}
		})
	}
	all.Wait()
	if ok.Load() > 1 {
		t.Errorf("%d redemptions of one code", ok.Load())
	}
}

func TestClientWithoutRefreshGrantGetsNone(t *testing.T) {
	g := newRig(t)
	reg := g.postJSON("/register", `{"redirect_uris":["`+callback+`"],"token_endpoint_auth_method":"none"}`)
	a := g.tokens(reg.str("client_id"))
	if a.str("refresh_token") != "" {
		t.Error("a refresh token for a client that did not register for them")
	}
}
