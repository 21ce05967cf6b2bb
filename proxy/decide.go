package proxy

import (
	"net/http"
	"slices"
	"strings"

	"github.com/postern-mcp/postern/policy"
	"github.com/postern-mcp/postern/proxy/mcp"
)

// permit is a call that policy allows: only decide makes one.
type permit struct{ call call }

// decide asks the policy about everything the message names. What needs no
// scope needs a valid token all the same.
func decide(in paced, event *event) (permit, error) {
	event.Stage = stageDecide
	c := in.call
	m, s := c.message, c.caller.visit.server
	if strings.HasPrefix(m.Method, "tasks/") && !s.policy.PassesTasks() {
		return permit{}, c.placed(refused(stageDecide, reasonTasks, nil))
	}
	if m.Guards == "" {
		return permit{call: c}, nil
	}
	event.PolicyVersion = s.policy.Version()
	names := named(m)
	d := s.policy.DecideAll(m.Guards, names, c.caller.grant.claims.Scope)
	switch d.Effect {
	case policy.Allow:
		return permit{call: c}, nil
	case policy.StepUp:
		return permit{}, c.stepUp(d.Required)
	default:
		return permit{}, c.unknown(m.Guards, strings.Join(names, ", "))
	}
}

// named is everything the message asks for, at least one name.
func named(m mcp.Message) []string {
	if len(m.Several) > 0 {
		return m.Several
	}
	return []string{m.Name}
}

// placed tells a refusal which call it is about.
func (c call) placed(r *refusal) *refusal {
	r.visit, r.scheme, r.call = c.caller.visit, c.caller.scheme, c
	return r
}

// stepUp names the whole set that the next token needs.
func (c call) stepUp(required []string) *refusal {
	r := c.placed(refused(stageDecide, reasonScope, nil))
	r.required, r.scope = required, c.wholeSet(required)
	return r
}

// wholeSet is what the next token needs to hold: everything this call needs,
// and what the caller holds already of this policy's scopes, because a client
// that asks for exactly the challenged set must not lose what it had.
func (c call) wholeSet(required []string) []string {
	var set []string
	for _, known := range c.caller.visit.server.policy.Scopes() {
		if slices.Contains(required, known.Name) || slices.Contains(c.caller.grant.claims.Scope, known.Name) {
			set = append(set, known.Name)
		}
	}
	return set
}

// unknown answers as for a name that never existed, so that nobody learns
// which of the two it is.
func (c call) unknown(kind policy.Kind, name string) *refusal {
	r := c.placed(refused(stageDecide, reasonUnknownName, nil))
	name = brief(name)
	switch kind {
	case policy.Tool:
		r.public = "Unknown tool: " + name
	case policy.Prompt:
		r.public = "Unknown prompt: " + name
	default:
		r.public = "Resource not found: " + name
	}
	return r
}

// errand is a permitted call with the credential the upstream will see.
type errand struct {
	permit  permit
	purpose Purpose
	shown   http.Header
}

// equip obtains the upstream credential.
func equip(r *http.Request, p permit, event *event) (errand, error) {
	event.Stage = stageEquip
	c, s := p.call.caller, p.call.caller.visit.server
	purpose := Purpose{Server: s.name, Method: r.Method, RequestID: event.RequestID, Caller: c.grant.claims, Token: c.token}
	shown, err := s.credential.Show(r.Context(), purpose)
	if err != nil {
		return errand{}, p.call.placed(unequipped(err))
	}
	return errand{permit: p, purpose: purpose, shown: shown}, nil
}
