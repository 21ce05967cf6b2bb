package upstream

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver/jose"
)

// How this server proves to the provider which client it is.
const (
	byBasic = "client_secret_basic"
	byPost  = "client_secret_post"
	byKey   = "private_key_jwt"
)

const assertionLife = time.Minute

func (p *Provider) canProve(method string) bool {
	if p.conf.Secret == "" {
		return method == byKey
	}
	return method == byBasic || method == byPost
}

// prove adds the client's authentication to a token request.
func (p *Provider) prove(m metadata, form url.Values, header http.Header) error {
	if p.conf.Secret == "" {
		return p.assert(form)
	}
	if m.AuthMethods != nil && !slices.Contains(m.AuthMethods, byBasic) {
		form.Set("client_id", p.conf.ClientID)
		form.Set("client_secret", p.conf.Secret)
		return nil
	}
	// RFC 6749 §2.3.1: both are form-encoded before they are put together.
	r := http.Request{Header: header}
	r.SetBasicAuth(url.QueryEscape(p.conf.ClientID), url.QueryEscape(p.conf.Secret))
	return nil
}

// assert: RFC 7523 §3. The audience is the issuer, as one string, so that the
// assertion is good at one provider.
func (p *Provider) assert(form url.Values) error {
	now := p.conf.Now()
	claims, err := json.Marshal(struct {
		Issuer   string           `json:"iss"`
		Subject  string           `json:"sub"`
		Audience string           `json:"aud"`
		ID       string           `json:"jti"`
		IssuedAt jose.NumericDate `json:"iat"`
		Expiry   jose.NumericDate `json:"exp"`
	}{
		p.conf.ClientID, p.conf.ClientID, p.conf.Issuer, rand.Text(),
		jose.NumericDate{Time: now}, jose.NumericDate{Time: now.Add(assertionLife)},
	})
	if err != nil {
		return err
	}
	signed, err := p.conf.Key.Sign("JWT", claims)
	if err != nil {
		return err
	}
	form.Set("client_id", p.conf.ClientID)
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	form.Set("client_assertion", signed)
	return nil
}
