package upstream

import (
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver/jose"
)

type object = map[string]any

// hostile is a provider that keeps the rules until a test breaks one.
type hostile struct {
	t   *testing.T
	url string
	key jose.PrivateKey
	now time.Time

	metadata func(object)                           // changes the discovery document
	claims   func(object)                           // changes the ID token's claims
	profile  func(object)                           // changes what userinfo says
	tokens   func(object)                           // changes the token response
	sign     func(payload []byte) string            // instead of by key
	handle   map[string]http.HandlerFunc            // instead of an endpoint
	proved   func(r *http.Request, form url.Values) // looks at the client's credential

	mu    sync.Mutex
	asked map[string]int // requests by path
	sent  url.Values     // the authorization request that is being answered
}

// providerKey is one for all tests: RSA keys take long to make.
var providerKey = sync.OnceValue(func() jose.PrivateKey {
	key, err := jose.GenerateKey(jose.RS256)
	if err != nil {
		panic(err)
	}
	return key
})

func newHostile(t *testing.T) *hostile {
	t.Helper()
	h := &hostile{t: t, key: providerKey(), now: time.Now().Truncate(time.Second), asked: map[string]int{}, handle: map[string]http.HandlerFunc{}}
	web := httptest.NewServer(h)
	t.Cleanup(web.Close)
	h.url = web.URL
	return h
}

func (h *hostile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	h.asked[r.URL.Path]++
	h.mu.Unlock()
	if f := h.handle[r.URL.Path]; f != nil {
		f(w, r)
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		write(w, 200, changed(h.metadata, object{
			"issuer": h.url, "authorization_endpoint": h.url + "/authorize?tenant=1", "token_endpoint": h.url + "/token",
			"jwks_uri": h.url + "/keys", "userinfo_endpoint": h.url + "/userinfo",
			"id_token_signing_alg_values_supported":          []string{"RS256"},
			"authorization_response_iss_parameter_supported": true,
		}))
	case "/keys":
		write(w, 200, jose.NewKeySet(h.key.Public()))
	case "/token":
		h.token(w, r)
	case "/userinfo":
		write(w, 200, changed(h.profile, object{"sub": "ada-1815", "email": "Ada@Corp.example", "email_verified": true, "groups": []string{"dba"}}))
	default:
		http.NotFound(w, r)
	}
}

func (h *hostile) count(path string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked[path]
}

func (h *hostile) token(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		h.t.Error(err)
	}
	form := r.PostForm
	challenge := sha256.Sum256([]byte(form.Get("code_verifier")))
	if base64.RawURLEncoding.EncodeToString(challenge[:]) != h.sent.Get("code_challenge") || h.sent.Get("code_challenge_method") != "S256" {
		h.t.Errorf("the verifier %q does not belong to the challenge %q", form.Get("code_verifier"), h.sent.Get("code_challenge"))
	}
	if form.Get("grant_type") != "authorization_code" || form.Get("code") != "the-code" || form.Get("redirect_uri") != h.sent.Get("redirect_uri") {
		h.t.Errorf("the token request is %v", form)
	}
	if h.proved != nil {
		h.proved(r, form)
	}
	claims := changed(h.claims, object{
		"iss": h.url, "sub": "ada-1815", "aud": h.sent.Get("client_id"), "nonce": h.sent.Get("nonce"), "name": "Ada\u202e Lovelace",
		"iat": h.now.Unix(), "exp": h.now.Add(time.Minute).Unix(), "auth_time": h.now.Unix(), "acr": "gold", "amr": []string{"pwd", "otp"},
	})
	payload, err := json.Marshal(claims)
	if err != nil {
		h.t.Error(err)
	}
	write(w, 200, changed(h.tokens, object{"id_token": h.signed(payload), "access_token": "at", "token_type": "Bearer", "expires_in": 60}))
}

func (h *hostile) signed(payload []byte) string {
	if h.sign != nil {
		return h.sign(payload)
	}
	compact, err := h.key.Sign("JWT", payload)
	if err != nil {
		h.t.Error(err)
	}
	return compact
}

func changed(change func(object), o object) object {
	if change != nil {
		change(o)
	}
	return o
}

func write(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// settings of a client that the provider knows.
func (h *hostile) settings() Settings {
	return Settings{
		Issuer: h.url, ClientID: "postern", Credential: Credential{Secret: "a:secret"}, Callback: "https://auth.example/login/with/corp/callback",
		Scopes: []string{"openid", "email"}, Now: func() time.Time { return h.now },
	}
}

func (h *hostile) provider(conf Settings) *Provider {
	h.t.Helper()
	p, err := New(conf)
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

const state = "a-state-that-nobody-guesses"

// signIn walks through the whole of it; answer may change what the browser
// brings back.
func (h *hostile) signIn(p *Provider, ask Ask, answer func(url.Values)) (Identity, error) {
	h.t.Helper()
	ask.State = state
	to, secret, err := p.Begin(h.t.Context(), ask)
	if err != nil {
		return Identity{}, err
	}
	u, err := url.Parse(to)
	if err != nil {
		h.t.Fatal(err)
	}
	h.sent = u.Query()
	for _, hidden := range []string{"code_verifier", "nonce"} {
		if strings.Contains(string(secret), `"`+hidden+`":""`) {
			h.t.Errorf("nothing is remembered of %s: %s", hidden, secret)
		}
	}
	query := url.Values{"code": {"the-code"}, "state": {h.sent.Get("state")}, "iss": {h.url}}
	if answer != nil {
		answer(query)
	}
	return p.Finish(h.t.Context(), secret, query)
}

func set(name string, value any) func(object) {
	return func(o object) { o[name] = value }
}

func without(names ...string) func(object) {
	return func(o object) {
		maps.DeleteFunc(o, func(name string, _ any) bool {
			for _, n := range names {
				if n == name {
					return true
				}
			}
			return false
		})
	}
}
