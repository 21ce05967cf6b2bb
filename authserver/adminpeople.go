package authserver

import (
	"context"
	"net/http"
	"net/url"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/pages"
	"github.com/postern-mcp/postern/authserver/store"
)

type identityList interface {
	Identities(ctx context.Context, user string) ([]store.Identity, error)
}

const peoplePath = "/admin/users"

func personAt(id string) string { return "/admin/user?" + url.Values{"id": {id}}.Encode() }

func (s *Server) peoplePage(w http.ResponseWriter, r *http.Request, a administrator) error {
	q := r.URL.Query().Get("q")
	found, err := s.Desk().Users(r.Context(), a.Actor, admin.UserQuery{Paging: paging(r), Search: q})
	if err != nil {
		return err
	}
	p := pages.People{Now: s.config.Now(), Query: q, Create: a.has(admin.ScopeUsers), Notices: doneNotices(r),
		First: firstPage(r, peoplePath, "q", q), Next: nextPage(peoplePath, found.Next, "q", q)}
	for _, u := range found.Items {
		p.All = append(p.All, shownPerson(u))
	}
	return a.frame.People(w, http.StatusOK, p)
}

func shownPerson(u admin.User) pages.Person {
	p := pages.Person{ID: u.ID, Name: u.Name, FullName: u.FullName, Email: u.Email, Verified: u.Verified, Created: u.CreatedAt, Changed: u.PasswordAt, Disabled: u.DisabledAt}
	for _, h := range u.Roles {
		p.Roles = append(p.Roles, h.Role)
	}
	for _, f := range u.Factors {
		p.Factors = append(p.Factors, pages.Factor{ID: f, Name: factorNames[f]})
	}
	return p
}

var factorNames = map[string]string{"totp": "Codes from an app", "recovery_codes": "Recovery codes", "passkey": "Passkeys"}

// person is the one that a page or a form names.
func (s *Server) person(ctx context.Context, a administrator, id string) (admin.User, error) {
	return s.Desk().User(ctx, a.Actor, admin.UserRef{ID: id})
}

func (s *Server) personPage(w http.ResponseWriter, r *http.Request, a administrator) error {
	u, err := s.person(r.Context(), a, r.URL.Query().Get("id"))
	if err != nil {
		return err
	}
	p := pages.PersonOf{Now: s.config.Now(), Of: shownPerson(u), Tag: u.Tag(), Roles: s.roleChoices(u.Roles), Change: a.has(admin.ScopeUsers), End: a.has(admin.ScopeSessions),
		Self: u.ID == a.ID, Notices: doneNotices(r)}
	if p.Of.Identities, err = s.waysIn(r.Context(), u); err != nil {
		return err
	}
	if err := s.addTraces(r.Context(), a, &p); err != nil {
		return err
	}
	return a.frame.Person(w, http.StatusOK, p)
}

// addTraces adds where the person is signed in, what they let in, and how they
// signed in last.
func (s *Server) addTraces(ctx context.Context, a administrator, p *pages.PersonOf) error {
	sessions, err := s.store.Sessions(ctx, p.Of.ID, p.Now)
	if err != nil {
		return err
	}
	for _, v := range sessions {
		p.Sessions = append(p.Sessions, shownSession(v, store.Session{}))
	}
	grants, err := s.Desk().Grants(ctx, a.Actor, admin.GrantQuery{Whose: admin.Whose{User: p.Of.ID}})
	if err != nil {
		return err
	}
	for _, g := range grants.Items {
		p.Grants = append(p.Grants, s.shownGrant(ctx, g))
	}
	rows, err := s.store.SignInRows(ctx, p.Of.ID, "", 0, 10)
	if err != nil {
		return err
	}
	for _, row := range rows {
		p.SignIns = append(p.SignIns, s.signInOf(ctx, row))
	}
	return nil
}

func (s *Server) shownGrant(ctx context.Context, g admin.Grant) pages.Grant {
	return pages.Grant{ID: g.ID, ClientID: g.ClientID, Client: s.labelOf(ctx, g.ClientID), User: g.UserName, UserID: g.UserID, Resource: s.resourceName(g.Resource),
		Scope: scopeNames(g.Scopes), Since: g.CreatedAt, Expires: g.ExpiresAt}
}

func scopeNames(names []string) []pages.Scope {
	var all []pages.Scope
	for _, n := range names {
		all = append(all, pages.Scope{Name: n})
	}
	return all
}

// waysIn are a person's ways to sign in: a password, and other providers.
func (s *Server) waysIn(ctx context.Context, u admin.User) ([]string, error) {
	var ways []string
	if u.Password {
		ways = append(ways, "password")
	}
	linked, err := s.store.Identities(ctx, u.ID)
	for _, i := range linked {
		ways = append(ways, i.Provider+" "+i.Email)
	}
	return ways, err
}

// roleChoices are the roles there are; nobody gives or takes those that
// everybody has, or a provider gave.
func (s *Server) roleChoices(held []admin.HeldRole) []pages.RoleChoice {
	by := map[string]string{}
	for _, h := range held {
		if by[h.Role] != store.Assigned {
			by[h.Role] = h.Source
		}
	}
	var all []pages.RoleChoice
	for _, role := range s.roles.All() {
		c := pages.RoleChoice{Name: role.Name, Description: role.Description, Has: by[role.Name] != ""}
		switch {
		case role.Everyone:
			c.Fixed = "everybody has it"
		case c.Has && by[role.Name] != store.Assigned:
			c.Fixed = "given by the provider " + by[role.Name]
		}
		all = append(all, c)
	}
	return all
}

// freeChoices are the choices that can be made.
func freeChoices(all []pages.RoleChoice) []pages.RoleChoice {
	var free []pages.RoleChoice
	for _, c := range all {
		if c.Fixed == "" {
			free = append(free, c)
		}
	}
	return free
}

func (s *Server) newPersonPage(w http.ResponseWriter, _ *http.Request, a administrator) error {
	return a.frame.PersonForm(w, http.StatusOK, pages.PersonForm{Roles: freeChoices(s.roleChoices(nil))})
}

func (s *Server) createPerson(w http.ResponseWriter, r *http.Request, a administrator, form params) error {
	n := admin.NewUser{Name: form["name"], FullName: form["full_name"], Email: form["email"], Verified: form["email_verified"] == "yes", Roles: chosen(form, "role")}
	made, err := s.Desk().CreateUser(r.Context(), a.Actor, n)
	if words, ok := refusedHere(err); ok {
		roles := s.roleChoices(nil)
		for i := range roles {
			roles[i].Has = form["role."+roles[i].Name] != ""
		}
		return a.frame.PersonForm(w, http.StatusUnprocessableEntity, pages.PersonForm{Name: n.Name, FullName: n.FullName, Email: n.Email, Verified: n.Verified, Roles: freeChoices(roles), Problem: words})
	}
	if err != nil {
		return err
	}
	return a.frame.Secret(w, http.StatusOK, pages.Secret{
		At: peoplePath, Title: n.Name + " can sign in now", Name: "Password", Value: made.Password,
		Facts: []pages.Fact{{Name: "User name", Cell: pages.Cell{Text: n.Name}}}, Back: pages.Link{Text: n.Name, Path: personAt(made.User.ID)},
	})
}

func (s *Server) editPersonPage(w http.ResponseWriter, r *http.Request, a administrator) error {
	u, err := s.person(r.Context(), a, r.URL.Query().Get("id"))
	if err != nil {
		return err
	}
	return a.frame.PersonForm(w, http.StatusOK, pages.PersonForm{ID: u.ID, Tag: u.Tag(), Name: u.Name, FullName: u.FullName, Email: u.Email, Verified: u.Verified})
}

func (s *Server) editPerson(w http.ResponseWriter, r *http.Request, a administrator, form params) error {
	full, email, verified := form["full_name"], form["email"], form["email_verified"] == "yes"
	c := admin.UserChange{UserRef: admin.UserRef{ID: form["id"]}, IfMatch: form["tag"], FullName: &full, Email: &email, Verified: &verified}
	u, err := s.Desk().UpdateUser(r.Context(), a.Actor, c)
	if words, ok := refusedHere(err); ok {
		was, err := s.person(r.Context(), a, form["id"])
		if err != nil {
			return err
		}
		return a.frame.PersonForm(w, http.StatusUnprocessableEntity, pages.PersonForm{ID: was.ID, Tag: was.Tag(), Name: was.Name, FullName: full, Email: email, Verified: verified, Problem: words})
	}
	if err != nil {
		return err
	}
	return s.onward(w, personAt(u.ID), "saved")
}

func (s *Server) givePersonRoles(w http.ResponseWriter, r *http.Request, a administrator, form params) error {
	u, err := s.Desk().SetUserRoles(r.Context(), a.Actor, admin.UserRoles{UserRef: admin.UserRef{ID: form["id"]}, IfMatch: form["tag"], Roles: chosen(form, "role")})
	if err != nil {
		return err
	}
	return s.onward(w, personAt(u.ID), "saved")
}

func (s *Server) endPersonSession(w http.ResponseWriter, r *http.Request, a administrator, form params) error {
	if _, err := s.Desk().EndSession(r.Context(), a.Actor, admin.SessionRef{ID: form["session"]}); err != nil {
		return err
	}
	return s.onward(w, personAt(form["id"]), "ended")
}
