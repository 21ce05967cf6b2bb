package authserver

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/role"
	"github.com/postern-mcp/postern/authserver/store"
	"github.com/postern-mcp/postern/authserver/upstream"
)

// desk does what administrators ask for: through the API, at the pages, and by
// command. It is each change's one transaction and one audit line.
type desk struct{ s *Server }

// Desk is everything an administrator can do.
func (s *Server) Desk() admin.Desk { return desk{s} }

// acting is a context in which nothing is written once what the actor showed has
// ended: whoever signs a thief out is not too late by what the thief still asks for.
func acting(ctx context.Context, by admin.Actor) context.Context {
	proof := store.Proof{Token: by.Token}
	if by.Kind == admin.KindPerson {
		proof.User, proof.Era = by.ID, by.Era
	}
	return store.On(ctx, proof)
}

// note is the audit line of a change, with who made it.
func (d desk) note(ctx context.Context, by admin.Actor, e event, fields ...any) {
	fields = append(fields, "actor", cmp.Or(by.ID, by.Kind), "actor_kind", by.Kind)
	if by.Client != "" {
		fields = append(fields, "actor_client", by.Client)
	}
	if by.Address != "" {
		fields = append(fields, "address", by.Address)
	}
	d.s.report(ctx, slog.LevelInfo, e, fields...)
}

// said turns what the store and this package say into what the API says of a thing.
func said(err error, what string) error {
	var refused *Error
	switch {
	case errors.Is(err, store.ErrSpent):
		return admin.Refuse(admin.Conflict, "You were signed out, or your access token was revoked, while this was being done: nothing was changed. Do it again; sign in again where you are asked to.")
	case errors.Is(err, store.ErrNotFound):
		return admin.Refuse(admin.NotFound, "There is no such %s: list what there is.", what)
	case errors.Is(err, store.ErrAddressTaken):
		return admin.RefuseMember("email_verified", "Somebody else has this address, verified: one address is one account's.")
	case errors.Is(err, store.ErrExists):
		return admin.Refuse(admin.Exists, "There is a %s of this name already: choose another name.", what)
	case errors.As(err, &refused) && refused.Reason == Busy:
		return &admin.Error{Reason: admin.Unavailable, Cause: err}
	}
	return err
}

// unlessGone: what is not there needs no deleting.
func unlessGone(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return said(err, "entry")
}

// powers are the API's scopes that roles give.
func (d desk) powers(roles []string) []string {
	bound := d.s.roles.Bound(roles, true)
	var all []string
	for _, w := range admin.ScopeWords {
		if bound.Allows(w.Name) {
			all = append(all, w.Name)
		}
	}
	return all
}

// mayGive: nobody gives what they do not have.
func (d desk) mayGive(by admin.Actor, roles []string) error {
	for _, r := range roles {
		if _, ok := d.s.roles.Find(r); !ok {
			return admin.RefuseMember("roles", "There is no role %q: roles are configured in authserver.roles, and these are there: %s.", r, d.roleNames())
		}
	}
	if !by.May(d.powers(roles)) {
		return &admin.Error{Reason: admin.BeyondYou, Member: "/roles"}
	}
	return nil
}

func (d desk) roleNames() (names string) {
	for _, r := range d.s.roles.All() {
		names += " " + r.Name
	}
	return names[1:]
}

// mayTouch: whoever could reset the password of somebody who has more would
// have as much. A token may have less than its own person, who is no exception.
func (d desk) mayTouch(by admin.Actor, p store.Person) error {
	if !by.May(d.powers(namesOfRoles(p.Roles))) {
		return &admin.Error{Reason: admin.BeyondYou}
	}
	return nil
}

// mayLetIn is mayTouch for what lets somebody in, and what they may do then:
// nobody does that to themselves here, without the password they have.
func (d desk) mayLetIn(by admin.Actor, p store.Person) error {
	if by.Kind == admin.KindPerson && by.ID == p.ID {
		return &admin.Error{Reason: admin.OwnAccount}
	}
	return d.mayTouch(by, p)
}

// mayVerify: what a provider alone decides about, it says itself.
func (d desk) mayVerify(by admin.Actor, email string, verified bool) error {
	if !verified || by.Kind == admin.KindOperator {
		return nil
	}
	address := upstream.Address(email)
	for _, p := range d.s.providers {
		if inDomains(p.Domains, address) {
			return admin.RefuseMember("email_verified", "Addresses of this domain are given out by %s: they are verified by signing in there, not here.", p.Label)
		}
	}
	return nil
}

// mayScope is mayGive for the scopes of a client.
func (d desk) mayScope(by admin.Actor, scopes []string) error {
	if err := d.s.catalogue.known(scopes); err != nil {
		return admin.RefuseMember("scopes", "%v.", err)
	}
	if !by.May(scopes) {
		return &admin.Error{Reason: admin.BeyondYou, Member: "/scopes"}
	}
	return nil
}

// mayTouchClient: whoever could make another secret for a client that has more
// would have as much.
func (d desk) mayTouchClient(by admin.Actor, c store.Stored) error {
	if !by.May(append(d.powersOfMachine(c.Roles), c.Scope...)) {
		return &admin.Error{Reason: admin.BeyondYou}
	}
	return nil
}

func (d desk) powersOfMachine(roles []string) []string {
	if len(roles) == 0 {
		return nil
	}
	return d.powers(roles)
}

func namesOfRoles(held []store.UserRole) []string {
	var names []string
	for _, r := range held {
		names = append(names, r.Role)
	}
	return names
}

// Roles are those that are configured.
func (d desk) Roles(context.Context, admin.Actor, admin.None) (admin.Page[admin.Role], error) {
	var page admin.Page[admin.Role]
	for _, r := range d.s.roles.All() {
		page.Items = append(page.Items, roleOf(r))
	}
	return page, nil
}

func roleOf(r role.Role) admin.Role {
	return admin.Role{Name: r.Name, Description: r.Description, Scopes: slices.Clone(r.Scopes), Everyone: r.Everyone, Factor: r.Factor}
}

type holderStore interface {
	UsersWith(ctx context.Context, role, id, source string, limit int) ([]store.Holder, error)
	ClientsWith(ctx context.Context, role, id string, limit int) ([]store.Holder, error)
}

// Holders are the people, or the clients, who were given a role.
func (d desk) Holders(ctx context.Context, _ admin.Actor, q admin.HolderQuery) (admin.Page[admin.Holder], error) {
	if _, ok := d.s.roles.Find(q.Role); !ok {
		return admin.Page[admin.Holder]{}, said(store.ErrNotFound, "role")
	}
	at, err := q.Place(2)
	if err != nil {
		return admin.Page[admin.Holder]{}, err
	}
	if at == nil {
		at = []string{"", ""}
	}
	kind, found := "user", []store.Holder(nil)
	if q.Kind == "client" {
		kind = q.Kind
		found, err = d.s.store.ClientsWith(ctx, q.Role, at[0], q.Size()+1)
	} else {
		found, err = d.s.store.UsersWith(ctx, q.Role, at[0], at[1], q.Size()+1)
	}
	var all []admin.Holder
	for _, h := range found {
		all = append(all, admin.Holder{Kind: kind, ID: h.ID, Name: h.Name, Source: h.Source, Since: h.At})
	}
	return admin.Cut(all, q.Size(), func(h admin.Holder) []string { return []string{h.ID, h.Source} }), err
}
