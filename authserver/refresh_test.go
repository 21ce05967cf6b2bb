package authserver

import (
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

func refreshing(client string, a answerOf) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "client_id": {client}, "refresh_token": {a.str("refresh_token")}}
}

func TestPublicClientsRefreshTokenRotates(t *testing.T) {
	g := newRig(t)
	id := g.publicClient()
	first := g.tokens(id)
	second := g.post("/token", refreshing(id, first))
	g.expect(second, 200, "")
	if second.str("refresh_token") == first.str("refresh_token") || second.str("scope") != "calc:basic" {
		t.Errorf("got %s", second.body)
	}
	if g.verified(second).AuthTime != g.verified(first).AuthTime {
		t.Error("a refresh is no sign-in")
	}
	g.expect(g.post("/token", refreshing(id, second)), 200, "")
}

func TestLostAnswerIsGivenAgain(t *testing.T) {
	g := newRig(t)
	id := g.publicClient()
	first := g.tokens(id)
	second := g.post("/token", refreshing(id, first))
	g.clock.forward(rotationGrace)
	again := g.post("/token", refreshing(id, first))
	g.expect(again, 200, "")
	if again.str("refresh_token") != second.str("refresh_token") {
		t.Error("the repetition got another successor")
	}
	g.expect(g.post("/token", refreshing(id, again)), 200, "")
}

// Who never got the answer signs out with the only token it has; nobody keeps
// the successor.
func TestUsedRefreshTokenSignsOut(t *testing.T) {
	g := newRig(t)
	id, other := g.publicClient(), g.publicClient()
	first := g.tokens(id)
	second := g.post("/token", refreshing(id, first))
	g.expect(second, 200, "")
	used := url.Values{"token": {first.str("refresh_token")}}
	g.expect(g.post("/revoke", with(used, "client_id", other)), 400, "invalid_grant")
	g.expect(g.post("/revoke", with(used, "client_id", id)), 200, "")
	g.expect(g.post("/token", refreshing(id, second)), 400, "invalid_grant")
	g.expect(g.post("/revoke", with(used, "client_id", id)), 200, "")
}

func TestReusedRefreshTokenRevokesTheFamily(t *testing.T) {
	for name, use := range map[string]func(g *rig, id string, second answerOf){
		"after the grace":                  func(g *rig, _ string, _ answerOf) { g.clock.forward(rotationGrace + time.Second) },
		"when its successor has been used": func(g *rig, id string, second answerOf) { g.post("/token", refreshing(id, second)) },
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			id := g.publicClient()
			watcher, secret := g.resourceServer(calculator)
			first := g.tokens(id)
			second := g.post("/token", refreshing(id, first))
			use(g, id, second)
			g.expect(g.post("/token", refreshing(id, first)), 400, "invalid_grant")
			g.expectReason(RefreshReused)
			g.expect(g.post("/token", refreshing(id, second)), 400, "invalid_grant")
			for _, a := range []answerOf{first, second} {
				i := g.post("/introspect", url.Values{"token": {a.str("access_token")}}, basic(watcher, secret))
				if i.fields["active"] != false {
					t.Error("an access token outlived its family")
				}
			}
			if !strings.Contains(g.log.String(), `"msg":"refresh.reuse"`) {
				t.Error("no audit line")
			}
		})
	}
}

// Who shows the token's key may run into a timeout first.
func TestGraceOfBoundRefreshTokens(t *testing.T) {
	g := newRig(t)
	id, key := g.publicClient(), newKey(t)
	first := g.tokens(id, g.proof(key, ""))
	second := g.post("/token", refreshing(id, first), g.proof(key, ""))
	g.clock.forward(boundGrace)
	again := g.post("/token", refreshing(id, first), g.proof(key, ""))
	g.expect(again, 200, "")
	if again.str("refresh_token") != second.str("refresh_token") {
		t.Error("the repetition got another successor")
	}
	g.clock.forward(time.Second)
	g.expect(g.post("/token", refreshing(id, first), g.proof(key, "")), 400, "invalid_grant")
	g.expectReason(RefreshReused)
}

func TestRefreshTokenUsedByManyAtOnce(t *testing.T) {
	g := newRig(t)
	id := g.publicClient()
	form := refreshing(id, g.tokens(id))
	next := make([]string, 12)
	var all sync.WaitGroup
	for i := range next {
		all.Go(func() { next[i] = g.post("/token", form).str("refresh_token") })
	}
	all.Wait()
	for _, n := range next {
		if n == "" || n != next[0] {
			t.Fatalf("one token has several successors: %q", next)
		}
	}
}

func TestRefreshTokenIsBound(t *testing.T) {
	g := newRig(t)
	mine, other := g.publicClient(), g.publicClient()
	a := g.tokens(mine)
	good, raw := refreshing(mine, a), a.str("refresh_token")
	for _, row := range []struct {
		name   string
		form   url.Values
		code   string
		reason Reason
	}{
		{"another client", with(good, "client_id", other), "invalid_grant", BadRefreshToken},
		{"cut short", with(good, "refresh_token", raw[:len(raw)-1]), "invalid_grant", BadRefreshToken},
		{"one bit changed", with(good, "refresh_token", flip(raw)), "invalid_grant", BadRefreshToken},
		{"an access token", with(good, "refresh_token", a.str("access_token")), "invalid_grant", BadRefreshToken},
		{"none", with(good, "refresh_token", "-"), "invalid_request", MissingParameter},
		{"more scope", with(good, "scope", "calc:basic calc:power"), "invalid_scope", BadScope},
		{"another resource", with(good, "resource", database), "invalid_target", OtherResource},
	} {
		t.Run(row.name, func(t *testing.T) {
			g.expect(g.post("/token", row.form), 400, row.code)
			g.expectReason(row.reason)
		})
	}
	g.expect(g.post("/token", with(good, "resource", calculator, "scope", "calc:basic")), 200, "")
}

func TestScopeNarrowsForOneAccessTokenOnly(t *testing.T) {
	g := newRig(t)
	id := g.publicClient()
	a := g.post("/token", redemption(id, g.code(id, "scope", "calc:basic calc:power")))
	b := g.post("/token", with(refreshing(id, a), "scope", "calc:power"))
	if b.str("scope") != "calc:power" {
		t.Errorf("got %s", b.body)
	}
	c := g.post("/token", refreshing(id, b))
	if c.str("scope") != "calc:basic calc:power" {
		t.Errorf("got %s", c.body)
	}
}

func TestRefreshTokenExpiresUnused(t *testing.T) {
	g := newRig(t)
	id := g.publicClient()
	a := g.tokens(id)
	g.clock.forward(24 * time.Hour)
	g.expect(g.post("/token", refreshing(id, a)), 400, "invalid_grant")
}

func TestConfidentialClientsRefreshTokenStays(t *testing.T) {
	g := newRig(t)
	reg := g.registerClient("")
	id, secret := reg.str("client_id"), reg.str("client_secret")
	a := g.post("/token", with(redemption(id, g.code(id)), "client_secret", secret))
	g.expect(a, 200, "")
	for range 3 {
		g.clock.forward(23 * time.Hour) // every use moves the expiry
		b := g.post("/token", refreshing(id, a), basic(id, secret))
		g.expect(b, 200, "")
		if b.str("refresh_token") != "" {
			t.Error("rotated")
		}
	}
}

// A resource that is taken out of the configuration takes its grants along.
func TestGrantsOfAResourceThatIsGone(t *testing.T) {
	g := newRig(t)
	id := g.publicClient()
	a, code := g.tokens(id), g.code(id)
	g.s.catalogue = newCatalogue([]Resource{{URL: database}}, Resource{URL: "https://as.example/api/v1"})
	g.expect(g.post("/token", refreshing(id, a)), 400, "invalid_target")
	g.expect(g.post("/token", redemption(id, code)), 400, "invalid_target")
}
