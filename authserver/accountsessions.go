package authserver

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"slices"
	"time"

	"github.com/postern-mcp/postern/authserver/pages"
	"github.com/postern-mcp/postern/authserver/risk"
	"github.com/postern-mcp/postern/authserver/store"
)

func (s *Server) sessionsPage(w http.ResponseWriter, r *http.Request, v store.Session) error {
	all, err := s.store.Sessions(r.Context(), v.UserID, s.config.Now())
	if err != nil {
		return err
	}
	p := pages.Sessions{Now: s.config.Now(), Notices: doneNotices(r)}
	for _, one := range all {
		shown := shownSession(one, v)
		shown.Proof = s.sessionProof(one)
		p.All = append(p.All, shown)
	}
	f, err := s.frameOf(r.Context(), v)
	if err != nil {
		return err
	}
	return f.Sessions(w, http.StatusOK, p)
}

// shownSession is a session as pages show it to who looks in session v.
func shownSession(one, v store.Session) pages.Session {
	return pages.Session{ID: sessionName(one.Hash), Agent: risk.ReadAgent(one.Agent).String(), Address: one.Address, Methods: one.Methods,
		SignedIn: one.AuthTime, Seen: one.SeenAt, Here: one.Hash == v.Hash}
}

func (s *Server) endOwnSession(w http.ResponseWriter, r *http.Request, v store.Session, form params) error {
	h, ok := sessionHash(form["session"])
	if !ok {
		return refuse(BadForm)
	}
	if h == v.Hash {
		return s.signOut(w, r, v)
	}
	all, err := s.store.Sessions(r.Context(), v.UserID, s.config.Now())
	if err != nil {
		return err
	}
	until := s.provenUntil(form["proof"], v.UserID, h)
	if i := slices.IndexFunc(all, func(one store.Session) bool { return one.Hash == h }); i >= 0 {
		until = all[i].ExpiresAt
	}
	// One that was never theirs, as far as anybody knows, is ended as far as this person sees.
	if !until.IsZero() {
		if err := s.store.EndSession(own(r, v), h, until); err != nil {
			return admitted(err)
		}
		s.audit(r, "session.ended", "subject", v.UserID, "session", sessionName(h))
	}
	return s.onward(w, "/account/sessions", "ended")
}

// sessionProof goes with a session in a form that ends it: it says that it is this
// person's, and until when, also when it is not found in the moment the form comes.
func (s *Server) sessionProof(one store.Session) string {
	until := binary.BigEndian.AppendUint64(nil, uint64(one.ExpiresAt.UnixMilli()))
	return base64.RawURLEncoding.EncodeToString(s.seals.forms.close(until, sessionContext(one.UserID, one.Hash)))
}

// provenUntil is what such a proof says; zero when it is none of this session and person.
func (s *Server) provenUntil(proof, userID string, h store.Hash) time.Time {
	sealed, err := base64.RawURLEncoding.DecodeString(proof)
	if err != nil {
		return time.Time{}
	}
	plain, err := s.seals.forms.open(sealed, sessionContext(userID, h))
	if err != nil || len(plain) != 8 {
		return time.Time{}
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(plain)))
}

func sessionContext(userID string, h store.Hash) string {
	return contextOf(hashOf("session\x00" + userID + "\x00" + sessionName(h)))
}

func (s *Server) signOut(w http.ResponseWriter, r *http.Request, v store.Session) error {
	if err := s.depart(w, r, v); err != nil {
		return err
	}
	return s.pages("").SignedOut(w, http.StatusOK)
}

func (s *Server) askEndOthers(w http.ResponseWriter, r *http.Request, v store.Session) error {
	f, err := s.frameOf(r.Context(), v)
	if err != nil {
		return err
	}
	effects := []string{"You stay signed in here.", "All other browsers have to sign in again.", "What applications may do stays as it is."}
	if len(f.Visitor.May) > 0 {
		effects = append(effects, "Links you made for others, and nobody used, end.")
	}
	return f.Confirm(w, http.StatusOK, pages.Confirm{
		At: "/account/sessions", Title: "Sign out everywhere else?", Effects: effects,
		Button: "Sign out everywhere else", Path: "/account/sessions/end-others", Back: pages.Link{Text: "Signed-in browsers", Path: "/account/sessions"},
	})
}

func (s *Server) endOthers(w http.ResponseWriter, r *http.Request, v store.Session, _ params) error {
	if err := s.endElsewhere(w, r, v); err != nil {
		return err
	}
	return s.onward(w, "/account/sessions", "others")
}

// endElsewhere signs a person out everywhere but here, with all that others may
// have proved, and begun to.
func (s *Server) endElsewhere(w http.ResponseWriter, r *http.Request, v store.Session) error {
	n, err := s.store.EndOthers(own(r, v), v.UserID, v.Hash, s.place(r))
	if err != nil {
		return admitted(err)
	}
	s.audit(r, "session.ended", "subject", v.UserID, "sessions", n)
	return s.rememberAs(w, r, v)
}

// own is a context in which nothing is written once the session of a person has
// ended with all that they proved.
func own(r *http.Request, v store.Session) context.Context {
	return store.On(r.Context(), store.Proof{User: v.UserID, Era: v.Era})
}
