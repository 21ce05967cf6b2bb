package authserver

import (
	"net/http"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/pages"
)

const invitationsPath = "/admin/invitations"

func (s *Server) invitationsPage(w http.ResponseWriter, r *http.Request, a administrator) error {
	p, err := s.openInvitations(r, a)
	if err != nil {
		return err
	}
	p.Notices = doneNotices(r)
	return a.frame.Invitations(w, http.StatusOK, p)
}

func (s *Server) openInvitations(r *http.Request, a administrator) (pages.Invitations, error) {
	found, err := s.Desk().Invitations(r.Context(), a.Actor, admin.None{})
	p := pages.Invitations{Now: s.config.Now(), Roles: freeChoices(s.roleChoices(nil)), Create: a.has(admin.ScopeUsers), Closed: s.config.SignUp == "" || s.config.SignUp == SignUpClosed}
	for _, v := range found.Items {
		p.All = append(p.All, pages.Invitation{ID: v.ID, Email: v.Email, Roles: v.Roles, By: s.whoMade(r, v.CreatedBy), Created: v.CreatedAt, Expires: v.ExpiresAt})
	}
	return p, err
}

// whoMade is the name of a person by id, or what else is known of who it was.
func (s *Server) whoMade(r *http.Request, by string) string {
	if u, err := s.store.UserByID(r.Context(), by); err == nil {
		return u.Name
	}
	return by
}

func (s *Server) invite(w http.ResponseWriter, r *http.Request, a administrator, form params) error {
	link, err := s.Desk().Invite(r.Context(), a.Actor, admin.NewInvitation{Email: form["email"], Roles: chosen(form, "role")})
	if words, ok := refusedHere(err); ok {
		p, err := s.openInvitations(r, a)
		if err != nil {
			return err
		}
		p.Email, p.Problem = form["email"], words
		return a.frame.Invitations(w, http.StatusUnprocessableEntity, p)
	}
	if err != nil {
		return err
	}
	return a.frame.Secret(w, http.StatusOK, s.linkPage(link, invitationsPath, "Somebody is invited", pages.Link{Text: "Invitations", Path: invitationsPath}))
}

func (s *Server) linkPage(link admin.Link, at, title string, back pages.Link) pages.Secret {
	return pages.Secret{At: at, Title: title, Name: "Link", Value: link.URL, Back: back,
		Facts: []pages.Fact{{Name: "Works once, until", Cell: pages.Cell{When: pages.WhenOf(link.ExpiresAt, s.config.Now())}}}}
}

func (s *Server) cancelInvitation(w http.ResponseWriter, r *http.Request, a administrator, form params) error {
	if _, err := s.Desk().CancelInvitation(r.Context(), a.Actor, admin.InvitationRef{ID: form["id"]}); err != nil {
		return err
	}
	return s.onward(w, invitationsPath, "canceled")
}

func (s *Server) askResetLink(w http.ResponseWriter, r *http.Request, a administrator) error {
	return s.askPerson(w, r, a, pages.Confirm{Title: "A link to choose a new password for", Button: "Make a link", Path: "/admin/user/reset",
		Lead:    "Make sure that it is really them who asks: this is what thieves ask for, too.",
		Effects: []string{"You see a link once, and hand it over. This server sends no e-mail.", "Whoever has the link can set the password, once.", "The password there is now works until then."}})
}

func (s *Server) makeResetLink(w http.ResponseWriter, r *http.Request, a administrator, form params) error {
	u, err := s.person(r.Context(), a, form["id"])
	if err != nil {
		return err
	}
	link, err := s.Desk().ResetLink(r.Context(), a.Actor, admin.UserRef{ID: u.ID})
	if err != nil {
		return err
	}
	return a.frame.Secret(w, http.StatusOK, s.linkPage(link, peoplePath, "A link for "+u.Name, pages.Link{Text: u.Name, Path: personAt(u.ID)}))
}
