package authserver

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/pages"
)

const (
	clientsPath   = "/admin/clients"
	secretOverlap = 24 * 60 * 60 // seconds for which the secret before is good as well
)

func clientAt(id string) string { return "/admin/client?" + url.Values{"id": {id}}.Encode() }

func (s *Server) clientsPage(w http.ResponseWriter, r *http.Request, a administrator) error {
	found, err := s.Desk().Clients(r.Context(), a.Actor, admin.ClientQuery{Paging: paging(r)})
	if err != nil {
		return err
	}
	p := pages.Clients{Now: s.config.Now(), Create: a.has(admin.ScopeClients), Notices: doneNotices(r), First: firstPage(r, clientsPath), Next: nextPage(clientsPath, found.Next)}
	for _, c := range found.Items {
		p.All = append(p.All, shownClient(c))
	}
	return a.frame.Clients(w, http.StatusOK, p)
}

func shownClient(c admin.Client) pages.Client {
	p := pages.Client{ID: c.ID, Name: c.Name, How: "added by an administrator", Proves: provesWords[c.AuthMethod], Redirects: c.Redirects, Grants: c.Grants, Scope: c.Scopes, Bounded: c.Bounded,
		Roles: c.Roles, Resources: c.Resources, DPoP: c.Bound, Secret: secretMethod(c.AuthMethod), Created: c.CreatedAt, SecretUntil: c.SecretBefore}
	if c.Registered {
		p.How = "registered itself"
	}
	if p.Proves == "" {
		p.Proves = c.AuthMethod
	}
	return p
}

var provesWords = map[string]string{
	authNone: "not at all: anybody can use its name", authBasic: "with a secret", authPost: "with a secret", authKey: "with a key of its own",
}

func secretMethod(method string) bool { return method == authBasic || method == authPost }

func (s *Server) storedClient(r *http.Request, a administrator, id string) (admin.Client, error) {
	return s.Desk().Client(r.Context(), a.Actor, admin.ClientRef{ID: id})
}

func (s *Server) clientPage(w http.ResponseWriter, r *http.Request, a administrator) error {
	c, err := s.storedClient(r, a, r.URL.Query().Get("id"))
	if err != nil {
		return err
	}
	p := pages.ClientOf{Now: s.config.Now(), Of: shownClient(c), Tag: c.Tag(), Change: a.has(admin.ScopeClients), End: a.has(admin.ScopeSessions), Notices: doneNotices(r)}
	if slices.Contains(c.Grants, grantMachine) {
		p.Roles = s.machineRoles(c.Roles)
	}
	grants, err := s.Desk().Grants(r.Context(), a.Actor, admin.GrantQuery{Whose: admin.Whose{Client: c.ID}})
	if err != nil {
		return err
	}
	for _, g := range grants.Items {
		p.Grants = append(p.Grants, s.shownGrant(r.Context(), g))
	}
	return a.frame.Client(w, http.StatusOK, p)
}

// machineRoles are the roles that a machine can have: it has no second factor.
func (s *Server) machineRoles(held []string) []pages.RoleChoice {
	var all []pages.RoleChoice
	for _, role := range s.roles.All() {
		if !role.Factor || slices.Contains(held, role.Name) {
			all = append(all, pages.RoleChoice{Name: role.Name, Description: role.Description, Has: slices.Contains(held, role.Name)})
		}
	}
	return all
}

// scopeOptions are all scopes there are, for a machine to be bounded by.
func (s *Server) scopeOptions(form params) []pages.Option {
	var all []pages.Option
	seen := map[string]bool{}
	for _, r := range append(slices.Clone(s.catalogue.list), s.catalogue.admin) {
		for _, scope := range r.Scopes {
			if !seen[scope.Name] {
				seen[scope.Name] = true
				all = append(all, pages.Option{Value: scope.Name, Text: scope.Name, Hint: scope.Description, Chosen: form["scope."+scope.Name] != ""})
			}
		}
	}
	return all
}

func (s *Server) newClientPage(w http.ResponseWriter, _ *http.Request, a administrator) error {
	return a.frame.ClientForm(w, http.StatusOK, pages.ClientForm{Scopes: s.scopeOptions(nil)})
}

func (s *Server) createMachine(w http.ResponseWriter, r *http.Request, a administrator, form params) error {
	made, err := s.Desk().CreateClient(r.Context(), a.Actor, admin.NewClient{Name: form["name"], Scopes: chosen(form, "scope")})
	if words, ok := refusedHere(err); ok {
		return a.frame.ClientForm(w, http.StatusUnprocessableEntity, pages.ClientForm{Name: form["name"], Scopes: s.scopeOptions(form), Problem: words})
	}
	if err != nil {
		return err
	}
	return a.frame.Secret(w, http.StatusOK, secretPage(made, made.Client.Name+" is there"))
}

func secretPage(made admin.CreatedClient, title string) pages.Secret {
	return pages.Secret{At: clientsPath, Title: title, Name: "Secret (client_secret)", Value: made.Secret,
		Facts: []pages.Fact{{Name: "Id (client_id)", Cell: pages.Cell{Text: made.Client.ID, Code: true}}}, Back: pages.Link{Text: made.Client.Name, Path: clientAt(made.Client.ID)}}
}

func (s *Server) giveClientRoles(w http.ResponseWriter, r *http.Request, a administrator, form params) error {
	c, err := s.Desk().SetClientRoles(r.Context(), a.Actor, admin.ClientRoles{ClientRef: admin.ClientRef{ID: form["id"]}, IfMatch: form["tag"], Roles: chosen(form, "role")})
	if err != nil {
		return err
	}
	return s.onward(w, clientAt(c.ID), "saved")
}

func (s *Server) askClient(w http.ResponseWriter, r *http.Request, a administrator, c pages.Confirm) error {
	found, err := s.storedClient(r, a, r.URL.Query().Get("id"))
	if err != nil {
		return err
	}
	name := client{}.label()
	if found.Name != "" {
		name = found.Name
	}
	c.At, c.Title, c.Back = clientsPath, c.Title+" "+name+"?", pages.Link{Text: name, Path: clientAt(found.ID)}
	c.Hidden = []pages.Hidden{{Name: "id", Value: found.ID}}
	return a.frame.Confirm(w, http.StatusOK, c)
}

func (s *Server) askRotateSecret(w http.ResponseWriter, r *http.Request, a administrator) error {
	return s.askClient(w, r, a, pages.Confirm{Title: "A new secret for", Button: "Make a new secret", Path: "/admin/client/rotate",
		Effects: []string{"You see the new secret once.", "The secret there is now works for another day, so that nothing stops while you change it."}})
}

func (s *Server) rotateSecret(w http.ResponseWriter, r *http.Request, a administrator, form params) error {
	made, err := s.Desk().RotateSecret(r.Context(), a.Actor, admin.SecretRotation{ClientRef: admin.ClientRef{ID: form["id"]}, Overlap: secretOverlap})
	if err != nil {
		return err
	}
	return a.frame.Secret(w, http.StatusOK, secretPage(made, "A new secret for "+made.Client.Name))
}

func (s *Server) askDeleteClient(w http.ResponseWriter, r *http.Request, a administrator) error {
	return s.askClient(w, r, a, pages.Confirm{Title: "Delete", Button: "Delete the application", Path: "/admin/client/delete", Lead: "This cannot be undone.",
		Effects: []string{"All its tokens end within seconds, and it gets no new ones.", "What people allowed it is forgotten."}})
}

func (s *Server) deleteClient(w http.ResponseWriter, r *http.Request, a administrator, form params) error {
	if _, err := s.Desk().DeleteClient(r.Context(), a.Actor, admin.ClientRef{ID: form["id"]}); err != nil {
		return err
	}
	return s.onward(w, clientsPath, "deleted")
}
