package console

import (
	"context"
	"net/http"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/pages"
	"github.com/postern-mcp/postern/authserver/risk"
)

// mostShown is how many sessions, or grants, the page of one person or client has.
const mostShown = 200

// theirs is the person whom a page or a form names.
func (c *Console) theirs(ctx context.Context, a Administrator, id string) (admin.User, error) {
	return c.desk.User(ctx, a.Actor, admin.UserRef{ID: id})
}

func (c *Console) person(w http.ResponseWriter, r *http.Request, a Administrator) error {
	u, err := c.theirs(r.Context(), a, r.URL.Query().Get("id"))
	if err != nil {
		return err
	}
	p := pages.PersonOf{Now: c.of.Now(), Of: shownPerson(u), Tag: u.Tag(), Change: a.has(admin.ScopeUsers), End: a.has(admin.ScopeSessions), Self: u.ID == a.ID, Notices: done(r)}
	if p.Roles, err = c.roleChoices(r.Context(), a, u.Roles); err != nil {
		return err
	}
	if p.Of.Identities, err = c.waysIn(r.Context(), a, u); err != nil {
		return err
	}
	if err := c.addTraces(r.Context(), a, &p); err != nil {
		return err
	}
	return a.Frame.Person(w, http.StatusOK, p)
}

// waysIn are a person's ways to sign in: a password, and other providers.
func (c *Console) waysIn(ctx context.Context, a Administrator, u admin.User) ([]string, error) {
	var ways []string
	if u.Password {
		ways = append(ways, "password")
	}
	linked, err := c.desk.Identities(ctx, a.Actor, admin.UserRef{ID: u.ID})
	for _, i := range linked.Items {
		ways = append(ways, i.Provider+" "+i.Email)
	}
	return ways, err
}

// addTraces adds where the person is signed in, what they let in, and how they
// signed in last.
func (c *Console) addTraces(ctx context.Context, a Administrator, p *pages.PersonOf) error {
	sessions, err := c.desk.Sessions(ctx, a.Actor, admin.SessionQuery{Paging: admin.Paging{Limit: mostShown}, User: p.Of.ID})
	if err != nil {
		return err
	}
	for _, v := range sessions.Items {
		p.Sessions = append(p.Sessions, pages.Session{ID: v.ID, Agent: risk.ReadAgent(v.Agent).String(), Address: v.Address, Methods: v.Methods, SignedIn: v.AuthTime, Seen: v.SeenAt})
	}
	if p.Grants, err = c.grantsOf(ctx, a, admin.Whose{User: p.Of.ID}); err != nil {
		return err
	}
	latest, err := c.desk.SignIns(ctx, a.Actor, admin.SignInQuery{Paging: admin.Paging{Limit: 10}, User: p.Of.ID})
	for _, v := range latest.Items {
		p.SignIns = append(p.SignIns, shownSignIn(v))
	}
	return err
}

func (c *Console) askEdit(w http.ResponseWriter, r *http.Request, a Administrator) error {
	u, err := c.theirs(r.Context(), a, r.URL.Query().Get("id"))
	if err != nil {
		return err
	}
	return a.Frame.PersonForm(w, http.StatusOK, pages.PersonForm{ID: u.ID, Tag: u.Tag(), Name: u.Name, FullName: u.FullName, Email: u.Email, Verified: u.Verified})
}

func (c *Console) editPerson(w http.ResponseWriter, r *http.Request, a Administrator, f form) error {
	full, email, verified := f["full_name"], f["email"], f["email_verified"] == "yes"
	u, err := c.desk.UpdateUser(r.Context(), a.Actor, admin.UserChange{UserRef: admin.UserRef{ID: f["id"]}, IfMatch: f["tag"], FullName: &full, Email: &email, Verified: &verified})
	if words, ok := faultOf(err); ok {
		was, err := c.theirs(r.Context(), a, f["id"])
		if err != nil {
			return err
		}
		return a.Frame.PersonForm(w, http.StatusUnprocessableEntity, pages.PersonForm{ID: was.ID, Tag: was.Tag(), Name: was.Name, FullName: full, Email: email, Verified: verified, Problem: words})
	}
	if err != nil {
		return err
	}
	return a.onward(w, personAt(u.ID), "saved")
}

func (c *Console) givePersonRoles(w http.ResponseWriter, r *http.Request, a Administrator, f form) error {
	u, err := c.desk.SetUserRoles(r.Context(), a.Actor, admin.UserRoles{UserRef: admin.UserRef{ID: f["id"]}, IfMatch: f["tag"], Roles: f.chosen("role")})
	if err != nil {
		return err
	}
	return a.onward(w, personAt(u.ID), "saved")
}

func (c *Console) endSession(w http.ResponseWriter, r *http.Request, a Administrator, f form) error {
	if _, err := c.desk.EndSession(r.Context(), a.Actor, admin.SessionRef{ID: f["session"]}); err != nil {
		return err
	}
	return a.onward(w, personAt(f["id"]), "ended")
}
