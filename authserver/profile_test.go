package authserver

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver/dpop"
	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/authserver/store"
)

func underFAPI2(c *Config) { c.Clients = ClientPolicy{Profile: ProfileFAPI2, Certificates: true} }

// banker is a client as FAPI 2.0 wants it, with a counter for its assertions.
type banker struct {
	*rig
	signing
	proofKey jose.PrivateKey
	uses     int
}

func newBanker(t *testing.T) *banker {
	t.Helper()
	b := &banker{rig: newRig(t, underFAPI2), proofKey: newKey(t)}
	key := newKey(t)
	a := b.registerClient(`,"token_endpoint_auth_method":"private_key_jwt","jwks":` + setOf(t, key))
	b.signing = signing{a.str("client_id"), key}
	return b
}

// asserted adds a new assertion to a form.
func (b *banker) asserted(form url.Values) url.Values {
	b.uses++
	signed := sign(b.t, b.key, "JWT", b.saying(b.signing, strconv.Itoa(b.uses)))
	return with(with(form, "client_assertion", signed), "client_assertion_type", assertionType)
}

func (b *banker) pushes(pairs ...string) answerOf {
	b.t.Helper()
	return b.post("/par", b.asserted(with(authorization(b.id), pairs...)))
}

func (b *banker) redeems(pairs ...string) answerOf {
	b.t.Helper()
	back := b.authorizeBy(newBrowser(b.t), byReference(b.id, b.pushes(pairs...)))
	if back.Get("iss") != b.url { // FAPI 2.0 §5.3.2.2: iss in the response
		b.t.Errorf("back with %v", back)
	}
	return b.post("/token", b.asserted(redemption(b.id, back.Get("code"))), b.proof(b.proofKey, ""))
}

func TestFAPI2GoesTheWholeWay(t *testing.T) {
	b := newBanker(t)
	a := b.redeems("dpop_jkt", b.proofKey.Public().Thumbprint())
	b.expect(a, 200, "")
	if a.str("token_type") != "DPoP" || b.verified(a).Thumbprint != b.proofKey.Public().Thumbprint() {
		t.Errorf("got %s", a.body)
	}
	// §5.3.2.1: refresh tokens are not rotated
	renewed := b.post("/token", b.asserted(refreshing(b.id, a)), b.proof(b.proofKey, ""))
	b.expect(renewed, 200, "")
	if renewed.fields["refresh_token"] != nil {
		t.Errorf("rotated: %s", renewed.body)
	}
	b.expect(b.post("/token", b.asserted(refreshing(b.id, a)), b.proof(b.proofKey, "")), 200, "")
}

// §5.3.2.1: only confidential clients, by keys and certificates.
func TestFAPI2Clients(t *testing.T) {
	b := newBanker(t)
	for _, method := range []string{"none", "client_secret_basic", "client_secret_post"} {
		a := b.postJSON("/register", `{"redirect_uris":["`+callback+`"],"token_endpoint_auth_method":"`+method+`"}`)
		b.expect(a, 400, "invalid_client_metadata")
	}
	b.expect(b.postJSON("/register", `{"redirect_uris":["`+callback+`"]}`), 400, "invalid_client_metadata")
	if _, _, err := b.s.CreateClient(context.Background(), "robot", []string{"calc:basic"}); err == nil {
		t.Error("a machine with a secret")
	}
	// Those who came before the profile did.
	h := hashOf("secret")
	for _, c := range []store.Client{
		{ID: "open", AuthMethod: authNone, Grants: []string{grantCode, grantRefresh}, Redirects: []string{callback}},
		{ID: "secretive", AuthMethod: authBasic, SecretHash: h[:], Grants: []string{grantMachine}, Scope: []string{"calc:basic"}, Bounded: true},
	} {
		if err := b.s.store.AddClient(t.Context(), c, 10); err != nil {
			t.Fatal(err)
		}
	}
	b.expect(b.push("open", nil), 401, "invalid_client")
	b.expectReason(MethodOff)
	b.expect(b.post("/token", asMachine("secretive"), basic("secretive", "secret")), 401, "invalid_client")
	b.expectReason(MethodOff)
	b.expect(b.post("/token", redemption("open", "x")), 401, "invalid_client")
	doc := documentHost(t, same)
	if page := b.get(newBrowser(t), "/authorize?"+authorization(doc).Encode()); page.status != 400 {
		t.Errorf("a document without keys: %d", page.status)
	}
}

// §5.3.2.2: requests are pushed, with everything in them.
func TestFAPI2Requests(t *testing.T) {
	b := newBanker(t)
	a := b.pushes()
	b.expect(a, 201, "")
	if life, _ := a.fields["expires_in"].(float64); life <= 0 || life >= 600 {
		t.Errorf("for %v s", life)
	}
	page := b.get(newBrowser(t), "/authorize?"+authorization(b.id).Encode())
	b.expectReason(PushRequired)
	if page.status != 303 || b.redirected(page).Get("error") != "invalid_request" { // a redirect by 303, with the error
		t.Errorf("not pushed: %d", page.status)
	}
	b.expect(b.push(b.id, nil), 401, "invalid_client") // not authenticated
	for _, row := range []struct {
		name, parameter, value string
		reason                 Reason
	}{
		{"no PKCE", "code_challenge", "-", BadChallenge},
		{"plain PKCE", "code_challenge_method", "plain", BadChallenge},
		{"no redirect", "redirect_uri", "-", MissingParameter},
		{"another redirect", "redirect_uri", "http://127.0.0.1/evil", PushedElsewhere},
		{"a token at once", "response_type", "code token", UnknownResponseType},
	} {
		if a := b.pushes(row.parameter, row.value); a.status != 400 {
			t.Errorf("%s: %d %s", row.name, a.status, a.body)
		}
		b.expectReason(row.reason)
	}
}

// §5.3.2.1: no token that is bound to nothing.
func TestFAPI2TokensAreBound(t *testing.T) {
	b := newBanker(t)
	machine := b.signingMachine(newKey(t), "")
	once := func(jti string) url.Values { return machineWith(sign(t, machine.key, "JWT", b.saying(machine, jti))) }
	b.expect(b.post("/token", once("1")), 400, "invalid_dpop_proof")
	b.expectReason(ProofRequired)
	b.expect(b.post("/token", once("2"), b.proof(newKey(t), "")), 200, "")
	own := certificateBy(t, nil, func(*x509.Certificate) {})
	b.on(own)
	bound := b.certifiedMachine(`"token_endpoint_auth_method":"self_signed_tls_client_auth","tls_client_certificate_bound_access_tokens":true,"jwks":` + own.jwks(t))
	free := b.certifiedMachine(`"token_endpoint_auth_method":"self_signed_tls_client_auth","jwks":` + own.jwks(t))
	b.expect(b.post("/token", asMachine(bound)), 200, "")
	b.expect(b.post("/token", asMachine(free)), 400, "invalid_dpop_proof")
}

// §5.4.1: algorithms and sizes.
func TestFAPI2Algorithms(t *testing.T) {
	b := newBanker(t)
	for alg, good := range map[jose.Algorithm]bool{jose.ES256: true, jose.PS256: true, jose.EdDSA: true, jose.RS256: false, jose.ES384: false} {
		key := keyWith(t, alg)
		c := b.signingMachine(key, "")
		a := b.post("/token", machineWith(sign(t, key, "JWT", b.saying(c, "1"))), b.proof(newKey(t), ""))
		if (a.status == 200) != good {
			t.Errorf("an assertion by %s: %d %s", alg, a.status, a.body)
		}
		if !slices.Contains(dpop.Algorithms(), string(alg)) {
			continue
		}
		machine := b.signingMachine(newKey(t), "")
		a = b.post("/token", machineWith(sign(t, machine.key, "JWT", b.saying(machine, "1"))), b.proof(key, ""))
		if (a.status == 200) != good {
			t.Errorf("a proof by %s: %d %s", alg, a.status, a.body)
		}
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := json.Marshal(map[string]any{"kty": "RSA", "e": "AQAB", "n": base64.RawURLEncoding.EncodeToString(small.N.Bytes())})
	if err != nil {
		t.Fatal(err)
	}
	b.expect(b.postJSON("/register", `{"redirect_uris":["`+callback+`"],"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[`+string(jwk)+`]}}`), 400, "invalid_client_metadata")
}

// §5.3.2.1: iat and nbf up to 10 s ahead are good, more than 60 s are not.
func TestFAPI2Clocks(t *testing.T) {
	b := newBanker(t)
	machine := b.signingMachine(newKey(t), "")
	target, err := dpop.ParseTarget(b.url + "/token")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		assertion, proof time.Duration
		good             bool
	}{{10 * time.Second, 0, true}, {0, 10 * time.Second, true}, {61 * time.Second, 0, false}, {0, 61 * time.Second, false}, {0, -61 * time.Second, false}} {
		claims := b.saying(machine, row.assertion.String()+row.proof.String())
		claims["iat"], claims["nbf"] = b.clock.Now().Add(row.assertion).Unix(), b.clock.Now().Add(row.assertion).Unix()
		claims["exp"] = b.clock.Now().Add(row.assertion + time.Minute).Unix()
		proof, err := dpop.Make(newKey(t), b.clock.Now().Add(row.proof), "POST", target, "", "")
		if err != nil {
			t.Fatal(err)
		}
		if a := b.post("/token", machineWith(sign(t, machine.key, "JWT", claims)), header("DPoP", proof)); (a.status == 200) != row.good {
			t.Errorf("%v: %d %s", row, a.status, a.body)
		}
	}
}

func TestFAPI2Configuration(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"codes for more than a minute": func(c *Config) { c.CodeLife = 61 * time.Second },
		"tokens signed with RS256":     func(c *Config) { c.Keys.Algorithm = jose.RS256 },
		"no such profile":              func(c *Config) { c.Clients.Profile = "fapi1" },
		"no profile":                   func(c *Config) { c.Clients.Profile = "" },
	} {
		c := baseConfig("http://127.0.0.1:1", &clock{now: time.Now()}, &logbook{})
		underFAPI2(&c)
		change(&c)
		if _, err := New(context.Background(), c, "sqlite:"+filepath.Join(t.TempDir(), "a.db")); err == nil {
			t.Errorf("%s: it starts", name)
		}
	}
}

func TestFAPI2Metadata(t *testing.T) {
	doc := newRig(t, underFAPI2).get(noRedirect(), "/.well-known/oauth-authorization-server").body
	for _, want := range []string{
		`"require_pushed_authorization_requests":true`,
		`"token_endpoint_auth_methods_supported":["private_key_jwt","self_signed_tls_client_auth"]`,
		`"token_endpoint_auth_signing_alg_values_supported":["ES256","EdDSA","PS256"]`,
		`"dpop_signing_alg_values_supported":["ES256","EdDSA","PS256"]`,
		`"tls_client_certificate_bound_access_tokens":true`, `"authorization_response_iss_parameter_supported":true`,
	} {
		if !strings.Contains(doc, want) {
			t.Errorf("no %s in %s", want, doc)
		}
	}
}

// §5.4: everything a client or a person's browser holds has 128 bits at least.
func TestSecretsCannotBeGuessed(t *testing.T) {
	b := newBanker(t)
	back := b.authorizeBy(newBrowser(t), byReference(b.id, b.pushes()))
	a := b.post("/token", b.asserted(redemption(b.id, back.Get("code"))), b.proof(b.proofKey, ""))
	registered := b.registerClient(`,"token_endpoint_auth_method":"private_key_jwt","jwks":` + setOf(t, newKey(t)))
	for name, secret := range map[string]string{
		"code": back.Get("code"), "refresh token": a.str("refresh_token"), "registration token": registered.str("registration_access_token"),
	} {
		_, random, ok := strings.Cut(secret, "_")
		bits, err := base64.RawURLEncoding.DecodeString(random)
		if !ok || err != nil || len(bits)*8 < 128 {
			t.Errorf("%s %q: %d bits, %v", name, secret, len(bits)*8, err)
		}
	}
}

// The profile knows no device flow: there is none, whatever a client registered.
func TestFAPI2HasNoDevices(t *testing.T) {
	b := newBanker(t)
	doc := b.get(noRedirect(), "/.well-known/oauth-authorization-server").body
	if strings.Contains(doc, "device") {
		t.Errorf("the metadata offers devices: %s", doc)
	}
	key := newKey(t)
	id := b.postJSON("/register", `{"client_name":"Television","grant_types":["`+grantDevice+`"],"token_endpoint_auth_method":"private_key_jwt","jwks":`+setOf(t, key)+`}`).str("client_id")
	c := signing{id, key}
	form := with(asserting(sign(t, key, "JWT", b.saying(c, "1"))), "resource", calculator)
	b.expect(b.post("/device_authorization", form, b.proofFor(newKey(t), "POST", "/device_authorization", "")), 404, "invalid_request")
	if page := b.get(newBrowser(t), "/device"); page.status != 404 {
		t.Errorf("the page: %d", page.status)
	}
	form = with(asserting(sign(t, key, "JWT", b.saying(c, "2"))), "grant_type", grantDevice, "device_code", "x")
	b.expect(b.post("/token", form, b.proof(newKey(t), "")), 400, "unsupported_grant_type")
}
