package policy

import (
	"maps"
	"slices"
	"strings"
)

const maxScopes = 1000 // in the catalogue; implication is worked out for all pairs

// risks are what a file may say of a scope, for the person who is asked.
var risks = []string{"low", "medium", "high"}

func scopeSyntaxMistake(scope string) string {
	// RFC 6749 §3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E )
	if scope == "" || strings.ContainsFunc(scope, outsideScopeToken) {
		return `a scope is one or more printable ASCII characters without space, " and \`
	}
	// MCP 2026-07-28 authorization: refresh tokens are the client's and the
	// authorization server's business, never a tool's; so is what OpenID Connect
	// Core §5.4 asks about a person.
	if slices.Contains(identityScopes, scope) {
		return scope + " is for the authorization server and cannot guard a tool: use a scope of your own"
	}
	return ""
}

var identityScopes = []string{"openid", "profile", "email", "address", "phone", "offline_access"}

func outsideScopeToken(r rune) bool {
	return r < 0x21 || r > 0x7e || r == '"' || r == '\\'
}

func (c *compiler) checkScopes() {
	if len(c.file.Scopes) > maxScopes {
		c.wrong("more than 1000 scopes", "scopes")
		return
	}
	for name, entry := range c.file.Scopes {
		if mistake := scopeSyntaxMistake(name); mistake != "" {
			c.wrongKey(mistake, "scopes", name)
		}
		if c.doc.Has("scopes", name, "risk") && !slices.Contains(risks, entry.Risk) {
			c.wrong("risk must be low, medium or high", "scopes", name, "risk")
		}
		for i, implied := range entry.Implies {
			c.checkImplied(name, implied, i)
		}
	}
}

func (c *compiler) checkImplied(name, implied string, i int) {
	if mistake := c.scopeMistake(implied); mistake != "" {
		c.wrong(mistake, "scopes", name, "implies", i)
		return
	}
	if c.reachable(implied)[name] {
		c.wrong("scope "+name+" implies itself by way of "+implied+": remove this implication",
			"scopes", name, "implies", i)
	}
}

// reachable is scope and all it implies, however many steps away.
func (c *compiler) reachable(scope string) map[string]bool {
	if known, ok := c.reach[scope]; ok {
		return known
	}
	seen := map[string]bool{scope: true}
	for queue := []string{scope}; len(queue) > 0; queue = queue[1:] {
		for _, next := range c.file.Scopes[queue[0]].Implies {
			if !seen[next] {
				seen[next] = true
				queue = append(queue, next)
			}
		}
	}
	c.reach[scope] = seen
	return seen
}

// enough is, for every implied scope, the scopes that satisfy it.
func (c *compiler) enough() map[string]map[string]bool {
	enough := map[string]map[string]bool{}
	for stronger, entry := range c.file.Scopes {
		if len(entry.Implies) == 0 {
			continue
		}
		for weaker := range c.reachable(stronger) {
			if enough[weaker] == nil {
				enough[weaker] = map[string]bool{}
			}
			enough[weaker][stronger] = true
		}
	}
	return enough
}

func (c *compiler) catalogue() []Scope {
	scopes := map[string]Scope{}
	for _, rules := range []map[string]ruleEntry{c.file.Tools, c.file.Resources, c.file.Prompts} {
		for _, entry := range rules {
			for _, name := range entry.Scopes {
				scopes[name] = Scope{Name: name}
			}
		}
	}
	for name, e := range c.file.Scopes {
		scopes[name] = Scope{Name: name, Description: e.Description, Implies: e.Implies, Default: e.Default, Risk: e.Risk}
	}
	return slices.SortedFunc(maps.Values(scopes), func(a, b Scope) int { return strings.Compare(a.Name, b.Name) })
}
