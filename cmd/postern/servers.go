package main

import (
	"fmt"
	"net/url"

	"github.com/postern-mcp/postern/config"
	"github.com/postern-mcp/postern/proxy"
	"github.com/postern-mcp/postern/proxy/credential"
)

func (s setup) servers() ([]proxy.Server, error) {
	var servers []proxy.Server
	for _, conf := range s.file.Servers {
		upstream, err := url.Parse(conf.Upstream)
		if err != nil {
			return nil, err
		}
		shown, err := upstreamCredential(conf.Credential)
		if err != nil {
			return nil, fmt.Errorf("credential of server %q: %w", conf.Name, err)
		}
		transport, err := proxy.NewTransport(proxy.Reach{Timeout: conf.Timeout})
		if err != nil {
			return nil, err
		}
		servers = append(servers, proxy.Server{
			Name: conf.Name, Path: conf.Path, Upstream: upstream, Transport: transport, Policy: s.policies[conf.Name],
			Audiences: conf.Audiences, DPoP: proxy.Mode(conf.DPoP), Credential: shown,
		})
	}
	return servers, nil
}

func upstreamCredential(c config.Credential) (proxy.Credential, error) {
	if c.Type == "none" {
		return credential.None{}, nil
	}
	secret, err := readSecret(c.File)
	if err != nil {
		return nil, err
	}
	return credential.NewHeader(c.Header, c.Prefix, secret)
}
