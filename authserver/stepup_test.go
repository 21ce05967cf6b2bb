package authserver

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/redistest"
)

const sharedSecret = "a secret that resource servers and the issuer know"

func bearer(secret string) edit {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+secret) }
}

func tellsOfStepUps(c *Config) { c.StepUpSecret = sharedSecret }

// A client that answers a 403 by refreshing is sent to the person instead, for
// as long as the step-up is pending and its grant cannot fulfil it.
func TestPendingStepUpEndsRefreshing(t *testing.T) {
	g := newRig(t, tellsOfStepUps)
	id := g.publicClient()
	first := g.tokens(id)
	claims := g.verified(first)
	notice := url.Values{"client_id": {id}, "sub": {claims.Subject}, "resource": {calculator}, "scope": {"calc:power calc:basic"}}
	g.expect(g.post("/step-up", notice, bearer(sharedSecret)), http.StatusNoContent, "")
	for range 2 {
		a := g.post("/token", refreshing(id, first))
		g.expect(a, 400, "interaction_required")
		g.expectReason(StepUpPending)
	}

	g.clock.forward(stepUpLife)
	g.expect(g.post("/token", refreshing(id, first)), 200, "") // nothing was taken away
}

func TestStepUpConcernsNobodyElse(t *testing.T) {
	for name, change := range map[string][]string{
		"another client":         {"client_id", "client_other"},
		"another person":         {"sub", "user_other"},
		"another resource":       {"resource", database, "scope", "db:read"},
		"scope that was granted": {"scope", "calc:basic"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, tellsOfStepUps)
			id := g.publicClient()
			first := g.tokens(id)
			notice := url.Values{"client_id": {id}, "sub": {g.verified(first).Subject}, "resource": {calculator}, "scope": {"calc:power"}}
			g.expect(g.post("/step-up", with(notice, change...), bearer(sharedSecret)), http.StatusNoContent, "")
			g.expect(g.post("/token", refreshing(id, first)), 200, "")
		})
	}
}

func TestStepUpNeedsTheSecret(t *testing.T) {
	notice := url.Values{"client_id": {"c"}, "sub": {"s"}, "resource": {calculator}, "scope": {"calc:power"}}
	g := newRig(t, tellsOfStepUps)
	for name, edits := range map[string][]edit{
		"none":       nil,
		"wrong":      {bearer("wrong")},
		"empty":      {bearer("")},
		"cut short":  {bearer(sharedSecret[1:])},
		"as a basic": {basic("x", sharedSecret)},
	} {
		t.Run(name, func(t *testing.T) { g.expect(g.post("/step-up", notice, edits...), 401, "invalid_token") })
	}
	for name := range notice {
		incomplete := url.Values{}
		for other, value := range notice {
			if other != name {
				incomplete[other] = value
			}
		}
		g.expect(g.post("/step-up", incomplete, bearer(sharedSecret)), 400, "invalid_request")
	}
	g.expect(newRig(t).post("/step-up", notice, bearer("")), 404, "invalid_request") // without a secret there is no such path
	if _, err := g.reopen(func(c *Config) { c.StepUpSecret = strings.Repeat("x", 31) }); err == nil {
		t.Error("a short secret was accepted")
	}
}

// pairOn is a second server on the database of a rig, both on one Redis.
// at sends what follows to one of them.
func pairOn(t *testing.T, server *redistest.Server) (g *rig, at func(n int)) {
	t.Helper()
	g = newRig(t, tellsOfStepUps, func(c *Config) { c.Shared = onRedis(t, server) })
	second, err := g.reopen(func(c *Config) { c.Shared = onRedis(t, server) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = second.Close() })
	both := []*Server{g.s, second}
	return g, func(n int) { g.serve = both[n].Handler() }
}

func noticeFor(g *rig, id string, a answerOf, scope string) url.Values {
	return url.Values{"client_id": {id}, "sub": {g.verified(a).Subject}, "resource": {calculator}, "scope": {scope}}
}

// What is kept of a notice is bounded, whoever knows the secret.
func TestStepUpKeepsOnlyWhatMayBe(t *testing.T) {
	g := newRig(t, tellsOfStepUps)
	notice := url.Values{"client_id": {"c"}, "sub": {"s"}, "resource": {calculator}, "scope": {"calc:power"}}
	long := strings.Repeat("x", maxStepName)
	for name, row := range map[string]struct {
		change []string
		code   string // "" for one that is kept
	}{
		"the longest names":           {[]string{"client_id", long, "sub", long}, ""},
		"no scope":                    {[]string{"scope", "-", "max_age", "60"}, ""},
		"a client that is too long":   {[]string{"client_id", long + "x"}, "invalid_request"},
		"a person that is too long":   {[]string{"sub", long + "x"}, "invalid_request"},
		"a resource nobody serves":    {[]string{"resource", "https://other.example/" + long}, "invalid_target"},
		"a scope it does not have":    {[]string{"scope", "calc:power " + long}, "invalid_scope"},
		"a scope of another resource": {[]string{"scope", "db:read"}, "invalid_scope"},
	} {
		before := len(g.s.stepUps.pending)
		a := g.post("/step-up", with(notice, row.change...), bearer(sharedSecret))
		if row.code == "" {
			g.expect(a, http.StatusNoContent, "")
		} else {
			g.expect(a, 400, row.code)
		}
		if kept := len(g.s.stepUps.pending) > before; kept != (row.code == "") {
			t.Errorf("%s: kept: %v", name, kept)
		}
	}
}

// One instance is told, another hears of it, for as long.
func TestStepUpIsHeardByEveryInstance(t *testing.T) {
	g, at := pairOn(t, redistest.Start(t))
	id := g.publicClient()
	first := g.tokens(id)
	g.expect(g.post("/step-up", noticeFor(g, id, first, "calc:power"), bearer(sharedSecret)), http.StatusNoContent, "")
	for n := range 2 {
		at(n)
		g.expect(g.post("/token", refreshing(id, first)), 400, "interaction_required")
		g.expectReason(StepUpPending)
	}
	g.clock.forward(stepUpLife)
	g.expect(g.post("/token", refreshing(id, first)), 200, "")
}

// Of two, told to different instances, the later counts at both.
func TestLaterStepUpCounts(t *testing.T) {
	g, at := pairOn(t, redistest.Start(t))
	id := g.publicClient()
	first := g.tokens(id)
	g.expect(g.post("/step-up", noticeFor(g, id, first, "calc:power"), bearer(sharedSecret)), http.StatusNoContent, "")
	at(1)
	g.clock.forward(time.Second)
	g.expect(g.post("/step-up", noticeFor(g, id, first, "calc:basic"), bearer(sharedSecret)), http.StatusNoContent, "")
	at(0)
	g.expect(g.post("/token", refreshing(id, first)), 200, "")
}

func TestStepUpWithoutRedisIsHeardHere(t *testing.T) {
	server := redistest.Start(t)
	g, at := pairOn(t, server)
	id := g.publicClient()
	first := g.tokens(id)
	server.Stop(t)
	g.expect(g.post("/step-up", noticeFor(g, id, first, "calc:power"), bearer(sharedSecret)), http.StatusNoContent, "")
	g.expect(g.post("/token", refreshing(id, first)), 400, "interaction_required")
	if n := strings.Count(g.log.String(), `"shared.away"`); n != 1 {
		t.Errorf("the log says %d times that Redis is away", n)
	}
	server.Restart(t) // empty: who was told still knows
	g.expect(g.post("/token", refreshing(id, first)), 400, "interaction_required")
	at(1)
	g.expect(g.post("/token", refreshing(id, first)), 200, "")
}

// What stands in Redis is no name, and what does not read as a step-up is none.
func TestStepUpInRedis(t *testing.T) {
	server := redistest.Start(t)
	g, _ := pairOn(t, server)
	id := g.publicClient()
	first := g.tokens(id)
	g.expect(g.post("/step-up", noticeFor(g, id, first, "calc:power"), bearer(sharedSecret)), http.StatusNoContent, "")
	client := server.Client()
	defer client.Close()
	keys := client.Keys(t.Context(), "stepup:*").Val()
	if len(keys) != 1 {
		t.Fatalf("keys %q", keys)
	}
	text := client.Get(t.Context(), keys[0]).Val()
	for _, name := range []string{id, g.verified(first).Subject, calculator} {
		if strings.Contains(keys[0]+text, name) {
			t.Errorf("%s shows in %s %s", name, keys[0], text)
		}
	}
	if life := client.PTTL(t.Context(), keys[0]).Val(); life <= 0 || life > stepUpLife {
		t.Errorf("kept for %v", life)
	}
	second, err := g.reopen(func(c *Config) { c.Shared = onRedis(t, server) })
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	g.serve = second.Handler()
	for _, broken := range []string{"", "{", "null", `{"until":"` + time.Now().Add(time.Hour).Format(time.RFC3339) + `","scope":["calc:power"],"more":1}`} {
		if err := client.Set(t.Context(), keys[0], broken, time.Minute).Err(); err != nil {
			t.Fatal(err)
		}
		g.expect(g.post("/token", refreshing(id, first)), 200, "")
	}
}
