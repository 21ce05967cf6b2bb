package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// reasonOf is what a refusal names as its reason.
func (r reply) reasonOf(t *testing.T) string {
	t.Helper()
	var body struct {
		Error struct {
			Data struct {
				Reason string `json:"reason"`
			} `json:"data"`
		} `json:"error"`
	}
	r.decode(t, &body)
	return body.Error.Data.Reason
}

// forge is a proof for a POST of c's token whose claims are edited (nil takes
// one away) and whose header is this text; "" stands for the right one.
func (c *caller) forge(header string, edits map[string]any) string {
	hash := sha256.Sum256([]byte(c.token))
	claims := map[string]any{"jti": rand.Text(), "htm": http.MethodPost, "htu": c.url, "iat": time.Now().Unix(), "ath": encode(hash[:]), "nonce": c.nonce}
	maps.Copy(claims, edits)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	if header == "" {
		header = c.headed(c.key.jwk())
	}
	return c.key.sign(header, claims)
}

func (c *caller) headed(jwk string) string {
	return `{"typ":"dpop+jwt","alg":"ES256","jwk":` + jwk + `}`
}

// strangeKeys are JWKs no proof may bring along, each with a signature
// algorithm it would go with.
func strangeKeys(t *testing.T, own string) map[string]string {
	t.Helper()
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GODEBUG", "rsa1024min=0") // the machine that attacks has no scruples
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	head := func(alg, jwk string) string { return `{"typ":"dpop+jwt","alg":"` + alg + `","jwk":` + jwk + `}` }
	other := newSigner(t).jwk()
	return map[string]string{
		"no key":                      `{"typ":"dpop+jwt","alg":"ES256"}`,
		"a key by reference":          `{"typ":"dpop+jwt","alg":"ES256","jku":"https://evil.example/jwks","kid":"1"}`,
		"a private key":               head("ES256", strings.Replace(own, `"kty"`, `"d":"AAAA","kty"`, 1)),
		"a secret key":                head("ES256", `{"kty":"oct","k":"c2VjcmV0"}`),
		"a point that is not a point": head("ES256", `{"crv":"P-256","kty":"EC","x":"`+encode(make([]byte, 32))+`","y":"`+encode(make([]byte, 32))+`"}`),
		"another curve":               head("ES256", fmt.Sprintf(`{"crv":"P-384","kty":"EC","x":%q,"y":%q}`, encode(p384.X.Bytes()), encode(p384.Y.Bytes()))),
		"a curve that lies":           head("ES256", strings.Replace(own, "P-256", "P-384", 1)),
		"a short RSA key":             head("PS256", fmt.Sprintf(`{"kty":"RSA","n":%q,"e":"AQAB"}`, encode(small.N.Bytes()))),
		"a member twice":              head("ES256", strings.Replace(own, `{`, `{"kty":"EC",`, 1)),
		"two keys":                    `{"typ":"dpop+jwt","alg":"ES256","jwk":` + other + `,"jwk":` + own + `}`,
	}
}

// TestForgedProofsOpenNothing: RFC 9449 §4.3 check by check, with keys, times
// and addresses that were trouble elsewhere. Every row differs from a proof
// that passes in one thing.
func TestForgedProofsOpenNothing(t *testing.T) {
	issuer, key, thief, up := newIssuer(t), newSigner(t), newSigner(t), newUpstream(t, echo)
	p := startProxy(t, settings{issuer: issuer.url, upstream: up.url})
	c := &caller{url: p.resource, token: issuer.token("ada", p.resource, "use", &key), key: &key}
	call := modernCall("echo", `{}`)
	c.send(t, call).expect(t, http.StatusOK)
	before := len(up.all())

	type edits = map[string]any
	elsewhere := sha256.Sum256([]byte(c.token + "x"))
	rows := map[string]struct {
		proof, reason string
	}{
		"another type":                {c.forge(`{"typ":"JWT","alg":"ES256","jwk":`+key.jwk()+`}`, nil), "proof_type"},
		"no type":                     {c.forge(`{"alg":"ES256","jwk":`+key.jwk()+`}`, nil), "proof_type"},
		"no algorithm":                {c.forge(`{"typ":"dpop+jwt","alg":"none","jwk":`+key.jwk()+`}`, nil), "proof_algorithm"},
		"a symmetric algorithm":       {c.forge(`{"typ":"dpop+jwt","alg":"HS256","jwk":`+key.jwk()+`}`, nil), "proof_algorithm"},
		"an algorithm it is not":      {c.forge(`{"typ":"dpop+jwt","alg":"PS256","jwk":`+key.jwk()+`}`, nil), "proof_algorithm"},
		"a rule nobody knows":         {c.forge(`{"typ":"dpop+jwt","alg":"ES256","crit":["x"],"x":1,"jwk":`+key.jwk()+`}`, nil), "proof_malformed"},
		"somebody else's signature":   {thief.sign(c.headed(key.jwk()), edits{"jti": "1", "htm": "POST", "htu": c.url, "iat": time.Now().Unix()}), "proof_signature"},
		"somebody else's key":         {thief.proof(http.MethodPost, c.url, c.token, c.nonce), "proof_key_mismatch"},
		"no jti":                      {c.forge("", edits{"jti": nil}), "proof_missing_claim"},
		"an empty jti":                {c.forge("", edits{"jti": ""}), "proof_missing_claim"},
		"a jti that is no string":     {c.forge("", edits{"jti": 1}), "proof_malformed"},
		"a jti without end":           {c.forge("", edits{"jti": strings.Repeat("j", 300)}), "proof_malformed"},
		"no htm":                      {c.forge("", edits{"htm": nil}), "proof_missing_claim"},
		"another method":              {c.forge("", edits{"htm": "GET"}), "proof_method"},
		"the method in other letters": {c.forge("", edits{"htm": "post"}), "proof_method"},
		"no htu":                      {c.forge("", edits{"htu": nil}), "proof_missing_claim"},
		"another path":                {c.forge("", edits{"htu": c.url + "x"}), "proof_target"},
		"another scheme":              {c.forge("", edits{"htu": strings.Replace(c.url, "http:", "https:", 1)}), "proof_target"},
		"another name of the host":    {c.forge("", edits{"htu": strings.Replace(c.url, "127.0.0.1", "localhost", 1)}), "proof_target"},
		"the default port":            {c.forge("", edits{"htu": "http://127.0.0.1/recorder/mcp"}), "proof_target"},
		"a user in the address":       {c.forge("", edits{"htu": strings.Replace(c.url, "http://", "http://ada@", 1)}), "proof_target"},
		"an encoded slash":            {c.forge("", edits{"htu": strings.Replace(c.url, "recorder/mcp", "recorder%2fmcp", 1)}), "proof_target"},
		"a host in another script":    {c.forge("", edits{"htu": "http://１２７.0.0.1/recorder/mcp"}), "proof_target"},
		"a relative address":          {c.forge("", edits{"htu": "/recorder/mcp"}), "proof_target"},
		"no iat":                      {c.forge("", edits{"iat": nil}), "proof_missing_claim"},
		"an old iat":                  {c.forge("", edits{"iat": time.Now().Add(-10 * time.Minute).Unix()}), "proof_too_old"},
		"an iat to come":              {c.forge("", edits{"iat": time.Now().Add(10 * time.Minute).Unix()}), "proof_in_future"},
		"an iat before time":          {c.forge("", edits{"iat": -1}), "proof_malformed"},
		"an iat beyond 64 bits":       {c.forge("", edits{"iat": 9.3e18}), "proof_malformed"},
		"an iat beyond numbers":       {c.forge("", edits{"iat": 1e300}), "proof_malformed"},
		"an iat in words":             {c.forge("", edits{"iat": "now"}), "proof_malformed"},
		"no ath":                      {c.forge("", edits{"ath": nil}), "proof_missing_claim"},
		"another token's ath":         {c.forge("", edits{"ath": encode(elsewhere[:])}), "proof_token_hash"},
		"no nonce":                    {c.forge("", edits{"nonce": nil}), "proof_nonce_required"},
		"an invented nonce":           {c.forge("", edits{"nonce": "abc"}), "proof_nonce_invalid"},
		"a nonce cut short":           {c.forge("", edits{"nonce": c.nonce[:len(c.nonce)-1]}), "proof_nonce_invalid"},
		"too long":                    {c.forge("", edits{"x": strings.Repeat("x", 9<<10)}), "proof_malformed"},
		"dots":                        {strings.Repeat(".", 8<<10), "proof_malformed"},
		"no JWT":                      {"x", "proof_malformed"},
		"two in one header":           {c.forge("", nil) + ", " + c.forge("", nil), "proof_several"},
	}
	for name, header := range strangeKeys(t, key.jwk()) {
		rows["with "+name] = struct{ proof, reason string }{c.forge(header, nil), ""}
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			got := read(t, c.present(t, call, row.proof)).expect(t, http.StatusUnauthorized)
			why := got.reasonOf(t)
			if row.reason == "" && !slices.Contains([]string{"proof_key", "proof_malformed", "proof_algorithm"}, why) || row.reason != "" && why != row.reason {
				t.Errorf("refused as %s, want %s", why, row.reason)
			}
			leadsHome(t, got, p.resource)
		})
	}
	t.Run("two headers", func(t *testing.T) {
		got := p.knock(t, "/recorder/mcp", call, "Authorization: DPoP "+c.token, "DPoP: "+c.forge("", nil), "DPoP: "+c.forge("", nil)).expect(t, http.StatusUnauthorized)
		if why := got.reasonOf(t); why != "proof_several" {
			t.Errorf("refused as %s", why)
		}
	})
	if reached := len(up.all()) - before; reached != 0 {
		t.Errorf("%d forged proofs reached the upstream", reached)
	}
	read(t, c.present(t, call, c.forge("", nil))).expect(t, http.StatusOK)
}

// TestProofAddressesThatMeanTheSame: RFC 3986 §6.2 equals are equal, and the
// query and fragment that clients should not send do not count.
func TestProofAddressesThatMeanTheSame(t *testing.T) {
	issuer, key, up := newIssuer(t), newSigner(t), newUpstream(t, echo)
	p := startProxy(t, settings{issuer: issuer.url, upstream: up.url})
	c := &caller{url: p.resource, token: issuer.token("ada", p.resource, "use", &key), key: &key}
	c.send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
	for name, htu := range map[string]string{
		"as it is":         c.url,
		"with a query":     c.url + "?x=1",
		"with a fragment":  c.url + "#x",
		"in capitals":      strings.Replace(c.url, "http", "HTTP", 1),
		"an escaped r":     strings.Replace(c.url, "/r", "/%72", 1),
		"with dot segment": strings.Replace(c.url, "/recorder", "/./x/../recorder", 1),
	} {
		t.Run(name, func(t *testing.T) {
			read(t, c.present(t, modernCall("echo", `{}`), c.forge("", map[string]any{"htu": htu}))).expect(t, http.StatusOK)
		})
	}
	t.Run("a query on the request", func(t *testing.T) {
		p.knock(t, "/recorder/mcp?x=1", modernCall("echo", `{}`), "Authorization: DPoP "+c.token, "DPoP: "+c.forge("", nil)).expect(t, http.StatusOK)
	})
}

// TestRefusedProofIsNotUsedUp: whatever else is wrong with a request, its
// proof is good once everything is right, and then only once.
func TestRefusedProofIsNotUsedUp(t *testing.T) {
	issuer, key, up := newIssuer(t), newSigner(t), newUpstream(t, echo)
	p := startProxy(t, settings{issuer: issuer.url, upstream: up.url})
	c := &caller{url: p.resource, token: issuer.token("ada", p.resource, "use", &key), key: &key}
	call := modernCall("echo", `{}`)
	c.send(t, call).expect(t, http.StatusOK)
	proof := c.forge("", nil)
	for name, lines := range map[string][]string{
		"with another token":   {"Authorization: DPoP " + issuer.token("eve", p.resource, "use", &key), "DPoP: " + proof},
		"with a spoiled token": {"Authorization: DPoP " + c.token[:len(c.token)-2], "DPoP: " + proof},
		"from a foreign page":  {"Authorization: DPoP " + c.token, "DPoP: " + proof, "Origin: https://evil.example"},
		"beside another":       {"Authorization: DPoP " + c.token, "DPoP: " + proof, "DPoP: " + proof},
	} {
		if got := p.knock(t, "/recorder/mcp", call, lines...); got.status < 400 {
			t.Errorf("%s: status %d", name, got.status)
		}
	}
	read(t, c.present(t, call, proof)).expect(t, http.StatusOK)
	got := read(t, c.present(t, call, proof)).expect(t, http.StatusUnauthorized)
	if why := got.reasonOf(t); why != "proof_replayed" {
		t.Errorf("the second use is refused as %s", why)
	}
}
