package console

import (
	"net/http"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/pages"
)

const invitationsPath = Path + "/invitations"

func (c *Console) invitations(w http.ResponseWriter, r *http.Request, a Administrator) error {
	p, err := c.openInvitations(r, a, nil)
	if err != nil {
		return err
	}
	p.Notices = done(r)
	return a.Frame.Invitations(w, http.StatusOK, p)
}

// openInvitations are those that nobody used yet, and the form for another with
// what was sent before.
func (c *Console) openInvitations(r *http.Request, a Administrator, sent form) (pages.Invitations, error) {
	found, err := c.desk.Invitations(r.Context(), a.Actor, admin.None{})
	if err != nil {
		return pages.Invitations{}, err
	}
	p := pages.Invitations{Now: c.of.Now(), Create: a.has(admin.ScopeUsers), Closed: !c.of.Invites, File: c.of.File, Command: c.of.Command, Email: sent["email"]}
	for _, v := range found.Items {
		p.All = append(p.All, pages.Invitation{ID: v.ID, Email: v.Email, Roles: v.Roles, By: maker(v), Created: v.CreatedAt, Expires: v.ExpiresAt})
	}
	p.Roles, err = c.freeRoles(r.Context(), a, sent)
	return p, err
}

func maker(v admin.Invitation) string {
	switch {
	case v.CreatedByName != "":
		return v.CreatedByName
	case v.CreatedBy == admin.KindOperator:
		return "the operator of the machine"
	}
	return v.CreatedBy
}

func (c *Console) invite(w http.ResponseWriter, r *http.Request, a Administrator, f form) error {
	link, err := c.desk.Invite(r.Context(), a.Actor, admin.NewInvitation{Email: f["email"], Roles: f.chosen("role")})
	if words, ok := faultOf(err); ok {
		p, err := c.openInvitations(r, a, f)
		if err != nil {
			return err
		}
		p.Problem = words
		return a.Frame.Invitations(w, http.StatusUnprocessableEntity, p)
	}
	if err != nil {
		return err
	}
	return a.Frame.Secret(w, http.StatusOK, c.linkPage(link, invitationsPath, "Somebody is invited", pages.Link{Text: "Invitations", Path: invitationsPath}))
}

func (c *Console) linkPage(link admin.Link, at, title string, back pages.Link) pages.Secret {
	return pages.Secret{At: at, Title: title, Name: "Link", Value: link.URL, Back: back,
		Facts: []pages.Fact{{Name: "Works once, until", Cell: pages.Cell{When: pages.WhenOf(link.ExpiresAt, c.of.Now())}}}}
}

func (c *Console) cancelInvitation(w http.ResponseWriter, r *http.Request, a Administrator, f form) error {
	if _, err := c.desk.CancelInvitation(r.Context(), a.Actor, admin.InvitationRef{ID: f["id"]}); err != nil {
		return err
	}
	return a.onward(w, invitationsPath, "canceled")
}
