package authserver

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/http"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
)

const (
	browserCookie = "browser" // which browser: pending requests and forms belong to it
	sessionCookie = "session" // who signed in; new at every sign-in
	sessionLife   = 8 * time.Hour
)

// cookie is the value of one of our cookies, "" when there is none of the
// right form or, against anyone planting a second one, more than one.
func (s *Server) cookie(r *http.Request, name string) string {
	found := r.CookiesNamed(s.site.cookie(name))
	if len(found) != 1 {
		return ""
	}
	if b, err := base64.RawURLEncoding.DecodeString(found[0].Value); err != nil || len(b) != 32 {
		return ""
	}
	return found[0].Value
}

// setCookie sets a cookie; life 0 means until the browser closes, less than 0 removes it.
func (s *Server) setCookie(w http.ResponseWriter, name, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: s.site.cookie(name), Value: value, Path: "/", MaxAge: int(life / time.Second),
		Secure: s.site.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// browser is the id of the browser, given to it now when it has none.
func (s *Server) browser(w http.ResponseWriter, r *http.Request) string {
	if id := s.cookie(r, browserCookie); id != "" {
		return id
	}
	id := newSecret("")
	s.setCookie(w, browserCookie, id, 0)
	return id
}

// session is who is signed in at this browser; ok is false when nobody is.
func (s *Server) session(r *http.Request) (v store.Session, ok bool, err error) {
	id := s.cookie(r, sessionCookie)
	if id == "" {
		return store.Session{}, false, nil
	}
	v, err = s.store.Session(r.Context(), hashOf(id), s.config.Now())
	if errors.Is(err, store.ErrNotFound) {
		return store.Session{}, false, nil
	}
	v.Methods = asClaimed(v.Methods)
	return v, err == nil, err
}

// newSessionCookie is a secret for a session. To this server alone it says that it
// is one of its own, and when its session expires: who signs out can be taken at
// their word when nothing else is known of it.
func (s *Server) newSessionCookie(expires time.Time) string {
	until := binary.BigEndian.AppendUint32(nil, uint32(expires.Unix())+1)
	return base64.RawURLEncoding.EncodeToString(s.seals.sessions.close(until, sessionCookie))
}

// heldUntil is when the session of a cookie has expired, whatever became of it;
// zero of a cookie that this server did not make.
func (s *Server) heldUntil(id string) time.Time {
	sealed, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil {
		return time.Time{}
	}
	plain, err := s.seals.sessions.open(sealed, sessionCookie)
	if err != nil || len(plain) != 4 {
		return time.Time{}
	}
	return time.Unix(int64(binary.BigEndian.Uint32(plain)), 0)
}

// lost says whether this browser has the cookie of a session that may be somewhere
// though it is not found: Redis can bring one back.
func (s *Server) lost(r *http.Request) (until time.Time, is bool) {
	if s.config.ShortLived == nil {
		return time.Time{}, false
	}
	until = s.heldUntil(s.cookie(r, sessionCookie))
	return until, until.After(s.config.Now())
}

// before is the session that this browser has a cookie of; the zero hash of none.
func (s *Server) before(r *http.Request) store.Hash {
	id := s.cookie(r, sessionCookie)
	if id == "" {
		return store.Hash{}
	}
	return hashOf(id)
}

// endSession ends the one of this browser, which expires then at the latest.
func (s *Server) endSession(w http.ResponseWriter, r *http.Request, until time.Time) error {
	if err := s.store.EndSession(r.Context(), s.before(r), until); err != nil {
		return err
	}
	s.setCookie(w, sessionCookie, "", -time.Second)
	return nil
}
