package console

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/pages"
)

const (
	peoplePath    = Path + "/users"
	newPersonPath = peoplePath + "/new"
	personPath    = Path + "/user"
)

func personAt(id string) string { return at(personPath, "id", id) }

func (c *Console) people(w http.ResponseWriter, r *http.Request, a Administrator) error {
	q := r.URL.Query().Get("q")
	found, err := c.desk.Users(r.Context(), a.Actor, admin.UserQuery{Paging: place(r), Search: q})
	if err != nil {
		return err
	}
	p := pages.People{Now: c.of.Now(), Query: q, Create: a.has(admin.ScopeUsers), Notices: done(r),
		First: firstPage(r, peoplePath, "q", q), Next: nextPage(peoplePath, found.Next, "q", q)}
	for _, u := range found.Items {
		p.All = append(p.All, shownPerson(u))
	}
	return a.Frame.People(w, http.StatusOK, p)
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

var factorNames = map[string]string{"totp": "Authenticator app", "recovery_codes": "Recovery codes", "passkey": "Passkeys"}

// named is the id of the person with a user name, "" when there is none.
func (c *Console) named(r *http.Request, a Administrator, name string) (id string, err error) {
	if name == "" {
		return "", nil
	}
	found, err := c.desk.Users(r.Context(), a.Actor, admin.UserQuery{Name: name})
	if err != nil || len(found.Items) == 0 {
		return "", err
	}
	return found.Items[0].ID, nil
}

// roleChoices are the roles there are; nobody gives or takes those that
// everybody has, or a provider gave.
func (c *Console) roleChoices(ctx context.Context, a Administrator, held []admin.HeldRole) ([]pages.RoleChoice, error) {
	there, err := c.desk.Roles(ctx, a.Actor, admin.None{})
	if err != nil {
		return nil, err
	}
	by := map[string]string{}
	for _, h := range held {
		if by[h.Role] != assigned {
			by[h.Role] = h.Source
		}
	}
	var all []pages.RoleChoice
	for _, role := range there.Items {
		choice := pages.RoleChoice{Name: role.Name, Description: role.Description, Factor: role.Factor, Has: by[role.Name] != "",
			Administers: slices.ContainsFunc(role.Scopes, func(s string) bool { return strings.HasPrefix(s, administering) })}
		switch {
		case role.Everyone:
			choice.Fixed = "everybody has it"
		case choice.Has && by[role.Name] != assigned:
			choice.Fixed = "given by the provider " + by[role.Name]
		}
		all = append(all, choice)
	}
	return all, nil
}

// administering begins the names of the scopes of the administration.
const administering = "postern:"

// assigned is the source of a role that an administrator gave.
const assigned = "assigned"

// freeRoles are the roles that somebody new can be given, with those chosen of
// what was sent before.
func (c *Console) freeRoles(ctx context.Context, a Administrator, sent form) ([]pages.RoleChoice, error) {
	all, err := c.roleChoices(ctx, a, nil)
	var free []pages.RoleChoice
	for _, choice := range all {
		if choice.Fixed == "" {
			choice.Has = sent["role."+choice.Name] != ""
			free = append(free, choice)
		}
	}
	return free, err
}

func (c *Console) newPerson(w http.ResponseWriter, r *http.Request, a Administrator) error {
	roles, err := c.freeRoles(r.Context(), a, nil)
	if err != nil {
		return err
	}
	return a.Frame.PersonForm(w, http.StatusOK, pages.PersonForm{Roles: roles})
}

func (c *Console) createPerson(w http.ResponseWriter, r *http.Request, a Administrator, f form) error {
	n := admin.NewUser{Name: f["name"], FullName: f["full_name"], Email: f["email"], Verified: f["email_verified"] == "yes", Roles: f.chosen("role")}
	made, err := c.desk.CreateUser(r.Context(), a.Actor, n)
	if words, ok := faultOf(err); ok {
		return c.newPersonAgain(w, r, a, f, words)
	}
	if err != nil {
		return err
	}
	return a.Frame.Secret(w, http.StatusOK, pages.Secret{
		At: peoplePath, Title: n.Name + " can sign in now", Name: "Password", Value: made.Password,
		Facts: []pages.Fact{{Name: "User name", Cell: pages.Cell{Text: n.Name}}}, Back: pages.Link{Text: n.Name, Path: personAt(made.User.ID)},
	})
}

// newPersonAgain shows the form with what was typed, and what is wrong with it.
func (c *Console) newPersonAgain(w http.ResponseWriter, r *http.Request, a Administrator, f form, problem string) error {
	roles, err := c.freeRoles(r.Context(), a, f)
	if err != nil {
		return err
	}
	return a.Frame.PersonForm(w, http.StatusUnprocessableEntity, pages.PersonForm{
		Name: f["name"], FullName: f["full_name"], Email: f["email"], Verified: f["email_verified"] == "yes", Roles: roles, Problem: problem})
}
