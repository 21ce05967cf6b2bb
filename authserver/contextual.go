package authserver

import (
	"context"
	"encoding/hex"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/postern-mcp/postern/authserver/risk"
	"github.com/postern-mcp/postern/authserver/store"
)

// signInStore keeps what sign-ins are judged by.
type signInStore interface {
	RecordSignIn(ctx context.Context, v store.SignIn) (number int64, err error)
	SignInHistory(ctx context.Context, user string, limit int, since time.Time) (store.SignInHistory, error)
	SweepSignIns(ctx context.Context, signIns, contexts time.Time, batch int) (more bool, err error)
}

// signInsShown is what people are shown of their own sign-ins.
type signInsShown interface {
	UnseenSignIns(ctx context.Context, user string, limit int) ([]store.SignIn, error)
	SeeSignIns(ctx context.Context, user string, upTo, now time.Time) error
}

// judged is what an entry carries of its judgement.
type judged struct {
	Reasons []string `json:"reasons,omitempty"`
	Number  int64    `json:"number,omitzero"` // of the recorded attempt that waits for its end
}

const signInFailed = "failed" // the outcome where nothing was proven

// admitNetwork refuses whoever is in a denied network. Every way of signing in
// begins with it: nobody learns there that a password is right.
func (s *Server) admitNetwork(r *http.Request) error {
	if s.config.SignIn.Denies(s.caller(r)) {
		return refuse(NetworkDenied)
	}
	return nil
}

func (s *Server) caller(r *http.Request) netip.Addr {
	return proxies(s.config.TrustedProxies).caller(r)
}

// weigh judges a sign-in by those before it. It refuses, or leaves in e.Why
// what a second factor is asked for, when none was shown.
func (s *Server) weigh(r *http.Request, e entry, user store.User) (entry, error) {
	if err := s.admitNetwork(r); err != nil {
		return entry{}, err
	}
	if e.Held {
		return e, nil
	}
	v, err := s.judge(r, user)
	if err != nil {
		return entry{}, err
	}
	e.Judged.Reasons, e.Why = reasonsOf(v), nil
	s.audit(r, "login.judged", "subject", user.ID, "outcome", string(v.Outcome), "score", v.Score, "reasons", e.Judged.Reasons,
		"network", v.Network, "agent", v.Agent, "amr", e.Methods)
	if v.Outcome == risk.Refuse {
		return entry{}, s.refuseSignIn(r, e)
	}
	if v.Outcome == risk.StepUp && !levelOf(e.Methods).meets(levelMulti) {
		e.Why = e.Judged.Reasons
	}
	return e, nil
}

// recordAsked notes, before the first question for a second factor, that
// somebody has come so far: whoever knows the password alone comes no farther.
func (s *Server) recordAsked(r *http.Request, e entry) (entry, error) {
	if e.Held || e.Judged.Number != 0 {
		return e, nil
	}
	number, err := s.store.RecordSignIn(r.Context(), s.provenSignIn(r, e, string(risk.StepUp)))
	e.Judged.Number = number
	return e, err
}

// refuseSignIn tells whoever has shown a password and nothing else no more than
// that it may be wrong.
func (s *Server) refuseSignIn(r *http.Request, e entry) error {
	if err := s.recordBeside(r.Context(), s.provenSignIn(r, e, string(risk.Refuse))); err != nil {
		return err
	}
	if slices.Equal(e.Methods, []string{amrPassword}) {
		return refuse(SignInRefused)
	}
	return refuse(UnusualSignIn)
}

// judge says what becomes of a sign-in of this person.
func (s *Server) judge(r *http.Request, user store.User) (risk.Verdict, error) {
	a := risk.Attempt{At: s.config.Now(), Address: s.caller(r), Agent: risk.ReadAgent(r.UserAgent()), Browser: s.knownBrowser(r, user.Name)}
	h, err := s.history(r.Context(), user.ID, a.At)
	if err != nil {
		return risk.Verdict{}, err
	}
	return risk.Judge(s.config.SignIn, a, h), nil
}

// knownBrowser names this browser in records, "" when the person never signed in at it.
func (s *Server) knownBrowser(r *http.Request, name string) string {
	id := s.known(r, name).id
	if id == "" {
		return ""
	}
	h := hashOf(id)
	return hex.EncodeToString(h[:8])
}

func (s *Server) history(ctx context.Context, userID string, at time.Time) (risk.History, error) {
	kept, err := s.store.SignInHistory(ctx, userID, risk.MostEvents, at.Add(-s.config.SignIn.FailuresWithin))
	if err != nil {
		return risk.History{}, err
	}
	f, err := s.factorsOf(ctx, userID)
	if err != nil {
		return risk.History{}, err
	}
	h := risk.History{Before: kept.Before, Factor: f.any(), SignIns: events(kept.SignIns), Failures: events(kept.Failures)}
	for _, c := range kept.Contexts {
		h.Contexts = append(h.Contexts, risk.Context{Network: c.Network, Agent: c.Agent, Last: c.Last})
	}
	return h, nil
}

func events(list []store.SignIn) []risk.Event {
	var all []risk.Event
	for _, v := range list {
		address, _ := netip.ParseAddr(v.Address) // whoever has none is nowhere
		all = append(all, risk.Event{At: v.At, Address: address, Agent: v.Agent, Browser: v.Browser})
	}
	return all
}

func reasonsOf(v risk.Verdict) []string {
	var list []string
	for _, r := range v.Reasons() {
		list = append(list, string(r))
	}
	return list
}

// signedIn is the record of a sign-in that came to its end: it makes the network
// and the browser known, unless the person has more than they showed.
func (s *Server) signedIn(r *http.Request, e entry) (store.SignIn, error) {
	f, err := s.factorsOf(r.Context(), e.UserID)
	if err != nil {
		return store.SignIn{}, err
	}
	v := s.provenSignIn(r, e, store.SignedIn)
	v.Weak = f.any() && !levelOf(e.Methods).meets(levelMulti)
	return v, nil
}

// place is where a request comes from, as it is kept.
func (s *Server) place(r *http.Request) store.Place {
	return store.Place{Network: s.config.SignIn.Network(s.caller(r)), Agent: risk.ReadAgent(r.UserAgent()).String()}
}

func (s *Server) provenSignIn(r *http.Request, e entry, outcome string) store.SignIn {
	v := s.attempted(r, e.UserName, e.To.Client)
	v.Number, v.UserID, v.Outcome, v.Reasons, v.Methods = e.Judged.Number, e.UserID, outcome, e.Judged.Reasons, e.recorded()
	if worthTelling(v) {
		v.SeenAt = time.Time{}
	}
	return v
}

// attempted is what every record of a request has. It has been seen, unless
// somebody says otherwise.
func (s *Server) attempted(r *http.Request, name, client string) store.SignIn {
	now, here := s.config.Now(), s.place(r)
	return store.SignIn{
		At: now, SeenAt: now, Address: s.address(r), Network: here.Network,
		Agent: here.Agent, Browser: s.knownBrowser(r, name), ClientID: client,
	}
}

// worthTelling: it was refused, or something about it was unusual.
func worthTelling(v store.SignIn) bool {
	return v.Outcome == string(risk.Refuse) || slices.ContainsFunc(v.Reasons, func(r string) bool {
		return r != string(risk.FirstSignIn) && r != string(risk.NoSecondFactor)
	})
}
