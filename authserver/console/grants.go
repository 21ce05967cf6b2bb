package console

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/pages"
)

const grantsPath = Path + "/grants"

func (c *Console) grants(w http.ResponseWriter, r *http.Request, a Administrator) error {
	q := r.URL.Query().Get("q")
	p := pages.Grants{Now: c.of.Now(), Query: q, Change: a.has(admin.ScopeSessions), Notices: done(r)}
	id, err := c.named(r, a, q)
	if err != nil {
		return err
	}
	if id == "" {
		return a.Frame.Grants(w, http.StatusOK, p)
	}
	found, err := c.desk.Grants(r.Context(), a.Actor, admin.GrantQuery{Paging: place(r), Whose: admin.Whose{User: id}})
	if err != nil {
		return err
	}
	for _, g := range found.Items {
		p.All = append(p.All, c.shownGrant(g))
	}
	p.First, p.Next = firstPage(r, grantsPath, "q", q), nextPage(grantsPath, found.Next, "q", q)
	return a.Frame.Grants(w, http.StatusOK, p)
}

// grantsOf are the newest of a person or a client.
func (c *Console) grantsOf(ctx context.Context, a Administrator, w admin.Whose) ([]pages.Grant, error) {
	found, err := c.desk.Grants(ctx, a.Actor, admin.GrantQuery{Paging: admin.Paging{Limit: mostShown}, Whose: w})
	var all []pages.Grant
	for _, g := range found.Items {
		all = append(all, c.shownGrant(g))
	}
	return all, err
}

func (c *Console) shownGrant(g admin.Grant) pages.Grant {
	p := pages.Grant{ID: g.ID, ClientID: g.ClientID, Client: named(g.ClientName), User: g.UserName, UserID: g.UserID, Resource: g.Resource, Since: g.CreatedAt, Expires: g.ExpiresAt}
	var known []pages.Scope
	for _, resource := range c.of.Resources {
		if resource.URL == g.Resource {
			p.Resource, known = cmp.Or(resource.Name, g.Resource), resource.Scopes
		}
	}
	for _, name := range g.Scopes {
		p.Scope = append(p.Scope, scopeNamed(name, known))
	}
	return p
}

// scopeNamed is one of the scopes that are known, or no more than its name.
func scopeNamed(name string, known []pages.Scope) pages.Scope {
	if i := slices.IndexFunc(known, func(s pages.Scope) bool { return s.Name == name }); i >= 0 {
		return known[i]
	}
	return pages.Scope{Name: name}
}

// endGrant goes back to one of the pages that list grants, and nowhere else.
func (c *Console) endGrant(w http.ResponseWriter, r *http.Request, a Administrator, f form) error {
	if _, err := c.desk.RevokeGrant(r.Context(), a.Actor, admin.GrantRef{ID: f["grant"]}); err != nil {
		return err
	}
	return a.onward(w, grantList(f["back"]), "grant")
}

// grantList is the page that lists grants at an address, or the one that asks whose.
func grantList(address string) string {
	back, err := url.Parse(address)
	if err != nil {
		return grantsPath
	}
	query := back.Query()
	switch back.Path {
	case personPath:
		return personAt(query.Get("id"))
	case clientPath:
		return clientAt(query.Get("id"))
	}
	return at(grantsPath, "q", query.Get("q"))
}
