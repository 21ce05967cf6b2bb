package authserver

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/authserver/keyring"
	"github.com/postern-mcp/postern/authserver/status"
	"github.com/postern-mcp/postern/authserver/token"
)

// publishedBy is the key set as strangers read it.
func publishedBy(g *rig) jose.KeySet {
	g.t.Helper()
	set, err := jose.ParseKeySet([]byte(g.get(noRedirect(), "/jwks.json").body))
	if err != nil {
		g.t.Fatal(err)
	}
	return set
}

// signedWith is alg and kid of a token's header.
func signedWith(t *testing.T, compact string) (alg, kid string) {
	t.Helper()
	head, err := base64.RawURLEncoding.DecodeString(strings.Split(compact, ".")[0])
	if err != nil {
		t.Fatal(err)
	}
	var h struct {
		Algorithm string `json:"alg"`
		KeyID     string `json:"kid"`
	}
	if err := json.Unmarshal(head, &h); err != nil {
		t.Fatal(err)
	}
	return h.Algorithm, h.KeyID
}

// robot is a machine that gets tokens and asks about them.
type robot struct {
	*rig
	auth edit
}

func newRobot(g *rig) robot { return robot{g, basic(g.machine("calc:basic"))} }

func (r robot) token() string {
	r.t.Helper()
	a := r.post("/token", map[string][]string{"grant_type": {"client_credentials"}, "resource": {calculator}}, r.auth)
	r.expect(a, 200, "")
	return a.str("access_token")
}

func (r robot) active(token string) bool {
	r.t.Helper()
	yes, _ := r.post("/introspect", map[string][]string{"token": {token}}, r.auth).fields["active"].(bool)
	return yes
}

// good is what a resource server makes of a token, knowing only what is published.
func (r robot) good(raw string) error {
	r.t.Helper()
	rules, err := token.NewRules(r.s.config.Issuer, []string{calculator}, token.RFC9068, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	u, err := token.Parse(raw)
	if err != nil {
		r.t.Fatal(err)
	}
	_, err = u.Verify(r.clock.Now(), rules, publishedBy(r.rig))
	return err
}

func (g *rig) signerID() string { return g.s.keys.Signer().Public().ID() }

// keep does what the server does each second.
func (g *rig) keep() {
	g.t.Helper()
	if err := g.s.keys.Keep(context.Background()); err != nil {
		g.t.Error(err)
	}
}

// states are the states of all keys, in their order.
func (g *rig) states() string {
	g.t.Helper()
	keys, err := g.s.keys.List(context.Background())
	if err != nil {
		g.t.Fatal(err)
	}
	var all []string
	for _, k := range keys {
		all = append(all, string(k.State))
	}
	return strings.Join(all, " ")
}

func TestEverySigningAlgorithm(t *testing.T) {
	for _, alg := range keyring.Algorithms() {
		t.Run(string(alg), func(t *testing.T) {
			g := newRig(t, func(c *Config) { c.Keys.Algorithm = alg })
			r := newRobot(g)
			raw := r.token()
			if got, kid := signedWith(t, raw); got != string(alg) || kid != g.signerID() {
				t.Errorf("signed %s by %s", got, kid)
			}
			if err := r.good(raw); err != nil || !r.active(raw) {
				t.Errorf("verified: %v, active: %v", err, r.active(raw))
			}
			if doc := g.get(noRedirect(), "/.well-known/openid-configuration"); !strings.Contains(doc.body, `"id_token_signing_alg_values_supported":["`+string(alg)+`"]`) {
				t.Errorf("metadata: %s", doc.body)
			}
			if doc := g.get(noRedirect(), "/jwks.json"); !strings.Contains(doc.body, `"alg":"`+string(alg)+`"`) || strings.Contains(doc.body, `"d"`) {
				t.Errorf("keys: %s", doc.body)
			}
			if s, err := g.reopen(); err != nil {
				t.Error(err)
			} else {
				_ = s.Close()
			}
		})
	}
}

// A key is published, then signs, then is kept, then is gone; at no moment is a
// token worth less than it says.
func TestRotationBySchedule(t *testing.T) {
	g := newRig(t)
	r := newRobot(g)
	first := g.signerID()
	g.clock.forward(720*time.Hour - 24*time.Hour - time.Second)
	g.keep()
	if got := g.states(); got != "signs" {
		t.Errorf("too early: %s", got)
	}
	g.clock.forward(time.Second)
	g.keep()
	g.keep()
	if got := g.states(); got != "signs next" || publishedBy(g).Len() != 2 || g.signerID() != first {
		t.Errorf("a day ahead: %s", got)
	}
	g.clock.forward(24*time.Hour - time.Second)
	last := r.token()
	if _, kid := signedWith(t, last); kid != first {
		t.Errorf("signed by %s before its time", kid)
	}
	g.clock.forward(time.Second)
	if g.signerID() == first {
		t.Error("the next key does not sign")
	}
	g.keep()
	if _, kid := signedWith(t, r.token()); kid == first {
		t.Error("the old key signs")
	}
	if got := g.states(); got != "kept signs" || r.good(last) != nil || !r.active(last) {
		t.Errorf("%s; a token of the old key: %v", got, r.good(last))
	}
	g.clock.forward(keptSigned - time.Second)
	g.keep()
	if got := publishedBy(g); !got.Has(first) {
		t.Error("gone before the last token can have expired")
	}
	g.clock.forward(time.Second)
	if got := publishedBy(g); got.Has(first) || got.Len() != 1 {
		t.Error("still published")
	}
	g.keep()
	g.keep()
	if got := g.states(); got != "signs" {
		t.Errorf("in the end: %s", got)
	}
}

// One of several instances rotates; the others follow, and sign the same way.
func TestInstancesShareKeys(t *testing.T) {
	g := newRig(t)
	other, err := g.reopen()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	g.clock.forward(720*time.Hour - 24*time.Hour)
	for range 3 {
		if err := errors.Join(other.keys.Keep(t.Context()), g.s.keys.Keep(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	if got := g.states(); got != "signs next" {
		t.Errorf("two instances made %s", got)
	}
	g.clock.forward(24 * time.Hour)
	if a, b := g.signerID(), other.keys.Signer().Public().ID(); a != b {
		t.Errorf("one signs with %s, the other with %s", a, b)
	}
	if _, err := g.s.keys.Rotate(t.Context(), keyring.Soonest); err != nil {
		t.Fatal(err)
	}
	g.clock.forward(keyring.Soonest)
	g.follows(other) // by its own clockwork
}

// follows waits until another instance signs with the same key.
func (g *rig) follows(other *Server) {
	g.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); other.keys.Signer().Public().ID() != g.signerID(); {
		if time.Now().After(deadline) {
			g.t.Fatal("the other instance does not follow")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestRotationByCommand(t *testing.T) {
	g := newRig(t)
	ctx := t.Context()
	if _, err := g.s.keys.Rotate(ctx, keyring.Soonest-time.Millisecond); err == nil {
		t.Error("a key signs before anybody can know it")
	}
	next, err := g.s.keys.Rotate(ctx, time.Hour)
	if err != nil || next.State != keyring.Next || !next.SignsFrom.Equal(g.clock.Now().Add(time.Hour)) {
		t.Fatalf("got %+v, %v", next, err)
	}
	g.clock.forward(10 * time.Minute)
	for _, row := range []struct {
		name  string
		after time.Duration
		in    time.Duration // from now
	}{{"later", 2 * time.Hour, 50 * time.Minute}, {"sooner", 30 * time.Minute, 20 * time.Minute}, {"long enough already", time.Minute, 0}} {
		got, err := g.s.keys.Rotate(ctx, row.after)
		if err != nil || got.ID != next.ID || !got.SignsFrom.Equal(g.clock.Now().Add(row.in)) {
			t.Errorf("%s: got %+v, %v", row.name, got, err)
		}
	}
	if g.signerID() != next.ID {
		t.Error("it does not sign")
	}
}

// A set of keys that verifiers refuse to read would be the end of all tokens.
func TestPublishedKeysAreBounded(t *testing.T) {
	g := newRig(t)
	var err error
	most := 0
	for ; err == nil; most++ {
		_, err = g.s.keys.Rotate(t.Context(), keyring.Soonest)
		g.clock.forward(keyring.Soonest)
	}
	if !errors.Is(err, keyring.ErrMany) || publishedBy(g).Len() != most || most > 40 {
		t.Errorf("%v, with %d keys", err, publishedBy(g).Len())
	}
}

func TestAlgorithmChanges(t *testing.T) {
	g := newRig(t)
	r := newRobot(g)
	old := r.token()
	s, err := g.reopen(func(c *Config) { c.Keys.Algorithm = jose.EdDSA })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_ = g.s.Close()
	g.s, g.serve = s, s.Handler()
	g.keep()
	g.keep()
	if alg, _ := signedWith(t, r.token()); alg != "ES256" || g.states() != "signs next" || !slices.Equal(s.keys.Algorithms(), []string{"ES256", "EdDSA"}) {
		t.Errorf("%s, keys %s", alg, g.states())
	}
	if _, err := s.keys.Rotate(t.Context(), keyring.Soonest); err != nil {
		t.Fatal(err)
	}
	g.clock.forward(keyring.Soonest)
	if alg, _ := signedWith(t, r.token()); alg != "EdDSA" || r.good(old) != nil || !r.active(old) {
		t.Errorf("%s; an old token: %v", alg, r.good(old))
	}
}

func TestRevokedKeyIsGone(t *testing.T) {
	for _, state := range []keyring.State{keyring.Signs, keyring.Next, keyring.Kept} {
		t.Run(string(state), func(t *testing.T) {
			g := newRig(t)
			r := newRobot(g)
			other, err := g.reopen()
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			first := r.token()
			next, err := g.s.keys.Rotate(t.Context(), time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			if state == keyring.Kept {
				g.clock.forward(time.Hour - time.Minute)
				first = r.token()
				g.clock.forward(time.Minute)
			}
			_, lost := signedWith(t, first)
			if state == keyring.Next {
				lost = next.ID
			}
			fresh, err := g.s.keys.Revoke(t.Context(), lost)
			if err != nil {
				t.Fatal(err)
			}
			if set := publishedBy(g); set.Has(lost) || !set.Has(fresh.ID) {
				t.Error("published as before")
			}
			if dead := r.good(first) != nil && !r.active(first); dead != (state != keyring.Next) {
				t.Errorf("its token is dead: %v", dead)
			}
			if _, kid := signedWith(t, r.token()); kid != fresh.ID {
				t.Errorf("signed by %s, not by the key that nobody knows yet", kid)
			}
			g.follows(other)
			if other.keys.Published().Has(lost) || !strings.HasSuffix(g.states(), "revoked") {
				t.Errorf("the other instance publishes it; %s", g.states())
			}
			if _, err := g.s.keys.Revoke(t.Context(), lost); !errors.Is(err, ErrUnknown) {
				t.Errorf("again: %v", err)
			}
			g.forgot(lost)
		})
	}
}

// forgot says that the database has no secret of a key.
func (g *rig) forgot(id string) {
	g.t.Helper()
	kept, err := g.s.store.SigningKeys(context.Background())
	if err != nil {
		g.t.Fatal(err)
	}
	for _, k := range kept {
		if k.ID == id && len(k.Sealed) > 0 {
			g.t.Error("the database has the secret of a revoked key")
		}
	}
}

// Whoever follows the status lists learns of a revoked key by one it does not know.
func TestStatusListsNameTheFreshKey(t *testing.T) {
	g := newRig(t)
	known := publishedBy(g)
	if _, err := g.s.keys.Revoke(t.Context(), g.signerID()); err != nil {
		t.Fatal(err)
	}
	list := g.get(noRedirect(), "/status/0").body
	_, err := status.Verify(g.clock.Now(), list, g.url+"/status/0", known)
	var why *status.Error
	if !errors.As(err, &why) || why.Reason != status.UnknownKey {
		t.Errorf("got %v", err)
	}
	if _, err := status.Verify(g.clock.Now(), list, g.url+"/status/0", publishedBy(g)); err != nil {
		t.Error(err)
	}
}

// Shared caches do not keep the keys for longer than they are published ahead.
func TestKeysAreCachedBriefly(t *testing.T) {
	for ahead, want := range map[time.Duration]string{24 * time.Hour: "300", time.Minute: "30"} {
		g := newRig(t, func(c *Config) { c.Keys.PublishBefore = ahead })
		if got := g.get(noRedirect(), "/jwks.json").header.Get("Cache-Control"); got != fmt.Sprintf("public, max-age=%s", want) {
			t.Errorf("published %v ahead: %s", ahead, got)
		}
	}
}

// A store that is away leaves the keys as they are, and says so once.
func TestKeysOutliveTheStore(t *testing.T) {
	g := newRig(t)
	before := g.signerID()
	if err := g.s.store.Close(); err != nil {
		t.Fatal(err)
	}
	err := g.s.keys.Keep(t.Context())
	if err == nil || g.signerID() != before || publishedBy(g).Len() != 1 {
		t.Errorf("%v, signed by %s", err, g.signerID())
	}
	_ = g.s.keys.Keep(t.Context())
	if log := g.log.String(); strings.Count(log, "keys.neglected") != 1 {
		t.Errorf("the log: %s", log)
	}
}

// Every instance logs what became of the keys, whoever did it.
func TestLogTellsOfKeys(t *testing.T) {
	g := newRig(t)
	ctx := t.Context()
	first := g.signerID()
	g.keep()
	next, err := g.s.keys.Rotate(ctx, keyring.Soonest)
	if err != nil {
		t.Fatal(err)
	}
	g.keep()
	g.clock.forward(keyring.Soonest)
	g.keep()
	g.clock.forward(keptSigned)
	for range 2 {
		g.keep()
	}
	if _, err := g.s.keys.Revoke(ctx, next.ID); err != nil {
		t.Fatal(err)
	}
	g.keep()
	for _, line := range []string{
		`"msg":"key.signs","kid":"` + first + `","algorithm":"ES256"`, `"msg":"key.published","kid":"` + next.ID, `"msg":"key.signs","kid":"` + next.ID,
		`"msg":"key.gone","kid":"` + first, `"level":"WARN","msg":"key.revoked","kid":"` + next.ID, `"msg":"key.signs","kid":"` + g.signerID(),
	} {
		if !strings.Contains(g.log.String(), line) {
			t.Errorf("no %s in\n%s", line, g.log)
		}
	}
}

// A secret goes from instance to instance: those with the old one and those
// with the new one open each other's keys, as long as each has the other's.
func TestSecretsRollOverInstances(t *testing.T) {
	g := newRig(t)
	both := func(secret, previous []byte) *Server {
		s, err := g.reopen(func(c *Config) { c.Secret, c.PreviousSecret = secret, previous })
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	prepared, ahead := both(oldSecret, newer), both(newer, oldSecret)
	next, err := ahead.keys.Rotate(t.Context(), keyring.Soonest)
	if err != nil {
		t.Fatal(err)
	}
	if err := prepared.keys.Keep(t.Context()); err != nil || !prepared.keys.Published().Has(next.ID) {
		t.Errorf("the prepared instance: %v", err)
	}
	err = g.s.keys.Keep(t.Context()) // has the old secret alone
	if err == nil || !strings.Contains(err.Error(), next.ID) || g.s.keys.Published().Len() != 1 {
		t.Errorf("the instance left behind: %v", err)
	}
}
