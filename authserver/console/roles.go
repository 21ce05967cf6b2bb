package console

import (
	"net/http"
	"slices"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/pages"
)

const rolePath = Path + "/role"

func (c *Console) roles(w http.ResponseWriter, r *http.Request, a Administrator) error {
	found, err := c.desk.Roles(r.Context(), a.Actor, admin.None{})
	var p pages.Roles
	for _, role := range found.Items {
		p.All = append(p.All, shownRole(role))
	}
	if err != nil {
		return err
	}
	return a.Frame.Roles(w, http.StatusOK, p)
}

func shownRole(r admin.Role) pages.Role {
	return pages.Role{Name: r.Name, Description: r.Description, Scopes: r.Scopes, Everyone: r.Everyone, Factor: r.Factor}
}

func (c *Console) role(w http.ResponseWriter, r *http.Request, a Administrator) error {
	there, err := c.desk.Roles(r.Context(), a.Actor, admin.None{})
	if err != nil {
		return err
	}
	name := r.URL.Query().Get("name")
	i := slices.IndexFunc(there.Items, func(role admin.Role) bool { return role.Name == name })
	if i < 0 {
		return notThere()
	}
	people, err := c.desk.Holders(r.Context(), a.Actor, admin.HolderQuery{Paging: place(r), Role: name})
	if err != nil {
		return err
	}
	p := pages.RoleOf{Now: c.of.Now(), Of: shownRole(there.Items[i]), First: firstPage(r, rolePath, "name", name), Next: nextPage(rolePath, people.Next, "name", name)}
	found := people.Items
	if p.First == "" { // machines are few: all of them come on the first page
		machines, err := c.desk.Holders(r.Context(), a.Actor, admin.HolderQuery{Paging: admin.Paging{Limit: mostShown}, Role: name, Kind: "client"})
		if err != nil {
			return err
		}
		found = append(found, machines.Items...)
	}
	for _, h := range found {
		p.Holders = append(p.Holders, pages.Holder{ID: h.ID, Name: h.Name, Client: h.Kind == "client", Source: h.Source, Since: h.Since})
	}
	return a.Frame.Role(w, http.StatusOK, p)
}
