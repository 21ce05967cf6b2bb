package authserver

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/legible"
	"github.com/postern-mcp/postern/authserver/pages"
	"github.com/postern-mcp/postern/authserver/queue"
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
	return s.pages("").SignUp(w, http.StatusOK, s.signUpShown(r, t, q))
}

// signUpShown is the page for whoever has this ticket, if any, with what they
// typed before.
func (s *Server) signUpShown(r *http.Request, t store.Ticket, typed params) pages.SignUp {
	p := pages.SignUp{Ticket: typed["ticket"], Request: typed["request"], Site: s.site.name(), Account: s.site.url(accountPath), Username: typed["username"], FullName: typed["full_name"], Passkeys: s.party != nil}
	if typed["ticket"] == "" {
		return p
	}
	p.Email, p.InvitedBy, p.Until = t.Email, s.inviter(r, t.CreatedBy), pages.WhenOf(t.ExpiresAt, s.config.Now())
	for _, name := range t.Roles {
		role, _ := s.roles.Find(name)
		p.Roles = append(p.Roles, pages.GivenRole{Name: name, Words: role.Description, Factor: role.Factor})
	}
	return p
}

// inviter is the name of the person who made an invitation, "" when it was the
// operator, a program, or somebody who is gone.
func (s *Server) inviter(r *http.Request, by string) string {
	kind, id, _ := strings.Cut(by, " ")
	if kind != admin.KindPerson {
		return ""
	}
	u, err := s.store.UserByID(r.Context(), id)
	if err != nil {
		return ""
	}
	if u.FullName != "" {
		return u.FullName + " (" + u.Name + ")"
	}
	return u.Name
}

// maySignUp is the invitation, or the zero ticket where none is needed. An
// invitation counts where sign-up is not open too, but in no denied network:
// there it is not used up.
func (s *Server) maySignUp(r *http.Request, secret string) (store.Ticket, error) {
	if err := s.admitNetwork(r); err != nil {
		return store.Ticket{}, err
	}
	if secret != "" {
		return s.ticketOf(r, secret, store.Invitation)
	}
	if s.config.SignUp != SignUpOpen {
		return store.Ticket{}, refuse(SignUpOff)
	}
	return store.Ticket{}, nil
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
	to := pending{Next: s.firstPage(t.Roles)}
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

// firstPage is where somebody with these roles begins: those that count only
// with a second factor, where one is set up.
func (s *Server) firstPage(roles []string) string {
	for _, name := range roles {
		if role, _ := s.roles.Find(name); role.Factor {
			return securityPath + "?" + url.Values{"done": {"joined"}}.Encode()
		}
	}
	return accountPath + "?" + url.Values{"done": {"joined"}}.Encode()
}

func (s *Server) createAccount(r *http.Request, t store.Ticket, form params) (store.User, error) {
	if err := checkChosenName(form["username"]); err != nil {
		return store.User{}, refuseFor(BadName, err)
	}
	giveBack, err := s.limits.signUp.try(s.network(r))
	if err != nil {
		return store.User{}, err
	}
	full := oneLine(form["full_name"])
	hash, err := s.chosenPassword(r.Context(), s.signUpTurn(r, t), form, "", form["username"], full, t.Email)
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
		if !legible.Shows(r) {
			return ' '
		}
		return r
	}, s)), " ")
	runes := []rune(s)
	return string(runes[:min(len(runes), maxFullName)])
}

// chosenPassword is the hash of the password of a form, typed twice the same,
// not soon guessed, and another than the one whose hash is was, "" for none.
// about is what others know of the person.
func (s *Server) chosenPassword(ctx context.Context, by queue.Caller, form params, was string, about ...string) (hash string, err error) {
	password := form["new_password"]
	if password != form["repeat_password"] {
		return "", refuse(PasswordsDiffer)
	}
	if err := s.checkStrength(password, about...); err != nil {
		return "", refuseFor(WeakPassword, err)
	}
	if was != "" {
		same, err := s.passwords.matches(ctx, by, was, password)
		if err != nil {
			return "", err
		}
		if same {
			return "", refuse(SamePassword)
		}
	}
	return s.passwords.hash(ctx, by, password)
}

// signUpFailed shows the form again, with everything but the passwords.
func (s *Server) signUpFailed(w http.ResponseWriter, r *http.Request, t store.Ticket, form params, cause error) error {
	if reasonOf(cause) == BadTicket || answerTo(cause).status >= http.StatusInternalServerError && reasonOf(cause) != Busy {
		return cause
	}
	setRetryAfter(w.Header(), retryAfter(cause))
	p := s.signUpShown(r, t, form)
	p.Problem, p.Field = problemOf(cause), fieldOf(cause)
	return s.pages("").SignUp(w, answerTo(cause).status, p)
}

// problemOf is the sentence about a password that is not good enough, which
// depends on the password, or the public one of the refusal.
func problemOf(err error) string {
	if p, ok := errors.AsType[strength.Problem](err); ok {
		return p.Error()
	}
	return describe(err)
}

// fieldOf is the field of a form that a refusal is about, "" when it is about
// none of them.
func fieldOf(err error) string {
	switch reasonOf(err) {
	case NameTaken, BadName:
		return "username"
	case WrongPassword:
		return "password"
	case WeakPassword, SamePassword:
		return "new_password"
	case PasswordsDiffer:
		return "repeat_password"
	}
	return ""
}
