package authserver

import (
	"net/http"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/pages"
)

// askPerson asks before something serious is done to the person of ?id=.
func (s *Server) askPerson(w http.ResponseWriter, r *http.Request, a administrator, c pages.Confirm) error {
	u, err := s.person(r.Context(), a, r.URL.Query().Get("id"))
	if err != nil {
		return err
	}
	c.At, c.Title = peoplePath, c.Title+" "+u.Name+"?"
	c.Back = pages.Link{Text: u.Name, Path: personAt(u.ID)}
	c.Hidden = append(c.Hidden, pages.Hidden{Name: "id", Value: u.ID})
	return a.frame.Confirm(w, http.StatusOK, c)
}

func (s *Server) askPersonPassword(w http.ResponseWriter, r *http.Request, a administrator) error {
	return s.askPerson(w, r, a, pages.Confirm{Title: "A new password for", Button: "Make a new password", Path: "/admin/user/password",
		Effects: []string{"The password there is now does not work any more.", "They are signed out everywhere.", "You see the new one once, and hand it over.", "Their second steps stay as they are."}})
}

func (s *Server) makePersonPassword(w http.ResponseWriter, r *http.Request, a administrator, form params) error {
	u, err := s.person(r.Context(), a, form["id"])
	if err != nil {
		return err
	}
	made, err := s.Desk().SetPassword(r.Context(), a.Actor, admin.PasswordChange{UserRef: admin.UserRef{ID: u.ID}})
	if err != nil {
		return err
	}
	return a.frame.Secret(w, http.StatusOK, pages.Secret{At: peoplePath, Title: "A new password for " + u.Name, Name: "Password", Value: made.Password,
		Back: pages.Link{Text: u.Name, Path: personAt(u.ID)}})
}

func (s *Server) askPersonFactor(w http.ResponseWriter, r *http.Request, a administrator) error {
	factor := r.URL.Query().Get("factor")
	name, ok := factorNames[factor]
	if !ok {
		return refuse(NoSuchThing)
	}
	return s.askPerson(w, r, a, pages.Confirm{Title: "Remove “" + name + "” of", Button: "Remove", Path: "/admin/user/factor",
		Lead:    "Only for somebody who lost it. Make sure that it is really them who asks: this is what thieves ask for, too.",
		Effects: []string{"It opens nothing any more.", "If it was the last, the password alone lets them in, until they set up another."},
		Hidden:  []pages.Hidden{{Name: "factor", Value: factor}}})
}

func (s *Server) removePersonFactor(w http.ResponseWriter, r *http.Request, a administrator, form params) error {
	if _, ok := factorNames[form["factor"]]; !ok {
		return refuse(NoSuchThing)
	}
	_, err := s.Desk().RemoveFactor(r.Context(), a.Actor, admin.FactorRef{UserRef: admin.UserRef{ID: form["id"]}, Factor: form["factor"]})
	if err != nil {
		return err
	}
	return s.onward(w, personAt(form["id"]), "factor")
}

func (s *Server) askDisable(w http.ResponseWriter, r *http.Request, a administrator) error {
	return s.askPerson(w, r, a, pages.Confirm{Title: "Close the account of", Button: "Close the account", Path: "/admin/user/disable",
		Effects: []string{"They are signed out everywhere, and cannot sign in.", "Every application loses access in their name within seconds.", "Nothing is deleted: you can open the account again. Applications then have to ask again."}})
}

func (s *Server) disablePerson(w http.ResponseWriter, r *http.Request, a administrator, form params) error {
	if form["id"] == a.ID {
		return refuse(OwnAccount)
	}
	return s.switchPerson(w, r, a, form["id"], true, "disabled")
}

func (s *Server) askEnable(w http.ResponseWriter, r *http.Request, a administrator) error {
	return s.askPerson(w, r, a, pages.Confirm{Title: "Open the account again of", Button: "Open the account", Path: "/admin/user/enable",
		Effects: []string{"They can sign in as before.", "Applications have to ask them again."}})
}

func (s *Server) enablePerson(w http.ResponseWriter, r *http.Request, a administrator, form params) error {
	return s.switchPerson(w, r, a, form["id"], false, "enabled")
}

func (s *Server) switchPerson(w http.ResponseWriter, r *http.Request, a administrator, id string, off bool, done string) error {
	_, err := s.Desk().UpdateUser(r.Context(), a.Actor, admin.UserChange{UserRef: admin.UserRef{ID: id}, Disabled: &off})
	if err != nil {
		return err
	}
	return s.onward(w, personAt(id), done)
}

func (s *Server) askDeletePerson(w http.ResponseWriter, r *http.Request, a administrator) error {
	return s.askPerson(w, r, a, pages.Confirm{Title: "Delete the account of", Button: "Delete the account", Path: "/admin/user/delete", Lead: "This cannot be undone.",
		Effects: []string{"They are signed out everywhere, and cannot sign in.", "Every application loses access in their name within seconds.", "Everything this server knows of them is deleted, but for the audit log.", "Somebody new with the same user name is somebody else."}})
}

func (s *Server) deletePerson(w http.ResponseWriter, r *http.Request, a administrator, form params) error {
	if form["id"] == a.ID {
		return refuse(OwnAccount)
	}
	if _, err := s.Desk().DeleteUser(r.Context(), a.Actor, admin.UserRef{ID: form["id"]}); err != nil {
		return err
	}
	return s.onward(w, peoplePath, "deleted")
}
