package e2e

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-json-experiment/json"
)

// showing starts a proxy that shows its upstream this credential. Bearer
// tokens are enough for callers: what they show is not the subject here.
func showing(t *testing.T, issuer *issuer, upstream, credential, server string) *sidecar {
	t.Helper()
	return startProxy(t, settings{issuer: issuer.url, dpop: "accepted", upstream: upstream, shown: credential, server: server})
}

func (p *sidecar) caller(issuer *issuer, subject string) *caller {
	return &caller{url: p.resource, token: issuer.token(subject, p.resource, "use", nil)}
}

// field is the one header line of that name an upstream got, without it.
func (r recorded) field(t *testing.T, name string) string {
	t.Helper()
	var found []string
	for _, line := range r.header {
		if label, value, _ := strings.Cut(line, ": "); strings.EqualFold(label, name) {
			found = append(found, value)
		}
	}
	if len(found) != 1 {
		t.Fatalf("the upstream got %q %d times: %q", name, len(found), r.header)
	}
	return found[0]
}

// TestSecretFileIsReloaded: without a restart, and what cannot be used leaves
// the secret before in use.
func TestSecretFileIsReloaded(t *testing.T) {
	issuer, up := newIssuer(t), newUpstream(t, echo)
	file := write(t, filepath.Join(t.TempDir(), "secret"), "first\n")
	p := showing(t, issuer, up.url, fmt.Sprintf("{type: header, header: X-Api-Key, file: %s}", file), "")
	ada := p.caller(issuer, "ada")
	shows := func(want string) func() error {
		return func() error {
			ada.send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
			all := up.all()
			if got := all[len(all)-1].field(t, "X-Api-Key"); got != want {
				return fmt.Errorf("the upstream is shown %q, want %q", got, want)
			}
			return nil
		}
	}
	stale := func(n int) func() error {
		return func() error {
			ada.send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
			return p.says(fmt.Sprintf(`postern_upstream_credential_files_stale{files=%q,server="recorder"} %d`, file, n))
		}
	}
	eventually(t, shows("first"))
	write(t, file, "second\n")
	eventually(t, shows("second"))
	write(t, file, "")
	eventually(t, stale(1))
	eventually(t, shows("second"))
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		ada.send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
		return p.logged("no such file")
	})
	write(t, file, "third")
	eventually(t, shows("third"))
	eventually(t, stale(0))
	for _, secret := range []string{"first", "second", "third"} {
		if strings.Contains(p.out.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

func (p *sidecar) logged(text string) error {
	if !strings.Contains(p.out.String(), text) {
		return fmt.Errorf("the log does not say %q", text)
	}
	return nil
}

// guard is an upstream that lets oauth4webapi judge what it is shown.
type guard struct {
	url      string // of the MCP endpoint
	audience string
	issuer   string // npm oidc-provider
}

// judgement is what the guard found.
type judgement struct {
	Claims struct {
		Subject  string `json:"sub"`
		ClientID string `json:"client_id"`
	} `json:"claims"`
	Nonce   bool     `json:"nonce"`
	Scheme  string   `json:"scheme"`
	Headers []string `json:"headers"`
}

// newGuard also starts its issuer, which gives tokens to clients, and in the
// name of those whom subjects gave tokens for the proxy.
func newGuard(t *testing.T, subjects *issuer, proxy string, clients ...map[string]any) *guard {
	t.Helper()
	g := &guard{audience: "https://guard.example/mcp"}
	var announced struct {
		URL    string `json:"url"`
		Issuer string `json:"issuer"`
	}
	serve(t, "upstream-guard.mjs", map[string]any{"audience": g.audience}, &announced)
	serve(t, "upstream-issuer.mjs", map[string]any{
		"resource": g.audience, "clients": clients,
		"subjects": map[string]string{"issuer": subjects.url, "jwks": subjects.url + "/jwks", "audience": proxy},
	}, &announced)
	g.url, g.issuer = announced.URL, announced.Issuer
	resp, err := http.Post(strings.Replace(g.url, "/mcp", "/issuer", 1), "text/plain", strings.NewReader(g.issuer))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return g
}

// judged is what the guard found in one call.
func (c *caller) judged(t *testing.T) judgement {
	t.Helper()
	var result struct {
		Result struct {
			Content []struct {
				Text string `json:"text"`
			} `json:"content"`
		} `json:"result"`
	}
	c.send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK).decode(t, &result)
	var found judgement
	if err := json.Unmarshal([]byte(result.Result.Content[0].Text), &found); err != nil {
		t.Fatal(err)
	}
	if theirs := c.token[strings.LastIndexByte(c.token, '.'):]; strings.Contains(strings.Join(found.Headers, "\n"), theirs) {
		t.Error("the caller's token reached the upstream")
	}
	return found
}

const robotSecret = "hush: with +odd/ characters% & more" // RFC 6749 §2.3.1 is needed to get it across

func secretRobot(bound bool) map[string]any {
	return map[string]any{"client_id": "robot", "client_secret": robotSecret, "token_endpoint_auth_method": "client_secret_basic", "dpop_bound_access_tokens": bound}
}

func keyRobot(t *testing.T, folder string) (client map[string]any, file string) {
	t.Helper()
	key := newSigner(t)
	var public map[string]any
	if err := json.Unmarshal([]byte(key.jwk()), &public); err != nil {
		t.Fatal(err)
	}
	public["kid"], public["use"] = "robot-1", "sig"
	return map[string]any{
		"client_id": "robot", "token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256",
		"jwks": map[string]any{"keys": []any{public}}, "dpop_bound_access_tokens": true,
	}, write(t, filepath.Join(folder, "key.pem"), pemKey(t, key.key))
}

func pemKey(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// TestClientCredentialsAtAForeignIssuer: tokens by secret and by key, bound
// and not, accepted by an upstream nobody here wrote.
func TestClientCredentialsAtAForeignIssuer(t *testing.T) {
	issuer, folder := newIssuer(t), t.TempDir()
	secret := "secret_file: " + write(t, filepath.Join(folder, "secret"), robotSecret+"\n")
	byKey, key := keyRobot(t, folder)
	for _, row := range []struct {
		name   string
		client map[string]any
		keys   string
		scheme string
		nonce  bool
	}{
		{"secret, DPoP as the issuer wants it", secretRobot(true), secret, "DPoP", true},
		{"secret, DPoP demanded", secretRobot(false), secret + ", dpop: required", "DPoP", true},
		{"secret, bearer", secretRobot(false), secret + ", dpop: off", "Bearer", false},
		{"key", byKey, "key_id: robot-1, key_file: " + key, "DPoP", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := newGuard(t, issuer, "https://unused.example", row.client)
			p := showing(t, issuer, g.url, fmt.Sprintf("{type: client_credentials, issuer: %q, client_id: robot, resource: %q, scope: [use], %s}", g.issuer, g.audience, row.keys), "")
			for _, who := range []string{"ada", "bob"} {
				got := p.caller(issuer, who).judged(t)
				if got.Scheme != row.scheme || got.Nonce != row.nonce || got.Claims.Subject != "robot" || got.Claims.ClientID != "robot" {
					t.Errorf("the upstream saw %+v", got)
				}
			}
			if err := p.says(`postern_upstream_tokens_total{outcome="issued",server="recorder"} 1`); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTokenExchangeAtAForeignIssuer: the upstream sees who calls, in a token
// of its own issuer, and never the caller's.
func TestTokenExchangeAtAForeignIssuer(t *testing.T) {
	issuer := newIssuer(t)
	public := "http://" + loopback(freePort(t))
	g := newGuard(t, issuer, public+"/recorder/mcp", secretRobot(false))
	file := write(t, filepath.Join(t.TempDir(), "secret"), robotSecret)
	p := startProxy(t, settings{
		issuer: issuer.url, dpop: "accepted", upstream: g.url, publicURL: public,
		shown: fmt.Sprintf("{type: token_exchange, issuer: %q, client_id: robot, secret_file: %s, resource: %q, scope: [use]}", g.issuer, file, g.audience),
	})
	ada, bob := p.caller(issuer, "ada"), p.caller(issuer, "bob")
	for range 3 { // the issuer exchanges each token once
		for _, c := range []struct {
			*caller
			subject string
		}{{ada, "ada"}, {bob, "bob"}} {
			if got := c.judged(t); got.Claims.Subject != c.subject || got.Claims.ClientID != "robot" {
				t.Errorf("the upstream saw %+v, want %s", got.Claims, c.subject)
			}
		}
	}
	mallory := p.caller(issuer, "mallory")
	for range 2 { // the issuer's no is remembered
		got := mallory.send(t, modernCall("echo", `{}`)).expect(t, http.StatusForbidden)
		if !strings.Contains(got.body, `"reason":"exchange_refused"`) || !strings.Contains(got.body, `"id":7`) {
			t.Errorf("answered with %s", got.body)
		}
	}
	if err := p.says(`postern_upstream_tokens_total{outcome="refused",server="recorder"} 1`); err != nil {
		t.Error(err)
	}
	last := auditLines(t, p.audit)
	if line := last[len(last)-1]; line.Reason != "exchange_refused" || line.Stage != "upstream_credential" || line.Subject != "mallory" {
		t.Errorf("audit %+v", line)
	}
}

// TestExchangedTokenIsNotTheCallers: an issuer that hands the caller's token
// back, as one that only validates does, is no way around the law.
func TestExchangedTokenIsNotTheCallers(t *testing.T) {
	issuer, up := newIssuer(t), newUpstream(t, echo)
	address := loopback(freePort(t))
	listenAndServe(t, address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusOK, fmt.Sprintf(`{"access_token":%q,"token_type":"Bearer","expires_in":60,"issued_token_type":%q}`,
			r.PostFormValue("subject_token"), r.PostFormValue("subject_token_type")))
	}))
	file := write(t, filepath.Join(t.TempDir(), "secret"), robotSecret)
	p := showing(t, issuer, up.url, fmt.Sprintf("{type: token_exchange, token_url: 'http://%s/token', client_id: robot, secret_file: %s}", address, file), "")
	p.caller(issuer, "ada").send(t, modernCall("echo", `{}`)).expect(t, http.StatusServiceUnavailable)
	if n := len(up.all()); n != 0 {
		t.Errorf("the upstream got %d requests", n)
	}
	eventually(t, func() error { return p.logged("the caller's own token back") })
}

// TestIssuerOfUpstreamTokensAway: calls are refused with a reason, and pass
// again once it is back.
func TestIssuerOfUpstreamTokensAway(t *testing.T) {
	issuer, up := newIssuer(t), newUpstream(t, echo)
	address := loopback(freePort(t))
	file := write(t, filepath.Join(t.TempDir(), "secret"), robotSecret)
	p := showing(t, issuer, up.url, fmt.Sprintf("{type: client_credentials, token_url: 'http://%s/token', client_id: robot, secret_file: %s}", address, file), "")
	ada := p.caller(issuer, "ada")
	got := ada.send(t, modernCall("echo", `{}`)).expect(t, http.StatusServiceUnavailable)
	if got.header.Get("Retry-After") == "" || !strings.Contains(got.body, `"reason":"upstream_credential_unavailable"`) || len(up.all()) != 0 {
		t.Errorf("%v %s, and the upstream got %d requests", got.header, got.body, len(up.all()))
	}
	listenAndServe(t, address, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, `{"access_token":"t1","token_type":"Bearer","expires_in":60}`)
	}))
	eventually(t, func() error {
		if got := ada.send(t, modernCall("echo", `{}`)); got.status != http.StatusOK {
			return fmt.Errorf("%d %s", got.status, got.body)
		}
		return nil
	})
	if got := up.only(t).field(t, "Authorization"); got != "Bearer t1" {
		t.Errorf("the upstream is shown %q", got)
	}
}

// TestRefusedUpstreamTokenIsRenewed: an upstream that turns a token down, as
// after a revocation at its issuer, costs the caller nothing.
func TestRefusedUpstreamTokenIsRenewed(t *testing.T) {
	issuer, address := newIssuer(t), loopback(freePort(t))
	var given atomic.Int64
	listenAndServe(t, address, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, fmt.Sprintf(`{"access_token":"t%d","token_type":"Bearer","expires_in":3600}`, given.Add(1)))
	}))
	var good atomic.Value
	good.Store("Bearer t1")
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != good.Load() {
			answer(w, http.StatusUnauthorized, `{}`)
			return
		}
		echo(w, r)
	})
	file := write(t, filepath.Join(t.TempDir(), "secret"), robotSecret)
	p := showing(t, issuer, up.url, fmt.Sprintf("{type: client_credentials, token_url: 'http://%s/token', client_id: robot, secret_file: %s}", address, file), "")
	ada := p.caller(issuer, "ada")
	ada.send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
	good.Store("Bearer t2")
	ada.send(t, modernCall("echo", `{"n":2}`)).expect(t, http.StatusOK)
	all := up.all()
	if len(all) != 3 || all[1].body != all[2].body || !strings.Contains(all[2].body, `{"n":2}`) {
		t.Errorf("the upstream got %q", all)
	}
	good.Store("Bearer nothing")
	for range 3 { // and no storm when it turns everything down
		ada.send(t, modernCall("echo", `{}`)).expect(t, http.StatusBadGateway)
	}
	if n := given.Load(); n != 2 {
		t.Errorf("%d tokens were asked for", n)
	}
}

// TestAssertionIsForWhomTheConfigurationSays: the issuer, unless it wants
// another of its names.
func TestAssertionIsForWhomTheConfigurationSays(t *testing.T) {
	issuer, up, folder := newIssuer(t), newUpstream(t, echo), t.TempDir()
	_, key := keyRobot(t, folder)
	for keys, want := range map[string]string{
		"": "https://auth.internal",
		", assertion_audience: https://auth.internal/token": "https://auth.internal/token",
	} {
		address := loopback(freePort(t))
		var aud atomic.Value
		listenAndServe(t, address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			payload, err := base64.RawURLEncoding.DecodeString(strings.Split(r.PostFormValue("client_assertion"), ".")[1])
			var claims struct {
				Audience string `json:"aud"`
			}
			if err == nil {
				err = json.Unmarshal(payload, &claims)
			}
			if err != nil {
				t.Error(err)
			}
			aud.Store(claims.Audience)
			answer(w, http.StatusOK, `{"access_token":"t1","token_type":"Bearer","expires_in":60}`)
		}))
		p := showing(t, issuer, up.url, fmt.Sprintf("{type: client_credentials, issuer: 'https://auth.internal', token_url: 'http://%s/token', client_id: robot, key_file: %s%s}", address, key, keys), "")
		p.caller(issuer, "ada").send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
		if aud.Load() != want {
			t.Errorf("an assertion for %v, want %s", aud.Load(), want)
		}
	}
}

// TestPosternBehindPostern: a proxy whose upstream is guarded by another, with
// bound tokens of the bundled authorization server and nonces on every side.
func TestPosternBehindPostern(t *testing.T) {
	up, issuer := shared.get(t), newIssuer(t)
	inner := up.Servers["calculator"]
	file := write(t, filepath.Join(t.TempDir(), "secret"), up.Client.Secret)
	outer := startProxy(t, settings{
		issuer: issuer.url, dpop: "accepted", upstream: inner,
		policy: strings.Replace(recorderPolicy, "echo:", "add:", 1),
		shown:  fmt.Sprintf("{type: client_credentials, issuer: %q, client_id: %s, secret_file: %s, resource: %q, scope: ['calc:basic'], dpop: required}", up.Issuer, up.Client.ID, file, inner),
	})
	ada := outer.caller(issuer, "ada")
	for range 2 {
		got := ada.send(t, modernCall("add", `{"a":2,"b":3}`)).expect(t, http.StatusOK)
		if !strings.Contains(got.body, `"5"`) {
			t.Errorf("2+3 is %s", got.body)
		}
	}
	if err := outer.says(`postern_upstream_tokens_total{outcome="issued",server="recorder"} 1`); err != nil {
		t.Error(err)
	}
}
