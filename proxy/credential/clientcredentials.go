package credential

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/postern-mcp/postern/proxy"
)

// Want is what tokens are asked for. Every field may be empty.
type Want struct {
	Resource string // RFC 8707
	Audience string // RFC 8693, and what some issuers understand instead
	Scope    []string
}

func (w Want) form(grantType string) url.Values {
	form := url.Values{"grant_type": {grantType}}
	for name, value := range map[string]string{"resource": w.Resource, "audience": w.Audience, "scope": strings.Join(w.Scope, " ")} {
		if value != "" {
			form.Set(name, value)
		}
	}
	return form
}

// ClientCredentials is an access token that the proxy gets in its own name
// (RFC 6749 §4.4), the same for every caller.
type ClientCredentials struct {
	endpoint *endpoint
	want     Want
	display  *display
	source   source
}

// NewClientCredentials: upstream is the URL that proofs are made for. It does
// not call the issuer.
func NewClientCredentials(kit Kit, issuer Issuer, want Want, upstream *url.URL) (*ClientCredentials, error) {
	endpoint, err := newEndpoint(kit, issuer)
	if err != nil {
		return nil, err
	}
	d, err := newDisplay(endpoint, upstream)
	if err != nil {
		return nil, err
	}
	return &ClientCredentials{endpoint: endpoint, want: want, display: d}, nil
}

// Show shows the token, and a proof when it is bound.
func (c *ClientCredentials) Show(ctx context.Context, p proxy.Purpose) (http.Header, error) {
	now := c.endpoint.kit.Now()
	got, err := c.source.get(ctx, now, func(ctx context.Context) (*issued, error) {
		return c.endpoint.ask(ctx, c.want.form("client_credentials"))
	}, func() bool { return !c.endpoint.rest.resting(now) })
	if err != nil {
		return nil, err
	}
	return c.display.header(got, p.Method, now)
}

// Refused drops the token, unless the upstream only wants its nonce.
func (c *ClientCredentials) Refused(_ proxy.Purpose, shown, answer http.Header) bool {
	return c.display.wantsNonce(shown, answer) || c.source.drop(shownToken(shown), c.endpoint.kit.Now())
}

func (c *ClientCredentials) String() string { return "client_credentials at " + c.endpoint.name() }
