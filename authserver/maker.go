package authserver

import (
	"context"
	"errors"
	"strings"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/store"
)

// stillGiven refuses a link that whoever made it could not make now: they are
// gone or disabled, or may less than it gives. The operator's always stand.
func (s *Server) stillGiven(ctx context.Context, t store.Ticket) error {
	by, err := s.maker(ctx, t.CreatedBy)
	if errors.Is(err, store.ErrNotFound) || reasonOf(err) == PersonOff {
		return refuseFor(BadTicket, err)
	}
	if err != nil {
		return err
	}
	if by.Kind == admin.KindOperator {
		return nil
	}
	if !by.May([]string{admin.ScopeUsers}) {
		return refuse(BadTicket)
	}
	if t.Purpose == store.Invitation {
		return badTicket(desk{s}.mayGive(by, t.Roles))
	}
	p, err := s.store.Person(ctx, t.UserID)
	if errors.Is(err, store.ErrNotFound) {
		return refuseFor(BadTicket, err)
	}
	if err != nil {
		return err
	}
	return badTicket(desk{s}.mayLetIn(by, p))
}

// badTicket is what a refusal of the desk is to whoever has the link.
func badTicket(err error) error {
	if err != nil {
		return refuseFor(BadTicket, err)
	}
	return nil
}

// maker is who madeBy names, with what they may now. Whoever it cannot name may
// nothing.
func (s *Server) maker(ctx context.Context, by string) (admin.Actor, error) {
	kind, id, _ := strings.Cut(by, " ")
	switch kind {
	case admin.KindOperator:
		return admin.Operator(), nil
	case admin.KindPerson:
		held, err := s.rolesNow(ctx, id)
		return admin.Actor{Kind: kind, ID: id, Scopes: desk{s}.powers(held)}, err
	case admin.KindClient:
		c, err := s.store.StoredClient(ctx, id)
		if err != nil {
			return admin.Actor{}, err
		}
		b, err := s.machineBound(ctx, id)
		return admin.Actor{Kind: kind, ID: id, Scopes: client{Client: c.Client}.within(b.Within(s.catalogue.admin.names()))}, err
	}
	return admin.Actor{}, nil
}
