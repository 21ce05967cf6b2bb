package upstream

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/upstream/upstreamtest"
)

// hostile is a provider whose rules a test breaks, and the last request to it.
type hostile struct {
	*upstreamtest.Provider
	t    *testing.T
	Sent url.Values
}

func newHostile(t *testing.T) *hostile {
	t.Helper()
	return &hostile{Provider: upstreamtest.New(t), t: t}
}

// settings of a client that the provider knows.
func (h *hostile) settings() Settings {
	return Settings{
		Issuer: h.URL, ClientID: "postern", Credential: Credential{Secret: "a:secret"}, Callback: "https://auth.example/login/with/corp/callback",
		Scopes: []string{"openid", "email"}, Now: func() time.Time { return h.Now },
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
	h.Sent = u.Query()
	for _, hidden := range []string{"code_verifier", "nonce"} {
		if strings.Contains(string(secret), `"`+hidden+`":""`) {
			h.t.Errorf("nothing is remembered of %s: %s", hidden, secret)
		}
	}
	query := url.Values{"code": {h.Code(h.Sent)}, "state": {h.Sent.Get("state")}, "iss": {h.URL}}
	if answer != nil {
		answer(query)
	}
	return p.Finish(h.t.Context(), secret, query)
}
