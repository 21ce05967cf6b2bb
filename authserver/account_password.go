package authserver

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/postern-mcp/postern/authserver/pages"
	"github.com/postern-mcp/postern/authserver/store"
)

type passwordStore interface {
	ChangePassword(ctx context.Context, was store.User, passwordHash string, but store.Hash, here store.Place, now time.Time) error
}

const passwordPath = securityPath + "/password"

func (s *Server) passwordPage(w http.ResponseWriter, r *http.Request, v store.Session, _ factors) error {
	user, err := s.store.UserByID(r.Context(), v.UserID)
	if err != nil {
		return err
	}
	frame, err := s.securityFrame(r, v)
	if err != nil {
		return err
	}
	return frame.Password(w, http.StatusOK, pages.Password{Username: user.Name, Old: user.PasswordHash != "", Notices: doneNotices(r)})
}

// changePassword wants the old one, where there is one. All other sessions end,
// and remembered browsers: whoever knew the old password is out.
func (s *Server) changePassword(w http.ResponseWriter, r *http.Request, v store.Session, _ factors, form params) error {
	user, err := s.store.UserByID(r.Context(), v.UserID)
	if err != nil {
		return err
	}
	hash, err := s.exchangePassword(r, v, user, form)
	if err != nil {
		return s.passwordFailed(w, r, v, user, err)
	}
	user.Era = v.Era // of what they proved, not of what was read since
	err = s.store.ChangePassword(r.Context(), user, hash, v.Hash, s.place(r), s.config.Now())
	if errors.Is(err, store.ErrSpent) {
		return refuse(RequestSpent)
	}
	if err != nil {
		return err
	}
	s.audit(r, "password.changed", "subject", v.UserID)
	if err := s.rememberAs(w, r, v); err != nil {
		return err
	}
	if user.PasswordHash == "" {
		return s.secured(w, form, "password-set")
	}
	return s.secured(w, form, "password-changed")
}

func (s *Server) exchangePassword(r *http.Request, v store.Session, user store.User, form params) (hash string, err error) {
	if user.PasswordHash != "" {
		if _, err := s.signIn(r, user.Name, form["password"]); err != nil {
			return "", err
		}
	}
	return s.chosenPassword(r.Context(), ownersTurn(user.Name, sessionName(v.Hash)), form, user.PasswordHash, user.Name, user.FullName, user.Email)
}

func (s *Server) passwordFailed(w http.ResponseWriter, r *http.Request, v store.Session, user store.User, cause error) error {
	if answerTo(cause).status >= http.StatusInternalServerError && reasonOf(cause) != Busy {
		return cause
	}
	setRetryAfter(w.Header(), retryAfter(cause))
	problem := problemOf(cause)
	if reasonOf(cause) == WrongPassword {
		problem = "This is not your password: type the one you sign in with now."
	}
	frame, err := s.securityFrame(r, v)
	if err != nil {
		return err
	}
	return frame.Password(w, answerTo(cause).status, pages.Password{Username: user.Name, Old: user.PasswordHash != "", Problem: problem, Field: fieldOf(cause)})
}
