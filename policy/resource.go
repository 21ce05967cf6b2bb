package policy

import (
	"maps"
	"slices"
	"strings"
)

// resources are the rules for resource URIs. An exact URI wins over every
// pattern; of the patterns that match, the one with the longest text before
// its first wildcard wins. Two patterns with the same such text may not match
// the same URI: Parse refuses them.
type resources struct {
	exact    map[string]rule      // by canonical URI
	patterns map[string][]pattern // by the text before the first wildcard
	lengths  []int                // the lengths of those texts, longest first
}

func (r resources) find(uri string) (rule, bool) {
	if uriMistake(uri) != "" {
		return rule{}, false
	}
	uri = canonical(uri)
	if found, ok := r.exact[uri]; ok {
		return found, true
	}
	for _, n := range r.lengths {
		if n > len(uri) {
			continue
		}
		for _, p := range r.patterns[uri[:n]] {
			if p.matches(uri[n:]) {
				return p.rule, true
			}
		}
	}
	return rule{}, false
}

// anyCompatible says whether shows is true of a rule that could match an
// expansion of the template.
func (r resources) anyCompatible(uriTemplate string, shows func(rule) bool) bool {
	prefix, _, variable := strings.Cut(uriTemplate, "{")
	if !variable {
		found, ok := r.find(uriTemplate)
		return ok && shows(found)
	}
	prefix = canonical(prefix)
	for uri, found := range r.exact {
		if strings.HasPrefix(uri, prefix) && shows(found) {
			return true
		}
	}
	for literal, patterns := range r.patterns {
		if !strings.HasPrefix(literal, prefix) && !strings.HasPrefix(prefix, literal) {
			continue
		}
		if slices.ContainsFunc(patterns, func(p pattern) bool { return shows(p.rule) }) {
			return true
		}
	}
	return false
}

func (c *compiler) resources() resources {
	compiled := resources{exact: map[string]rule{}, patterns: map[string][]pattern{}}
	for _, uri := range slices.Sorted(maps.Keys(c.file.Resources)) {
		found := c.rule(c.file.Resources[uri], "resources", uri)
		if mistake := resourceMistake(uri); mistake != "" {
			c.wrongKey(mistake, "resources", uri)
			continue
		}
		c.addResource(&compiled, uri, found)
	}
	lengths := map[int]bool{}
	for prefix := range compiled.patterns {
		lengths[len(prefix)] = true
	}
	compiled.lengths = slices.Sorted(maps.Keys(lengths))
	slices.Reverse(compiled.lengths)
	return compiled
}

func resourceMistake(uri string) string {
	if uri == "" {
		return "an empty URI matches nothing: write the URI or remove the rule"
	}
	if mistake := uriMistake(uri); mistake != "" {
		return "this matches nothing, because such URIs are always denied: it has " + mistake
	}
	if strings.Contains(uri, "*") && len(uri) > maxPattern {
		return "a pattern has at most 512 bytes"
	}
	if strings.Contains(uri, "***") {
		return "write * (within one segment) or ** (across segments)"
	}
	if prefix, _, _ := strings.Cut(uri, "*"); prefix == "" {
		return `a pattern must begin with text, like "db://**"`
	}
	return ""
}

// Bounds on the work of comparing patterns with each other.
const (
	maxSharing = 64 // patterns with the same text before the first wildcard
	maxPattern = 512
)

func (c *compiler) addResource(to *resources, uri string, r rule) {
	text := canonical(uri)
	prefix, _, wild := strings.Cut(text, "*")
	if !wild {
		if _, taken := to.exact[text]; taken {
			c.wrongKey("another rule spells the same URI: keep one", "resources", uri)
		}
		to.exact[text] = r
		return
	}
	added := newPattern(uri, text[len(prefix):], r)
	others := to.patterns[prefix]
	if len(others) == maxSharing {
		c.wrongKey("more than 64 patterns begin with "+prefix, "resources", uri)
		return
	}
	for _, other := range others {
		if overlap(added.tail, other.tail) {
			c.wrongKey("ambiguous with "+other.source+": both match some URI and neither has the longer text before its first *",
				"resources", uri)
		}
	}
	to.patterns[prefix] = append(others, added)
}
