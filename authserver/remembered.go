package authserver

import (
	"context"
	"net/http"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
)

// trustedCookie says that whoever signs in at this browser is not asked for a
// second factor, until it expires.
const trustedCookie = "trusted"

type browserStore interface {
	RememberBrowser(ctx context.Context, b store.Browser) error
	Browsers(ctx context.Context, user string, now time.Time) ([]store.Browser, error)
	ForgetBrowsers(ctx context.Context, user string, era int64, one store.Hash) error
}

// trusted says whether this person asked to be remembered at this browser. It
// stands in for a second factor where nobody demands one, and proves nothing:
// the sign-in stays what it was.
func (s *Server) trusted(r *http.Request, userID string) (bool, error) {
	id := s.cookie(r, trustedCookie)
	if id == "" || s.config.SecondFactor.Remember == 0 {
		return false, nil
	}
	all, err := s.store.Browsers(r.Context(), userID, s.config.Now())
	if err != nil {
		return false, err
	}
	h := hashOf(id)
	for _, b := range all {
		if b.Hash == h {
			return true, nil
		}
	}
	return false, nil
}

// trust remembers this browser for a person who has just proved a second factor.
func (s *Server) trust(w http.ResponseWriter, r *http.Request, e entry) error {
	id, now := newSecret(""), s.config.Now()
	b := store.Browser{Hash: hashOf(id), UserID: e.UserID, Agent: agentOf(r), CreatedAt: now, ExpiresAt: now.Add(s.config.SecondFactor.Remember), Era: e.Era}
	if err := admitted(s.store.RememberBrowser(r.Context(), b)); err != nil {
		return err
	}
	s.setCookie(w, trustedCookie, id, s.config.SecondFactor.Remember)
	s.audit(r, "browser.remembered", "subject", e.UserID, "until", b.ExpiresAt.UTC().Format(time.RFC3339))
	return nil
}
