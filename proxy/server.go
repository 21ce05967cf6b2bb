package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http/httputil"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"

	"github.com/postern-mcp/postern/authserver/dpop"
	"github.com/postern-mcp/postern/authserver/token"
	"github.com/postern-mcp/postern/policy"
)

const grantsKept = 10_000 // verified tokens remembered per server

// server is one MCP server with everything a request to it needs.
type server struct {
	name       string
	resource   resource
	target     dpop.Target
	policy     *policy.Policy
	audiences  []string                 // any of them in aud will do
	issuers    map[string]*serverIssuer // by issuer identifier
	grants     *otter.Cache[[32]byte, *grant]
	desks      []*serverIssuer // that are asked about tokens which are no JWT
	turnedDown *otter.Cache[[32]byte, turnedDown]
	noFor      time.Duration // how long a no of theirs counts
	asking     singleflight.Group
	sessions   *sessions
	credential Credential
	requests   *tally // in flight, by subject; nil without a bound of its own
	onward     *httputil.ReverseProxy
}

// serverIssuer is what one server demands of one issuer's tokens.
type serverIssuer struct {
	*issuer
	rules token.Rules
	mode  Mode
}

func (i *serverIssuer) keys(ctx context.Context, now time.Time) (*keySet, error) {
	return i.issuer.keys(ctx, now)
}

func newServer(p *Proxy, conf Server, c Config, sessions *sessions) (*server, error) {
	if conf.Policy == nil || conf.Credential == nil || conf.Upstream == nil || conf.Transport == nil {
		return nil, errors.New("Policy, Credential, Upstream and Transport are required")
	}
	if conf.Policy.Server() != conf.Name {
		return nil, fmt.Errorf("its policy is for server %q", conf.Policy.Server())
	}
	r, err := newResource(c, conf)
	if err != nil {
		return nil, err
	}
	target, err := dpop.ParseTarget(r.url)
	if err != nil {
		return nil, err
	}
	grants, err := otter.New(&otter.Options[[32]byte, *grant]{MaximumSize: grantsKept})
	if err != nil {
		return nil, err
	}
	turnedDown, err := otter.New(&otter.Options[[32]byte, turnedDown]{MaximumSize: grantsKept})
	if err != nil {
		return nil, err
	}
	s := &server{
		name: conf.Name, resource: r, target: target, policy: conf.Policy, grants: grants, turnedDown: turnedDown, noFor: cacheMost,
		sessions: sessions, credential: conf.Credential,
	}
	if conf.SubjectInFlight > 0 {
		s.requests = newTally(conf.SubjectInFlight)
	}
	s.onward = newOnward(p, conf)
	return s, s.trust(p.issuers, conf)
}

// trust fixes, per issuer, the rules for tokens at this server.
func (s *server) trust(issuers []*issuer, conf Server) error {
	s.issuers = map[string]*serverIssuer{}
	s.audiences = append([]string{s.resource.url}, conf.Audiences...)
	for _, i := range issuers {
		rules, err := token.NewRules(i.conf.URL, s.audiences, i.conf.Profile, tokenLeeway)
		if err != nil {
			return err
		}
		here := &serverIssuer{issuer: i, rules: rules, mode: effective(i.conf.DPoP, conf.DPoP)}
		s.issuers[i.conf.URL] = here
		if i.desk != nil {
			s.desks, s.noFor = append(s.desks, here), min(s.noFor, i.desk.conf.Cache)
		}
	}
	return nil
}
