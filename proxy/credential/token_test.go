package credential_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver/dpop"
	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/proxy"
	"github.com/postern-mcp/postern/proxy/credential"
)

// asked is one token request.
type asked struct {
	header http.Header
	form   url.Values
}

// issuerStand is an issuer's token endpoint that answers as told.
type issuerStand struct {
	*httptest.Server
	mu     sync.Mutex
	seen   []asked
	algs   string // of proofs, in the metadata
	answer func(n int, a asked) (status int, body string, header http.Header)
}

func newIssuer(t *testing.T, answer func(n int, a asked) (int, string, http.Header)) *issuerStand {
	t.Helper()
	i := &issuerStand{answer: answer}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"token_endpoint":%q%s}`, i.URL, i.URL+"/token", i.algs)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		i.mu.Lock()
		a := asked{r.Header, r.PostForm}
		i.seen = append(i.seen, a)
		answer, n := i.answer, len(i.seen)
		i.mu.Unlock()
		status, body, header := answer(n, a)
		w.Header().Set("Content-Type", "application/json")
		for name, values := range header {
			w.Header()[name] = values
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

func (i *issuerStand) all() []asked {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]asked(nil), i.seen...)
}

func (i *issuerStand) answers(answer func(n int, a asked) (int, string, http.Header)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = answer
}

// numbered gives bearer tokens t1, t2, … of an hour.
func numbered(n int, _ asked) (int, string, http.Header) {
	return 200, fmt.Sprintf(`{"access_token":"t%d","token_type":"Bearer","expires_in":3600}`, n), nil
}

func away(int, asked) (int, string, http.Header) { return 503, "away", nil }

func says(status int, body string) func(int, asked) (int, string, http.Header) {
	return func(int, asked) (int, string, http.Header) { return status, body, nil }
}

var upstream = &url.URL{Scheme: "http", Host: "mcp.internal:8101", Path: "/mcp"}

func secretClient(t *testing.T, b *bench) credential.Client {
	t.Helper()
	c, err := credential.NewSecretClient(b.Kit, "proxy:1", write(t, filepath.Join(t.TempDir(), "secret"), "hush hush/+é\n"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (i *issuerStand) conf(t *testing.T, b *bench, binding credential.Binding) credential.Issuer {
	t.Helper()
	return credential.Issuer{URL: i.URL, Client: secretClient(t, b), Binding: binding}
}

func machineToken(t *testing.T, b *bench, conf credential.Issuer) *credential.ClientCredentials {
	t.Helper()
	c, err := credential.NewClientCredentials(b.Kit, conf, credential.Want{Resource: "https://mcp.internal", Audience: "mcp", Scope: []string{"a", "b"}}, upstream)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var post = proxy.Purpose{Server: "recorder", Method: "POST"}

// shown is the Authorization header, or "" when there is none to be had.
func shown(t *testing.T, c proxy.Credential) string {
	t.Helper()
	header, err := c.Show(t.Context(), post)
	if err != nil {
		return ""
	}
	return header.Get("Authorization")
}

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
	client, err := credential.NewKeyClient(b.Kit, "proxy", path, "k1", jose.RS256)
	if err != nil {
		t.Fatal(err)
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

// provingIssuer demands a proof with its nonce, as strictly as our own.
func provingIssuer(t *testing.T, b *bench) *issuerStand {
	t.Helper()
	var i *issuerStand
	i = newIssuer(t, func(n int, a asked) (int, string, http.Header) {
		target, _ := dpop.ParseTarget(i.URL + "/token")
		proof, err := dpop.Verify(b.Now(), a.header.Values("DPoP"), dpop.AtEndpoint("POST", target, dpop.Window{Past: time.Minute, Future: time.Second}))
		if err != nil {
			return 400, `{"error":"invalid_dpop_proof"}`, nil
		}
		if proof.Nonce() != "n1" {
			return 400, `{"error":"use_dpop_nonce"}`, http.Header{"Dpop-Nonce": {"n1"}}
		}
		return 200, fmt.Sprintf(`{"access_token":"t-%s","token_type":"DPoP","expires_in":60}`, proof.Thumbprint()), nil
	})
	return i
}

func TestBoundTokens(t *testing.T) {
	for name, row := range map[string]struct {
		binding  credential.Binding
		metadata string
		requests int // until there is a token
	}{
		"demanded":                            {credential.Bound, ``, 2},
		"offered by metadata":                 {credential.Offered, `,"dpop_signing_alg_values_supported":["ES256"]`, 2},
		"wanted, but not in metadata":         {credential.Offered, ``, 3},
		"metadata names other algorithms":     {credential.Offered, `,"dpop_signing_alg_values_supported":["RS256"]`, 3},
		"off, so the issuer's no is an error": {credential.Unbound, `,"dpop_signing_alg_values_supported":["ES256"]`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			i := provingIssuer(t, b)
			i.algs = row.metadata
			c := machineToken(t, b, i.conf(t, b, row.binding))
			header, err := c.Show(t.Context(), post)
			if n := len(i.all()); n != row.requests {
				t.Errorf("%d requests, want %d", n, row.requests)
			}
			if row.binding == credential.Unbound {
				if err == nil {
					t.Errorf("shows %v", header)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			checkShown(t, b, header, "")
			challenge := http.Header{"Www-Authenticate": {`DPoP error="use_dpop_nonce"`}, "Dpop-Nonce": {"up1"}}
			if !c.Refused(post, header, challenge) {
				t.Fatal("the upstream's nonce is not tried")
			}
			again, err := c.Show(t.Context(), post)
			if err != nil {
				t.Fatal(err)
			}
			checkShown(t, b, again, "up1")
			if n := len(i.all()); n != row.requests {
				t.Errorf("a nonce of the upstream made %d requests at the issuer", n)
			}
		})
	}
}

// checkShown verifies what an upstream is shown as an upstream does.
func checkShown(t *testing.T, b *bench, header http.Header, nonce string) {
	t.Helper()
	scheme, access, _ := strings.Cut(header.Get("Authorization"), " ")
	target, err := dpop.ParseTarget(upstream.String())
	if err != nil {
		t.Fatal(err)
	}
	proof, err := dpop.Verify(b.Now(), header.Values("DPoP"), dpop.AtResource("POST", target, access, dpop.Window{Past: time.Minute, Future: time.Second}))
	if err != nil {
		t.Fatal(err)
	}
	if scheme != "DPoP" || "t-"+proof.Thumbprint() != access || proof.Nonce() != nonce {
		t.Errorf("shows %s %s with a proof of %s and nonce %q", scheme, access, proof.Thumbprint(), proof.Nonce())
	}
}

func TestBearerIsNoBoundToken(t *testing.T) {
	b, i := newBench(), newIssuer(t, numbered)
	c := machineToken(t, b, i.conf(t, b, credential.Bound))
	if header, err := c.Show(t.Context(), post); err == nil || !strings.Contains(err.Error(), "dpop: required") {
		t.Errorf("%v %v", header, err)
	}
	c = machineToken(t, b, i.conf(t, b, credential.Offered))
	if s := shown(t, c); s != "Bearer t2" {
		t.Errorf("under auto it shows %q", s)
	}
}

// A refused token is dropped, but an upstream that refuses everything does not
// make every call a token request.
func TestRefusedTokens(t *testing.T) {
	b, i := newBench(), newIssuer(t, numbered)
	c := machineToken(t, b, i.conf(t, b, credential.Unbound))
	first, err := c.Show(t.Context(), post)
	if err != nil {
		t.Fatal(err)
	}
	if !c.Refused(post, first, http.Header{}) || shown(t, c) != "Bearer t2" {
		t.Error("the refused token was not renewed")
	}
	if !c.Refused(post, first, http.Header{}) || shown(t, c) != "Bearer t2" {
		t.Error("a late refusal of the old token dropped the new one")
	}
	second, _ := c.Show(t.Context(), post)
	if c.Refused(post, second, http.Header{}) {
		t.Error("the new token was dropped a moment after")
	}
	b.advance(11 * time.Second)
	if !c.Refused(post, second, http.Header{}) || shown(t, c) != "Bearer t3" {
		t.Error("the refused token was not renewed later")
	}
}

func TestTokenEndpointsMustBeTrusted(t *testing.T) {
	b := newBench()
	if _, err := credential.NewClientCredentials(b.Kit, credential.Issuer{TokenEndpoint: "http://issuer.example/token", Client: secretClient(t, b), Binding: credential.Unbound}, credential.Want{}, upstream); err == nil {
		t.Error("a plain token endpoint was accepted")
	}
	for name, document := range map[string]string{
		"plain http": `{"issuer":%q,"token_endpoint":"http://issuer.example/token"}`,
		"none":       `{"issuer":%q}`,
		"other":      `{"issuer":%q,"issuer":"x"}`,
		"another's":  `{"issuer":"%sx","token_endpoint":"http://127.0.0.1:1/token"}`,
	} {
		t.Run(name, func(t *testing.T) {
			var base string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, document, base) }))
			defer server.Close()
			base = server.URL
			c := machineToken(t, b, credential.Issuer{URL: base, Client: secretClient(t, b), Binding: credential.Unbound})
			if header, err := c.Show(t.Context(), post); err == nil {
				t.Errorf("shows %v", header)
			}
		})
	}
}

func TestIssuersAreComplete(t *testing.T) {
	b := newBench()
	for name, conf := range map[string]credential.Issuer{
		"no client":  {URL: "https://issuer.example", Binding: credential.Offered},
		"no place":   {Client: secretClient(t, b), Binding: credential.Offered},
		"no binding": {URL: "https://issuer.example", Client: secretClient(t, b)},
	} {
		if _, err := credential.NewClientCredentials(b.Kit, conf, credential.Want{}, upstream); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if _, err := credential.NewExchange(b.Kit, conf, credential.Want{}, upstream); err == nil {
			t.Errorf("%s: accepted for exchange", name)
		}
	}
	full := credential.Issuer{URL: "https://issuer.example", Client: secretClient(t, b), Binding: credential.Offered}
	if _, err := credential.NewClientCredentials(b.Kit, full, credential.Want{}, nil); err == nil {
		t.Error("no upstream: accepted")
	}
	if _, err := credential.NewClientCredentials(credential.Kit{}, full, credential.Want{}, upstream); err == nil {
		t.Error("no kit: accepted")
	}
}

func TestCallerWhoLeavesDoesNotEndTheFetch(t *testing.T) {
	release := make(chan struct{})
	b, i := newBench(), newIssuer(t, nil)
	i.answers(func(n int, a asked) (int, string, http.Header) {
		<-release
		return numbered(n, a)
	})
	c := machineToken(t, b, i.conf(t, b, credential.Unbound))
	gone, leave := contextWithCancel(t)
	go leave()
	if _, err := c.Show(gone, post); !errors.Is(err, gone.Err()) {
		t.Errorf("%v", err)
	}
	close(release)
	if s := shown(t, c); s != "Bearer t1" {
		t.Errorf("shows %q", s)
	}
}
