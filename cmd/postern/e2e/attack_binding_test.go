package e2e

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// boundToken asks the issuer for a token bound to key, and returns the nonce
// and the last proof that were used for it.
func (e *everything) boundToken(t *testing.T, server string, key signer) (token, nonce, proof string) {
	t.Helper()
	endpoint := e.tokenEndpoint(t)
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {e.Servers[server]}}
	for range 2 { // the first answer brings a nonce
		proof = key.tokenProof(endpoint, nonce)
		req, err := http.NewRequest(http.MethodPost, endpoint, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("DPoP", proof)
		req.SetBasicAuth(url.QueryEscape(e.Client.ID), url.QueryEscape(e.Client.Secret))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got := read(t, resp)
		if got.status == http.StatusOK {
			var g granted
			got.decode(t, &g)
			return g.AccessToken, nonce, proof
		}
		nonce = got.header.Get("DPoP-Nonce")
	}
	t.Fatal("the issuer gives no bound token")
	return "", "", ""
}

// TestTokenIsGoodForOneServer: also when the proxy has seen and remembered it
// at the server it is for.
func TestTokenIsGoodForOneServer(t *testing.T) {
	up := shared.get(t)
	own := map[string]message{"calculator": modernCall("add", `{"a":2,"b":3}`), "externaldb": modernCall("list_tables", `{}`)}
	for name, call := range own {
		for other, otherCall := range own {
			if name == other {
				continue
			}
			t.Run("the "+name+"'s at the "+other, func(t *testing.T) {
				token := up.token(t, name, "")
				here, there := caller{url: up.Servers[name], token: token}, caller{url: up.Servers[other], token: token}
				there.send(t, otherCall).expect(t, http.StatusUnauthorized)
				here.send(t, call).expect(t, http.StatusOK)
				got := there.send(t, otherCall).expect(t, http.StatusUnauthorized)
				leadsHome(t, got, up.Servers[other])
				here.send(t, call).expect(t, http.StatusOK)
			})
		}
	}
}

// TestIssuersProofsAreWorthNothingAtTheProxy: neither its nonces nor what was
// signed for it.
func TestIssuersProofsAreWorthNothingAtTheProxy(t *testing.T) {
	up, key := shared.get(t), newSigner(t)
	token, nonce, proof := up.boundToken(t, "calculator", key)
	if nonce == "" {
		t.Fatal("the issuer demands no nonce")
	}
	c := caller{url: up.Servers["calculator"], token: token, key: &key}
	call := modernCall("add", `{"a":2,"b":3}`)
	for _, row := range []struct{ name, proof, error string }{
		{"a proof made for the issuer", proof, "invalid_dpop_proof"},
		{"a proof with the issuer's nonce", key.proof(call.method, c.url, token, nonce), "use_dpop_nonce"},
		{"a proof for the other server", key.proof(call.method, up.Servers["externaldb"], token, ""), "invalid_dpop_proof"},
		{"a proof of another token", key.proof(call.method, c.url, token+"x", ""), "invalid_dpop_proof"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := read(t, c.present(t, call, row.proof)).expect(t, http.StatusUnauthorized)
			if found := challenges(t, got.header); found["DPoP"]["error"] != row.error {
				t.Errorf("challenges %v, want %s", found, row.error)
			}
		})
	}
	t.Run("the token as a bearer token", func(t *testing.T) {
		got := read(t, c.present(t, call, "")).expect(t, http.StatusUnauthorized)
		if found := challenges(t, got.header); found["Bearer"]["error"] != "invalid_token" {
			t.Errorf("challenges %v", found)
		}
	})
	c.send(t, call).expect(t, http.StatusOK)
}

// TestUsedProofStaysUsedAfterARestart: replay memory dies with the process, so
// the nonces it vouched for must die with it.
func TestUsedProofStaysUsedAfterARestart(t *testing.T) {
	issuer, key, up := newIssuer(t), newSigner(t), newUpstream(t, echo)
	same := settings{issuer: issuer.url, upstream: up.url, publicURL: "http://" + loopback(freePort(t)), secret: newSecret(t, t.TempDir())}
	first := startProxy(t, same)
	c := caller{url: first.resource, token: issuer.token("ada", first.resource, "use", &key), key: &key}
	call := modernCall("echo", `{}`)
	c.send(t, call).expect(t, http.StatusOK)
	used, unused := c.proof(call.method), c.proof(call.method)
	read(t, c.present(t, call, used)).expect(t, http.StatusOK)
	first.kill()

	startProxy(t, same)
	for name, proof := range map[string]string{"used": used, "unused": unused} {
		got := read(t, c.present(t, call, proof)).expect(t, http.StatusUnauthorized)
		if found := challenges(t, got.header); found["DPoP"]["error"] != "use_dpop_nonce" {
			t.Errorf("%s: challenges %v, want use_dpop_nonce", name, found)
		}
	}
	c.send(t, call).expect(t, http.StatusOK)
}

// TestBundledServersAnswerOnlyTheProxy: going around the gate leads nowhere.
func TestBundledServersAnswerOnlyTheProxy(t *testing.T) {
	up := shared.get(t)
	base, err := url.Parse(up.Proxy)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(base.Port())
	if err != nil {
		t.Fatal(err)
	}
	for name, at := range map[string]int{"calculator": port + 2, "externaldb": port + 3} {
		for held, token := range map[string]string{"nothing": "", "a good token for the proxy": up.token(t, name, ""), "a guess": "upstream"} {
			t.Run(name+" with "+held, func(t *testing.T) {
				c := caller{url: "http://" + loopback(at) + "/mcp", token: token}
				c.send(t, initialize()).expect(t, http.StatusUnauthorized)
			})
		}
	}
}

// TestWeakSecretsDoNotStart: there is no default to fall back to.
func TestWeakSecretsDoNotStart(t *testing.T) {
	issuer, up := newIssuer(t), newUpstream(t, echo)
	for name, text := range map[string]string{"empty": "", "short": strings.Repeat("x", 31)} {
		t.Run(name, func(t *testing.T) {
			p := launchProxy(t, settings{issuer: issuer.url, upstream: up.url, secret: write(t, filepath.Join(t.TempDir(), "secret"), text)})
			if code := p.exit(t); code != 2 || !strings.Contains(p.out.String(), "secret") {
				t.Errorf("exit status %d, want 2\n%s", code, p.out.String())
			}
		})
	}
}

// tokenProof is a proof for a token endpoint, where no token is shown yet.
func (s signer) tokenProof(endpoint, nonce string) string {
	claims := map[string]any{"jti": rand.Text(), "htm": http.MethodPost, "htu": endpoint, "iat": time.Now().Unix()}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	return s.sign(`{"typ":"dpop+jwt","alg":"ES256","jwk":`+s.jwk()+`}`, claims)
}
