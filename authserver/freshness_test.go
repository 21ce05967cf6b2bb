package authserver

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// httpsClient registers a client whose consent is remembered.
func (g *rig) httpsClient() (id string, query url.Values) {
	g.t.Helper()
	at := "https://app.example/cb"
	id, _, err := g.s.RegisterClient(context.Background(), []byte(`{"client_name":"App","redirect_uris":["`+at+`"],"token_endpoint_auth_method":"none","grant_types":["authorization_code","refresh_token"]}`))
	if err != nil {
		g.t.Fatal(err)
	}
	return id, with(authorization(id), "redirect_uri", at)
}

func asksWho(a answerOf) bool { return a.status == 200 && strings.Contains(a.body, `name="password"`) }

func asksAgain(a answerOf) bool {
	return asksWho(a) && strings.Contains(a.body, "sign in once more") && strings.Contains(a.body, `value="`+testUser+`"`)
}

// What is asked of a person who signed in ten minutes ago and allowed all of it.
func TestFreshness(t *testing.T) {
	g := newRig(t)
	_, query := g.httpsClient()
	b := newBrowser(t)
	g.authorizeBy(b, query)
	g.clock.forward(10 * time.Minute)
	code := func(a answerOf) bool { return a.status == 303 && strings.Contains(a.header.Get("Location"), "code=") }
	consent := func(a answerOf) bool { return a.status == 200 && strings.Contains(a.body, `value="allow"`) }
	failed := func(code string) func(answerOf) bool {
		return func(a answerOf) bool {
			return a.status == 303 && strings.Contains(a.header.Get("Location"), "error="+code+"&")
		}
	}
	for _, row := range []struct {
		name  string
		pairs []string
		got   func(answerOf) bool
	}{
		{"nothing", nil, code},
		{"young enough", []string{"max_age", "601"}, code},
		{"exactly", []string{"max_age", "600"}, code},
		{"too old", []string{"max_age", "599"}, asksAgain},
		{"now", []string{"max_age", "0"}, asksAgain},
		{"any age", []string{"max_age", "18446744073709551615"}, code},
		{"sign-in", []string{"prompt", "login"}, asksAgain},
		{"another account", []string{"prompt", "select_account"}, asksAgain},
		{"consent", []string{"prompt", "consent"}, consent},
		{"both", []string{"prompt", "login consent"}, asksAgain},
		{"silent", []string{"prompt", "none"}, code},
		{"silent, more scope", []string{"prompt", "none", "scope", "calc:basic calc:power"}, failed("consent_required")},
		{"silent, too old", []string{"prompt", "none", "max_age", "60"}, failed("login_required")},
		{"silent and not", []string{"prompt", "none login"}, failed("invalid_request")},
		{"unknown prompt", []string{"prompt", "create"}, failed("invalid_request")},
		{"negative age", []string{"max_age", "-1"}, failed("invalid_request")},
		{"age that is no number", []string{"max_age", "1e3"}, failed("invalid_request")},
		{"a class that was reached, among others", []string{"acr_values", "phr pwd"}, code},
		{"a class the person cannot reach", []string{"acr_values", "phr"}, failed("unmet_authentication_requirements")},
		{"a class there is not", []string{"acr_values", "gold"}, failed("unmet_authentication_requirements")},
	} {
		t.Run(row.name, func(t *testing.T) {
			if a := g.get(b, "/authorize?"+with(query, row.pairs...).Encode()); !row.got(a) {
				t.Errorf("got %d %q %s", a.status, a.header.Get("Location"), a.body)
			}
		})
	}
}

// Nobody is signed in: loopback hears of it, and nobody else is sent anywhere.
func TestSilentForAStranger(t *testing.T) {
	g := newRig(t)
	v := g.redirected(g.get(newBrowser(t), "/authorize?"+with(authorization(g.publicClient()), "prompt", "none").Encode()))
	if v.Get("error") != "login_required" || v.Get("state") != "st&te=" || v.Get("iss") != g.url {
		t.Errorf("got %v", v)
	}
	_, query := g.httpsClient()
	a := g.get(newBrowser(t), "/authorize?"+with(query, "prompt", "none").Encode())
	if a.status != 400 || a.header.Get("Location") != "" || !strings.Contains(a.words(), "Go back to app.example") {
		t.Errorf("got %d %q", a.status, a.header.Get("Location"))
	}
}

// A second sign-in is enough, once, and the token says when it was.
func TestSigningInAgain(t *testing.T) {
	g := newRig(t)
	id, query := g.httpsClient()
	watcher, secret := g.resourceServer(calculator)
	redeem := func(code string) answerOf {
		return g.post("/token", with(redemption(id, code), "redirect_uri", query.Get("redirect_uri")))
	}
	b := newBrowser(t)
	first := redeem(g.authorizeBy(b, query).Get("code"))
	signedIn := g.clock.Now()
	g.clock.forward(10 * time.Minute)

	old := g.post("/token", refreshing(id, first))
	if c := g.verified(old); !c.AuthTime.Equal(signedIn) || c.ACR != "pwd" || strings.Join(c.AMR, " ") != "pwd" {
		t.Errorf("a refresh made the sign-in younger: %+v", c)
	}
	again := redeem(g.authorizeBy(b, with(query, "max_age", "60")).Get("code"))
	if c := g.verified(again); !c.AuthTime.Equal(g.clock.Now()) {
		t.Errorf("signed in at %v, want %v", c.AuthTime, g.clock.Now())
	}
	i := g.post("/introspect", url.Values{"token": {old.str("access_token")}}, basic(watcher, secret))
	if i.str("acr") != "pwd" || i.fields["auth_time"] != float64(signedIn.Unix()) {
		t.Errorf("got %s", i.body)
	}
}

// A resource server wants a younger sign-in (RFC 9470), and the client knows
// nothing of that: it refreshes, then authorizes as it always does.
func TestClientThatKnowsNothingOfStepUpsSucceeds(t *testing.T) {
	g := newRig(t, tellsOfStepUps)
	id, query := g.httpsClient()
	b := newBrowser(t)
	redeem := func(code string) answerOf {
		return g.post("/token", with(redemption(id, code), "redirect_uri", query.Get("redirect_uri")))
	}
	first := redeem(g.authorizeBy(b, query).Get("code"))
	g.clock.forward(10 * time.Minute)
	notice := url.Values{"client_id": {id}, "sub": {g.verified(g.post("/token", refreshing(id, first))).Subject}, "resource": {calculator}, "max_age": {"300"}}
	g.expect(g.post("/step-up", notice, bearer(sharedSecret)), http.StatusNoContent, "")
	g.expect(g.post("/token", refreshing(id, first)), 400, "interaction_required")
	g.expectReason(StepUpPending)

	page := g.get(b, "/authorize?"+query.Encode())
	if !asksAgain(page) {
		t.Fatalf("got %d %q", page.status, page.header.Get("Location"))
	}
	second := redeem(g.authorizeBy(b, query).Get("code"))
	if c := g.verified(second); !c.AuthTime.Equal(g.clock.Now()) {
		t.Errorf("signed in at %v, want %v", c.AuthTime, g.clock.Now())
	}
	g.expect(g.post("/token", refreshing(id, second)), 200, "")
	if v := g.redirected(g.get(b, "/authorize?"+query.Encode())); v.Get("code") == "" { // good enough now
		t.Errorf("got %v", v)
	}
}

func TestStepUpsOfSignInConcernNobodyElse(t *testing.T) {
	g := newRig(t, tellsOfStepUps)
	id, query := g.httpsClient()
	b := newBrowser(t)
	g.authorizeBy(b, query)
	g.clock.forward(10 * time.Minute)
	for name, change := range map[string][]string{
		"another person": {"sub", "user_other"}, "another resource": {"resource", database}, "another client": {"client_id", "client_other"},
		"young enough": {"max_age", "3600"}, "the class that was reached": {"max_age", "-", "acr_values", "pwd"},
	} {
		user, err := g.s.store.User(t.Context(), testUser)
		if err != nil {
			t.Fatal(err)
		}
		notice := url.Values{"client_id": {id}, "sub": {user.ID}, "resource": {calculator}, "max_age": {"60"}}
		g.expect(g.post("/step-up", with(notice, change...), bearer(sharedSecret)), http.StatusNoContent, "")
		if v := g.redirected(g.get(b, "/authorize?"+query.Encode())); v.Get("code") == "" {
			t.Errorf("%s: %v", name, v)
		}
	}
	notice := url.Values{"client_id": {id}, "sub": {"x"}, "resource": {calculator}}
	g.expect(g.post("/step-up", with(notice, "acr_values", "gold"), bearer(sharedSecret)), 400, "unmet_authentication_requirements")
	g.expect(g.post("/step-up", with(notice, "max_age", "soon"), bearer(sharedSecret)), 400, "invalid_request")
}

// A resource server wants a stronger sign-in, which this person cannot do yet:
// they are shown where to set it up, and the client does not hear that
// everything is fine.
func TestStepUpToALevel(t *testing.T) {
	g := newRig(t, tellsOfStepUps)
	id, query := g.httpsClient()
	b := newBrowser(t)
	first := g.post("/token", with(redemption(id, g.authorizeBy(b, query).Get("code")), "redirect_uri", query.Get("redirect_uri")))
	notice := url.Values{"client_id": {id}, "sub": {g.verified(first).Subject}, "resource": {calculator}, "acr_values": {"phr mfa"}}
	g.expect(g.post("/step-up", notice, bearer(sharedSecret)), http.StatusNoContent, "")
	g.expect(g.post("/token", refreshing(id, first)), 400, "interaction_required")
	g.expectReason(StepUpPending)
	if a := g.get(b, "/authorize?"+query.Encode()); a.status != 303 || !strings.HasPrefix(a.header.Get("Location"), "/account/security?then=") {
		t.Errorf("got %d %q", a.status, a.header.Get("Location"))
	}
	g.clock.forward(stepUpLife)
	g.expect(g.post("/token", refreshing(id, first)), 200, "")
}
