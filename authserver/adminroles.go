package authserver

import (
	"net/http"
	"net/url"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/pages"
)

func (s *Server) rolesPage(w http.ResponseWriter, _ *http.Request, a administrator) error {
	var p pages.Roles
	for _, r := range s.roles.All() {
		p.All = append(p.All, pages.Role{Name: r.Name, Description: r.Description, Scopes: r.Scopes, Everyone: r.Everyone, Factor: r.Factor})
	}
	return a.frame.Roles(w, http.StatusOK, p)
}

func (s *Server) rolePage(w http.ResponseWriter, r *http.Request, a administrator) error {
	name := r.URL.Query().Get("name")
	role, ok := s.roles.Find(name)
	if !ok {
		return refuse(NoSuchThing)
	}
	p := pages.RoleOf{Now: s.config.Now(), Of: pages.Role{Name: role.Name, Description: role.Description, Scopes: role.Scopes, Everyone: role.Everyone, Factor: role.Factor}}
	people, err := s.Desk().Holders(r.Context(), a.Actor, admin.HolderQuery{Paging: paging(r), Role: name})
	if err != nil {
		return err
	}
	here := "/admin/role"
	p.First, p.Next = firstPage(r, here, "name", name), nextPage(here, people.Next, "name", name)
	found := people.Items
	if p.First == "" { // machines are few: all of them come on the first page
		machines, err := s.Desk().Holders(r.Context(), a.Actor, admin.HolderQuery{Paging: admin.Paging{Limit: 200}, Role: name, Kind: "client"})
		if err != nil {
			return err
		}
		found = append(found, machines.Items...)
	}
	for _, h := range found {
		p.Holders = append(p.Holders, pages.Holder{ID: h.ID, Name: h.Name, Client: h.Kind == "client", Source: h.Source, Since: h.Since})
	}
	return a.frame.Role(w, http.StatusOK, p)
}

const grantsPath = "/admin/grants"

// named is the id of the person with a user name, "" when there is none.
func (s *Server) named(r *http.Request, a administrator, name string) (id string, err error) {
	if name == "" {
		return "", nil
	}
	found, err := s.Desk().Users(r.Context(), a.Actor, admin.UserQuery{Name: name})
	if err != nil || len(found.Items) == 0 {
		return "", err
	}
	return found.Items[0].ID, nil
}

func (s *Server) grantsPage(w http.ResponseWriter, r *http.Request, a administrator) error {
	q := r.URL.Query().Get("q")
	p := pages.Grants{Now: s.config.Now(), Query: q, Change: a.has(admin.ScopeSessions), Notices: doneNotices(r)}
	id, err := s.named(r, a, q)
	if err != nil {
		return err
	}
	if id == "" {
		return a.frame.Grants(w, http.StatusOK, p)
	}
	found, err := s.Desk().Grants(r.Context(), a.Actor, admin.GrantQuery{Paging: paging(r), Whose: admin.Whose{User: id}})
	if err != nil {
		return err
	}
	for _, g := range found.Items {
		p.All = append(p.All, s.shownGrant(r.Context(), g))
	}
	p.First, p.Next = firstPage(r, grantsPath, "q", q), nextPage(grantsPath, found.Next, "q", q)
	return a.frame.Grants(w, http.StatusOK, p)
}

// endGrant goes back to one of the pages that list grants, and nowhere else.
func (s *Server) endGrant(w http.ResponseWriter, r *http.Request, a administrator, form params) error {
	if _, err := s.Desk().RevokeGrant(r.Context(), a.Actor, admin.GrantRef{ID: form["grant"]}); err != nil {
		return err
	}
	back, err := url.Parse(form["back"])
	if err != nil {
		return refuseFor(BadForm, err)
	}
	query := back.Query()
	switch back.Path {
	case "/admin/user":
		return s.onward(w, personAt(query.Get("id")), "grant")
	case "/admin/client":
		return s.onward(w, clientAt(query.Get("id")), "grant")
	}
	return s.onward(w, grantsPath+"?"+url.Values{"q": {query.Get("q")}}.Encode(), "grant")
}

func (s *Server) signInsPage(w http.ResponseWriter, r *http.Request, a administrator) error {
	const here = "/admin/sign-ins"
	q := r.URL.Query().Get("q")
	id, err := s.named(r, a, q)
	if err != nil {
		return err
	}
	p := pages.SignIns{Now: s.config.Now(), Query: q}
	if q != "" && id == "" {
		return a.frame.SignIns(w, http.StatusOK, p)
	}
	found, err := s.Desk().SignIns(r.Context(), a.Actor, admin.SignInQuery{Paging: paging(r), User: id})
	if err != nil {
		return err
	}
	for _, v := range found.Items {
		p.All = append(p.All, pages.SignIn{Name: v.UserName, At: v.At, Outcome: v.Outcome, Reasons: v.Reasons, Agent: v.Agent, Address: v.Address, Client: s.labelOf(r.Context(), v.ClientID), Methods: v.Methods})
	}
	p.First, p.Next = firstPage(r, here, "q", q), nextPage(here, found.Next, "q", q)
	return a.frame.SignIns(w, http.StatusOK, p)
}
