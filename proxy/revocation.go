package proxy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postern-mcp/postern/authserver/token"
)

// Revocation says how the revoked tokens of an issuer become known.
type Revocation string

const (
	// ByStatusList looks tokens that have a status claim up in the issuer's
	// signed list (draft-ietf-oauth-status-list). Tokens without one are good
	// until they expire.
	ByStatusList Revocation = "status_list"

	// ByFeed asks a Feed about every token.
	ByFeed Revocation = "feed"

	// Unrevoked asks nobody: a token is good until it expires.
	Unrevoked Revocation = "none"
)

// Feed knows which tokens of one issuer were revoked.
type Feed interface {
	// Revoked says whether the token with this jti was. An error says that it
	// cannot tell right now.
	Revoked(id string) (bool, error)

	// Ready is nil while it can tell.
	Ready() error
}

// revocations is asked about every verified token, with every call.
type revocations interface {
	// check refuses a token that was taken back, or that might have been.
	check(ctx context.Context, now time.Time, c token.Claims) error
}

func newRevocations(i *issuer, now func() time.Time) (revocations, error) {
	switch i.conf.Revocation {
	case ByStatusList:
		return newStatusLists(i, now)
	case ByFeed:
		if i.conf.Feed == nil {
			return nil, errors.New("revocations by a feed need one")
		}
		return feedRevocations{i.conf.Feed}, nil
	case Unrevoked:
		return noRevocations{}, nil
	}
	return nil, fmt.Errorf("revocations by %q", i.conf.Revocation)
}

type feedRevocations struct{ feed Feed }

// check needs a jti: a token without one cannot be named by a revocation.
func (f feedRevocations) check(_ context.Context, _ time.Time, c token.Claims) error {
	if c.ID == "" {
		return refused(stageVerify, reason(token.MissingClaim), errors.New("jti, by which revocations name tokens"))
	}
	revoked, err := f.feed.Revoked(c.ID)
	if err != nil {
		return refused(stageVerify, reasonRevocationsDown, err)
	}
	if revoked {
		return refused(stageVerify, reasonRevoked, nil)
	}
	return nil
}

type noRevocations struct{}

func (noRevocations) check(context.Context, time.Time, token.Claims) error { return nil }

const (
	watchEvery    = time.Second     // between looks at the token of an open stream
	watchPatience = 3 * time.Second // while nobody can tell
)

// watch ends a stream that only listens once the token that opened it would
// open no other: revoked, inactive, signed by a key that was withdrawn, or
// for longer than watchPatience nobody knows.
func (p *Proxy) watch(ctx context.Context, c caller, end context.CancelCauseFunc) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	asOf := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := p.stillGood(ctx, c)
		if err == nil {
			asOf = time.Now()
			continue
		}
		if row := asRefusal(err, stageVerify).outcome(); row.status < 500 || time.Since(asOf) > watchPatience {
			end(err)
			return
		}
	}
}

func (p *Proxy) stillGood(ctx context.Context, c caller) error {
	now := p.now()
	g, err := c.visit.server.grant(ctx, now, c.token)
	if err != nil {
		return err
	}
	return g.unrevoked(ctx, now)
}
