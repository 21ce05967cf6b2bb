package console

import (
	"net/http"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/pages"
)

// askPerson asks before something serious is done to the person of ?id=.
func (c *Console) askPerson(w http.ResponseWriter, r *http.Request, a Administrator, p pages.Confirm) error {
	u, err := c.theirs(r.Context(), a, r.URL.Query().Get("id"))
	if err != nil {
		return err
	}
	p.At, p.Title = peoplePath, p.Title+" "+u.Name+"?"
	p.Back = pages.Link{Text: u.Name, Path: personAt(u.ID)}
	p.Hidden = append(p.Hidden, pages.Hidden{Name: "id", Value: u.ID})
	return a.Frame.Confirm(w, http.StatusOK, p)
}

const beSure = "Make sure that it is really them who asks: this is what thieves ask for, too."

func (c *Console) askPassword(w http.ResponseWriter, r *http.Request, a Administrator) error {
	return c.askPerson(w, r, a, pages.Confirm{Title: "Make a new password for", Lead: beSure, Button: "Make a new password", Path: personPath + "/password",
		Effects: []string{"The password there is now does not work any more.", "They are signed out everywhere, and asked for their second factor again in remembered browsers.", "Links they made for others, and nobody used, end.", "You see the new password once, and hand it over.", "Their second factors stay, and so does what clients may do in their name."}})
}

func (c *Console) makePassword(w http.ResponseWriter, r *http.Request, a Administrator, f form) error {
	u, err := c.theirs(r.Context(), a, f["id"])
	if err != nil {
		return err
	}
	made, err := c.desk.SetPassword(r.Context(), a.Actor, admin.PasswordChange{UserRef: admin.UserRef{ID: u.ID}})
	if err != nil {
		return err
	}
	return a.Frame.Secret(w, http.StatusOK, pages.Secret{At: peoplePath, Title: "A new password for " + u.Name, Name: "Password", Value: made.Password,
		Back: pages.Link{Text: u.Name, Path: personAt(u.ID)}})
}

func (c *Console) askResetLink(w http.ResponseWriter, r *http.Request, a Administrator) error {
	return c.askPerson(w, r, a, pages.Confirm{Title: "Make a link to choose a new password for", Lead: beSure, Button: "Make a link", Path: personPath + "/reset",
		Effects: []string{"You see the link once, and hand it over. This server sends no e-mail.", "Whoever has the link can set the password, once. Links made before end.", "The password there is now works until then. With the new one they are signed out everywhere.", "Their second factors stay."}})
}

func (c *Console) makeResetLink(w http.ResponseWriter, r *http.Request, a Administrator, f form) error {
	u, err := c.theirs(r.Context(), a, f["id"])
	if err != nil {
		return err
	}
	link, err := c.desk.ResetLink(r.Context(), a.Actor, admin.UserRef{ID: u.ID})
	if err != nil {
		return err
	}
	return a.Frame.Secret(w, http.StatusOK, c.linkPage(link, peoplePath, "A link for "+u.Name, pages.Link{Text: u.Name, Path: personAt(u.ID)}))
}

func (c *Console) askFactor(w http.ResponseWriter, r *http.Request, a Administrator) error {
	factor := r.URL.Query().Get("factor")
	name, ok := factorNames[factor]
	if !ok {
		return notThere()
	}
	return c.askPerson(w, r, a, pages.Confirm{Title: "Remove “" + name + "” of", Button: "Remove “" + name + "”", Path: personPath + "/factor",
		Lead:    "Only for somebody who lost it. " + beSure,
		Effects: []string{"It opens nothing any more.", "They are signed out everywhere, and asked for a second factor again in remembered browsers.", "Links they made for others, and nobody used, end.", "If it was the last, their recovery codes end with it, and the password alone lets them in until they set up another."},
		Hidden:  []pages.Hidden{{Name: "factor", Value: factor}}})
}

func (c *Console) removeFactor(w http.ResponseWriter, r *http.Request, a Administrator, f form) error {
	if _, ok := factorNames[f["factor"]]; !ok {
		return notThere()
	}
	_, err := c.desk.RemoveFactor(r.Context(), a.Actor, admin.FactorRef{UserRef: admin.UserRef{ID: f["id"]}, Factor: f["factor"]})
	if err != nil {
		return err
	}
	return a.onward(w, personAt(f["id"]), "factor")
}

func (c *Console) askDisable(w http.ResponseWriter, r *http.Request, a Administrator) error {
	return c.askPerson(w, r, a, pages.Confirm{Title: "Disable the account of", Button: "Disable the account", Path: personPath + "/disable",
		Effects: []string{"They are signed out everywhere, and cannot sign in.", "Links they made for others, and nobody used, end.", "Every client loses access in their name within seconds.", "Nothing is deleted: you can enable the account again. Clients then have to ask them again."}})
}

func (c *Console) disablePerson(w http.ResponseWriter, r *http.Request, a Administrator, f form) error {
	if f["id"] == a.ID {
		return &admin.Error{Reason: admin.OwnAccount}
	}
	return c.setDisabled(w, r, a, f["id"], true, "disabled")
}

func (c *Console) askEnable(w http.ResponseWriter, r *http.Request, a Administrator) error {
	return c.askPerson(w, r, a, pages.Confirm{Title: "Enable the account of", Button: "Enable the account", Path: personPath + "/enable",
		Effects: []string{"They can sign in as before, with the password and second factors they had.", "Clients have to ask them again."}})
}

func (c *Console) enablePerson(w http.ResponseWriter, r *http.Request, a Administrator, f form) error {
	return c.setDisabled(w, r, a, f["id"], false, "enabled")
}

func (c *Console) setDisabled(w http.ResponseWriter, r *http.Request, a Administrator, id string, disabled bool, done string) error {
	_, err := c.desk.UpdateUser(r.Context(), a.Actor, admin.UserChange{UserRef: admin.UserRef{ID: id}, Disabled: &disabled})
	if err != nil {
		return err
	}
	return a.onward(w, personAt(id), done)
}

func (c *Console) askDeletePerson(w http.ResponseWriter, r *http.Request, a Administrator) error {
	return c.askPerson(w, r, a, pages.Confirm{Title: "Delete the account of", Button: "Delete the account", Path: personPath + "/delete", Lead: "This cannot be undone.",
		Effects: []string{"They are signed out everywhere, and cannot sign in.", "Links they made for others, and nobody used, end.", "Every client loses access in their name within seconds.", "Everything this server knows of them is deleted, but for the audit log.", "Somebody new with the same user name is somebody else."}})
}

func (c *Console) deletePerson(w http.ResponseWriter, r *http.Request, a Administrator, f form) error {
	if f["id"] == a.ID {
		return &admin.Error{Reason: admin.OwnAccount}
	}
	if _, err := c.desk.DeleteUser(r.Context(), a.Actor, admin.UserRef{ID: f["id"]}); err != nil {
		return err
	}
	return a.onward(w, peoplePath, "deleted")
}
