// Package role says which scopes somebody may have because of the roles they
// hold. It knows no person and no token: names in, a bound out.
//
// Laws: who holds no role may have nothing; a role that is not defined gives
// nothing; a role that needs a second factor gives nothing to a sign-in without
// one; "*" never reaches the scopes of the administration.
package role

import (
	"fmt"
	"slices"
	"strings"
)

// Reserved begins the scopes of the administration API, which only a pattern
// that begins with it gives.
const Reserved = "postern:"

// Role is a name for a set of scopes.
type Role struct {
	Name        string
	Description string   // words for the administrator
	Scopes      []string // names; one that ends in * is all that begin with the rest
	Everyone    bool     // everybody holds it, assigned or not
	Factor      bool     // it counts in sign-ins with a second factor only
}

// Set is the roles there are.
type Set struct {
	list   []Role
	byName map[string]Role
}

// Default are the roles where none are configured: whoever can sign in may have
// every scope they agree to, and administrators the administration too.
func Default() []Role {
	return []Role{
		{Name: "admin", Description: "Administrators: everything, with a second factor", Scopes: []string{"*", Reserved + "*"}, Factor: true},
		{Name: "user", Description: "Everybody who can sign in", Scopes: []string{"*"}, Everyone: true},
	}
}

// New checks the roles. An empty list is an error: see Default.
func New(list []Role) (Set, error) {
	if len(list) == 0 {
		return Set{}, fmt.Errorf("there must be at least one role")
	}
	s := Set{list: slices.Clone(list), byName: map[string]Role{}}
	slices.SortFunc(s.list, func(a, b Role) int { return strings.Compare(a.Name, b.Name) })
	for _, r := range s.list {
		if err := check(r); err != nil {
			return Set{}, fmt.Errorf("role %q: %w", r.Name, err)
		}
		if _, twice := s.byName[r.Name]; twice {
			return Set{}, fmt.Errorf("role %q: there are two of this name", r.Name)
		}
		s.byName[r.Name] = r
	}
	return s, nil
}

const maxName = 64

func check(r Role) error {
	if r.Name == "" || len(r.Name) > maxName || strings.Trim(r.Name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
		return fmt.Errorf("a name has 1 to %d of a-z, 0-9, _ and -", maxName)
	}
	for _, pattern := range r.Scopes {
		if err := CheckPattern(pattern); err != nil {
			return err
		}
		if r.Everyone && reserved(pattern) {
			return fmt.Errorf("scope %q: the administration is not for everyone", pattern)
		}
	}
	return nil
}

// CheckPattern says what is wrong with a scope, or the beginning of scopes, of a role.
func CheckPattern(pattern string) error {
	name := strings.TrimSuffix(pattern, "*")
	if pattern == "" || strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' || c == '\\' || c == '*' }) {
		return fmt.Errorf("scope %q: a scope, or the beginning of scopes with a * at its end", pattern)
	}
	return nil
}

// All are the roles by name.
func (s Set) All() []Role { return slices.Clone(s.list) }

// Find gives the role of a name.
func (s Set) Find(name string) (Role, bool) {
	r, ok := s.byName[name]
	return r, ok
}

// Bound is what somebody may have. The zero Bound allows nothing.
type Bound struct {
	patterns []string
	any      bool
}

// Unbounded is for who holds no roles by nature, and is bounded otherwise.
func Unbounded() Bound { return Bound{any: true} }

// Bound is the union of the roles of a person, and of those everyone holds.
// strong says whether they signed in with a second factor.
func (s Set) Bound(held []string, strong bool) Bound {
	var b Bound
	for _, r := range s.list {
		if r.Everyone || slices.Contains(held, r.Name) {
			b = b.with(r, strong)
		}
	}
	return b
}

// OfMachine is the union of the roles that a machine client was given. It signs
// in with a key or a secret, and roles that need a factor are not for it.
func (s Set) OfMachine(held []string) Bound {
	var b Bound
	for _, name := range held {
		if r, ok := s.byName[name]; ok {
			b = b.with(r, false)
		}
	}
	return b
}

func (b Bound) with(r Role, strong bool) Bound {
	if r.Factor && !strong {
		return b
	}
	return Bound{patterns: append(b.patterns, r.Scopes...)}
}

// Allows says whether a scope is within the bound.
func (b Bound) Allows(scope string) bool {
	return b.any || slices.ContainsFunc(b.patterns, func(p string) bool { return matches(p, scope) })
}

// Within keeps the scopes that are within the bound, in their order.
func (b Bound) Within(scopes []string) []string {
	var kept []string
	for _, s := range scopes {
		if b.Allows(s) {
			kept = append(kept, s)
		}
	}
	return kept
}

func matches(pattern, scope string) bool {
	if reserved(scope) && !reserved(pattern) {
		return false
	}
	begin, wild := strings.CutSuffix(pattern, "*")
	return scope == pattern || wild && strings.HasPrefix(scope, begin)
}

func reserved(scope string) bool { return strings.HasPrefix(scope, Reserved) }
