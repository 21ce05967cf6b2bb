package main

import (
	"fmt"

	"github.com/postern-mcp/postern/authserver/token"
	"github.com/postern-mcp/postern/config"
	"github.com/postern-mcp/postern/proxy"
)

// issuers are those of the configuration, with what they need to be asked.
func (s setup) issuers() ([]proxy.Issuer, error) {
	var issuers []proxy.Issuer
	for _, conf := range s.file.Issuers {
		issuer, err := newIssuer(conf)
		if err != nil {
			return nil, fmt.Errorf("issuer %q: %w", conf.Issuer, err)
		}
		issuers = append(issuers, issuer)
	}
	return issuers, nil
}

func newIssuer(conf config.Issuer) (proxy.Issuer, error) {
	issuer := proxy.Issuer{
		URL: conf.Issuer, DPoP: proxy.Mode(conf.DPoP), Profile: token.Profile(conf.Profile),
		Revocation: proxy.Revocation(conf.Revocations),
	}
	var err error
	if issuer.StepUps, err = stepUps(conf.StepUp); err != nil {
		return proxy.Issuer{}, fmt.Errorf("step_up: %w", err)
	}
	if issuer.Introspection, err = introspection(conf.Introspection); err != nil {
		return proxy.Issuer{}, fmt.Errorf("introspection: %w", err)
	}
	return issuer, nil
}

func stepUps(conf config.StepUp) (proxy.StepUps, error) {
	if conf.URL == "" {
		return nil, nil
	}
	secret, err := readSecret(conf.SecretFile)
	if err != nil {
		return nil, err
	}
	return proxy.NewStepUpNotice(conf.URL, secret)
}

func introspection(conf *config.Introspection) (*proxy.Introspection, error) {
	if conf == nil {
		return nil, nil
	}
	secret, err := readSecret(conf.SecretFile)
	if err != nil {
		return nil, err
	}
	return &proxy.Introspection{
		URL: conf.URL, ClientID: conf.ClientID, Secret: secret, Cache: conf.Cache, All: conf.Tokens == "all",
	}, nil
}
