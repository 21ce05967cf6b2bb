package main

import (
	"net/http"
	"net/url"

	"github.com/postern-mcp/postern/config"
	"github.com/postern-mcp/postern/proxy"
)

func (s setup) servers(n *node, o outfit) ([]proxy.Server, error) {
	var servers []proxy.Server
	for i, conf := range s.file.Servers {
		upstream, transport, err := n.way(conf, o, s.lookup)
		if err != nil {
			return nil, s.file.At(err, "servers", i)
		}
		shown, err := o.credential(conf, upstream)
		if err != nil {
			return nil, s.file.At(err, "servers", i, "credential")
		}
		servers = append(servers, proxy.Server{
			Name: conf.Name, Path: conf.Path, Upstream: upstream, Transport: transport, Policy: s.policies[conf.Name],
			Audiences: conf.Audiences, DPoP: proxy.Mode(conf.DPoP), Credential: shown,
			SubjectInFlight: conf.SubjectInFlight(),
		})
	}
	return servers, nil
}

// way is how requests get to a server: a child process, a socket, or HTTP.
func (n *node) way(conf config.Server, o outfit, lookup config.Lookup) (*url.URL, http.RoundTripper, error) {
	if conf.Stdio != nil {
		child, err := n.child(conf, lookup)
		return &url.URL{Scheme: "http", Host: "stdio", Path: "/"}, child, err
	}
	if socket, path, ok := conf.Socket(); ok {
		endpoint, err := url.Parse("http://localhost" + path)
		if err != nil {
			return nil, nil, err
		}
		transport, err := proxy.NewTransport(proxy.Reach{Socket: socket, Timeout: conf.Timeout})
		return endpoint, transport, err
	}
	endpoint, err := url.Parse(conf.Upstream)
	if err != nil {
		return nil, nil, err
	}
	secured, err := o.tls(conf)
	if err != nil {
		return nil, nil, err
	}
	transport, err := proxy.NewTransport(proxy.Reach{TLS: secured, Timeout: conf.Timeout})
	return endpoint, transport, err
}
