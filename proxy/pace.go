package proxy

import (
	"context"
	"net/http"
	"time"

	"github.com/postern-mcp/postern/authserver/pace"
	"github.com/postern-mcp/postern/policy"
	"github.com/postern-mcp/postern/policy/rate"
)

// Buckets count calls against rates; package pace has them.
type Buckets interface {
	// Take takes one from each bucket, or from none. An error says that it
	// cannot tell.
	Take(ctx context.Context, now time.Time, charges []pace.Charge) (pace.Verdict, error)
}

// Rates bound how often calls may come. A zero one is no limit.
type Rates struct {
	Subject rate.Rate // of one subject, at all servers together
	Client  rate.Rate // of one client, at all servers together
	Server  rate.Rate // at one server, of everybody together

	SubjectHere rate.Rate // of one subject, counted by this process alone
}

// paced is a call that no rate forbids: only pace makes one.
type paced struct{ call call }

// toll is a charge with the reason that refuses those who cannot pay it.
type toll struct {
	charge pace.Charge
	why    reason
}

// pace counts the call. What policy refuses later counts too, but for the rate
// of a tool: whoever has to step up first has not used it.
func (p *Proxy) pace(r *http.Request, c call, event *event) (paced, error) {
	event.Stage = stagePace
	if here := p.bounds.Rates.SubjectHere; here.Limits() {
		who := c.caller.grant.claims
		own := toll{pace.NewCharge(here, who.Issuer, who.Subject), reasonSubjectRate}
		if err := p.charge(r, c, p.here, own); err != nil {
			return paced{}, err
		}
	}
	if err := p.charge(r, c, p.buckets, p.tolls(c)...); err != nil {
		return paced{}, err
	}
	return paced{call: c}, nil
}

// charge takes all tolls from these buckets, or says which cannot be paid.
func (p *Proxy) charge(r *http.Request, c call, from Buckets, tolls ...toll) error {
	if len(tolls) == 0 {
		return nil
	}
	charges := make([]pace.Charge, len(tolls))
	for i, t := range tolls {
		charges[i] = t.charge
	}
	verdict, err := from.Take(r.Context(), p.now(), charges)
	if err != nil {
		return c.placed(refused(stagePace, reasonRateDown, err))
	}
	if !verdict.Passed {
		why := refused(stagePace, tolls[verdict.Short].why, nil)
		why.wait = verdict.Wait
		return c.placed(why)
	}
	return nil
}

func (p *Proxy) tolls(c call) []toll {
	who, s := c.caller.grant.claims, c.caller.visit.server
	tolls := make([]toll, 0, 4)
	add := func(why reason, r rate.Rate, parts ...string) {
		if r.Limits() {
			tolls = append(tolls, toll{charge: pace.NewCharge(r, append(parts, string(why))...), why: why})
		}
	}
	add(reasonSubjectRate, p.bounds.Rates.Subject, who.Issuer, who.Subject)
	add(reasonClientRate, p.bounds.Rates.Client, who.Issuer, who.ClientID)
	if c.message.Guards == policy.Tool {
		of := s.policy.Rate(policy.Request{Kind: policy.Tool, Name: c.message.Name, Scope: who.Scope})
		add(reasonToolRate, of, s.name, c.message.Name, who.Issuer, who.Subject)
	}
	add(reasonServerRate, p.bounds.Rates.Server, s.name)
	return tolls
}
