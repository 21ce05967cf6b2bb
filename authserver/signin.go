package authserver

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/postern-mcp/postern/authserver/pages"
	"github.com/postern-mcp/postern/authserver/store"
)

const entryLife = 10 * time.Minute

// entry is a sign-in that is not finished: who it is, what they have proved,
// and where they are going. It travels sealed in the forms, bound to the browser.
type entry struct {
	To       pending  `json:"to"`
	UserID   string   `json:"user_id"`
	UserName string   `json:"user_name"`
	Methods  []string `json:"methods"`           // what was proved, as amr values
	At       int64    `json:"at"`                // when the first of it was, in milliseconds
	Why      []string `json:"why,omitempty"`     // reasons for which more is asked
	Held     bool     `json:"held,omitzero"`     // it is a session that is not enough, not a new sign-in
	Recovery bool     `json:"recovery,omitzero"` // the code was one of recovery
	Session  string   `json:"session,omitzero"`  // which, then
	Era      int64    `json:"era,omitzero"`      // of the person, in which it was proved
	Judged   judged   `json:"judged,omitzero"`
	Vouched  vouched  `json:"vouched,omitzero"`
	Expires  int64    `json:"expires"`
}

// recordedRecovery stands in records of sign-ins, and sessions, for a code of recovery, which
// has no word of its own in RFC 8176: tokens say amrCode.
const recordedRecovery = "recovery"

// with is the entry after more was proved.
func (e entry) with(methods []string) entry {
	e.Recovery, methods = e.Recovery || slices.Contains(methods, recordedRecovery), asClaimed(methods)
	e.Methods = addMethods(e.Methods, methods...)
	return e
}

// recorded is what was proved, as the record of the sign-in says it.
func (e entry) recorded() []string {
	i := slices.Index(e.Methods, amrCode)
	if !e.Recovery || i < 0 {
		return e.Methods
	}
	return slices.Replace(slices.Clone(e.Methods), i, i+1, recordedRecovery)
}

// asClaimed is what was proved as tokens say it: as RFC 8176 has words for.
func asClaimed(recorded []string) []string {
	i := slices.Index(recorded, recordedRecovery)
	if i < 0 {
		return recorded
	}
	return slices.Replace(slices.Clone(recorded), i, i+1, amrCode)
}

type userByID interface {
	UserByID(ctx context.Context, id string) (store.User, error)
}

// newEntry is the sign-in of somebody who has proved in one way who they are.
func (s *Server) newEntry(to pending, u store.User, methods ...string) entry {
	now := s.config.Now()
	return entry{To: to, UserID: u.ID, UserName: u.Name, Methods: addMethods(nil, methods...), At: now.UnixMilli(),
		Era: u.Era, Expires: now.Add(entryLife).Unix()}
}

// entryOf goes on with a session, which is not enough for where the person is going.
func (s *Server) entryOf(to pending, v store.Session) entry {
	return entry{To: to, UserID: v.UserID, UserName: v.UserName, Methods: v.Methods, At: v.AuthTime.UnixMilli(), Held: true, Session: sessionName(v.Hash), Era: v.Era,
		Expires: s.config.Now().Add(entryLife).Unix()}
}

func (s *Server) sealEntry(e entry, browser string) (string, error) {
	return sealPending(s.seals.entries, e, contextOf(hashOf(browser)))
}

func (s *Server) openEntry(sealed, browser string) (entry, error) {
	e, err := openSealed[entry](s.seals.entries, sealed, browser, contextOf(hashOf(browser)))
	if err != nil {
		return entry{}, err
	}
	if s.config.Now().Unix() >= e.Expires {
		return entry{}, refuse(BadRequestState)
	}
	return e, nil
}

// stands refuses a sign-in that was begun before everything of the person ended,
// or from a session that has: a new password and signing out end what is half
// done. Admit looks once more, and has the last word.
func (s *Server) stands(r *http.Request, e entry) error {
	if e.Held {
		v, ok, err := s.session(r)
		if err != nil {
			return err
		}
		if !ok || sessionName(v.Hash) != e.Session {
			return refuse(BadRequestState)
		}
		return nil
	}
	user, err := s.store.UserByID(r.Context(), e.UserID)
	if errors.Is(err, store.ErrNotFound) {
		return refuse(BadRequestState)
	}
	if err != nil {
		return err
	}
	if user.Era != e.Era {
		return refuse(BadRequestState)
	}
	return nil
}

// proven is where every way of signing in leads to: it asks for more, or lets
// the person in.
func (s *Server) proven(w http.ResponseWriter, r *http.Request, e entry) error {
	user, err := s.entering(r.Context(), e)
	if err != nil {
		return err
	}
	if !user.DisabledAt.IsZero() {
		s.audit(r, "login.failed", "subject", user.ID, "reason", string(AccountOff))
		if slices.Equal(e.Methods, []string{amrPassword}) {
			return refuse(SignInRefused) // whoever guessed a password is not told that it is right
		}
		return refuse(AccountOff)
	}
	if e, err = s.weigh(r, e, user); err != nil {
		return err
	}
	if asked, err := s.askSecond(w, r, e, user); asked || err != nil {
		return err
	}
	return s.letIn(w, r, e, user)
}

// entering is who signs in: of a newcomer, what their account will be.
func (s *Server) entering(ctx context.Context, e entry) (store.User, error) {
	if e.Vouched.Newcomer != nil {
		return e.Vouched.account(e.UserID), nil
	}
	user, err := s.store.UserByID(ctx, e.UserID)
	if errors.Is(err, store.ErrNotFound) {
		return store.User{}, refuse(WrongPassword)
	}
	return user, err
}

// wanted is what the request demands, and a second factor when there is a reason.
func (e entry) wanted() level {
	if len(e.Why) > 0 && !e.To.Level.meets(levelMulti) {
		return levelMulti
	}
	return e.To.Level
}

// unmet: nothing the person has makes the sign-in as strong as is wanted.
func (s *Server) unmet(w http.ResponseWriter, r *http.Request, e entry) error {
	if e.To.Client == "" || e.To.Device != "" {
		return refuse(UnmetLevel)
	}
	to, err := s.revisit(r, e.To)
	if err != nil {
		return err
	}
	return s.sendError(w, r, to, refuse(UnmetLevel))
}

// letIn starts a session, under a new id, and takes the person on to where
// they were going.
func (s *Server) letIn(w http.ResponseWriter, r *http.Request, e entry, user store.User) error {
	now := s.config.Now()
	id := s.newSessionCookie(now.Add(sessionLife))
	v := store.Session{
		Hash: hashOf(id), UserID: user.ID, Methods: e.recorded(), AuthTime: time.UnixMilli(e.At), CreatedAt: now, SeenAt: now,
		ExpiresAt: now.Add(sessionLife), Address: s.address(r), Agent: agentOf(r), Era: e.Era,
	}
	user, err := s.admit(r, e, user, v)
	if err != nil {
		return err
	}
	s.setCookie(w, sessionCookie, id, sessionLife)
	if err := s.remember(w, r, user, e.Methods); err != nil {
		return err
	}
	s.audit(r, "login.ok", "user", user.Name, "subject", user.ID, "amr", e.Methods)
	to, err := s.wayOn(r, e)
	if err != nil {
		return err
	}
	return s.goOn(w, to, s.cookie(r, browserCookie))
}

// admit makes everything count that a sign-in brings, in one step. Until then
// nothing of it has: no session, no account of a newcomer, no role or link of a
// provider, no known browser. It gives the person as they are then.
func (s *Server) admit(r *http.Request, e entry, user store.User, v store.Session) (store.User, error) {
	record, err := s.signedIn(r, e)
	if err != nil {
		return store.User{}, err
	}
	a := store.Admission{Session: v, Before: s.before(r), Held: e.Held, SignIn: record}
	if p := s.providers.named(e.Vouched.Provider); p != nil {
		return s.admitVouched(r, p, a, e.Vouched, user)
	}
	return user, admitted(s.store.Admit(r.Context(), a, v.CreatedAt, s.wider))
}

// admitted is what a refusal of Admit is here.
func admitted(err error) error {
	switch {
	case errors.Is(err, store.ErrSpent), errors.Is(err, store.ErrNotFound):
		return refuse(BadRequestState)
	case errors.Is(err, store.ErrExists):
		return refuse(IdentityTaken)
	}
	return err
}

const maxAgent = 300

// agentOf is what the browser says it is, cut short.
func agentOf(r *http.Request) string {
	agent := []rune(r.UserAgent())
	return string(agent[:min(len(agent), maxAgent)])
}

// visit is what a page of ours wants of a sign-in.
type visit struct {
	next  string        // where to come back to: a path of ours with its query
	level level         // "": any
	age   time.Duration // 0: any; a session lasts sessionLife
}

// visitor is who looks at a page of ours. ok is false when nobody is, or not
// well enough: then they have been asked, and are on their way back to next.
func (s *Server) visitor(w http.ResponseWriter, r *http.Request, d visit) (v store.Session, ok bool, err error) {
	now := s.config.Now()
	to := pending{ID: newSecret(""), Next: d.next, Level: d.level, Expires: now.Add(requestLife).Unix()}
	if d.age > 0 {
		to.SignedIn = now.Add(-d.age).UnixMilli()
	}
	v, ok, err = s.session(r)
	if err != nil {
		return store.Session{}, false, err
	}
	if ok {
		if err := s.admitNetwork(r); err != nil {
			return store.Session{}, false, err
		}
	}
	if !ok || cameIn(v).Before(to.since()) {
		browser := s.browser(w, r)
		return store.Session{}, false, s.showLogin(w, http.StatusOK, client{}, to, browser, pages.Login{Username: v.UserName, Again: v.UserName != "", Ended: s.ended(r, v)})
	}
	if !levelOf(v.Methods).meets(d.level) {
		return store.Session{}, false, s.proven(w, r, s.entryOf(to, v))
	}
	return v, true, s.see(r.Context(), v)
}

// cameIn is when somebody signed in, for pages of ours: where nobody says when
// they proved who they are, when they came.
func cameIn(v store.Session) time.Time {
	if v.AuthTime.IsZero() {
		return v.CreatedAt
	}
	return v.AuthTime
}

const seenEvery = time.Minute

// see notes now and then that a session is used.
func (s *Server) see(ctx context.Context, v store.Session) error {
	if s.config.Now().Sub(v.SeenAt) < seenEvery {
		return nil
	}
	return s.store.SeeSession(ctx, v.Hash, s.config.Now())
}
