package authserver

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// catalogue is what tokens may be issued for.
type catalogue struct {
	list  []Resource
	admin Resource // this server's own API: nobody means it who does not name it
	byURL map[string]Resource
}

func newCatalogue(list []Resource, own Resource) catalogue {
	c := catalogue{list: list, admin: own, byURL: map[string]Resource{own.URL: own}}
	for _, r := range list {
		c.byURL[r.URL] = r
	}
	return c
}

// audiences are those that tokens of this server may have.
func (c catalogue) audiences() []string { return append(c.urls(), c.admin.URL) }

func (c catalogue) urls() []string {
	urls := make([]string, len(c.list))
	for i, r := range c.list {
		urls[i] = r.URL
	}
	return urls
}

// scopes is every scope of every resource, once.
func (c catalogue) scopes() []string {
	var names []string
	for _, r := range c.list {
		names = append(names, r.names()...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (c catalogue) known(scopes []string) error {
	all := append(c.scopes(), c.admin.names()...)
	for _, s := range scopes {
		if !slices.Contains(all, s) {
			return fmt.Errorf("no resource has a scope %q; there are: %s", s, strings.Join(all, " "))
		}
	}
	return nil
}

// find resolves the resource parameter (RFC 8707 §2). Without one there must
// be only one resource to mean.
func (c catalogue) find(asked string) (Resource, error) {
	if asked == "" && len(c.list) == 1 {
		return c.list[0], nil
	}
	if r, ok := c.byURL[asked]; ok {
		return r, nil
	}
	// MCP: servers should accept upper-case scheme and host; an empty path is "/" (RFC 3986 §6.2.3).
	if r, ok := c.byURL[lowerOrigin(asked)]; ok {
		return r, nil
	}
	if r, ok := c.byURL[strings.TrimSuffix(lowerOrigin(asked), "/")]; ok && pathOf(r.URL) == "" {
		return r, nil
	}
	return Resource{}, refuse(BadTarget)
}

func lowerOrigin(raw string) string {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return raw
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	return strings.ToLower(scheme) + "://" + strings.ToLower(rest[:end]) + rest[end:]
}

func pathOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	return u.Path
}

func (r Resource) names() []string {
	names := make([]string, len(r.Scopes))
	for i, s := range r.Scopes {
		names[i] = s.Name
	}
	return names
}

// reach is some scopes with all that come with them, however many steps away.
func (r Resource) reach(scope []string) []string {
	all := slices.Clone(scope)
	for i := 0; i < len(all); i++ {
		all = append(all, without(r.impliedBy(all[i]), all)...)
	}
	return all
}

func (r Resource) impliedBy(name string) []string {
	for _, s := range r.Scopes {
		if s.Name == name {
			return s.Implies
		}
	}
	return nil
}

func (r Resource) defaults() []string {
	var names []string
	for _, s := range r.Scopes {
		if s.Default {
			names = append(names, s.Name)
		}
	}
	return names
}

// scope resolves the scope parameter for one resource and client: known to
// the resource, within the client's bound, and defaults when nothing is
// asked. offline_access is passed over: refresh tokens come by registration.
func (r Resource) scope(asked string, c client) ([]string, error) {
	names, err := scopeTokens(asked)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return c.within(r.defaultsFor(c)), nil
	}
	for _, n := range names {
		if !slices.Contains(r.names(), n) || len(c.within([]string{n})) == 0 {
			return nil, refuseScope(n)
		}
	}
	return names, nil
}

func (r Resource) defaultsFor(c client) []string {
	registered := intersect(c.Scope, r.names())
	if c.Bounded || len(registered) == 0 {
		return r.defaults()
	}
	return registered
}

// scopeTokens reads a scope parameter (RFC 6749 §3.3), in order, without repeats.
func scopeTokens(asked string) ([]string, error) {
	var names []string
	for n := range strings.SplitSeq(asked, " ") {
		if n == "" || n == "offline_access" || slices.Contains(names, n) {
			continue
		}
		if !isScopeToken(n) || len(names) == maxScopes {
			return nil, refuseScope(n)
		}
		names = append(names, n)
	}
	return names, nil
}

const maxScopes = 200

// refuseScope refuses a scope that was asked for, and says which.
func refuseScope(name string) error { return &Error{Reason: BadScope, Sent: name} }

func isScopeToken(s string) bool {
	for _, b := range []byte(s) {
		if b < 0x21 || b > 0x7e || b == '"' || b == '\\' {
			return false
		}
	}
	return s != ""
}

func intersect(a, b []string) []string {
	var both []string
	for _, n := range a {
		if slices.Contains(b, n) {
			both = append(both, n)
		}
	}
	return both
}

func without(a, b []string) []string {
	var rest []string
	for _, n := range a {
		if !slices.Contains(b, n) {
			rest = append(rest, n)
		}
	}
	return rest
}
