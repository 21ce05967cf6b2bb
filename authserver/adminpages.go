package authserver

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/pages"
	"github.com/postern-mcp/postern/authserver/store"
)

const (
	adminPath = "/admin"
	freshFor  = 30 * time.Minute // a sign-in that is good enough to change something
)

// administrator is somebody at the pages of the administration, signed in with
// two factors, by a role that lets them look.
type administrator struct {
	admin.Actor
	frame pages.Frame
}

type (
	adminPage func(w http.ResponseWriter, r *http.Request, a administrator) error
	adminForm func(w http.ResponseWriter, r *http.Request, a administrator, form params) error
)

// adminPages are the pages of the administration. Whoever looks has
// postern:read; what a form changes needs its own scope, and so does the page
// that asks for it.
func (s *Server) adminPages() map[string]route {
	change := func(scope, next string, ask adminPage, do adminForm) route {
		return route{get: s.beforeChange(scope, ask), post: s.byAdmin(scope, next, do), page: true}
	}
	do := func(scope, next string, f adminForm) route { return route{post: s.byAdmin(scope, next, f), page: true} }
	look := func(p adminPage) route { return route{get: s.forAdmin(p), page: true} }
	const users, clients, sessions, keys = admin.ScopeUsers, admin.ScopeClients, admin.ScopeSessions, admin.ScopeKeys
	return map[string]route{
		"":                    look(s.adminHome),
		"/users":              look(s.peoplePage),
		"/users/new":          change(users, "/admin/users/new", s.newPersonPage, s.createPerson),
		"/user":               look(s.personPage),
		"/user/edit":          change(users, "/admin/users", s.editPersonPage, s.editPerson),
		"/user/roles":         do(users, "/admin/users", s.givePersonRoles),
		"/user/reset":         change(users, "/admin/users", s.askResetLink, s.makeResetLink),
		"/invitations":        {get: s.forAdmin(s.invitationsPage), post: s.byAdmin(users, invitationsPath, s.invite), page: true},
		"/invitations/cancel": do(users, invitationsPath, s.cancelInvitation),
		"/user/password":      change(users, "/admin/users", s.askPersonPassword, s.makePersonPassword),
		"/user/factor":        change(users, "/admin/users", s.askPersonFactor, s.removePersonFactor),
		"/user/disable":       change(users, "/admin/users", s.askDisable, s.disablePerson),
		"/user/enable":        change(users, "/admin/users", s.askEnable, s.enablePerson),
		"/user/delete":        change(users, "/admin/users", s.askDeletePerson, s.deletePerson),
		"/user/session":       do(sessions, "/admin/users", s.endPersonSession),
		"/roles":              look(s.rolesPage),
		"/role":               look(s.rolePage),
		"/clients":            look(s.clientsPage),
		"/clients/new":        change(clients, "/admin/clients/new", s.newClientPage, s.createMachine),
		"/client":             look(s.clientPage),
		"/client/roles":       do(clients, "/admin/clients", s.giveClientRoles),
		"/client/rotate":      change(clients, "/admin/clients", s.askRotateSecret, s.rotateSecret),
		"/client/delete":      change(clients, "/admin/clients", s.askDeleteClient, s.deleteClient),
		"/grants":             look(s.grantsPage),
		"/grants/end":         do(sessions, "/admin/grants", s.endGrant),
		"/keys":               look(s.keysPage),
		"/keys/rotate":        change(keys, "/admin/keys", s.askRotateKey, s.rotateKey),
		"/keys/revoke":        change(keys, "/admin/keys", s.askRevokeKey, s.revokeKey),
		"/sign-ins":           look(s.signInsPage),
		"/risk":               {get: s.forAdmin(s.riskPage), post: s.byAdmin(admin.ScopeRead, "/admin/risk", s.explainRisk), page: true},
	}
}

// forAdmin is for pages that show.
func (s *Server) forAdmin(page adminPage) handle {
	return s.forVisitor(visit{level: levelMulti}, func(w http.ResponseWriter, r *http.Request, v store.Session) error {
		a, err := s.administrator(r, v, admin.ScopeRead)
		if err != nil {
			return err
		}
		return atDesk(page(w, r, a))
	})
}

// beforeChange is for pages that ask before something is changed.
func (s *Server) beforeChange(scope string, page adminPage) handle {
	return s.forVisitor(visit{level: levelMulti, age: freshFor}, func(w http.ResponseWriter, r *http.Request, v store.Session) error {
		a, err := s.administrator(r, v, scope)
		if err != nil {
			return err
		}
		return atDesk(page(w, r, a))
	})
}

// byAdmin takes the forms of those pages.
func (s *Server) byAdmin(scope, next string, do adminForm) handle {
	return s.fromVisitor(visit{next: next, level: levelMulti, age: freshFor}, func(w http.ResponseWriter, r *http.Request, v store.Session, form params) error {
		a, err := s.administrator(r, v, scope)
		if err != nil {
			return err
		}
		return atDesk(do(w, r, a, form))
	})
}

// administrator is who looks, if their roles allow it to how they signed in.
func (s *Server) administrator(r *http.Request, v store.Session, scope string) (administrator, error) {
	bound, err := s.personBound(r.Context(), v.UserID, v.Methods)
	if err != nil {
		return administrator{}, err
	}
	a := administrator{Actor: admin.Actor{Kind: "person", ID: v.UserID, Address: s.address(r)}}
	for _, w := range admin.ScopeWords {
		if bound.Allows(w.Name) {
			a.Scopes = append(a.Scopes, w.Name)
		}
	}
	if !a.has(admin.ScopeRead) || !a.has(scope) {
		return administrator{}, refuse(NotAdministrator)
	}
	a.frame, err = s.frameOf(r.Context(), v)
	return a, err
}

func (a administrator) has(scope string) bool { return slices.Contains(a.Scopes, scope) }

// deskReasons are this server's words for what the desk refuses.
var deskReasons = map[admin.Reason]Reason{
	admin.NotFound: NoSuchThing, admin.BeyondYou: BeyondYou, admin.OwnAccount: OwnAccount, admin.Changed: ChangedMeanwhile, admin.Unavailable: Busy,
}

// atDesk makes of the desk's refusals those of a page.
func atDesk(err error) error {
	reason := admin.ReasonOf(err)
	if reason == "" {
		return err
	}
	if ours, ok := deskReasons[reason]; ok {
		return refuseFor(ours, err)
	}
	return refuseFor(DeskRefused, err)
}

// refusedHere says whether the desk found fault with what was typed, and what
// it says of it.
func refusedHere(err error) (words string, ok bool) {
	switch admin.ReasonOf(err) {
	case admin.Invalid, admin.Exists, admin.Conflict, admin.BadParameter:
		return err.Error(), true
	}
	return "", false
}

// chosen are the choices of a form: those checked under a name.
func chosen(form params, name string) []string {
	all := []string{}
	for field := range form {
		if value, ok := strings.CutPrefix(field, name+"."); ok {
			all = append(all, value)
		}
	}
	slices.Sort(all)
	return all
}

// nextPage is the path of the page that follows, "" at the end.
func nextPage(path, next string, pairs ...string) string {
	if next == "" {
		return ""
	}
	q := url.Values{"after": {next}}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return path + "?" + q.Encode()
}

// firstPage is the path back to the beginning, "" on it.
func firstPage(r *http.Request, path string, pairs ...string) string {
	if r.URL.Query().Get("after") == "" {
		return ""
	}
	at := nextPage(path, "x", pairs...)
	return strings.Replace(strings.Replace(at, "after=x&", "", 1), "?after=x", "", 1)
}

func paging(r *http.Request) admin.Paging { return admin.Paging{After: r.URL.Query().Get("after")} }

func (s *Server) adminHome(w http.ResponseWriter, r *http.Request, a administrator) error {
	status, err := s.Desk().Status(r.Context(), a.Actor, admin.None{})
	if err != nil {
		return err
	}
	var may []string
	for _, words := range admin.ScopeWords {
		if a.has(words.Name) {
			may = append(may, words.Name)
		}
	}
	return a.frame.AdminHome(w, http.StatusOK, pages.AdminHome{Notices: doneNotices(r), Facts: []pages.Fact{
		{Name: "Address", Cell: pages.Cell{Text: status.Issuer}},
		{Name: "Signing key", Cell: pages.Cell{Text: status.Key.ID, Code: true, Path: "/admin/keys", Under: status.Key.Algorithm}},
		{Name: "The next key signs", Cell: pages.Cell{When: pages.WhenOf(status.Key.Until, s.config.Now())}},
		{Name: "You may", Cell: pages.Cell{Chips: may}},
		{Name: "As an API", Cell: pages.Cell{Text: "api/v1/docs", Path: admin.Prefix + "/docs", Under: "Everything that these pages do, for programs."}},
	}})
}
