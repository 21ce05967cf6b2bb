package authserver

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
)

func (g *rig) resourceServer(resources ...string) (id, secret string) {
	g.t.Helper()
	id, secret, err := g.s.CreateResourceServer(context.Background(), "proxy", resources)
	if err != nil {
		g.t.Fatal(err)
	}
	return id, secret
}

func TestIntrospection(t *testing.T) {
	g := newRig(t)
	client := g.publicClient()
	a := g.tokens(client, g.proof(newKey(t), ""))
	access, refresh := a.str("access_token"), a.str("refresh_token")
	proxy, proxySecret := g.resourceServer(calculator)
	foreign, foreignSecret := g.resourceServer(database)
	robot, robotSecret := g.machine("calc:basic")
	own := g.post("/token", url.Values{"grant_type": {"client_credentials"}, "resource": {calculator}}, basic(robot, robotSecret)).str("access_token")
	for _, row := range []struct {
		name, token string
		as          edit
		active      bool
	}{
		{"access token at its resource", access, basic(proxy, proxySecret), true},
		{"machine's token at its resource", own, basic(proxy, proxySecret), true},
		{"own token", own, basic(robot, robotSecret), true},
		{"access token at another resource", access, basic(foreign, foreignSecret), false},
		{"someone else's token", access, basic(robot, robotSecret), false},
		{"refresh token at a resource", refresh, basic(proxy, proxySecret), false},
		{"cut short", access[:len(access)-1], basic(proxy, proxySecret), false},
		{"one bit changed", flip(access), basic(proxy, proxySecret), false},
		{"unknown", "prt_nothing", basic(proxy, proxySecret), false},
		{"a megabyte of dots would be", "...........", basic(proxy, proxySecret), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			i := g.post("/introspect", url.Values{"token": {row.token}}, row.as)
			if i.status != 200 || i.fields["active"] != row.active {
				t.Errorf("got %s", i.body)
			}
			if !row.active && len(i.fields) != 1 {
				t.Errorf("an inactive token tells: %s", i.body)
			}
		})
	}
	i := g.post("/introspect", url.Values{"token": {access}}, basic(proxy, proxySecret))
	if i.str("token_type") != "DPoP" || i.fields["cnf"] == nil || i.str("client_id") != client || i.str("scope") != "calc:basic" {
		t.Errorf("got %s", i.body)
	}
	g.clock.forward(11 * time.Minute)
	if i := g.post("/introspect", url.Values{"token": {access}}, basic(proxy, proxySecret)); i.fields["active"] != false {
		t.Error("expired and active")
	}
}

func TestIntrospectionNeedsAuthentication(t *testing.T) {
	g := newRig(t)
	client := g.publicClient()
	token := url.Values{"token": {g.tokens(client).str("access_token")}}
	g.expect(g.post("/introspect", token), 401, "invalid_client")
	g.expect(g.post("/introspect", with(token, "client_id", client)), 401, "invalid_client")
	g.expectReason(PublicNotAllowed)
	robot, secret := g.machine()
	g.expect(g.post("/introspect", with(token, "client_id", robot)), 401, "invalid_client")
	g.expect(g.post("/introspect", url.Values{}, basic(robot, secret)), 400, "invalid_request")
}

func TestRevocation(t *testing.T) {
	g := newRig(t)
	client, other := g.publicClient(), g.publicClient()
	proxy, secret := g.resourceServer(calculator)
	active := func(token string) bool {
		return g.post("/introspect", url.Values{"token": {token}}, basic(proxy, secret)).fields["active"] == true
	}
	t.Run("an access token alone", func(t *testing.T) {
		a := g.tokens(client)
		g.expect(g.post("/revoke", url.Values{"token": {a.str("access_token")}, "client_id": {client}}), 200, "")
		if active(a.str("access_token")) {
			t.Error("still active")
		}
		g.expect(g.post("/token", refreshing(client, a)), 200, "")
	})
	t.Run("a refresh token and all that came from it", func(t *testing.T) {
		a := g.tokens(client)
		b := g.post("/token", refreshing(client, a))
		g.expect(g.post("/revoke", url.Values{"token": {b.str("refresh_token")}, "client_id": {client}, "token_type_hint": {"access_token"}}), 200, "")
		if active(a.str("access_token")) || active(b.str("access_token")) {
			t.Error("still active")
		}
		g.expect(g.post("/token", refreshing(client, b)), 400, "invalid_grant")
	})
	t.Run("a refresh token says so to its own client", func(t *testing.T) {
		reg := g.registerClient("")
		id, own := reg.str("client_id"), basic(reg.str("client_id"), reg.str("client_secret"))
		form := redemption(id, g.code(id))
		form.Del("client_id")
		a := g.post("/token", form, own)
		ask := url.Values{"token": {a.str("refresh_token")}}
		if i := g.post("/introspect", ask, own); i.fields["active"] != true || i.str("client_id") != id {
			t.Errorf("got %s", i.body)
		}
		g.expect(g.post("/revoke", ask, own), 200, "")
		if i := g.post("/introspect", ask, own); i.fields["active"] != false {
			t.Errorf("got %s", i.body)
		}
	})
	t.Run("not another client's", func(t *testing.T) {
		a := g.tokens(client)
		g.expect(g.post("/revoke", url.Values{"token": {a.str("refresh_token")}, "client_id": {other}}), 400, "invalid_grant")
		if !active(a.str("access_token")) {
			t.Error("revoked by a stranger")
		}
	})
	t.Run("unknown is no error", func(t *testing.T) {
		g.expect(g.post("/revoke", url.Values{"token": {"prt_unknown"}, "client_id": {client}}), 200, "")
	})
	t.Run("nobody", func(t *testing.T) {
		g.expect(g.post("/revoke", url.Values{"token": {"prt_unknown"}}), 401, "invalid_client")
	})
}

// brokenStore fails where it matters; the rest is a real store.
type brokenStore struct{ Store }

func (brokenStore) RevokeGrant(context.Context, string, time.Time) error     { return errBroken }
func (brokenStore) RevokeToken(context.Context, string) error                { return errBroken }
func (brokenStore) Places(context.Context) (uint64, uint64, error)           { return 0, 0, errBroken }
func (brokenStore) Spend(context.Context, store.Hash, time.Time) error       { return errBroken }
func (brokenStore) Consent(context.Context, store.Consent) ([]string, error) { return nil, errBroken }
func (brokenStore) User(context.Context, string) (store.User, error)         { return store.User{}, errBroken }
func (brokenStore) Sweep(context.Context, time.Time, time.Time, int) (bool, error) {
	return true, errBroken
}
func (brokenStore) AddClient(context.Context, store.Client, int) error { return errBroken }
func (brokenStore) AccessToken(context.Context, string) (store.AccessToken, error) {
	return store.AccessToken{}, errBroken
}
func (brokenStore) ListEnded(context.Context) (bool, error) { return true, errBroken }
func (brokenStore) Revocations(context.Context, uint64, int) ([]store.Revocation, error) {
	return nil, errBroken
}
func (brokenStore) Issue(context.Context, store.AccessToken) (uint64, error) { return 0, errBroken }
func (brokenStore) Code(context.Context, store.Hash) (store.Code, error) {
	return store.Code{}, errBroken
}

// A store that fails is a 500 without a word of why, never a yes.
func TestStoreFailureIsNeverAYes(t *testing.T) {
	g := newRig(t)
	client := g.publicClient()
	a := g.tokens(client)
	proxy, secret := g.resourceServer(calculator)
	b := newBrowser(t)
	robot, robotSecret := g.machine("calc:basic")
	consent := g.consentPage(b, authorization(client))
	login := g.loginForm(newBrowser(t), testUser, testPassword)
	g.keepIn(brokenStore{g.s.store})
	for name, got := range map[string]answerOf{
		"revoke refresh": g.post("/revoke", url.Values{"token": {a.str("refresh_token")}, "client_id": {client}}),
		"revoke access":  g.post("/revoke", url.Values{"token": {a.str("access_token")}, "client_id": {client}}),
		"machine token":  g.post("/token", machineGrant(), basic(robot, robotSecret)),
		"status list":    g.get(noRedirect(), "/status/0"),
		"status lists":   g.get(noRedirect(), "/status"),
		"introspect":     g.post("/introspect", url.Values{"token": {a.str("access_token")}}, basic(proxy, secret)),
		"redeem":         g.post("/token", redemption(client, openCode+"x")),
		"register":       g.postJSON("/register", `{"redirect_uris":["`+callback+`"]}`),
	} {
		g.expect(got, 500, "server_error")
		if len(got.fields) != 1 {
			t.Errorf("%s tells: %s", name, got.body)
		}
	}
	for name, got := range map[string]answerOf{
		"deny":      g.submit(b, "/consent", approval(t, consent, "deny")),
		"authorize": g.get(b, "/authorize?"+authorization(client).Encode()),
		"sign in":   g.submit(b, "/login", login),
	} {
		if got.status < 400 || strings.Contains(got.body, errBroken.Error()) || got.header.Get("Location") != "" {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
}

// Sweeping takes what is over, and nothing that still works.
func TestSweepingKeepsWhatLives(t *testing.T) {
	g := newRig(t)
	client := g.publicClient()
	proxy, secret := g.resourceServer(calculator)
	pendingCode := g.code(client)
	g.s.sweep(t.Context())
	a := g.post("/token", redemption(client, pendingCode))
	g.expect(a, 200, "")
	g.clock.forward(9 * time.Minute)
	g.s.sweep(t.Context())
	if i := g.post("/introspect", url.Values{"token": {a.str("access_token")}}, basic(proxy, secret)); i.fields["active"] != true {
		t.Error("a living access token was swept")
	}
	for range 3 {
		g.clock.forward(23 * time.Hour)
		g.s.sweep(t.Context())
		a = g.post("/token", refreshing(client, a))
		g.expect(a, 200, "")
	}
	g.clock.forward(48 * time.Hour)
	g.s.sweep(t.Context())
	g.expect(g.post("/token", refreshing(client, a)), 400, "invalid_grant")
	g.keepIn(brokenStore{g.s.store})
	g.s.sweep(t.Context())
	if !strings.Contains(g.log.String(), `"msg":"store.sweep_failed"`) {
		t.Error("a failing sweep says nothing")
	}
}
