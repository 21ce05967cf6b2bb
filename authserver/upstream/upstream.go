// Package upstream lets people prove who they are at another OpenID Connect
// provider, by the authorization code flow with PKCE.
//
// Its laws: an answer counts for the one provider it was asked of, and for the
// one request that asked; everything a provider says is bounded, read strictly
// and checked against what was asked; what a provider leaves out proves
// nothing. Who a person is, is issuer and subject together, never an address.
package upstream

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postern-mcp/postern/authserver/jose"
)

// Settings are everything New needs; all are required but Networks.
type Settings struct {
	Issuer     string // https, or http on a loopback host; exactly as its metadata says
	ClientID   string // of this server at the provider
	Credential        // by which this server proves that
	Callback   string // redirect_uri: of this provider and of no other (RFC 9700 §4.4.2.2)
	Scopes     []string
	Networks   []netip.Prefix // where the provider may be reached beside public addresses
	Now        func() time.Time
}

// Credential is a secret or a key: exactly one of the two.
type Credential struct {
	Secret string          // client_secret_basic, or client_secret_post where that alone is offered
	Key    jose.PrivateKey // private_key_jwt (RFC 7523)
}

// Provider is one OpenID Connect provider.
type Provider struct {
	conf Settings
	http *http.Client

	mu    sync.Mutex // held while metadata or keys are fetched
	found found
	keys  keys
	pause pause
}

// New checks the settings; it asks the provider for nothing.
func New(conf Settings) (*Provider, error) {
	issuer, err := url.Parse(conf.Issuer)
	switch {
	case err != nil || !trusted(issuer, onLoopback(issuer)) || issuer.RawQuery != "":
		return nil, errors.New("the issuer must be an https URL, or http on a loopback host, without query and fragment")
	case conf.ClientID == "":
		return nil, errors.New("the client id is missing")
	case (conf.Secret == "") == (conf.Key.Algorithm() == ""):
		return nil, errors.New("give either a secret or a key")
	case conf.Callback == "":
		return nil, errors.New("the callback is missing")
	case !slices.Contains(conf.Scopes, "openid"):
		return nil, errors.New("the scopes must have openid among them")
	case conf.Now == nil:
		return nil, errors.New("the clock is missing")
	}
	return &Provider{conf: conf, http: newClient(reachable(onLoopback(issuer), conf.Networks))}, nil
}

// Issuer is the provider's identifier.
func (p *Provider) Issuer() string { return p.conf.Issuer }

// trusted says whether a provider's URL keeps what is sent there between us
// and it: https, or plain http for a provider on this machine.
func trusted(u *url.URL, local bool) bool {
	if u == nil || u.Hostname() == "" || u.User != nil || u.Opaque != "" || u.Fragment != "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && local && onLoopback(u)
}

func onLoopback(u *url.URL) bool {
	if u == nil {
		return false
	}
	host := strings.ToLower(u.Hostname())
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// skew is how far the provider's clock may be from ours.
const skew = 30 * time.Second

// pause is kept after a failure, so that a provider that is away does not
// hold everybody up, one after the other.
type pause struct {
	until time.Time
	cause error
}

const pauseTime = 2 * time.Second

// locked runs one fetch at a time, and none while the last failure is fresh.
func (p *Provider) locked(ctx context.Context, fetch func(context.Context) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conf.Now().Before(p.pause.until) {
		return p.pause.cause
	}
	err := fetch(ctx)
	if err != nil && ctx.Err() == nil {
		p.pause = pause{p.conf.Now().Add(pauseTime), err}
	}
	return err
}
