package main

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/config"
	"github.com/postern-mcp/postern/proxy"
	"github.com/postern-mcp/postern/proxy/credential"
)

// outfit prepares what upstreams are shown.
type outfit struct {
	log        *slog.Logger
	metrics    *credential.Metrics
	identities *credential.Identities
}

func (s setup) outfit(n *node, secret []byte) (outfit, error) {
	identities, err := credential.NewIdentities(secret, s.file.PublicURL, time.Now)
	if err != nil {
		return outfit{}, err
	}
	return outfit{log: n.log, metrics: credential.NewMetrics(n.registry), identities: identities}, nil
}

// documents are what the proxy publishes because of its credentials.
func (o outfit) documents(servers []config.Server) (map[string][]byte, error) {
	for _, s := range servers {
		if s.Identity == nil {
			continue
		}
		keys, err := o.identities.Keys()
		return map[string][]byte{credential.IdentityKeysPath: keys}, err
	}
	return nil, nil
}

func (o outfit) kit(server string) credential.Kit {
	return credential.Kit{Server: server, Log: o.log, Metrics: o.metrics, Now: time.Now}
}

// credential is what one server is shown: its credential, and who calls.
func (o outfit) credential(conf config.Server, upstream *url.URL) (proxy.Credential, error) {
	shown, err := o.own(conf, upstream)
	if err != nil {
		return nil, err
	}
	if conf.Identity == nil {
		return shown, nil
	}
	told, err := credential.NewIdentified(shown, o.identities, conf.Identity.Audience, conf.Identity.Header)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	return told, nil
}

func (o outfit) own(conf config.Server, upstream *url.URL) (proxy.Credential, error) {
	k, kit := conf.Credential, o.kit(conf.Name)
	if k.Type == "header" {
		return credential.NewHeaderFile(kit, k.Header, k.Prefix, k.File)
	}
	if !k.AsksIssuer() {
		return credential.None{}, nil
	}
	client, err := clientOf(kit, k)
	if err != nil {
		return nil, err
	}
	issuer := credential.Issuer{URL: k.Issuer, TokenEndpoint: k.TokenURL, Client: client, Binding: credential.Binding(k.DPoP)}
	want := credential.Want{Resource: k.Resource, Audience: k.Audience, Scope: k.Scope}
	if k.Type == "token_exchange" {
		return credential.NewExchange(kit, issuer, want, upstream)
	}
	return credential.NewClientCredentials(kit, issuer, want, upstream)
}

func clientOf(kit credential.Kit, k config.Credential) (credential.Client, error) {
	if k.KeyFile != "" {
		return credential.NewKeyClient(kit, k.ClientID, cmp.Or(k.AssertionAudience, k.Issuer), k.KeyFile, k.KeyID, jose.Algorithm(k.Algorithm))
	}
	return credential.NewSecretClient(kit, k.ClientID, k.SecretFile)
}

// tls are the settings of connections to a server, nil for the usual ones.
func (o outfit) tls(conf config.Server) (func() *tls.Config, error) {
	if conf.TLS == nil {
		return nil, nil
	}
	files := credential.TLSFiles{CA: conf.TLS.CAFile, Cert: conf.TLS.CertFile, Key: conf.TLS.KeyFile, ServerName: conf.TLS.ServerName}
	settings, err := credential.NewTLS(o.kit(conf.Name), files)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	return settings, nil
}
