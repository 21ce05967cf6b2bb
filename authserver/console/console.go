// Package console is the pages of administration: what people with a role for
// it see under /admin of the authorization server.
//
// Its laws: whatever a page shows or changes goes through the admin.Desk, as
// it does for the API, in the name of whoever is at the page; nobody is at a
// page whom the Door did not let in for that page's scope; what is serious is
// asked first, on a page that says whom it is about and what ends. It reads no
// cookie and no session, and knows nothing of how anything is stored.
package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/pages"
)

// Path is where the pages lie, under the issuer.
const Path = "/admin"

// Administrator is somebody at the pages: who they are and what they may do,
// by the role and the factors they signed in with.
type Administrator struct {
	admin.Actor
	Frame pages.Frame // of the pages they see
}

func (a Administrator) has(scope string) bool { return a.May([]string{scope}) }

// Door says who is at a page. When ok is false they have been answered, such as
// asked to sign in; an error refuses them.
type Door interface {
	// Look is for pages that show, to whoever has the scope.
	Look(w http.ResponseWriter, r *http.Request, scope string) (a Administrator, ok bool, err error)

	// Ask is for pages that ask before a change: of who signed in a while ago
	// it wants another sign-in.
	Ask(w http.ResponseWriter, r *http.Request, scope string) (a Administrator, ok bool, err error)

	// Take is Ask for a form of such a page, which must have been shown to the
	// same person in the same session. Whoever has to sign in for it comes back
	// to next. The form has each field once, and none that is empty.
	Take(w http.ResponseWriter, r *http.Request, scope, next string) (a Administrator, form map[string]string, ok bool, err error)
}

// Server is what the pages say of the server they belong to.
type Server struct {
	Resources []Resource
	Invites   bool          // administrators may make invitations
	KeyAhead  time.Duration // for how long a key is published before it signs
	KeyKept   time.Duration // for how long it stays published afterwards
	File      string        // of the configuration, or ""
	Command   string        // that makes an invitation on the machine, or ""
	Now       func() time.Time
}

// Resource is something that tokens are issued for.
type Resource struct {
	URL    string
	Name   string // "" for none
	Scopes []pages.Scope
}

// Console makes the pages.
type Console struct {
	desk admin.Desk
	door Door
	of   Server
}

// New makes the pages of a server. Refusals of the desk come back as they are.
func New(desk admin.Desk, door Door, of Server) *Console { return &Console{desk, door, of} }

// Page is what lies at a path: nil for a method that it does not take.
type Page struct {
	Get, Post func(w http.ResponseWriter, r *http.Request) error
}

type (
	show func(w http.ResponseWriter, r *http.Request, a Administrator) error
	take func(w http.ResponseWriter, r *http.Request, a Administrator, f form) error
)

// form is what somebody sent.
type form map[string]string

// chosen are the choices of a form: those checked under a name.
func (f form) chosen(name string) []string {
	all := []string{}
	for field := range f {
		if value, ok := strings.CutPrefix(field, name+"."); ok {
			all = append(all, value)
		}
	}
	slices.Sort(all)
	return all
}

// Pages is every page there is, by its path under Path. Whoever looks has
// postern:read; what a form changes needs its own scope, and so does the page
// that asks for it.
func (c *Console) Pages() map[string]Page {
	change := func(scope, next string, ask show, do take) Page {
		return Page{Get: c.asks(scope, ask), Post: c.takes(scope, next, do)}
	}
	do := func(scope, next string, f take) Page { return Page{Post: c.takes(scope, next, f)} }
	look := func(p show) Page { return Page{Get: c.shows(p)} }
	const users, clients, sessions, keys = admin.ScopeUsers, admin.ScopeClients, admin.ScopeSessions, admin.ScopeKeys
	return map[string]Page{
		"":                    look(c.home),
		"/users":              look(c.people),
		"/users/new":          change(users, newPersonPath, c.newPerson, c.createPerson),
		"/user":               look(c.person),
		"/user/edit":          change(users, peoplePath, c.askEdit, c.editPerson),
		"/user/roles":         do(users, peoplePath, c.givePersonRoles),
		"/user/reset":         change(users, peoplePath, c.askResetLink, c.makeResetLink),
		"/user/password":      change(users, peoplePath, c.askPassword, c.makePassword),
		"/user/factor":        change(users, peoplePath, c.askFactor, c.removeFactor),
		"/user/disable":       change(users, peoplePath, c.askDisable, c.disablePerson),
		"/user/enable":        change(users, peoplePath, c.askEnable, c.enablePerson),
		"/user/delete":        change(users, peoplePath, c.askDeletePerson, c.deletePerson),
		"/user/session":       do(sessions, peoplePath, c.endSession),
		"/invitations":        {Get: c.shows(c.invitations), Post: c.takes(users, invitationsPath, c.invite)},
		"/invitations/cancel": do(users, invitationsPath, c.cancelInvitation),
		"/roles":              look(c.roles),
		"/role":               look(c.role),
		"/clients":            look(c.clients),
		"/clients/new":        change(clients, newClientPath, c.newClient, c.createMachine),
		"/client":             look(c.client),
		"/client/roles":       do(clients, clientsPath, c.giveClientRoles),
		"/client/rotate":      change(clients, clientsPath, c.askRotateSecret, c.rotateSecret),
		"/client/delete":      change(clients, clientsPath, c.askDeleteClient, c.deleteClient),
		"/grants":             look(c.grants),
		"/grants/end":         do(sessions, grantsPath, c.endGrant),
		"/keys":               look(c.keys),
		"/keys/rotate":        change(keys, keysPath, c.askRotateKey, c.rotateKey),
		"/keys/revoke":        change(keys, keysPath, c.askRevokeKey, c.revokeKey),
		"/sign-ins":           look(c.signIns),
		"/risk":               {Get: c.shows(c.risk), Post: c.takes(admin.ScopeRead, riskPath, c.explainRisk)},
	}
}

func (c *Console) shows(page show) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		a, ok, err := c.door.Look(w, r, admin.ScopeRead)
		if err != nil || !ok {
			return err
		}
		return page(w, r, a)
	}
}

func (c *Console) asks(scope string, page show) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		a, ok, err := c.door.Ask(w, r, scope)
		if err != nil || !ok {
			return err
		}
		return page(w, r, a)
	}
}

func (c *Console) takes(scope, next string, do take) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		a, sent, ok, err := c.door.Take(w, r, scope, next)
		if err != nil || !ok {
			return err
		}
		return do(w, r, a, sent)
	}
}

// notThere is the answer about what a page names and nobody has.
func notThere() error { return &admin.Error{Reason: admin.NotFound} }

// faultOf is what the desk says of what was typed, if that is what it refuses.
func faultOf(err error) (words string, ok bool) {
	switch admin.ReasonOf(err) {
	case admin.Invalid, admin.Exists, admin.Conflict, admin.BadParameter:
		return err.Error(), true
	}
	return "", false
}

// at is the path of a page with a query of pairs, without those that are empty.
func at(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// place is where in a list a request is.
func place(r *http.Request) admin.Paging { return admin.Paging{After: r.URL.Query().Get("after")} }

// nextPage is the path of the page that follows, "" at the end.
func nextPage(path, next string, pairs ...string) string {
	if next == "" {
		return ""
	}
	return at(path, append(pairs, "after", next)...)
}

// firstPage is the path back to the beginning, "" on it.
func firstPage(r *http.Request, path string, pairs ...string) string {
	if r.URL.Query().Get("after") == "" {
		return ""
	}
	return at(path, pairs...)
}

// onward leads to a page, which then says what was done.
func (a Administrator) onward(w http.ResponseWriter, path, done string) error {
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Location", a.Frame.Base+path+separator+"done="+url.QueryEscape(done))
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// doneWords is all that a page may be told to say: nothing of an address is repeated.
var doneWords = map[string]string{
	"saved":    "Saved.",
	"ended":    "Signed out there.",
	"grant":    "Its access has ended.",
	"deleted":  "Deleted.",
	"disabled": "The account is disabled.",
	"enabled":  "The account is enabled again.",
	"factor":   "Removed.",
	"rotated":  "The next key is published.",
	"revoked":  "The key is revoked. Another one signs now.",
	"canceled": "The invitation is canceled.",
}

func done(r *http.Request) []pages.Notice {
	words, ok := doneWords[r.URL.Query().Get("done")]
	if !ok {
		return nil
	}
	return []pages.Notice{{Tone: pages.Good, Text: words}}
}
