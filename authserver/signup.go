package authserver

import (
	"errors"
	"net/http"
	"strings"
	"unicode"

	"github.com/postern-mcp/postern/authserver/pages"
	"github.com/postern-mcp/postern/authserver/store"
	"github.com/postern-mcp/postern/authserver/strength"
)

// SignUp says who may create an account.
type SignUp string

const (
	SignUpClosed     SignUp = "closed"     // nobody: operators do
	SignUpInvitation SignUp = "invitation" // who has a link
	SignUpOpen       SignUp = "open"       // everybody
)

func (m SignUp) check() error {
	return demand(m == "" || m == SignUpClosed || m == SignUpInvitation || m == SignUpOpen, "SignUp must be closed, invitation or open")
}

// signUpPage asks for what an account needs.
func (s *Server) signUpPage(w http.ResponseWriter, r *http.Request) error {
	q, err := newParams(r.URL.Query())
	if err != nil {
		return err
	}
	t, err := s.maySignUp(r, q["ticket"])
	if err != nil {
		return err
	}
	s.browser(w, r) // the session that follows belongs to it
	return s.pages("").SignUp(w, http.StatusOK, pages.SignUp{Ticket: q["ticket"], Request: q["request"], Email: t.Email, Roles: t.Roles})
}

// maySignUp is the invitation, or the zero ticket where none is needed. An
// invitation counts everywhere: an operator made it.
func (s *Server) maySignUp(r *http.Request, secret string) (store.Ticket, error) {
	if secret != "" {
		return s.ticketOf(r, secret, store.Invitation)
	}
	if s.config.SignUp != SignUpOpen {
		return store.Ticket{}, refuse(SignUpOff)
	}
	return store.Ticket{}, s.admitNetwork(r)
}

// signUp takes the form, creates the account and signs its person in.
func (s *Server) signUp(w http.ResponseWriter, r *http.Request) error {
	if err := s.fromHere(r); err != nil {
		return err
	}
	form, err := readForm(w, r)
	if err != nil {
		return err
	}
	t, err := s.maySignUp(r, form["ticket"])
	if err != nil {
		return err
	}
	to := pending{Next: accountPath}
	if form["request"] != "" {
		if to, err = s.openRequest(form["request"], s.cookie(r, browserCookie)); err != nil {
			return err
		}
	}
	user, err := s.createAccount(r, t, form)
	if err != nil {
		return s.signUpFailed(w, r, t, form, err)
	}
	s.audit(r, "account.created", "subject", user.ID, "user", user.Name, "invited_by", t.CreatedBy, "roles", t.Roles)
	return s.proven(w, r, s.newEntry(to, user, amrPassword))
}

func (s *Server) createAccount(r *http.Request, t store.Ticket, form params) (store.User, error) {
	if err := checkUsername(form["username"]); err != nil {
		return store.User{}, refuseFor(BadName, err)
	}
	giveBack, err := s.limits.signUp.try(s.network(r))
	if err != nil {
		return store.User{}, err
	}
	full := oneLine(form["full_name"])
	hash, err := s.chosenPassword(r, form, form["username"], full, t.Email)
	if err != nil {
		giveBack()
		return store.User{}, err
	}
	now := s.config.Now()
	u := store.User{ID: newID("user_"), Name: form["username"], PasswordHash: hash, FullName: full, Email: t.Email}
	if t.Purpose == store.Invitation {
		err = s.store.SignUp(r.Context(), t, u, now)
	} else {
		err = s.store.AddUser(r.Context(), u, now)
	}
	switch {
	case errors.Is(err, store.ErrExists):
		return store.User{}, refuse(NameTaken)
	case errors.Is(err, store.ErrSpent):
		return store.User{}, refuse(BadTicket)
	}
	return u, err
}

// oneLine is what somebody calls themselves, as one line of characters that show.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return ' '
		}
		return r
	}, s)), " ")
	runes := []rune(s)
	return string(runes[:min(len(runes), maxFullName)])
}

// chosenPassword is the hash of the password of a form, typed twice the same
// and not soon guessed. about is what others know of the person.
func (s *Server) chosenPassword(r *http.Request, form params, about ...string) (hash string, err error) {
	if form["new_password"] != form["repeat_password"] {
		return "", refuse(PasswordsDiffer)
	}
	hash, err = s.newPassword(r.Context(), form["new_password"], about...)
	if _, weak := errors.AsType[strength.Problem](err); weak {
		return "", refuseFor(WeakPassword, err)
	}
	return hash, err
}

// signUpFailed shows the form again, with everything but the passwords.
func (s *Server) signUpFailed(w http.ResponseWriter, _ *http.Request, t store.Ticket, form params, cause error) error {
	if reasonOf(cause) == BadTicket || answerTo(cause).status >= http.StatusInternalServerError && reasonOf(cause) != Busy {
		return cause
	}
	setRetryAfter(w.Header(), retryAfter(cause))
	return s.pages("").SignUp(w, answerTo(cause).status, pages.SignUp{
		Ticket: form["ticket"], Request: form["request"], Email: t.Email, Roles: t.Roles,
		Username: form["username"], FullName: form["full_name"], Problem: problemOf(cause), Field: fieldOf(cause),
	})
}

// problemOf is the sentence about a password that is not good enough, which
// depends on the password, or the public one of the refusal.
func problemOf(err error) string {
	if p, ok := errors.AsType[strength.Problem](err); ok {
		return p.Error()
	}
	return describe(err)
}

// fieldOf is the field of a form that has to be typed anew.
func fieldOf(err error) string {
	switch reasonOf(err) {
	case NameTaken, BadName:
		return "username"
	case WrongPassword:
		return "password"
	}
	return "new_password"
}
