package authserver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postern-mcp/postern/authserver/pages"
	"github.com/postern-mcp/postern/authserver/role"
	"github.com/postern-mcp/postern/authserver/store"
	"github.com/postern-mcp/postern/authserver/token"
)

type roleStore interface {
	RolesOf(ctx context.Context, user string) ([]store.UserRole, error)
	SetRoles(ctx context.Context, user string, given store.GivenRoles, now time.Time, wider store.Wider) error
}

type clientRoles interface {
	ClientRoles(ctx context.Context, client string) ([]string, error)
}

func (s *Server) knownRoles(names []string) error {
	for _, n := range names {
		if _, ok := s.roles.Find(n); !ok {
			return fmt.Errorf("there is no role %q: roles are in the configuration (authserver.roles)", n)
		}
	}
	return nil
}

// heldRoles are the names of a person's roles, each once.
func (s *Server) heldRoles(ctx context.Context, userID string) ([]string, error) {
	all, err := s.store.RolesOf(ctx, userID)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, r := range all {
		names = append(names, r.Role)
	}
	return slices.Compact(names), nil // they come by name
}

// rolesByFactor are those of a person's roles that count with a second factor only.
func (s *Server) rolesByFactor(ctx context.Context, userID string) ([]string, error) {
	held, err := s.heldRoles(ctx, userID)
	return slices.DeleteFunc(held, func(name string) bool {
		r, ok := s.roles.Find(name)
		return !ok || !r.Factor
	}), err
}

// rolesNow are the roles of somebody who may act: PersonOff when their account
// is switched off or gone.
func (s *Server) rolesNow(ctx context.Context, userID string) ([]string, error) {
	u, err := s.store.UserByID(ctx, userID)
	if errors.Is(err, store.ErrNotFound) || err == nil && !u.DisabledAt.IsZero() {
		return nil, refuse(PersonOff)
	}
	if err != nil {
		return nil, err
	}
	return s.heldRoles(ctx, userID)
}

// personBound is what a person may have now who signed in by these methods.
func (s *Server) personBound(ctx context.Context, userID string, methods []string) (role.Bound, error) {
	held, err := s.rolesNow(ctx, userID)
	if err != nil {
		return role.Bound{}, err
	}
	return s.roles.Bound(held, levelOf(methods).meets(levelMulti)), nil
}

// machineBound is what a machine may have beside its own bound: who was given
// roles has no more than those.
func (s *Server) machineBound(ctx context.Context, client string) (role.Bound, error) {
	held, err := s.store.ClientRoles(ctx, client)
	if err != nil {
		return role.Bound{}, err
	}
	if len(held) == 0 {
		return role.Unbounded(), nil
	}
	return s.roles.OfMachine(held), nil
}

// covered keeps of a scope what a bound allows, and what is about the person:
// that is theirs, and no role gives it.
func covered(b role.Bound, scope []string) []string {
	return slices.DeleteFunc(slices.Clone(scope), func(n string) bool { return !b.Allows(n) && !isAbout(n) })
}

func isAbout(name string) bool {
	return slices.ContainsFunc(identityScopes, func(s pages.Scope) bool { return s.Name == name })
}

// asked is a request as it was made, whoever signs in: somebody else may have more.
func (p pending) asked() pending {
	p.Scope, p.Beyond = append(slices.Clone(p.Scope), p.Beyond...), nil
	return p
}

// theirs is a request without what the roles of who is signed in do not give.
// Where a second factor would give more, the request demands it. When a resource
// server just told that what they lack is needed, there is nothing to ask.
func (s *Server) theirs(ctx context.Context, p pending, v store.Session) (pending, error) {
	held, err := s.rolesNow(ctx, v.UserID)
	if err != nil {
		return pending{}, err
	}
	left := covered(s.roles.Bound(held, levelOf(v.Methods).meets(levelMulti)), p.Scope)
	if len(covered(s.roles.Bound(held, true), p.Scope)) > len(left) {
		p.Level = levelMulti
		return p, nil
	}
	p.Scope, p.Beyond = left, without(p.Scope, left)
	wanted := s.stepUps.demanded(stepUpKey{p.Client, v.UserID, p.Resource}, s.config.Now())
	if needed := intersect(p.Beyond, wanted.Scope); len(needed) > 0 {
		return pending{}, notTheirs(needed)
	}
	if len(left) == 0 && len(p.Beyond) > 0 {
		return pending{}, notTheirs(p.Beyond)
	}
	return p, nil
}

// notTheirs names the scopes: each is one of a resource here.
func notTheirs(scope []string) error {
	return refuseWith(NotTheirs, "Not in their roles: "+strings.Join(scope, " ")+".")
}

// mostDrawn is how often one request draws a token up anew.
const mostDrawn = 3

// stillTheirs looks again once a token is in the store: roles that were taken
// away before that have ended the tokens that were there, and not this one. It
// ends, and another takes its place, with what is left.
func (s *Server) stillTheirs(ctx context.Context, k kept) (kept, error) {
	for tries := 0; ; tries++ {
		b, err := s.subjectBound(ctx, k.claims)
		if err == nil && len(covered(b, k.claims.Scope)) == len(k.claims.Scope) {
			return k, nil
		}
		if failed := s.store.RevokeToken(ctx, k.claims.ID); failed != nil {
			return kept{}, failed
		}
		if err != nil {
			return kept{}, err
		}
		if tries == mostDrawn {
			return kept{}, refuse(Busy)
		}
		if k, err = k.again(); err != nil {
			return kept{}, err
		}
	}
}

// subjectBound: a token of a machine is for the machine itself.
func (s *Server) subjectBound(ctx context.Context, c token.Claims) (role.Bound, error) {
	if c.Subject == c.ClientID {
		return s.machineBound(ctx, c.ClientID)
	}
	return s.personBound(ctx, c.Subject, c.AMR)
}

// wider says whether a grant has more than who holds these roles may have. Its
// access tokens end with the roles, in one step; the grant stays, and a refresh
// gets what is left.
func (s *Server) wider(held []string, g store.Grant) bool {
	b := s.roles.Bound(held, levelOf(g.Methods).meets(levelMulti))
	return len(covered(b, g.Scope)) < len(g.Scope)
}
