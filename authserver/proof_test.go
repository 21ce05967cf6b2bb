package authserver

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/replay"
)

func TestProofBindsTokens(t *testing.T) {
	g := newRig(t)
	id, key := g.publicClient(), newKey(t)
	a := g.tokens(id, g.proof(key, ""))
	if a.str("token_type") != "DPoP" || g.verified(a).Thumbprint != key.Public().Thumbprint() {
		t.Errorf("got %s", a.body)
	}
	form := refreshing(id, a)
	g.expect(g.post("/token", form), 400, "invalid_grant") // the refresh token is bound, too (D32)
	g.expectReason(WrongKey)
	g.expect(g.post("/token", form, g.proof(newKey(t), "")), 400, "invalid_grant")
	g.expectReason(WrongKey)
	b := g.post("/token", form, g.proof(key, ""))
	g.expect(b, 200, "")
	if b.str("token_type") != "DPoP" {
		t.Errorf("got %s", b.body)
	}
	// The grace for lost answers is for the same key only.
	g.expect(g.post("/token", form, g.proof(newKey(t), "")), 400, "invalid_grant")
	g.expect(g.post("/token", form, g.proof(key, "")), 200, "")
}

func TestProofsRefused(t *testing.T) {
	g := newRig(t)
	id, secret := g.machine("calc:basic")
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {calculator}}
	key := newKey(t)
	used := g.proof(key, "")
	g.expect(g.post("/token", form, basic(id, secret), used), 200, "")
	for _, row := range []struct {
		name   string
		edits  []edit
		reason Reason
	}{
		{"replayed", []edit{used}, ProofReplayed},
		{"garbage", []edit{header("DPoP", "x.y.z")}, BadProof},
		{"empty", []edit{header("DPoP", "")}, BadProof},
		{"two", []edit{g.proof(key, ""), g.proof(key, "")}, BadProof},
		{"for another endpoint", []edit{g.proofFor(key, "POST", "/revoke", "")}, BadProof},
		{"for another method", []edit{g.proofFor(key, "GET", "/token", "")}, BadProof},
	} {
		t.Run(row.name, func(t *testing.T) {
			g.expect(g.post("/token", form, append(row.edits, basic(id, secret))...), 400, "invalid_dpop_proof")
			g.expectReason(row.reason)
		})
	}
	late := g.proof(key, "")
	g.clock.forward(6 * time.Minute)
	g.expect(g.post("/token", form, basic(id, secret), late), 400, "invalid_dpop_proof")
}

func TestClientBoundToProofsMustProve(t *testing.T) {
	g := newRig(t)
	id := g.registerClient(`,"token_endpoint_auth_method":"none","dpop_bound_access_tokens":true`).str("client_id")
	form := redemption(id, g.code(id))
	g.expect(g.post("/token", form), 400, "invalid_dpop_proof")
	g.expectReason(ProofRequired)
	g.expect(g.post("/token", form, g.proof(newKey(t), "")), 200, "")
}

func TestCodeBoundToKey(t *testing.T) {
	g := newRig(t)
	id, key := g.publicClient(), newKey(t)
	form := redemption(id, g.code(id, "dpop_jkt", key.Public().Thumbprint()))
	g.expect(g.post("/token", form), 400, "invalid_grant")
	g.expect(g.post("/token", form, g.proof(newKey(t), "")), 400, "invalid_grant")
	g.expectReason(WrongKey)
	g.expect(g.post("/token", form, g.proof(key, "")), 200, "")
}

func TestNonceIsDemanded(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Proofs = newProofs(replay.NewMemory(1000, time.Unix(0, 0)), true) })
	id, secret := g.machine("calc:basic")
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {calculator}}
	key := newKey(t)
	a := g.post("/token", form, basic(id, secret), g.proof(key, ""))
	g.expect(a, 400, "use_dpop_nonce")
	nonces := a.header.Values("DPoP-Nonce")
	if len(nonces) != 1 || nonces[0] == "" {
		t.Fatalf("nonces: %q", nonces)
	}
	g.expect(g.post("/token", form, basic(id, secret), g.proof(key, nonces[0]+"A")), 400, "use_dpop_nonce")
	b := g.post("/token", form, basic(id, secret), g.proof(key, nonces[0]))
	g.expect(b, 200, "")
	if len(b.header.Values("DPoP-Nonce")) != 1 {
		t.Errorf("nonces: %q", b.header.Values("DPoP-Nonce"))
	}
	g.clock.forward(nonceLife + time.Minute)
	g.expect(g.post("/token", form, basic(id, secret), g.proof(key, nonces[0])), 400, "use_dpop_nonce")
	g.expect(g.post("/token", form, basic(id, secret), g.proof(key, "")), 400, "use_dpop_nonce") // no way back (D26)
}

// A proof that a process of before the restart may have seen needs a nonce of
// this one; nonces of before are worth nothing.
func TestRestartForgetsNoProof(t *testing.T) {
	g := newRig(t)
	id, secret := g.machine("calc:basic")
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {calculator}}
	key := newKey(t)
	old := g.proof(key, "")
	g.expect(g.post("/token", form, basic(id, secret), old), 200, "")
	born := g.clock.Now().Add(time.Second / 2)
	s, err := g.reopen(func(c *Config) { c.Proofs = newProofs(replay.NewMemory(10, born), false) })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	nonce := g.s.config.Proofs.Nonce(t.Context(), g.clock.Now())
	g.serve = s.Handler()
	g.expect(g.post("/token", form, basic(id, secret), old), 400, "use_dpop_nonce")
	g.expect(g.post("/token", form, basic(id, secret), g.proof(key, nonce)), 400, "use_dpop_nonce")
	again := g.post("/token", form, basic(id, secret), g.proof(key, ""))
	g.expect(g.post("/token", form, basic(id, secret), g.proof(key, again.header.Get("DPoP-Nonce"))), 200, "")
	g.clock.forward(6 * time.Minute) // longer than any proof of before can last
	g.expect(g.post("/token", form, basic(id, secret), g.proof(key, "")), 200, "")
}

type deadReplay struct{}

func (deadReplay) Born(context.Context) (time.Time, error) { return time.Unix(0, 0), nil }

func (deadReplay) Use(context.Context, [32]byte, time.Time, time.Time, time.Time) (bool, error) {
	return true, errBroken
}

func TestNoReplayMemoryNoToken(t *testing.T) {
	full := replay.NewMemory(1, time.Unix(0, 0))
	_, _ = full.Use(t.Context(), [32]byte{1}, time.Unix(0, 0), time.Now(), time.Now().Add(time.Hour))
	for name, memory := range map[string]replay.Store{"unreachable": deadReplay{}, "full": full} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, func(c *Config) { c.Proofs = newProofs(memory, false) })
			id, secret := g.machine("calc:basic")
			a := g.post("/token", url.Values{"grant_type": {"client_credentials"}, "resource": {calculator}}, basic(id, secret), g.proof(newKey(t), ""))
			g.expect(a, 503, "temporarily_unavailable")
			if a.header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		})
	}
}
