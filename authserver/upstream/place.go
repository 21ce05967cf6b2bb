package upstream

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	strict "github.com/go-json-experiment/json"
)

const (
	metadataFresh = time.Hour
	metadataUsed  = 24 * time.Hour // how long the last one serves while there is no newer
)

// found is what discovery told, and when.
type found struct {
	metadata
	at time.Time
}

// metadata is the part of the provider's that matters here (OpenID Connect
// Discovery §3, RFC 9207 §3).
type metadata struct {
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	UserInfo      string   `json:"userinfo_endpoint"`
	Keys          string   `json:"jwks_uri"`
	AuthMethods   []string `json:"token_endpoint_auth_methods_supported"`
	NamesItself   bool     `json:"authorization_response_iss_parameter_supported"`
}

// place gives the provider's metadata, from memory while it is fresh.
func (p *Provider) place(ctx context.Context) (metadata, error) {
	p.mu.Lock()
	known, now := p.found, p.conf.Now()
	p.mu.Unlock()
	if now.Sub(known.at) < metadataFresh {
		return known.metadata, nil
	}
	err := p.locked(ctx, p.discover)
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.found.at) < metadataUsed {
		return p.found.metadata, nil
	}
	return metadata{}, err
}

// discover is run by locked.
func (p *Provider) discover(ctx context.Context) error {
	if p.conf.Now().Sub(p.found.at) < metadataFresh {
		return nil // somebody else just did
	}
	// OpenID Connect Discovery §4.3: the library holds the issuer against ours.
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, p.http), p.conf.Issuer)
	if _, transport := asType[*url.Error](err); transport {
		return refuseFor(Unreachable, err)
	}
	if err != nil {
		return refuseFor(BadMetadata, err)
	}
	var doc json.RawMessage
	if err := provider.Claims(&doc); err != nil {
		return refuseFor(BadMetadata, err)
	}
	var m metadata
	if err := strict.Unmarshal(doc, &m); err != nil {
		return refuseFor(BadMetadata, err)
	}
	if err := p.checkMetadata(m); err != nil {
		return refuseFor(BadMetadata, err)
	}
	p.found = found{m, p.conf.Now()}
	return nil
}

func (p *Provider) checkMetadata(m metadata) error {
	issuer, err := url.Parse(p.conf.Issuer)
	if err != nil {
		return err // unreachable: New parsed it
	}
	places := []string{m.Authorization, m.Token, m.Keys}
	if m.UserInfo != "" {
		places = append(places, m.UserInfo)
	}
	for _, place := range places {
		u, err := url.Parse(place)
		if err != nil || !trusted(u, onLoopback(issuer)) {
			return fmt.Errorf("an endpoint is missing, or not https: %.200q", place)
		}
	}
	// OpenID Connect Discovery §3: absent means client_secret_basic.
	if m.AuthMethods != nil && !slices.ContainsFunc(m.AuthMethods, p.canProve) {
		return fmt.Errorf("the provider takes no credential of this kind: %.200q", m.AuthMethods)
	}
	return nil
}
