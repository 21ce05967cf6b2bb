package authserver

import (
	"net/http"
	"slices"
	"time"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/console"
	"github.com/postern-mcp/postern/authserver/store"
)

const freshFor = 30 * time.Minute // a sign-in that is good enough to change something

// console makes the pages of administration.
func (s *Server) console() *console.Console {
	of := console.Server{Invites: s.config.SignUp != "" && s.config.SignUp != SignUpClosed, KeyAhead: s.config.Keys.PublishBefore, KeyKept: keptSigned, Now: s.config.Now,
		File: s.config.File, Command: s.config.Command}
	for _, r := range append(slices.Clone(s.catalogue.list), s.catalogue.admin) {
		of.Resources = append(of.Resources, console.Resource{URL: r.URL, Name: r.Name, Scopes: r.lines(r.names())})
	}
	return console.New(s.Desk(), door{s}, of)
}

// consoleRoutes are its paths.
func (s *Server) consoleRoutes() map[string]route {
	table := map[string]route{}
	for path, p := range s.console().Pages() {
		table[s.site.local(console.Path+path)] = route{get: atDesk(p.Get), post: atDesk(p.Post), page: true}
	}
	return table
}

// deskReasons are this server's words for what the desk refuses.
var deskReasons = map[admin.Reason]Reason{
	admin.NotFound: NoSuchThing, admin.BeyondYou: BeyondYou, admin.OwnAccount: OwnAccount, admin.Changed: ChangedMeanwhile, admin.Unavailable: Busy,
}

// atDesk makes of the desk's refusals those of a page.
func atDesk(h handle) handle {
	if h == nil {
		return nil
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		err := h(w, r)
		reason := admin.ReasonOf(err)
		if reason == "" {
			return err
		}
		if ours, ok := deskReasons[reason]; ok {
			return refuseFor(ours, err)
		}
		return refuseFor(DeskRefused, err)
	}
}

// door lets people to the pages of administration whose roles allow it, with
// two factors.
type door struct{ s *Server }

// Look asks for no more than two factors.
func (d door) Look(w http.ResponseWriter, r *http.Request, scope string) (console.Administrator, bool, error) {
	a, _, ok, err := d.enter(w, r, visit{next: d.s.here(r), level: levelMulti}, scope)
	return a, ok, err
}

// Ask wants them shown within freshFor.
func (d door) Ask(w http.ResponseWriter, r *http.Request, scope string) (console.Administrator, bool, error) {
	a, _, ok, err := d.enter(w, r, visit{next: d.s.here(r), level: levelMulti, age: freshFor}, scope)
	return a, ok, err
}

// Take wants the token of the session in the form, as every form of ours.
func (d door) Take(w http.ResponseWriter, r *http.Request, scope, next string) (console.Administrator, map[string]string, bool, error) {
	if err := d.s.fromHere(r); err != nil {
		return console.Administrator{}, nil, false, err
	}
	form, err := readForm(w, r)
	if err != nil {
		return console.Administrator{}, nil, false, err
	}
	a, v, ok, err := d.enter(w, r, visit{next: next, level: levelMulti, age: freshFor}, scope)
	if err != nil || !ok {
		return console.Administrator{}, nil, false, err
	}
	if err := d.s.checkFormToken(form["token"], v); err != nil {
		return console.Administrator{}, nil, false, err
	}
	return a, form, true, nil
}

// enter says no at once to somebody whom no second factor would help.
func (d door) enter(w http.ResponseWriter, r *http.Request, as visit, scope string) (a console.Administrator, v store.Session, ok bool, err error) {
	v, ok, err = d.s.visitor(w, r, visit{next: as.next})
	if err != nil || !ok {
		return console.Administrator{}, store.Session{}, false, err
	}
	held, err := d.s.rolesNow(r.Context(), v.UserID)
	if err != nil {
		return console.Administrator{}, store.Session{}, false, err
	}
	powers := desk{d.s}.powers(held)
	if !slices.Contains(powers, admin.ScopeRead) || !slices.Contains(powers, scope) {
		return console.Administrator{}, store.Session{}, false, refuse(NotAdministrator)
	}
	if v, ok, err = d.s.visitor(w, r, as); err != nil || !ok {
		return console.Administrator{}, store.Session{}, false, err
	}
	a.Actor = admin.Actor{Kind: admin.KindPerson, ID: v.UserID, Address: d.s.address(r), Scopes: powers, Era: v.Era}
	a.Frame, err = d.s.frameOf(r.Context(), v)
	return a, v, err == nil, err
}
