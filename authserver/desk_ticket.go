package authserver

import (
	"context"
	"encoding/base64"
	"strings"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/store"
)

const invitationPrefix = "invitation_"

// invitationName is what an invitation is called: the hash of what opens it.
func invitationName(h store.Hash) string {
	return invitationPrefix + base64.RawURLEncoding.EncodeToString(h[:])
}

func invitationHash(name string) (h store.Hash, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(name, invitationPrefix))
	copy(h[:], raw)
	return h, err == nil && invitationName(h) == name
}

// madeBy is who a change is by, in a few words that are kept with it.
func madeBy(by admin.Actor) string {
	if by.ID == "" {
		return by.Kind
	}
	return by.Kind + " " + by.ID
}

// Invitations are those that nobody used yet, the latest first.
func (d desk) Invitations(ctx context.Context, _ admin.Actor, _ admin.None) (admin.Page[admin.Invitation], error) {
	found, err := d.s.store.Tickets(ctx, store.Invitation, d.s.config.Now())
	var page admin.Page[admin.Invitation]
	for _, t := range found {
		page.Items = append(page.Items, admin.Invitation{ID: invitationName(t.Hash), Email: t.Email, Roles: t.Roles,
			CreatedBy: t.CreatedBy, CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt})
	}
	return page, err
}

// Invite makes a link to create one account with.
func (d desk) Invite(ctx context.Context, by admin.Actor, n admin.NewInvitation) (admin.Link, error) {
	if err := d.mayGive(by, n.Roles); err != nil {
		return admin.Link{}, err
	}
	if err := checkEmail(n.Email); err != nil {
		return admin.Link{}, err
	}
	until := d.s.config.Now().Add(InvitationLife)
	link, err := d.s.Invite(ctx, Invitation{Email: n.Email, Roles: n.Roles, By: madeBy(by)})
	return admin.Link{URL: link, ExpiresAt: until.UTC()}, err
}

// CancelInvitation makes an invitation worth nothing.
func (d desk) CancelInvitation(ctx context.Context, by admin.Actor, q admin.InvitationRef) (admin.None, error) {
	h, ok := invitationHash(q.ID)
	if !ok {
		return admin.None{}, nil // nobody has it
	}
	err := d.s.store.RemoveTicket(ctx, h)
	if err == nil {
		d.note(ctx, by, "ticket.cancelled", "invitation", q.ID)
	}
	return admin.None{}, gonefine(err)
}

// ResetLink makes a link to choose a new password with.
func (d desk) ResetLink(ctx context.Context, by admin.Actor, q admin.UserRef) (admin.Link, error) {
	p, err := d.s.store.Person(ctx, q.ID)
	if err != nil {
		return admin.Link{}, said(err, "user")
	}
	if err := d.mayTouch(by, p); err != nil {
		return admin.Link{}, err
	}
	until := d.s.config.Now().Add(ResetLife)
	link, err := d.s.ResetLink(ctx, p.Name, madeBy(by))
	return admin.Link{URL: link, ExpiresAt: until.UTC()}, said(err, "user")
}
