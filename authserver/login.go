package authserver

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/postern-mcp/postern/authserver/console"
	"github.com/postern-mcp/postern/authserver/pages"
	"github.com/postern-mcp/postern/authserver/queue"
	"github.com/postern-mcp/postern/authserver/store"
)

// login takes the sign-in form.
func (s *Server) login(w http.ResponseWriter, r *http.Request) error {
	if err := s.fromHere(r); err != nil {
		return err
	}
	form, err := readForm(w, r)
	if err != nil {
		return err
	}
	browser := s.cookie(r, browserCookie)
	p, err := s.openRequest(form["request"], browser)
	if err != nil {
		return err
	}
	if form["other"] != "" {
		return s.switchUser(w, r, p, browser)
	}
	user, err := s.signIn(r, form["username"], form["password"])
	if err != nil {
		return s.loginFailed(w, r, p, browser, form["username"], err)
	}
	err = s.proven(w, r, s.newEntry(p, user, amrPassword))
	if reasonOf(err) != SignInRefused {
		return err
	}
	// It looks as after a wrong password, and costs the same.
	_, _ = s.mayGuess(r, user.Name, s.known(r, user.Name))
	return s.loginFailed(w, r, p, browser, user.Name, err)
}

// fromHere refuses forms that another site made the browser send.
func (s *Server) fromHere(r *http.Request) error {
	var guard http.CrossOriginProtection
	if err := guard.AddTrustedOrigin(s.site.origin); err != nil {
		return err
	}
	if err := guard.Check(r); err != nil {
		return refuseFor(CrossSite, err)
	}
	return nil
}

// signIn checks name and password. The name is paid for whether or not it
// exists, and the work is the same. A try and a sign-in are paid for before;
// what it was not is given back, but for the try of who left while they waited:
// their place was nobody else's.
func (s *Server) signIn(r *http.Request, name, password string) (store.User, error) {
	if err := s.admitNetwork(r); err != nil {
		return store.User{}, err
	}
	if len(name) > maxUsername || len(password) > maxPassword {
		return store.User{}, refuse(WrongPassword)
	}
	own := s.known(r, name)
	giveTry, err := s.mayGuess(r, name, own)
	if err != nil {
		return store.User{}, err
	}
	giveSignIn, err := s.maySignIn(r, name, own)
	if err != nil {
		giveTry()
		return store.User{}, err
	}
	user, err := s.checkPassword(r.Context(), s.signInTurn(r, name, own), name, password)
	if reasonOf(err) != WrongPassword && !errors.Is(err, context.Canceled) {
		giveTry()
	}
	if err != nil {
		giveSignIn()
	}
	return user, err
}

func (s *Server) checkPassword(ctx context.Context, by queue.Caller, name, password string) (store.User, error) {
	user, err := s.store.User(ctx, name)
	known := err == nil && user.PasswordHash != ""
	if err == nil && !known || errors.Is(err, store.ErrNotFound) {
		user, err = store.User{PasswordHash: s.passwords.decoy}, nil
	}
	if err != nil {
		return store.User{}, err
	}
	ok, err := s.passwords.matches(ctx, by, user.PasswordHash, password)
	if err != nil {
		return store.User{}, err
	}
	if !ok || !known {
		return store.User{}, refuse(WrongPassword)
	}
	return user, nil
}

// loginFailed shows the form again with what went wrong, so that nothing but
// the password has to be typed again.
func (s *Server) loginFailed(w http.ResponseWriter, r *http.Request, p pending, browser, name string, cause error) error {
	if answerTo(cause).status >= http.StatusInternalServerError && reasonOf(cause) != Busy {
		return cause
	}
	s.noteFailure(r, name, p, cause)
	s.audit(r, "login.failed", "subject", s.subjectOf(r.Context(), name), "reason", string(reasonOf(cause)))
	setRetryAfter(w.Header(), retryAfter(cause))
	c, err := s.clientOf(r, p)
	if err != nil {
		return err
	}
	page := s.nameTried(r, name)
	page.Problem = describe(cause)
	return s.showLogin(w, answerTo(cause).status, c, p, browser, page)
}

// nameTried is a sign-in page with the name as it was typed, "" by a passkey;
// or as that of who is signed in here, and had to prove it once more.
func (s *Server) nameTried(r *http.Request, name string) pages.Login {
	v, ok, err := s.session(r)
	if err == nil && ok && (name == "" || store.Folded(name) == store.Folded(v.UserName)) {
		return pages.Login{Username: v.UserName, Again: true}
	}
	return pages.Login{Username: name}
}

// subjectOf is who a name belongs to, "" when nobody's: what people type into
// the wrong field does not go into the log.
func (s *Server) subjectOf(ctx context.Context, name string) string {
	u, err := s.store.User(ctx, name)
	if err != nil {
		return ""
	}
	return u.ID
}

func (s *Server) showLogin(w http.ResponseWriter, status int, c client, p pending, browser string, page pages.Login) error {
	sealed, err := s.sealRequest(p, browser)
	if err != nil {
		return err
	}
	page.Request, page.Ways, page.SignUp = sealed, s.providers.buttons(page.Without), s.config.SignUp == SignUpOpen
	if page.Passkey, err = s.askAnyPasskey(browser); err != nil {
		return err
	}
	page.Administration = strings.HasPrefix(p.Next, console.Path)
	if p.Next == "" {
		page.Asker, page.Resource, page.Knows = c.asker(s.site.name(), p.Redirect), s.resourceName(p.Resource), s.catalogue.byURL[p.Resource].identifies(p)
	}
	return s.pages(p.Redirect).Login(w, status, page)
}

// ended: this browser has the cookie of a session, and there is none. Where it
// came to its end by itself the browser has dropped the cookie.
func (s *Server) ended(r *http.Request, v store.Session) bool {
	return v.UserID == "" && s.cookie(r, sessionCookie) != ""
}

// clientOf is whose request it is: nobody's, where the person goes to a page of ours.
func (s *Server) clientOf(r *http.Request, p pending) (client, error) {
	if p.Next != "" {
		return client{}, nil
	}
	return s.client(r, p.Client)
}

// goOn takes a person who has signed in further, by GET, so that the page can
// be reloaded.
func (s *Server) goOn(w http.ResponseWriter, p pending, browser string) error {
	if p.Next != "" {
		seeOther(w, s.site.local(p.Next))
		return nil
	}
	sealed, err := s.sealRequest(p, browser)
	if err != nil {
		return err
	}
	seeOther(w, s.site.local("/consent?")+url.Values{"request": {sealed}}.Encode())
	return nil
}
