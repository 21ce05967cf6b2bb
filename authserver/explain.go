package authserver

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/postern-mcp/postern/authserver/risk"
	"github.com/postern-mcp/postern/authserver/store"
)

// RiskFinding is one reason of a judgement.
type RiskFinding struct {
	Reason string `json:"reason"`
	Points int    `json:"points"`
	Words  string `json:"words"`
}

// RiskExplanation is what a sign-in would get, and why.
type RiskExplanation struct {
	User         string        `json:"user"`
	At           time.Time     `json:"at"`
	Address      string        `json:"address"`
	Network      string        `json:"network"` // as it is compared
	Agent        string        `json:"agent"`   // as it is compared
	Place        string        `json:"place"`   // of the configured places, or ""
	Known        bool          `json:"known"`   // the person signed in from there with it
	SecondFactor bool          `json:"second_factor"`
	Outcome      string        `json:"outcome"` // allow, step_up or refuse
	Score        int           `json:"score"`
	StepUpFrom   int           `json:"step_up_from"` // points
	RefuseFrom   int           `json:"refuse_from"`
	Findings     []RiskFinding `json:"findings"`
}

// ExplainSignIn says what a sign-in of a person would get at a time, from a
// browser that shows no cookie of ours. It changes nothing. ErrUnknown when
// nobody has this name.
func (s *Server) ExplainSignIn(ctx context.Context, name string, address netip.Addr, agent string, at time.Time) (RiskExplanation, error) {
	user, err := s.store.User(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return RiskExplanation{}, ErrUnknown
	}
	if err != nil {
		return RiskExplanation{}, err
	}
	h, err := s.history(ctx, user.ID, at)
	if err != nil {
		return RiskExplanation{}, err
	}
	rules := s.config.SignIn
	v := risk.Judge(rules, risk.Attempt{At: at, Address: address, Agent: risk.ReadAgent(agent)}, h)
	e := RiskExplanation{
		User: name, At: at.UTC(), Address: address.String(), Network: v.Network, Agent: v.Agent, Place: v.Place, Known: v.Known,
		SecondFactor: h.Factor, Outcome: string(v.Outcome), Score: v.Score, StepUpFrom: rules.StepUp, RefuseFrom: rules.Refuse,
		Findings: []RiskFinding{},
	}
	for _, f := range v.Findings {
		e.Findings = append(e.Findings, RiskFinding{Reason: string(f.Reason), Points: f.Points, Words: risk.Words(f.Reason)})
	}
	return e, nil
}
