// Package policy decides: given who asks for what, allow, deny, or name
// everything that is missing. It is pure: no I/O, no clock, no HTTP. What no
// policy names is denied.
package policy

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
	Name  string   // tool or prompt name, or resource URI; compared as code points
	Scope []string // the caller's granted scopes
}

// Effect of a decision.
type Effect string

const (
	Deny   Effect = "deny"    // no rule names the thing: for the caller it does not exist
	StepUp Effect = "step_up" // Required is what the call needs, in full
	Allow  Effect = "allow"
)

// Decision answers a Request. The zero value denies.
type Decision struct {
	Effect   Effect
	Required []string // every scope this call needs, whether held or not, in policy order
	Missing  []string // those of Required the caller does not hold, implication counted
}

// Policy is a compiled, immutable policy file.
type Policy struct{ _ int }

// Parse compiles one policy file. The error lists every problem with line and column.
func Parse(file string, src []byte) (*Policy, error) { panic("unwritten") }

// Server is the server the policy is for.
func (p *Policy) Server() string { panic("unwritten") }

// Version is a short digest of the file, for audit.
func (p *Policy) Version() string { panic("unwritten") }

// Scope is one entry of the policy's catalogue.
type Scope struct {
	Name        string
	Description string   // words for a consent page, or ""
	Implies     []string // direct implications
	Default     bool     // asked for in the first challenge
}

// Scopes is the catalogue: every scope the file declares or any rule requires, sorted by name.
func (p *Policy) Scopes() []Scope { panic("unwritten") }

// Decide answers.
func (p *Policy) Decide(Request) Decision { panic("unwritten") }

// Lists says whether a list shows the thing to this caller: when it is
// allowed, or when its rule is marked list: step_up and the caller could get there.
func (p *Policy) Lists(Request) bool { panic("unwritten") }
