package authserver

import (
	"errors"
	"net/http"

	"github.com/postern-mcp/postern/authserver/pages"
	"github.com/postern-mcp/postern/authserver/store"
)

// resetPage asks whoever has the link for a new password.
func (s *Server) resetPage(w http.ResponseWriter, r *http.Request) error {
	q, err := newParams(r.URL.Query())
	if err != nil {
		return err
	}
	_, user, err := s.resetting(r, q["ticket"])
	if err != nil {
		return err
	}
	return s.pages("").Reset(w, http.StatusOK, pages.Reset{Ticket: q["ticket"], Site: s.site.name(), Username: user.Name})
}

// resetting is whose password a link is for. It is not looked at, nor used up,
// where nobody signs in.
func (s *Server) resetting(r *http.Request, secret string) (store.Ticket, store.User, error) {
	if err := s.admitNetwork(r); err != nil {
		return store.Ticket{}, store.User{}, err
	}
	t, err := s.ticketOf(r, secret, store.PasswordReset)
	if err != nil {
		return store.Ticket{}, store.User{}, err
	}
	u, err := s.store.UserByID(r.Context(), t.UserID)
	if errors.Is(err, store.ErrNotFound) {
		return store.Ticket{}, store.User{}, refuse(BadTicket)
	}
	return t, u, err
}

// reset takes the new password. It signs nobody in: who has a second factor
// still shows it. What was signed in with the old password ends.
func (s *Server) reset(w http.ResponseWriter, r *http.Request) error {
	if err := s.fromHere(r); err != nil {
		return err
	}
	form, err := readForm(w, r)
	if err != nil {
		return err
	}
	t, user, err := s.resetting(r, form["ticket"])
	if err != nil {
		return err
	}
	hash, err := s.chosenPassword(r.Context(), ownersTurn(user.Name, "reset"), form, user.PasswordHash, user.Name, user.FullName, user.Email)
	if err != nil {
		return s.resetFailed(w, form, user, err)
	}
	err = s.store.ResetPassword(r.Context(), t, hash, s.place(r), s.config.Now())
	if errors.Is(err, store.ErrSpent) {
		return refuse(BadTicket)
	}
	if err != nil {
		return err
	}
	s.audit(r, "password.reset", "subject", user.ID, "by", t.CreatedBy)
	// Whoever fails at the name elsewhere does not keep them from what they just chose.
	if err := s.rememberAs(w, r, store.Session{UserID: user.ID, Methods: []string{amrPassword}}); err != nil {
		return err
	}
	to := pending{ID: newSecret(""), Next: accountPath, Expires: s.config.Now().Add(requestLife).Unix()}
	return s.showLogin(w, http.StatusOK, client{}, to, s.browser(w, r), pages.Login{Username: user.Name, Done: "Your new password is set. Sign in with it."})
}

func (s *Server) resetFailed(w http.ResponseWriter, form params, user store.User, cause error) error {
	if answerTo(cause).status >= http.StatusInternalServerError && reasonOf(cause) != Busy {
		return cause
	}
	setRetryAfter(w.Header(), retryAfter(cause))
	return s.pages("").Reset(w, answerTo(cause).status, pages.Reset{Ticket: form["ticket"], Site: s.site.name(), Username: user.Name, Problem: problemOf(cause), Field: fieldOf(cause)})
}
