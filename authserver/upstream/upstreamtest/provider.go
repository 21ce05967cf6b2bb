// Package upstreamtest has an OpenID Connect provider for tests, which keeps
// the rules until a test breaks one.
package upstreamtest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver/jose"
)

// Object is a JSON object.
type Object = map[string]any

// Provider is the provider. What a test sets, it sets before the next request.
type Provider struct {
	URL string // the issuer
	Key jose.PrivateKey
	Now time.Time

	Metadata func(Object)                           // changes the discovery document
	Claims   func(Object)                           // changes the ID token's claims
	Profile  func(Object)                           // changes what userinfo says
	Tokens   func(Object)                           // changes the token response
	Sign     func(payload []byte) string            // instead of by Key
	Handle   map[string]http.HandlerFunc            // instead of an endpoint
	Proved   func(r *http.Request, form url.Values) // looks at the client's credential
	Denies   bool                                   // the person says no

	t     *testing.T
	mu    sync.Mutex
	asked map[string]int        // requests by path
	codes map[string]url.Values // the authorization requests they answer
}

// providerKey is one for all tests: RSA keys take long to make.
var providerKey = sync.OnceValue(func() jose.PrivateKey {
	key, err := jose.GenerateKey(jose.RS256)
	if err != nil {
		panic(err)
	}
	return key
})

// New starts a provider for the length of a test.
func New(t *testing.T) *Provider {
	t.Helper()
	p := &Provider{t: t, Key: providerKey(), Now: time.Now().Truncate(time.Second),
		asked: map[string]int{}, codes: map[string]url.Values{}, Handle: map[string]http.HandlerFunc{}}
	web := httptest.NewServer(p)
	t.Cleanup(web.Close)
	p.URL = web.URL
	return p
}

// ServeHTTP answers at every endpoint.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked[r.URL.Path]++
	p.mu.Unlock()
	if f := p.Handle[r.URL.Path]; f != nil {
		f(w, r)
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		Write(w, http.StatusOK, changed(p.Metadata, Object{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize?tenant=1", "token_endpoint": p.URL + "/token",
			"jwks_uri": p.URL + "/keys", "userinfo_endpoint": p.URL + "/userinfo",
			"id_token_signing_alg_values_supported":          []string{"RS256"},
			"authorization_response_iss_parameter_supported": true,
		}))
	case "/authorize":
		p.authorize(w, r)
	case "/token":
		p.token(w, r)
	case "/keys":
		Write(w, http.StatusOK, jose.NewKeySet(p.Key.Public()))
	case "/userinfo":
		Write(w, http.StatusOK, changed(p.Profile, Object{"sub": "ada-1815", "email": "Ada@Corp.example", "email_verified": true, "groups": []string{"dba"}}))
	default:
		http.NotFound(w, r)
	}
}

// Count is how many requests came to a path.
func (p *Provider) Count(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[path]
}

// Code is one for an authorization request.
func (p *Provider) Code(request url.Values) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	code := rand.Text()
	p.codes[code] = request
	return code
}

// authorize lets everybody in without a page.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	request := r.URL.Query()
	answer := url.Values{"state": {request.Get("state")}, "iss": {p.URL}}
	if p.Denies {
		answer.Set("error", "access_denied")
	} else {
		answer.Set("code", p.Code(request))
	}
	http.Redirect(w, r, request.Get("redirect_uri")+"?"+answer.Encode(), http.StatusFound)
}

func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		p.t.Error(err)
	}
	form := r.PostForm
	p.mu.Lock()
	request, ok := p.codes[form.Get("code")]
	delete(p.codes, form.Get("code"))
	p.mu.Unlock()
	if !ok {
		Write(w, http.StatusBadRequest, Object{"error": "invalid_grant"})
		return
	}
	challenge := sha256.Sum256([]byte(form.Get("code_verifier")))
	if base64.RawURLEncoding.EncodeToString(challenge[:]) != request.Get("code_challenge") || request.Get("code_challenge_method") != "S256" {
		p.t.Errorf("the verifier %q does not belong to the challenge %q", form.Get("code_verifier"), request.Get("code_challenge"))
	}
	if form.Get("grant_type") != "authorization_code" || form.Get("redirect_uri") != request.Get("redirect_uri") {
		p.t.Errorf("the token request is %v", form)
	}
	if p.Proved != nil {
		p.Proved(r, form)
	}
	Write(w, http.StatusOK, changed(p.Tokens, Object{"id_token": p.idToken(request), "access_token": "at", "token_type": "Bearer", "expires_in": 60}))
}

func (p *Provider) idToken(request url.Values) string {
	claims := changed(p.Claims, Object{
		"iss": p.URL, "sub": "ada-1815", "aud": request.Get("client_id"), "nonce": request.Get("nonce"), "name": "Ada\u202e Lovelace",
		"iat": p.Now.Unix(), "exp": p.Now.Add(time.Minute).Unix(), "auth_time": p.Now.Unix(), "acr": "gold", "amr": []string{"pwd", "otp"},
	})
	payload, err := json.Marshal(claims)
	if err != nil {
		p.t.Error(err)
	}
	if p.Sign != nil {
		return p.Sign(payload)
	}
	compact, err := p.Key.Sign("JWT", payload)
	if err != nil {
		p.t.Error(err)
	}
	return compact
}

func changed(change func(Object), o Object) Object {
	if change != nil {
		change(o)
	}
	return o
}

// Set is a change that sets a member.
func Set(name string, value any) func(Object) {
	return func(o Object) { o[name] = value }
}

// Without is a change that takes members away.
func Without(names ...string) func(Object) {
	return func(o Object) {
		maps.DeleteFunc(o, func(name string, _ any) bool { return slices.Contains(names, name) })
	}
}

// Write answers with JSON.
func Write(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
