package authserver

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/authserver/status"
	"github.com/postern-mcp/postern/authserver/token"
)

func machineGrant() url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "resource": {calculator}}
}

// claims of an access token, by the keys that the server publishes.
func (g *rig) claims(access string) token.Claims {
	g.t.Helper()
	u, err := token.Parse(access)
	if err != nil {
		g.t.Fatal(err)
	}
	a, err := u.Verify(g.clock.Now(), g.s.rules, g.publishedKeys())
	if err != nil {
		g.t.Fatal(err)
	}
	return a.Claims()
}

func (g *rig) publishedKeys() jose.KeySet {
	g.t.Helper()
	keys, err := jose.ParseKeySet([]byte(g.get(noRedirect(), "/jwks.json").body))
	if err != nil {
		g.t.Fatal(err)
	}
	return keys
}

// list fetches the status list at uri, as a resource server would.
func (g *rig) list(uri string) status.Published {
	g.t.Helper()
	a := g.get(noRedirect(), strings.TrimPrefix(uri, g.url))
	if a.status != 200 || a.header.Get("Content-Type") != "application/statuslist+jwt" {
		g.t.Fatalf("%d %s: %s", a.status, a.header.Get("Content-Type"), a.body)
	}
	p, err := status.Verify(g.clock.Now(), a.body, uri, g.publishedKeys())
	if err != nil {
		g.t.Fatal(err)
	}
	return p
}

// revoked is what the list says of a token, a second later.
func (g *rig) revoked(access string) bool {
	g.t.Helper()
	g.clock.forward(time.Second)
	at := g.claims(access).Status
	not, err := g.list(at.URI).List.Has(at.Index)
	if err != nil {
		g.t.Fatal(err)
	}
	return not
}

func TestStatusListSaysWhatWasRevoked(t *testing.T) {
	g := newRig(t)
	client := g.publicClient()
	robot, robotSecret := g.machine("calc:basic")
	machine := func() string { return g.post("/token", machineGrant(), basic(robot, robotSecret)).str("access_token") }
	access := func(a answerOf) string { return a.str("access_token") }
	bystander := access(g.tokens(client))
	for _, row := range []struct {
		name string
		end  func() (revoked, alive []string)
	}{
		{"an access token", func() (revoked, alive []string) {
			a := g.tokens(client)
			b := g.post("/token", refreshing(client, a))
			g.expect(g.post("/revoke", url.Values{"token": {access(a)}, "client_id": {client}}), 200, "")
			return []string{access(a)}, []string{access(b)}
		}},
		{"a refresh token takes its family along", func() (revoked, alive []string) {
			a := g.tokens(client)
			b := g.post("/token", refreshing(client, a))
			again := g.post("/token", refreshing(client, a)) // the repetition has an access token of its own
			g.expect(g.post("/revoke", url.Values{"token": {b.str("refresh_token")}, "client_id": {client}}), 200, "")
			return []string{access(a), access(b), access(again)}, nil
		}},
		{"a refresh token used twice", func() (revoked, alive []string) {
			a := g.tokens(client)
			b := g.post("/token", refreshing(client, a))
			c := g.post("/token", refreshing(client, b))
			g.expect(g.post("/token", refreshing(client, a)), 400, "invalid_grant")
			return []string{access(a), access(b), access(c)}, nil
		}},
		{"a code used twice", func() (revoked, alive []string) {
			code := g.code(client)
			a := g.post("/token", redemption(client, code))
			g.expect(g.post("/token", redemption(client, code)), 400, "invalid_grant")
			return []string{access(a)}, nil
		}},
		{"a machine's own token", func() (revoked, alive []string) {
			one, two := machine(), machine()
			g.expect(g.post("/revoke", url.Values{"token": {one}}, basic(robot, robotSecret)), 200, "")
			return []string{one}, []string{two}
		}},
		{"not by a stranger", func() (revoked, alive []string) {
			one := machine()
			g.expect(g.post("/revoke", url.Values{"token": {one}, "client_id": {client}}), 400, "invalid_grant")
			return nil, []string{one}
		}},
		{"a deleted machine", func() (revoked, alive []string) {
			id, secret := g.machine("calc:basic")
			a := g.post("/token", machineGrant(), basic(id, secret))
			if err := g.s.DeleteClient(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			return []string{access(a)}, []string{machine()}
		}},
		{"a client of people", func() (revoked, alive []string) {
			other := g.publicClient()
			a := g.tokens(other)
			if err := g.s.DeleteClient(t.Context(), other); err != nil {
				t.Fatal(err)
			}
			return []string{access(a)}, nil
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			revoked, alive := row.end()
			for _, token := range revoked {
				if !g.revoked(token) {
					t.Errorf("a revoked token is valid by the list: %+v", g.claims(token).Status)
				}
			}
			for _, token := range append(alive, bystander) {
				if g.revoked(token) {
					t.Errorf("a living token is revoked by the list: %+v", g.claims(token).Status)
				}
			}
		})
	}
	t.Run("a deleted person", func(t *testing.T) {
		if err := g.s.DeleteUser(t.Context(), testUser); err != nil {
			t.Fatal(err)
		}
		if !g.revoked(bystander) {
			t.Error("the token of a deleted person is valid by the list")
		}
	})
}

// Introspection says the same as the list.
func TestDeletedMachineIsInactive(t *testing.T) {
	g := newRig(t)
	proxy, secret := g.resourceServer(calculator)
	robot, robotSecret := g.machine("calc:basic")
	ask := url.Values{"token": {g.post("/token", machineGrant(), basic(robot, robotSecret)).str("access_token")}}
	if i := g.post("/introspect", ask, basic(proxy, secret)); i.fields["active"] != true {
		t.Fatalf("before: %s", i.body)
	}
	if err := g.s.DeleteClient(t.Context(), robot); err != nil {
		t.Fatal(err)
	}
	if i := g.post("/introspect", ask, basic(proxy, secret)); i.fields["active"] != false || len(i.fields) != 1 {
		t.Errorf("after: %s", i.body)
	}
	g.expect(g.post("/token", machineGrant(), basic(robot, robotSecret)), 401, "invalid_client")
}

// A token that is signed and sound, and that the store never saw, is not one of ours.
func TestUnrecordedTokenIsInactive(t *testing.T) {
	g := newRig(t)
	proxy, secret := g.resourceServer(calculator)
	now := g.clock.Now()
	raw, err := token.Sign(g.s.keys.Signer(), token.Claims{
		Issuer: g.url, Subject: "ada", Audience: []string{calculator}, ClientID: "c", ID: "unknown",
		IssuedAt: now, Expiry: now.Add(time.Minute),
	})
	if err != nil {
		t.Fatal(err)
	}
	if i := g.post("/introspect", url.Values{"token": {raw}}, basic(proxy, secret)); i.status != 200 || i.fields["active"] != false {
		t.Errorf("%d %s", i.status, i.body)
	}
}

func TestStatusListAsPublished(t *testing.T) {
	g := newRig(t)
	client := g.publicClient()
	first := g.tokens(client).str("access_token")
	at := g.claims(first).Status
	if at.URI != g.url+"/status/0" {
		t.Errorf("list at %s", at.URI)
	}
	a := g.get(noRedirect(), "/status/0")
	if a.header.Get("Cache-Control") != "public, max-age=2" || a.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("headers %v", a.header)
	}
	p := g.list(at.URI)
	if p.TTL != 2*time.Second || !p.IssuedAt.Equal(g.clock.Now()) || p.Expiry.Sub(p.IssuedAt) != time.Minute || p.List.Size() != pageSize {
		t.Errorf("ttl %v, from %v to %v, %d places", p.TTL, p.IssuedAt, p.Expiry, p.List.Size())
	}
	g.expect(g.post("/revoke", url.Values{"token": {first}, "client_id": {client}}), 200, "")
	if again := g.get(noRedirect(), "/status/0"); again.body != a.body {
		t.Error("made twice in a second")
	}
	g.clock.forward(time.Second)
	if again := g.get(noRedirect(), "/status/0"); again.body == a.body {
		t.Error("still the list of a second ago")
	}
	for _, path := range []string{"/status/2", "/status/00", "/status/+0", "/status/-1", "/status/", "/status/0/", "/status/x", "/status/0.0", "/status/18446744073709551615", "/status/18446744073709551616"} {
		if a := g.get(noRedirect(), path); a.status != 404 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	g.expect(g.get(noRedirect(), "/status/0?time=1"), 501, "invalid_request")
	g.expectReason(NoHistory)
	if a := g.post("/status/0", url.Values{}); a.status != 405 || a.header.Get("Allow") != "GET, HEAD, OPTIONS" {
		t.Errorf("POST: %d, Allow %q", a.status, a.header.Get("Allow"))
	}
}

// Tokens of many pages: each page is a list of its own, and those without living tokens end.
func TestStatusPages(t *testing.T) {
	g := newRig(t)
	robot, secret := g.machine("calc:basic")
	lists := func() (all []string) {
		metadata := g.get(noRedirect(), "/.well-known/oauth-authorization-server")
		index := g.get(noRedirect(), strings.TrimPrefix(metadata.str("status_list_aggregation_endpoint"), g.url))
		for _, uri := range index.fields["status_lists"].([]any) {
			all = append(all, strings.TrimPrefix(uri.(string), g.url))
		}
		return all
	}
	issue := func() string { return g.post("/token", machineGrant(), basic(robot, secret)).str("access_token") }
	old := issue()
	g.skipPlaces(pageSize - 3)
	edge, next := issue(), issue()
	if a, b := g.claims(edge).Status, g.claims(next).Status; a.URI != g.url+"/status/0" || a.Index != pageSize-1 || b.URI != g.url+"/status/1" || b.Index != 0 {
		t.Fatalf("the edge is %+v and %+v", a, b)
	}
	g.expect(g.post("/revoke", url.Values{"token": {next}}, basic(robot, secret)), 200, "")
	g.expect(g.post("/revoke", url.Values{"token": {edge}}, basic(robot, secret)), 200, "")
	for token, want := range map[string]bool{old: false, edge: true, next: true} {
		if got := g.revoked(token); got != want {
			t.Errorf("%+v: revoked %v", g.claims(token).Status, got)
		}
	}
	if got := lists(); !slices.Equal(got, []string{"/status/0", "/status/1"}) {
		t.Errorf("lists %v", got)
	}
	g.clock.forward(20 * time.Minute)
	fresh := issue()
	g.s.sweep(t.Context())
	g.clock.forward(time.Second)
	if got := lists(); !slices.Equal(got, []string{"/status/1"}) {
		t.Errorf("after the end of the old tokens: lists %v", got)
	}
	if a := g.get(noRedirect(), "/status/0"); a.status != 404 {
		t.Errorf("a page of dead tokens: %d", a.status)
	}
	if g.revoked(fresh) {
		t.Error("a fresh token stands where a revoked one was")
	}
}

// skipPlaces is as if n more tokens had been issued.
func (g *rig) skipPlaces(n int) {
	g.t.Helper()
	skip := "UPDATE sqlite_sequence SET seq = seq + %d WHERE name = 'access_tokens'"
	if onPostgres() {
		skip = "SELECT setval('access_tokens_place_seq', last_value + %d) FROM access_tokens_place_seq"
	}
	if _, err := g.database().Exec(fmt.Sprintf(skip, n)); err != nil {
		g.t.Fatal(err)
	}
}
