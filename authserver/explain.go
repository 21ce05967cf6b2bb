package authserver

import (
	"context"
	"net/netip"
	"time"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/risk"
)

// ExplainSignIn says what a sign-in of a person would get, from a browser that
// shows no cookie of ours. It changes nothing.
func (d desk) ExplainSignIn(ctx context.Context, _ admin.Actor, q admin.RiskQuery) (admin.Risk, error) {
	a, err := d.attempt(q)
	if err != nil {
		return admin.Risk{}, err
	}
	user, err := d.s.store.UserByID(ctx, q.ID)
	if err != nil {
		return admin.Risk{}, said(err, "user")
	}
	h, err := d.s.history(ctx, user.ID, a.At)
	if err != nil {
		return admin.Risk{}, err
	}
	rules := d.s.config.SignIn
	v := risk.Judge(rules, a, h)
	return admin.Risk{
		UserID: user.ID, UserName: user.Name, At: a.At, Address: a.Address.String(), Network: v.Network, Place: v.Place, Agent: v.Agent,
		Known: v.Known, Factor: h.Factor, Outcome: string(v.Outcome), Points: v.Score, StepUp: rules.StepUp, Refuse: rules.Refuse,
		Findings: findings(v),
	}, nil
}

func (d desk) attempt(q admin.RiskQuery) (risk.Attempt, error) {
	address, err := netip.ParseAddr(q.Address)
	if err != nil {
		return risk.Attempt{}, &admin.Error{Reason: admin.BadParameter, Member: "address", Detail: "address must be an IP address, such as 192.0.2.99 or 2001:db8::1."}
	}
	a := risk.Attempt{At: d.s.config.Now().UTC(), Address: address, Agent: risk.ReadAgent(q.Agent)}
	if q.At == "" {
		return a, nil
	}
	if a.At, err = time.Parse(time.RFC3339, q.At); err != nil {
		return risk.Attempt{}, &admin.Error{Reason: admin.BadParameter, Member: "at", Detail: "at must be a time such as 2026-11-21T12:00:00Z."}
	}
	return a, nil
}

func findings(v risk.Verdict) []admin.RiskFinding {
	list := []admin.RiskFinding{}
	for _, f := range v.Findings {
		list = append(list, admin.RiskFinding{Reason: string(f.Reason), Points: f.Points, Words: risk.Words(f.Reason)})
	}
	return list
}
