package main

import (
	"context"
	"fmt"

	"github.com/postern-mcp/postern/authserver/revoked"
	"github.com/postern-mcp/postern/authserver/token"
	"github.com/postern-mcp/postern/config"
	"github.com/postern-mcp/postern/proxy"
)

// issuers are those of the configuration, with what they need to be asked.
func (s setup) issuers(n *node) ([]proxy.Issuer, error) {
	var issuers []proxy.Issuer
	for i, conf := range s.file.Issuers {
		issuer, err := n.issuer(conf, s.file.State)
		if err != nil {
			return nil, s.file.At(err, "issuers", i)
		}
		issuers = append(issuers, issuer)
	}
	return issuers, nil
}

func (n *node) issuer(conf config.Issuer, state config.State) (proxy.Issuer, error) {
	issuer := proxy.Issuer{
		URL: conf.Issuer, DPoP: proxy.Mode(conf.DPoP), Profile: token.Profile(conf.Profile),
		Revocation: proxy.Revocation(conf.Revocations),
	}
	var err error
	if conf.Revocations == "redis" {
		issuer.Revocation = proxy.ByFeed
		if issuer.Feed, err = n.follow(*state.Redis, conf.Issuer); err != nil {
			return proxy.Issuer{}, fmt.Errorf("state.redis: %w", err)
		}
	}
	if issuer.StepUps, err = stepUps(conf.StepUp); err != nil {
		return proxy.Issuer{}, fmt.Errorf("step_up: %w", err)
	}
	if issuer.Introspection, err = introspection(conf.Introspection); err != nil {
		return proxy.Issuer{}, fmt.Errorf("introspection: %w", err)
	}
	return issuer, nil
}

// follow hears of an issuer's revocations until the node closes.
func (n *node) follow(conf config.Redis, issuer string) (proxy.Feed, error) {
	client, err := openRedis(conf)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	n.closers = append(n.closers, func() error { stop(); return client.Close() })
	feed := revoked.NewFollower(client, issuer)
	go feed.Follow(ctx)
	return feed, nil
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
