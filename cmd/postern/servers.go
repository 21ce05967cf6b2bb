package main

import (
	"net/url"

	"github.com/postern-mcp/postern/proxy"
)

func (s setup) servers(o outfit) ([]proxy.Server, error) {
	var servers []proxy.Server
	for _, conf := range s.file.Servers {
		upstream, err := url.Parse(conf.Upstream)
		if err != nil {
			return nil, err
		}
		shown, err := o.credential(conf, upstream)
		if err != nil {
			return nil, err
		}
		secured, err := o.tls(conf)
		if err != nil {
			return nil, err
		}
		transport, err := proxy.NewTransport(proxy.Reach{TLS: secured, Timeout: conf.Timeout})
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
