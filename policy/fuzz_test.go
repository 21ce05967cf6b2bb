package policy

import (
	"slices"
	"testing"
)

// FuzzPolicy: whatever the file says, Parse does not panic, and Decide allows
// only callers whose scopes, with all they imply, cover what is required.
func FuzzPolicy(f *testing.F) {
	f.Add([]byte(database), "tool", "query", "db:read")
	f.Add([]byte(database), "resource", "db://schema/private/x", "db:read")
	f.Add([]byte(database), "resource", "db://rows/1/../2/name", "db:write")
	f.Add([]byte(database), "prompt", "summary", "")
	f.Add([]byte(head+"scopes: {a: {implies: [b]}, b: {}}\ntools: {x: {scopes: [b]}}\n"), "tool", "x", "a")
	f.Add([]byte(head+"resources: {'a*b**c': {scopes: [x]}, 'a*': {}}\n"), "resource", "axbxxc", "x")
	f.Add([]byte("a: &x {<<: *x}\n"), "tool", "", "")
	f.Fuzz(func(t *testing.T, src []byte, kind, name, scope string) {
		p, err := Parse("f", src)
		if (p == nil) == (err == nil) {
			t.Fatalf("policy %v and error %v", p, err)
		}
		if err != nil {
			return
		}
		request := Request{Kind(kind), name, []string{scope}}
		d := p.Decide(request)
		covered := covers(p, scope, d.Required)
		if d.Effect == Allow && !covered {
			t.Errorf("allowed with %q, which does not cover %q", scope, d.Required)
		}
		if d.Effect == StepUp && (covered || len(d.Missing) == 0) {
			t.Errorf("step-up from %q, which covers %q", scope, d.Required)
		}
		if d.Effect == Deny && p.Lists(request) {
			t.Errorf("listed but denied")
		}
		if d.Effect == Allow && !p.Lists(request) {
			t.Errorf("allowed but not listed")
		}
	})
}

// covers works implication out the slow way, from the catalogue.
func covers(p *Policy, held string, required []string) bool {
	have := []string{held}
	for grown := true; grown; {
		grown = false
		for _, s := range p.Scopes() {
			if !slices.Contains(have, s.Name) {
				continue
			}
			for _, implied := range s.Implies {
				if !slices.Contains(have, implied) {
					have, grown = append(have, implied), true
				}
			}
		}
	}
	return !slices.ContainsFunc(required, func(r string) bool { return !slices.Contains(have, r) })
}
