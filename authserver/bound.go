package authserver

import (
	"context"
	"strings"

	"github.com/postern-mcp/postern/authserver/store"
)

// resourceFor resolves the resource parameter for one client.
func (s *Server) resourceFor(asked string, c client) (Resource, error) {
	res, err := s.catalogue.find(asked)
	if err != nil {
		return Resource{}, err
	}
	return res, s.reaches(c, res)
}

// reaches: a client that an operator bounded gets no token for a resource of
// which it has no scope, not even one without any. RFC 8707 §2: the resource is
// what cannot be had, whatever scope is asked for, so that is the error. A client
// that nobody here made gets no scope of the administration, whoever signs in
// (RFC 6749 §10.2): everybody can make one. Nor does one whose scopes nobody here
// named, as little as a role that has all of them.
func (s *Server) reaches(c client, r Resource) error {
	if r.URL == s.catalogue.admin.URL && (c.Dynamic || !c.Bounded) {
		return refuse(AdminForStrangers)
	}
	if c.Bounded && len(intersect(c.Scope, r.names())) == 0 {
		return refuse(TargetNotAllowed)
	}
	return nil
}

// allowed is the one place where scope is bounded, at every issue: what of it
// the resource has now, or is about a person, and the client may have now.
func (s *Server) allowed(resource string, c client, scope []string) ([]string, error) {
	res, ok := s.catalogue.byURL[resource]
	if !ok {
		return nil, refuse(BadTarget)
	}
	if err := s.reaches(c, res); err != nil {
		return nil, err
	}
	return c.within(intersect(scope, append(about(scope), res.names()...))), nil
}

// still is what of a scope and of details may be issued now. Nothing of
// something is an error: a token that allows nothing would only be refused later.
func (s *Server) still(resource string, c client, scope []string, details string) ([]string, string, error) {
	left, err := s.allowed(resource, c, scope)
	if err != nil {
		return nil, "", err
	}
	kept, err := s.served(resource, details)
	if err != nil {
		return nil, "", err
	}
	if len(left) == 0 && kept == "" && (len(scope) > 0 || details != "") {
		return nil, "", refuse(NothingLeft)
	}
	return left, kept, nil
}

// standing is a grant without what has been taken away since: by the operator
// from everybody, or from its person, whose roles give less.
func (s *Server) standing(ctx context.Context, c client, g store.Grant) (store.Grant, error) {
	b, err := s.personBound(ctx, g.UserID, g.Methods)
	if err != nil {
		return store.Grant{}, err
	}
	held := covered(b, g.Scope)
	if len(held) == 0 && len(g.Scope) > 0 {
		return store.Grant{}, refuse(NothingLeft)
	}
	scope, details, err := s.still(g.Resource, c, held, g.Details)
	if err != nil {
		return store.Grant{}, err
	}
	g.Scope, g.Details = scope, details
	return g, nil
}

// offered is a pending request without what the operator has taken away since
// it was checked: what a person is shown is what they grant.
func (s *Server) offered(c client, p pending) (pending, error) {
	scope, details, err := s.still(p.Resource, c, p.Scope, p.Details)
	if reasonOf(err) == NothingLeft {
		return pending{}, refuseScope(strings.Join(p.Scope, " "))
	}
	if err != nil {
		return pending{}, err
	}
	p.Scope, p.Details = scope, details
	return p, nil
}
