package credential_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/proxy/credential"
)

func TestClientCredentialsRequest(t *testing.T) {
	b, i := newBench(), newIssuer(t, numbered)
	c := machineToken(t, b, i.conf(t, b, credential.Unbound))
	if got := shown(t, c); got != "Bearer t1" {
		t.Fatalf("shows %q", got)
	}
	a := i.all()[0]
	want := url.Values{"grant_type": {"client_credentials"}, "resource": {"https://mcp.internal"}, "audience": {"mcp"}, "scope": {"a b"}}
	if a.form.Encode() != want.Encode() {
		t.Errorf("asked %q, want %q", a.form.Encode(), want.Encode())
	}
	r := http.Request{Header: a.header}
	id, secret, _ := r.BasicAuth()
	if id != "proxy%3A1" || secret != "hush+hush%2F%2B%C3%A9" { // RFC 6749 §2.3.1
		t.Errorf("basic %q %q", id, secret)
	}
	if a.header.Get("DPoP") != "" {
		t.Error("a proof although dpop is off")
	}
	if s := c.String(); strings.Contains(s, "hush") || strings.Contains(s, "t1") {
		t.Errorf("printed as %s", s)
	}
}

func TestKeyClient(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := jose.Import(key, "", "k1")
	if err != nil {
		t.Fatal(err)
	}
	b, i := newBench(), newIssuer(t, numbered)
	path := write(t, filepath.Join(t.TempDir(), "key"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	client, err := credential.NewKeyClient(b.Kit, "proxy", i.URL, path, "k1", jose.RS256)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := credential.NewKeyClient(b.Kit, "proxy", "", path, "k1", jose.RS256); err == nil {
		t.Error("assertions for nobody in particular were accepted")
	}
	c := machineToken(t, b, credential.Issuer{URL: i.URL, TokenEndpoint: i.URL + "/token", Client: client, Binding: credential.Unbound})
	if got := shown(t, c); got != "Bearer t1" {
		t.Fatalf("shows %q", got)
	}
	a := i.all()[0]
	if a.header.Get("Authorization") != "" || a.form.Get("client_id") != "proxy" || a.form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		t.Errorf("asked %v %v", a.header, a.form)
	}
	jws, err := jose.Parse(a.form.Get("client_assertion"), 4096)
	if err != nil {
		t.Fatal(err)
	}
	if err := jws.VerifyIn(jose.NewKeySet(public.Public())); err != nil || jws.KeyID != "k1" {
		t.Errorf("kid %q: %v", jws.KeyID, err)
	}
	var claims map[string]any
	if err := json.Unmarshal(jws.Payload, &claims); err != nil {
		t.Fatal(err)
	}
	now := float64(b.Now().Unix())
	for name, want := range map[string]any{"iss": "proxy", "sub": "proxy", "aud": i.URL, "iat": now, "exp": now + 60} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
	if id, _ := claims["jti"].(string); len(id) < 20 || len(claims) != 6 {
		t.Errorf("claims %v", claims)
	}
}

// One request for all who wait, one for all until the end is near, then one
// behind the scenes.
func TestTokensAreCached(t *testing.T) {
	release := make(chan struct{})
	b, i := newBench(), newIssuer(t, nil)
	i.answers(func(n int, a asked) (int, string, http.Header) {
		<-release
		return numbered(n, a)
	})
	c := machineToken(t, b, i.conf(t, b, credential.Unbound))
	got := make(chan string)
	for range 50 {
		go func() { got <- shown(t, c) }()
	}
	close(release)
	for range 50 {
		if s := <-got; s != "Bearer t1" {
			t.Errorf("shows %q", s)
		}
	}
	b.advance(57 * time.Minute)
	if s := shown(t, c); s != "Bearer t1" || len(i.all()) != 1 {
		t.Errorf("shows %q after %d requests", s, len(i.all()))
	}
	b.advance(2 * time.Minute) // the last two of the hour
	if s := shown(t, c); s != "Bearer t1" {
		t.Errorf("shows %q while the next is fetched", s)
	}
	eventually(t, "the next token", func() bool { return shown(t, c) == "Bearer t2" })
	if n := len(i.all()); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come", what)
		}
	}
}

// An issuer that is away costs nothing while the token lives, then every call
// fails, and the issuer is asked less and less often.
func TestIssuerAway(t *testing.T) {
	b, i := newBench(), newIssuer(t, numbered)
	c := machineToken(t, b, i.conf(t, b, credential.Unbound))
	if s := shown(t, c); s != "Bearer t1" {
		t.Fatalf("shows %q", s)
	}
	i.answers(away)
	b.advance(59 * time.Minute)
	if s := shown(t, c); s != "Bearer t1" {
		t.Errorf("the living token is not shown: %q", s)
	}
	eventually(t, "the attempt to renew", func() bool { return len(i.all()) == 2 })
	b.advance(time.Minute)
	if s := shown(t, c); s != "" {
		t.Errorf("a dead token is shown: %q", s)
	}
	before := len(i.all())
	for range 1200 { // ten minutes, a call each half second
		b.advance(500 * time.Millisecond)
		if s := shown(t, c); s != "" {
			t.Errorf("shows %q", s)
		}
	}
	if n := len(i.all()) - before; n < 15 || n > 30 {
		t.Errorf("%d requests in ten minutes", n)
	}
	i.answers(numbered)
	b.advance(31 * time.Second)
	if s := shown(t, c); !strings.HasPrefix(s, "Bearer t") {
		t.Errorf("shows %q after the issuer is back", s)
	}
	if log := b.log.String(); !strings.Contains(log, "503") || strings.Contains(log, "hush") {
		t.Errorf("log %s", log)
	}
}

// What is not a token response is no token.
func TestAnswersAreReadStrictly(t *testing.T) {
	for name, row := range map[string]struct{ body, want string }{
		"not JSON":              {`access_token=x`, "token response"},
		"a name twice":          {`{"access_token":"a","access_token":"b","token_type":"Bearer","expires_in":60}`, "token response"},
		"names in another case": {`{"Access_Token":"a","Token_Type":"Bearer"}`, "access_token"},
		"no token":              {`{"token_type":"Bearer"}`, "access_token"},
		"a null token":          {`{"access_token":null,"token_type":"Bearer"}`, "token response"},
		"a token with a break":  {`{"access_token":"a\r\nX-Admin: 1","token_type":"Bearer"}`, "access_token"},
		"a token with a space":  {`{"access_token":"a b","token_type":"Bearer"}`, "access_token"},
		"only padding":          {`{"access_token":"==","token_type":"Bearer"}`, "access_token"},
		"too long":              {`{"access_token":"` + strings.Repeat("a", 16<<10+1) + `","token_type":"Bearer"}`, "access_token"},
		"larger than allowed":   {`{"pad":"` + strings.Repeat("a", 64<<10) + `"}`, "larger than"},
		"no type":               {`{"access_token":"a"}`, "token_type"},
		"an unknown type":       {`{"access_token":"a","token_type":"mac"}`, "token_type"},
		"type N_A":              {`{"access_token":"a","token_type":"N_A"}`, "token_type"},
		"bound without proof":   {`{"access_token":"a","token_type":"DPoP"}`, "no proof"},
		"already over":          {`{"access_token":"a","token_type":"Bearer","expires_in":0}`, "expires_in"},
		"a negative life":       {`{"access_token":"a","token_type":"Bearer","expires_in":-9223372036854775807}`, "expires_in"},
		"a life as text":        {`{"access_token":"a","token_type":"Bearer","expires_in":"60"}`, "token response"},
	} {
		t.Run(name, func(t *testing.T) {
			b, i := newBench(), newIssuer(t, says(200, row.body))
			c := machineToken(t, b, i.conf(t, b, credential.Unbound))
			header, err := c.Show(t.Context(), post)
			if err == nil || header != nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("%v %v, want an error with %q", header, err, row.want)
			}
		})
	}
	for name, status := range map[string]int{"a redirect": 302, "an error": 500, "an error without a code": 400, "an unknown success": 201} {
		t.Run(name, func(t *testing.T) {
			b, i := newBench(), newIssuer(t, func(int, asked) (int, string, http.Header) {
				return status, `{"access_token":"a","token_type":"Bearer"}`, http.Header{"Location": {"/token"}}
			})
			if s := shown(t, machineToken(t, b, i.conf(t, b, credential.Unbound))); s != "" || len(i.all()) != 1 {
				t.Errorf("shows %q after %d requests", s, len(i.all()))
			}
		})
	}
	b, i := newBench(), newIssuer(t, func(int, asked) (int, string, http.Header) {
		return 200, `{"access_token":"a","token_type":"Bearer"}`, http.Header{"Content-Type": {"text/html"}}
	})
	if s := shown(t, machineToken(t, b, i.conf(t, b, credential.Unbound))); s != "" {
		t.Errorf("HTML gives %q", s)
	}
}

// A token without a life is used for a minute, one with an absurd life for a day.
func TestLives(t *testing.T) {
	for body, life := range map[string]time.Duration{
		`{"access_token":"%s","token_type":"bearer"}`:                       time.Minute,
		`{"access_token":"%s","token_type":"Bearer","expires_in":99999999}`: 24 * time.Hour,
	} {
		b, i := newBench(), newIssuer(t, func(n int, _ asked) (int, string, http.Header) {
			return 200, fmt.Sprintf(body, fmt.Sprint("t", n)), nil
		})
		c := machineToken(t, b, i.conf(t, b, credential.Unbound))
		if s := shown(t, c); s != "Bearer t1" {
			t.Fatalf("shows %q", s)
		}
		b.advance(life)
		if s := shown(t, c); s != "Bearer t2" {
			t.Errorf("after %v it shows %q", life, s)
		}
	}
}
