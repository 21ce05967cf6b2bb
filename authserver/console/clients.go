package console

import (
	"net/http"
	"slices"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/clientdoc"
	"github.com/postern-mcp/postern/authserver/pages"
)

const (
	clientsPath   = Path + "/clients"
	newClientPath = clientsPath + "/new"
	clientPath    = Path + "/client"
	secretOverlap = 24 * 60 * 60 // seconds for which the secret before is good as well
)

func clientAt(id string) string { return at(clientPath, "id", id) }

func (c *Console) clients(w http.ResponseWriter, r *http.Request, a Administrator) error {
	found, err := c.desk.Clients(r.Context(), a.Actor, admin.ClientQuery{Paging: place(r)})
	if err != nil {
		return err
	}
	p := pages.Clients{Now: c.of.Now(), Create: a.has(admin.ScopeClients), Notices: done(r), First: firstPage(r, clientsPath), Next: nextPage(clientsPath, found.Next)}
	for _, one := range found.Items {
		p.All = append(p.All, shownClient(one))
	}
	return a.Frame.Clients(w, http.StatusOK, p)
}

func shownClient(c admin.Client) pages.Client {
	p := pages.Client{ID: c.ID, Name: c.Name, How: "added by an administrator", Proves: provesWords[c.AuthMethod], Redirects: c.Redirects, Grants: c.Grants, Scope: c.Scopes, Bounded: c.Bounded,
		Roles: c.Roles, Resources: c.Resources, DPoP: c.Bound, Secret: clientdoc.Secret(c.AuthMethod), Created: c.CreatedAt, SecretUntil: c.SecretBefore}
	if c.Registered {
		p.How = "registered itself"
	}
	if p.Proves == "" {
		p.Proves = c.AuthMethod
	}
	return p
}

var provesWords = map[string]string{
	clientdoc.None: "not at all: anybody can use its name", clientdoc.Basic: "with a secret", clientdoc.Post: "with a secret", clientdoc.Key: "with a key of its own",
	clientdoc.Authority: "with a certificate", clientdoc.SelfSigned: "with a certificate of its own",
}

// stored is the client that a page names.
func (c *Console) stored(r *http.Request, a Administrator) (admin.Client, error) {
	return c.desk.Client(r.Context(), a.Actor, admin.ClientRef{ID: r.URL.Query().Get("id")})
}

func (c *Console) client(w http.ResponseWriter, r *http.Request, a Administrator) error {
	found, err := c.stored(r, a)
	if err != nil {
		return err
	}
	p := pages.ClientOf{Now: c.of.Now(), Of: shownClient(found), Tag: found.Tag(), Change: a.has(admin.ScopeClients), End: a.has(admin.ScopeSessions), Notices: done(r)}
	if slices.Contains(found.Grants, "client_credentials") {
		if p.Roles, err = c.machineRoles(r, a, found.Roles); err != nil {
			return err
		}
	}
	if p.Grants, err = c.grantsOf(r.Context(), a, admin.Whose{Client: found.ID}); err != nil {
		return err
	}
	return a.Frame.Client(w, http.StatusOK, p)
}

// machineRoles are the roles that a machine can have: it has no second factor.
func (c *Console) machineRoles(r *http.Request, a Administrator, held []string) ([]pages.RoleChoice, error) {
	there, err := c.desk.Roles(r.Context(), a.Actor, admin.None{})
	var all []pages.RoleChoice
	for _, role := range there.Items {
		has := slices.Contains(held, role.Name)
		if has || !role.Factor {
			all = append(all, pages.RoleChoice{Name: role.Name, Description: role.Description, Has: has})
		}
	}
	return all, err
}

// scopeOptions are all scopes there are, for a machine to be bounded by, with
// those chosen of what was sent before.
func (c *Console) scopeOptions(sent form) []pages.Option {
	var all []pages.Option
	for _, resource := range c.of.Resources {
		for _, scope := range resource.Scopes {
			if !slices.ContainsFunc(all, func(o pages.Option) bool { return o.Value == scope.Name }) {
				all = append(all, pages.Option{Value: scope.Name, Text: scope.Name, Hint: scope.Words, Chosen: sent["scope."+scope.Name] != ""})
			}
		}
	}
	return all
}

func (c *Console) newClient(w http.ResponseWriter, _ *http.Request, a Administrator) error {
	return a.Frame.ClientForm(w, http.StatusOK, pages.ClientForm{Scopes: c.scopeOptions(nil)})
}

func (c *Console) createMachine(w http.ResponseWriter, r *http.Request, a Administrator, f form) error {
	made, err := c.desk.CreateClient(r.Context(), a.Actor, admin.NewClient{Name: f["name"], Scopes: f.chosen("scope")})
	if words, ok := faultOf(err); ok {
		return a.Frame.ClientForm(w, http.StatusUnprocessableEntity, pages.ClientForm{Name: f["name"], Scopes: c.scopeOptions(f), Problem: words})
	}
	if err != nil {
		return err
	}
	return a.Frame.Secret(w, http.StatusOK, secretPage(made, made.Client.Name+" is there"))
}

func secretPage(made admin.CreatedClient, title string) pages.Secret {
	return pages.Secret{At: clientsPath, Title: title, Name: "Secret (client_secret)", Value: made.Secret,
		Facts: []pages.Fact{{Name: "Id (client_id)", Cell: pages.Cell{Text: made.Client.ID, Code: true}}}, Back: pages.Link{Text: made.Client.Name, Path: clientAt(made.Client.ID)}}
}

func (c *Console) giveClientRoles(w http.ResponseWriter, r *http.Request, a Administrator, f form) error {
	changed, err := c.desk.SetClientRoles(r.Context(), a.Actor, admin.ClientRoles{ClientRef: admin.ClientRef{ID: f["id"]}, IfMatch: f["tag"], Roles: f.chosen("role")})
	if err != nil {
		return err
	}
	return a.onward(w, clientAt(changed.ID), "saved")
}

// askClient asks before something serious is done to the client of ?id=.
func (c *Console) askClient(w http.ResponseWriter, r *http.Request, a Administrator, p pages.Confirm) error {
	found, err := c.stored(r, a)
	if err != nil {
		return err
	}
	name := named(found.Name)
	p.At, p.Title, p.Back = clientsPath, p.Title+" "+name+"?", pages.Link{Text: name, Path: clientAt(found.ID)}
	p.Hidden = []pages.Hidden{{Name: "id", Value: found.ID}}
	return a.Frame.Confirm(w, http.StatusOK, p)
}

func named(name string) string {
	if name == "" {
		return "An unnamed client"
	}
	return name
}

func (c *Console) askRotateSecret(w http.ResponseWriter, r *http.Request, a Administrator) error {
	return c.askClient(w, r, a, pages.Confirm{Title: "Make a new secret for", Button: "Make a new secret", Path: clientPath + "/rotate",
		Effects: []string{"You see the new secret once.", "The secret there is now works for another day, so that nothing stops while you change it. An older one ends now.", "Its tokens stay good."}})
}

func (c *Console) rotateSecret(w http.ResponseWriter, r *http.Request, a Administrator, f form) error {
	made, err := c.desk.RotateSecret(r.Context(), a.Actor, admin.SecretRotation{ClientRef: admin.ClientRef{ID: f["id"]}, Overlap: secretOverlap})
	if err != nil {
		return err
	}
	return a.Frame.Secret(w, http.StatusOK, secretPage(made, "A new secret for "+made.Client.Name))
}

func (c *Console) askDeleteClient(w http.ResponseWriter, r *http.Request, a Administrator) error {
	return c.askClient(w, r, a, pages.Confirm{Title: "Delete", Button: "Delete the client", Path: clientPath + "/delete", Lead: "This cannot be undone.",
		Effects: []string{"All its tokens end within seconds, and it gets no new ones.", "What people allowed it is forgotten."}})
}

func (c *Console) deleteClient(w http.ResponseWriter, r *http.Request, a Administrator, f form) error {
	if _, err := c.desk.DeleteClient(r.Context(), a.Actor, admin.ClientRef{ID: f["id"]}); err != nil {
		return err
	}
	return a.onward(w, clientsPath, "deleted")
}
