package authserver

import (
	"context"
	"errors"
	"strings"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/store"
)

// madeBy is who a change is by, in a few words that are kept with it.
func madeBy(by admin.Actor) string {
	if by.Kind == admin.KindOperator {
		return by.Kind
	}
	return store.MadeBy(by.Kind, by.ID)
}

// Invitations are those that nobody used yet, the latest first.
func (d desk) Invitations(ctx context.Context, _ admin.Actor, _ admin.None) (admin.Page[admin.Invitation], error) {
	found, err := d.s.Invitations(ctx)
	if err != nil {
		return admin.Page[admin.Invitation]{}, err
	}
	var page admin.Page[admin.Invitation]
	names := makers{}
	for _, i := range found {
		name, err := names.of(ctx, d, i.By)
		if err != nil {
			return admin.Page[admin.Invitation]{}, err
		}
		page.Items = append(page.Items, admin.Invitation{ID: i.ID, Email: i.Email, Roles: i.Roles, CreatedBy: i.By, CreatedByName: name, CreatedAt: i.Since, ExpiresAt: i.Until})
	}
	return page, nil
}

// makers are the user names of those whom madeBy names, each looked up once.
type makers map[string]string

// of is the user name of a person, "" of one who is gone, and of anybody else.
func (m makers) of(ctx context.Context, d desk, by string) (string, error) {
	id, person := strings.CutPrefix(by, admin.KindPerson+" ")
	if name, known := m[id]; known || !person {
		return name, nil
	}
	u, err := d.s.store.UserByID(ctx, id)
	if unlessGone(err) != nil {
		return "", err
	}
	m[id] = u.Name
	return u.Name, nil
}

// Invite makes a link to create one account with.
func (d desk) Invite(ctx context.Context, by admin.Actor, n admin.NewInvitation) (admin.Link, error) {
	if err := d.mayGive(by, n.Roles); err != nil {
		return admin.Link{}, err
	}
	until := d.s.config.Now().Add(InvitationLife)
	link, err := d.s.Invite(acting(ctx, by), Invitation{Email: n.Email, Roles: n.Roles, By: madeBy(by), Operator: by.Kind == admin.KindOperator})
	if errors.Is(err, ErrSignUpClosed) {
		return admin.Link{}, admin.Refuse(admin.Conflict, "%v.", err)
	}
	return admin.Link{URL: link, ExpiresAt: until.UTC()}, said(err, "invitation")
}

// CancelInvitation makes an invitation worth nothing.
func (d desk) CancelInvitation(ctx context.Context, by admin.Actor, q admin.InvitationRef) (admin.None, error) {
	err := d.s.CancelInvitation(acting(ctx, by), q.ID)
	if err == nil {
		d.note(ctx, by, "ticket.cancelled", "invitation", q.ID)
	}
	return admin.None{}, unlessGone(err)
}

// ResetLink makes a link to choose a new password with.
func (d desk) ResetLink(ctx context.Context, by admin.Actor, q admin.UserRef) (admin.Link, error) {
	until := d.s.config.Now().Add(ResetLife)
	link, err := d.s.resetLink(acting(ctx, by), q.ID, madeBy(by), func(p store.Person) error { return d.mayLetIn(by, p) })
	return admin.Link{URL: link, ExpiresAt: until.UTC()}, said(err, "user")
}
