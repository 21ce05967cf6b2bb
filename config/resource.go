package config

import (
	"strings"

	"github.com/postern-mcp/postern/authserver/clientdoc"
	"github.com/postern-mcp/postern/authserver/role"
)

// URL is the resource that clients name for a server of this file, and tokens for it have as audience.
func (f *File) URL(s Server) string { return f.PublicURL + strings.TrimSuffix(s.Path, "/") }

// validateIssuer: RFC 8414 §2, and one spelling.
func (a *AuthServer) validateIssuer(c *check) {
	before := len(c.problems)
	c.httpsOrLoopback(a.Issuer, "authserver", "issuer")
	if len(c.problems) == before && (strings.HasSuffix(a.Issuer, "/") || strings.ContainsAny(a.Issuer, "?#")) {
		c.fail("must end without a slash: it is compared letter by letter with the iss of tokens", "authserver", "issuer")
	}
}

func (f *File) validateResources(c *check) {
	if len(f.Servers) == 0 && len(f.AuthServer.Resources) == 0 {
		c.fail("missing: name the resources that tokens are for; servers of this file count too, and there are none", "authserver", "resources")
	}
	named := map[string]bool{}
	for _, s := range f.Servers {
		named[f.URL(s)] = true
	}
	for i, resource := range f.AuthServer.Resources {
		at := []any{"authserver", "resources", i}
		c.httpsOrLoopback(resource.Resource, append(at, "resource")...)
		if named[resource.Resource] {
			c.fail("named before: by another item, or because it is a server of this file", append(at, "resource")...)
		}
		named[resource.Resource] = true
		c.words(resource.About, append(at, "description")...)
		resource.validateScopes(c, at)
	}
}

func (r Resource) validateScopes(c *check, at []any) {
	named := map[string]bool{}
	for j, scope := range r.Scopes {
		at := append(at[:len(at):len(at)], "scopes", j)
		name := append(at[:len(at):len(at)], "name")
		switch {
		case scope.Name == "" || strings.ContainsFunc(scope.Name, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }):
			c.fail(`must be a scope: visible ASCII without spaces, " and \ (RFC 6749 §3.3)`, name...)
		case named[scope.Name]:
			c.fail("named before", name...)
		case strings.HasPrefix(scope.Name, role.Reserved):
			c.fail("scopes of the administration begin with "+role.Reserved+", and no others", name...)
		case clientdoc.IsIdentityScope(scope.Name):
			c.fail("is about a person: use a scope of the resource's own", name...)
		}
		named[scope.Name] = true
		if risk := append(at[:len(at):len(at)], "risk"); c.doc.Has(risk...) {
			c.oneOf(scope.Risk, []string{"low", "medium", "high"}, risk...)
		}
	}
}
