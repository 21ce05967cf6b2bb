package e2e

import (
	"fmt"
	"net/http"
	"testing"
)

// TestIssuerAwayRefusesAndRecovers: without keys nothing passes, and nobody
// has to restart anything once they can be had.
func TestIssuerAwayRefusesAndRecovers(t *testing.T) {
	away := &issuer{url: "http://" + loopback(freePort(t)), signer: newSigner(t)}
	up := newUpstream(t, echo)
	p := launchProxy(t, settings{issuer: away.url, dpop: "accepted", upstream: up.url})
	eventually(t, func() error { return p.answers("/healthz") })
	if p.answers("/readyz") == nil {
		t.Error("ready without the issuer's keys")
	}
	c := caller{url: p.resource, token: away.token("ada", p.resource, "use", nil)}
	got := c.send(t, modernCall("echo", `{}`)).expect(t, http.StatusServiceUnavailable)
	if got.header.Get("Retry-After") == "" {
		t.Errorf("503 without Retry-After: %v", got.header)
	}
	away.serve(t)
	eventually(t, func() error { return p.answers("/readyz") })
	c.send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
	up.only(t)
}

// TestUpstreamAwayIsSaidSo: as a JSON-RPC error with the call's id.
func TestUpstreamAwayIsSaidSo(t *testing.T) {
	issuer, address := newIssuer(t), loopback(freePort(t))
	p := startProxy(t, settings{issuer: issuer.url, dpop: "accepted", upstream: "http://" + address + "/mcp"})
	c := caller{url: p.resource, token: issuer.token("ada", p.resource, "use", nil)}
	got := c.send(t, modernCall("echo", `{}`)).expect(t, http.StatusBadGateway)
	var answer struct {
		ID    int `json:"id"`
		Error struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	got.decode(t, &answer)
	if answer.ID != 7 || answer.Error.Code == 0 || answer.Error.Message == "" {
		t.Errorf("answered %s", got.body)
	}
	listenAndServe(t, address, http.HandlerFunc(echo))
	eventually(t, func() error {
		if got := c.send(t, modernCall("echo", `{}`)); got.status != http.StatusOK {
			return fmt.Errorf("status %d", got.status)
		}
		return nil
	})
}
