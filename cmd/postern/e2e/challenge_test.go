package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// challenges reads WWW-Authenticate (RFC 9110 §11.6.1) strictly: one
// challenge a line, quoted parameters only, no parameter twice.
func challenges(t *testing.T, h http.Header) map[string]map[string]string {
	t.Helper()
	found := map[string]map[string]string{}
	for _, line := range h.Values("WWW-Authenticate") {
		scheme, rest, ok := strings.Cut(line, " ")
		if !ok || found[scheme] != nil {
			t.Fatalf("challenge %q: no parameters, or its scheme twice", line)
		}
		found[scheme] = map[string]string{}
		for rest != "" {
			name, value, after := parameter(t, rest)
			if _, twice := found[scheme][name]; twice {
				t.Fatalf("challenge %q names %s twice", line, name)
			}
			found[scheme][name], rest = value, after
		}
	}
	return found
}

// parameter takes one name="value" off the front.
func parameter(t *testing.T, rest string) (name, value, after string) {
	t.Helper()
	name, quoted, ok := strings.Cut(rest, `="`)
	value, after, closed := strings.Cut(quoted, `"`)
	if !ok || !closed || name == "" || strings.ContainsAny(name, ` ,"=`) || strings.Contains(value, `\`) {
		t.Fatalf("not a parameter: %q", rest)
	}
	if after == "" {
		return name, value, ""
	}
	after, ok = strings.CutPrefix(after, ", ")
	if !ok || after == "" {
		t.Fatalf("no comma after %s: %q", name, after)
	}
	return name, value, after
}
