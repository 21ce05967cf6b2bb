package main

import (
	"fmt"
	"os"

	"github.com/postern-mcp/postern/authserver"
	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/authserver/upstream"
	"github.com/postern-mcp/postern/config"
)

// providers at which people sign in, with their secrets read.
func providers(conf *config.AuthServer) ([]authserver.Provider, error) {
	var list []authserver.Provider
	for i, p := range conf.Providers {
		credential, err := providerCredential(p)
		if err != nil {
			return nil, fmt.Errorf("authserver.providers[%d]: %w", i, err)
		}
		one := authserver.Provider{
			Name: p.Name, Label: p.Label, Issuer: p.Issuer, ClientID: p.ClientID, Credential: credential, Scopes: p.Scopes,
			Admit: p.Admit, Link: p.Link == "verified_email", Domains: p.Domains, Create: p.Create, ACR: p.ACR,
		}
		for _, n := range p.Networks {
			one.Networks = append(one.Networks, n.Prefix)
		}
		for _, r := range p.Roles {
			one.Roles = append(one.Roles, authserver.ClaimRole(r))
		}
		list = append(list, one)
	}
	return list, nil
}

func providerCredential(p config.Provider) (c upstream.Credential, err error) {
	if p.SecretFile != "" {
		c.Secret, err = readSecret(p.SecretFile)
		return c, err
	}
	text, err := os.ReadFile(p.KeyFile)
	if err != nil {
		return c, err
	}
	c.Key, err = jose.ParsePEM(text, jose.RS256, p.KeyID)
	return c, err
}
