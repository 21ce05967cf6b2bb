// Package policy decides: given who asks for what, allow, deny, or name
// everything that is missing. It is pure: no I/O, no clock, no HTTP.
//
// Laws: what no rule names is denied; every scope of a rule is needed; a
// scope satisfies itself and whatever it implies, however many steps away;
// exactly one rule answers a request, and which one does not depend on the
// order of the file.
package policy

import (
	"slices"

	"github.com/postern-mcp/postern/policy/rate"
)

// Kind of the thing a policy rule guards.
type Kind string

const (
	Tool     Kind = "tool"
	Resource Kind = "resource"
	Prompt   Kind = "prompt"
)

// Request is one question.
type Request struct {
	Kind  Kind
	Name  string   // tool or prompt name, compared as code points, or resource URI
	Scope []string // the caller's granted scopes
}

// Effect of a decision.
type Effect string

const (
	Deny   Effect = "deny"    // no rule names the thing: for the caller it does not exist
	StepUp Effect = "step_up" // Required is what the call needs, in full
	Allow  Effect = "allow"
)

// Decision answers a Request. The zero value denies: only Effect == Allow lets a call pass.
type Decision struct {
	Effect   Effect
	Required []string // every scope this call needs, whether held or not, in policy order
	Missing  []string // those of Required the caller does not hold, implication counted
}

// Policy is a compiled, immutable policy file, safe for concurrent use.
type Policy struct {
	server    string
	version   string
	tasks     bool
	schemes   bool
	catalogue []Scope
	enough    map[string]map[string]bool // scope → the scopes that satisfy it by implication
	tools     map[string]rule
	prompts   map[string]rule
	resources resources
}

// rule is what one thing needs.
type rule struct {
	scopes     []string
	listStepUp bool // lists show the thing also to callers who still have to step up
	rate       rate.Rate
}

// Server is the server the policy is for.
func (p *Policy) Server() string { return p.server }

// Version is a short digest of the file, for audit: 12 hexadecimal digits.
func (p *Policy) Version() string { return p.version }

// Scope is one entry of the policy's catalogue.
type Scope struct {
	Name        string
	Description string   // words for a consent page, or ""
	Implies     []string // direct implications
	Default     bool     // asked for in the first challenge
	Risk        string   // low, medium or high; "" when the file does not say
}

// Scopes is the catalogue: every scope the file declares or any rule requires, sorted by name.
func (p *Policy) Scopes() []Scope {
	scopes := slices.Clone(p.catalogue)
	for i := range scopes {
		scopes[i].Implies = slices.Clone(scopes[i].Implies)
	}
	return scopes
}

// PassesTasks says whether tasks/* methods go upstream. They name a task by
// its id alone, and the upstream sees one identity for all callers, so they
// may only where the server itself keeps the tasks of sessions apart.
func (p *Policy) PassesTasks() bool { return p.tasks }

// TellsScopes says whether lists of tools say which scopes each tool needs.
func (p *Policy) TellsScopes() bool { return p.schemes }

// Required is every scope that a rule names for the thing; none for a thing
// without a rule.
func (p *Policy) Required(kind Kind, name string) []string {
	found, _ := p.rule(kind, name)
	return slices.Clone(found.scopes)
}

// Decide answers.
func (p *Policy) Decide(r Request) Decision {
	found, named := p.rule(r.Kind, r.Name)
	if !named {
		return Decision{Effect: Deny}
	}
	missing := p.missing(found.scopes, r.Scope)
	if len(missing) > 0 {
		return Decision{Effect: StepUp, Required: slices.Clone(found.scopes), Missing: missing}
	}
	return Decision{Effect: Allow, Required: slices.Clone(found.scopes)}
}

// DecideAll answers for one call that is about several things at once: it is
// allowed when each of them is, and denied when one of them is, or when there
// are none. Required and Missing are for all of them together.
func (p *Policy) DecideAll(kind Kind, names, scope []string) Decision {
	var all Decision
	for _, name := range names {
		d := p.Decide(Request{Kind: kind, Name: name, Scope: scope})
		if d.Effect == Deny {
			return d
		}
		all.Required = union(all.Required, d.Required)
		all.Missing = union(all.Missing, d.Missing)
	}
	switch {
	case len(names) == 0:
		all.Effect = Deny
	case len(all.Missing) > 0:
		all.Effect = StepUp
	default:
		all.Effect = Allow
	}
	return all
}

func union(to, from []string) []string {
	for _, scope := range from {
		if !slices.Contains(to, scope) {
			to = append(to, scope)
		}
	}
	return to
}

// Rate is how often one subject may make this request, or the zero Rate for no
// limit. A request that Decide would not allow has none: refusing it is enough.
func (p *Policy) Rate(r Request) rate.Rate {
	found, named := p.rule(r.Kind, r.Name)
	if !named || !found.rate.Limits() || len(p.missing(found.scopes, r.Scope)) > 0 {
		return rate.Rate{}
	}
	return found.rate
}

// Lists says whether a list shows the thing to this caller: when it is
// allowed, or when its rule is marked list: step_up and scopes are all that is missing.
func (p *Policy) Lists(r Request) bool {
	found, named := p.rule(r.Kind, r.Name)
	return named && p.lists(found, r.Scope)
}

// ListsTemplate is Lists for a resource template (RFC 6570): true when at
// least one rule that the caller may see could match what the template expands
// to, judged by the text before its first variable.
func (p *Policy) ListsTemplate(uriTemplate string, scope []string) bool {
	return p.resources.anyCompatible(uriTemplate, func(r rule) bool { return p.lists(r, scope) })
}

func (p *Policy) lists(r rule, scope []string) bool {
	return r.listStepUp || len(p.missing(r.scopes, scope)) == 0
}

func (p *Policy) rule(kind Kind, name string) (rule, bool) {
	var found rule
	var named bool
	switch kind {
	case Tool:
		found, named = p.tools[name]
	case Prompt:
		found, named = p.prompts[name]
	case Resource:
		found, named = p.resources.find(name)
	}
	return found, named
}

func (p *Policy) missing(required, held []string) []string {
	var missing []string
	for _, scope := range required {
		if !p.holds(held, scope) {
			missing = append(missing, scope)
		}
	}
	return missing
}

func (p *Policy) holds(held []string, scope string) bool {
	stronger := p.enough[scope]
	return slices.ContainsFunc(held, func(h string) bool { return h == scope || stronger[h] })
}
