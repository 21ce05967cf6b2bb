package e2e

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// knock sends a call by hand with these header lines more.
func (p *sidecar) knock(t *testing.T, target string, call message, lines ...string) reply {
	t.Helper()
	head := []string{"POST " + target + " HTTP/1.1", "Host: " + p.address, "Content-Type: application/json",
		"Accept: application/json, text/event-stream", "Content-Length: " + strconv.Itoa(len(call.body))}
	for _, name := range slices.Sorted(maps.Keys(call.header)) {
		head = append(head, name+": "+call.header[name])
	}
	resp, body := raw(t, p.address, append(head, lines...), call.body)
	return reply{resp.StatusCode, resp.Header, body}
}

// TestNothingStandsInForAToken: no header, no path and no query opens what
// only a token may open, and what a token opens nobody else names.
func TestNothingStandsInForAToken(t *testing.T) {
	p, issuer, up := gate(t, echo)
	token := issuer.token("ada", p.resource, "use", nil)
	call := modernCall("echo", `{}`)
	const path = "/recorder/mcp"
	for name, row := range map[string]struct {
		target string
		lines  []string
		status int
	}{
		"a health check's user agent":         {path, []string{"User-Agent: kube-probe/1.31"}, 401},
		"another health check's user agent":   {path, []string{"User-Agent: GoogleHC/1.0"}, 401},
		"a public path in X-Forwarded-Uri":    {path, []string{"X-Forwarded-Uri: /healthz", "X-Original-Url: /healthz", "X-Rewrite-Url: /healthz"}, 401},
		"an identity header":                  {path, []string{"X-Forwarded-User: root", "X-Auth-Request-User: root", "Remote-User: root"}, 401},
		"an identity header with underscores": {path, []string{"X_Forwarded_User: root", "X_Auth_Request_User: root"}, 401},
		"a trusted peer's address":            {path, []string{"X-Forwarded-For: 127.0.0.1", "X-Real-Ip: 127.0.0.1", "Forwarded: for=127.0.0.1"}, 401},
		"a preflight in a POST":               {path, []string{"Access-Control-Request-Method: POST", "X-Http-Method-Override: OPTIONS"}, 401},
		"the token in a cookie":               {path, []string{"Cookie: access_token=" + token}, 401},
		"the token for another proxy":         {path, []string{"Proxy-Authorization: Bearer " + token}, 401},
		"the token in a header of its own":    {path, []string{"X-Access-Token: " + token, "X-Api-Key: " + token}, 401},
		"the upstream's own credential":       {path, []string{"Authorization: Bearer " + credential}, 401},
		"basic authentication":                {path, []string{"Authorization: Basic cm9vdDpyb290"}, 401},
		"the token twice":                     {path, []string{"Authorization: Bearer " + token, "Authorization: Bearer " + token}, 400},
		"the token after a comma":             {path, []string{"Authorization: Bearer x, Bearer " + token}, 400},
		"a public path in the query":          {path + "?path=/.well-known/oauth-protected-resource", nil, 401},
		"the token in the query":              {path + "?access_token=" + token, nil, 400},
		"the token in an escaped query":       {path + "?%61ccess_token=" + token, nil, 400},
		"the token behind a semicolon":        {path + "?a=b;access_token=" + token, nil, 400},
		"the whole URL as target":             {p.resource, []string{"Authorization: Bearer " + token}, 400},
		"a foreign URL as target":             {"http://evil.example" + path, []string{"Authorization: Bearer " + token}, 403},
		"a fragment":                          {path + "#/.well-known", []string{"Authorization: Bearer " + token}, 400},
		"a path out of the public documents":  {"/.well-known/oauth-protected-resource/../.." + path, nil, 400},
		"a public prefix":                     {"/.well-known/oauth-protected-resource" + path + "/x", nil, 404},
		"a path in other letters":             {"/Recorder/MCP", []string{"Authorization: Bearer " + token}, 404},
		"an asterisk":                         {"*", []string{"Authorization: Bearer " + token}, 400},
	} {
		t.Run(name, func(t *testing.T) { p.knock(t, row.target, call, row.lines...).expect(t, row.status) })
	}
	if got := up.all(); len(got) != 0 {
		t.Errorf("the upstream got %d requests: %q", len(got), got)
	}
	p.knock(t, path, call, "Authorization: Bearer "+token, "Connection: Authorization, Mcp-Name").expect(t, http.StatusOK)
	if got := up.only(t); !slices.Contains(got.header, "Authorization: Bearer "+credential) || !slices.Contains(got.header, "Mcp-Name: echo") {
		t.Errorf("Connection took headers away: %q", got.header)
	}
}

// TestSpoiledTokensOpenNothing: whatever was done to a token, the answer is a
// challenge that leads to the truth.
func TestSpoiledTokensOpenNothing(t *testing.T) {
	p, issuer, up := gate(t, echo)
	good, thief := issuer.token("ada", p.resource, "use", nil), newSigner(t)
	parts := strings.Split(good, ".")
	claims := func(edits map[string]any) map[string]any {
		now := time.Now()
		all := map[string]any{"iss": issuer.url, "sub": "ada", "aud": p.resource, "client_id": "e2e", "scope": "use",
			"jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()}
		maps.Copy(all, edits)
		return all
	}
	const plain = `{"typ":"at+jwt","alg":"ES256"}`
	sign := func(header string, edits map[string]any) string { return issuer.signer.sign(header, claims(edits)) }
	for name, token := range map[string]string{
		"without its last byte":              good[:len(good)-1],
		"without its signature":              parts[0] + "." + parts[1] + ".",
		"with another's signature":           parts[0] + "." + parts[1] + "." + strings.Split(sign(plain, nil), ".")[2],
		"with other claims":                  parts[0] + "." + encode([]byte(`{"scope":"use more"}`)) + "." + parts[2],
		"with padding":                       good + "=",
		"unsigned":                           encode([]byte(`{"typ":"at+jwt","alg":"none"}`)) + "." + parts[1] + ".",
		"unsigned, with a signature":         encode([]byte(`{"typ":"at+jwt","alg":"none"}`)) + "." + parts[1] + "." + parts[2],
		"signed with the public key as text": hmacToken(issuer.signer.jwk(), claims(nil)),
		"signed by a key it brings along":    thief.sign(`{"typ":"at+jwt","alg":"ES256","jwk":`+thief.jwk()+`}`, claims(nil)),
		"signed by a key it points to":       thief.sign(`{"typ":"at+jwt","alg":"ES256","jku":"https://evil.example/jwks"}`, claims(nil)),
		"with a rule nobody knows":           sign(`{"typ":"at+jwt","alg":"ES256","crit":["x"],"x":1}`, nil),
		"an ID token":                        sign(`{"typ":"JWT","alg":"ES256"}`, nil),
		"a proof":                            sign(`{"typ":"dpop+jwt","alg":"ES256"}`, nil),
		"of an issuer nobody trusts":         sign(plain, map[string]any{"iss": "https://evil.example"}),
		"of the issuer, in other letters":    sign(plain, map[string]any{"iss": strings.ToUpper(issuer.url)}),
		"of the issuer, with a slash":        sign(plain, map[string]any{"iss": issuer.url + "/"}),
		"for the whole host":                 sign(plain, map[string]any{"aud": "http://" + p.address}),
		"for a path below":                   sign(plain, map[string]any{"aud": p.resource + "/x"}),
		"for everybody":                      sign(plain, map[string]any{"aud": "*"}),
		"for nobody":                         sign(plain, map[string]any{"aud": []string{}}),
		"expired":                            sign(plain, map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}),
		"that never expires":                 sign(plain, map[string]any{"exp": nil}),
		"that expires after time":            sign(plain, map[string]any{"exp": 1e300}),
		"from the future":                    sign(plain, map[string]any{"nbf": time.Now().Add(time.Hour).Unix()}),
		"bound to nothing that is known":     sign(plain, map[string]any{"cnf": map[string]any{}}),
		"bound to a certificate":             sign(plain, map[string]any{"cnf": map[string]any{"x5t#S256": "x"}}),
		"of dots":                            strings.Repeat(".", 30_000),
		"in two words":                       "x y",
	} {
		t.Run(name, func(t *testing.T) {
			c := caller{url: p.resource, token: token}
			got := c.send(t, modernCall("echo", `{}`))
			if got.status != http.StatusUnauthorized && got.status != http.StatusBadRequest {
				t.Fatalf("status %d\n%s", got.status, got.body)
			}
			leadsHome(t, got, p.resource)
		})
	}
	if got := up.all(); len(got) != 0 {
		t.Errorf("the upstream got %d requests", len(got))
	}
}

// hmacToken takes an issuer's public key for a shared secret.
func hmacToken(key string, claims map[string]any) string {
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err) // unreachable: claims are made here
	}
	input := encode([]byte(`{"typ":"at+jwt","alg":"HS256"}`)) + "." + encode(payload)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(input))
	return input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// leadsHome follows every challenge to metadata of exactly this resource.
func leadsHome(t *testing.T, got reply, resource string) {
	t.Helper()
	found := challenges(t, got.header)
	if len(found) == 0 {
		t.Fatalf("no challenge: %v", got.header)
	}
	for scheme, params := range found {
		resp, err := http.Get(params["resource_metadata"])
		if err != nil {
			t.Fatal(err)
		}
		var document struct {
			Resource string `json:"resource"`
		}
		read(t, resp).expect(t, http.StatusOK).decode(t, &document)
		if document.Resource != resource {
			t.Errorf("%s leads to the metadata of %q, want %q", scheme, document.Resource, resource)
		}
	}
}

// TestMetadataIsNotTheCallersToWrite: what clients are sent to comes from the
// configuration, whatever a request claims.
func TestMetadataIsNotTheCallersToWrite(t *testing.T) {
	p, _, _ := gate(t, echo)
	lies := []string{"X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https", "X-Forwarded-Prefix: /evil", "Forwarded: host=evil.example"}
	const document = "/.well-known/oauth-protected-resource/recorder/mcp"
	honest, want := raw(t, p.address, []string{"GET " + document + " HTTP/1.1", "Host: " + p.address}, "")
	lied, got := raw(t, p.address, append([]string{"GET " + document + " HTTP/1.1", "Host: evil.example"}, lies...), "")
	if honest.StatusCode != http.StatusOK || lied.StatusCode != http.StatusOK || got != want || !strings.Contains(got, p.resource) {
		t.Errorf("metadata %s\nfor a liar %s", want, got)
	}
	answered := p.knock(t, "/recorder/mcp", modernCall("echo", `{}`), lies...).expect(t, http.StatusUnauthorized)
	if strings.Contains(fmt.Sprint(answered.header, answered.body), "evil") {
		t.Errorf("%v\n%s", answered.header, answered.body)
	}
	leadsHome(t, answered, p.resource)
}
