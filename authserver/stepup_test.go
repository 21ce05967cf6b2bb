package authserver

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
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
	for name, change := range map[string][2]string{
		"another client":         {"client_id", "client_other"},
		"another person":         {"sub", "user_other"},
		"another resource":       {"resource", database},
		"scope that was granted": {"scope", "calc:basic"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, tellsOfStepUps)
			id := g.publicClient()
			first := g.tokens(id)
			notice := url.Values{"client_id": {id}, "sub": {g.verified(first).Subject}, "resource": {calculator}, "scope": {"calc:power"}}
			notice.Set(change[0], change[1])
			g.expect(g.post("/step-up", notice, bearer(sharedSecret)), http.StatusNoContent, "")
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
