package authserver

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver/pages"
	"github.com/postern-mcp/postern/authserver/store"
	"github.com/postern-mcp/postern/authserver/upstream"
)

// withPrefix comes before the name of a provider in paths.
const withPrefix = "/login/with/"

// errand is a person who was sent to a provider. What it says stays here,
// sealed for that provider and that browser, until they come back, once.
type errand struct {
	To     pending `json:"to"`
	Secret []byte  `json:"secret"`        // what the provider's answer is held against
	Link   string  `json:"link,omitzero"` // who asked for the identity to be linked to their account, or ""
}

// provided are the paths of one provider.
func (s *Server) provided(path string) route {
	name, step, _ := strings.Cut(strings.TrimPrefix(path, s.site.local(withPrefix)), "/")
	p := s.providers.named(name)
	if p == nil {
		return route{}
	}
	with := func(h func(http.ResponseWriter, *http.Request, *provider) error) handle {
		return func(w http.ResponseWriter, r *http.Request) error { return h(w, r, p) }
	}
	switch step {
	case "":
		return route{post: with(s.loginWith), page: true}
	case "callback":
		return route{get: with(s.cameBack), page: true}
	case "link":
		return route{get: with(s.linkOffered), page: true}
	}
	return route{}
}

// loginWith takes the button of a provider on the sign-in page.
func (s *Server) loginWith(w http.ResponseWriter, r *http.Request, p *provider) error {
	if err := s.fromHere(r); err != nil {
		return err
	}
	if err := s.admitNetwork(r); err != nil {
		return err
	}
	form, err := readForm(w, r)
	if err != nil {
		return err
	}
	to, err := s.openRequest(form["request"], s.cookie(r, browserCookie))
	if err != nil {
		return err
	}
	return s.sendAway(w, r, p, errand{To: to})
}

// sendAway sends the person to a provider.
func (s *Server) sendAway(w http.ResponseWriter, r *http.Request, p *provider, e errand) error {
	if _, err := s.limits.away.try(s.network(r)); err != nil {
		return err
	}
	state := newSecret("")
	to, secret, err := p.at.Begin(r.Context(), p.ask(e.To, state))
	if err != nil {
		return s.cameToNothing(w, r, p, e, err)
	}
	e.Secret = secret
	if err := s.keepErrand(r, p, state, e); err != nil {
		return err
	}
	s.audit(r, "login.sent_away", "provider", p.Name)
	// A redirect would be held against form-action by browsers, wherever the
	// provider leads it next.
	w.Header().Set("Refresh", "0;url="+to)
	return s.pages("").Away(w, http.StatusOK, pages.Away{Label: p.Label, To: to})
}

// ask is what a request demands, in the provider's words.
func (p *provider) ask(to pending, state string) upstream.Ask {
	// Our own pages take what there is: whoever signs in there alone has to
	// come in, to set up something better.
	a := upstream.Ask{State: state, ACR: p.classes(to.Level), Untold: to.Next != ""}
	if !to.since().IsZero() {
		a.Since = to.since()
	}
	return a
}

func (s *Server) keepErrand(r *http.Request, p *provider, state string, e errand) error {
	doc, err := json.Marshal(e)
	if err != nil {
		return err
	}
	sealed := s.seals.errands.close(doc, errandOf(p, s.cookie(r, browserCookie)))
	return s.store.Depart(r.Context(), hashOf(state), sealed, s.config.Now().Add(requestLife))
}

// errandOf: an errand counts for the provider it was for (RFC 9700 §4.4) and
// in the browser that was sent.
func errandOf(p *provider, browser string) string {
	return "errand " + p.Name + " " + contextOf(hashOf(browser))
}

// cameBack takes what a provider sends the browser back with.
func (s *Server) cameBack(w http.ResponseWriter, r *http.Request, p *provider) error {
	if err := s.admitNetwork(r); err != nil {
		return err
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return refuseFor(BadForm, err)
	}
	e, err := s.errand(r, p, query.Get("state"))
	if err != nil {
		s.audit(r, "login.failed", "provider", p.Name, "reason", string(reasonOf(err)))
		return err
	}
	who, err := p.at.Finish(r.Context(), e.Secret, query)
	if err != nil {
		return s.cameToNothing(w, r, p, e, err)
	}
	if err := s.arrived(w, r, p, e, who); refusesArrival(err) {
		return s.cameToNothing(w, r, p, e, err)
	} else {
		return err
	}
}

// errand gives what the person was sent for, and forgets it: whoever comes
// again, or from another browser, or to the callback of another provider, has
// to begin again.
func (s *Server) errand(r *http.Request, p *provider, state string) (errand, error) {
	browser := s.cookie(r, browserCookie)
	if browser == "" {
		return errand{}, refuse(NoCookie)
	}
	sealed, err := s.store.Return(r.Context(), hashOf(state), s.config.Now())
	if errors.Is(err, store.ErrNotFound) {
		return errand{}, refuse(BadRequestState)
	}
	if err != nil {
		return errand{}, err
	}
	doc, err := s.seals.errands.open(sealed, errandOf(p, browser))
	if err != nil {
		return errand{}, refuseFor(BadRequestState, err)
	}
	var e errand
	return e, json.Unmarshal(doc, &e)
}

// cameToNothing shows the ways of signing in again, with what went wrong. The
// errand for an account ends on a page of its own.
func (s *Server) cameToNothing(w http.ResponseWriter, r *http.Request, p *provider, e errand, cause error) error {
	cause = refusalBy(cause)
	if reasonOf(cause) == "internal" {
		return cause
	}
	s.audit(r, "login.failed", "provider", p.Name, "reason", string(reasonOf(cause)), "cause", clip(causeOf(cause)))
	if e.Link != "" {
		return cause
	}
	c, err := s.clientOf(r, e.To)
	if err != nil {
		return err
	}
	setRetryAfter(w.Header(), retryAfter(cause))
	return s.showLogin(w, answerTo(cause).status, c, e.To, s.cookie(r, browserCookie), pages.Login{Problem: p.Label + ": " + describe(cause)})
}

// refusalBy is what a provider's refusal is here.
func refusalBy(err error) error {
	switch upstream.ReasonOf(err) {
	case "":
		return err
	case upstream.Unreachable:
		return refuseFor(ProviderUnreachable, err)
	case upstream.Denied:
		return refuseFor(ProviderDenied, err)
	case upstream.NoAuthTime, upstream.TooOld:
		return refuseFor(ProviderNotFresh, err)
	}
	return refuseFor(ProviderRefused, err)
}

// arrived takes somebody in of whom a provider says who they are.
func (s *Server) arrived(w http.ResponseWriter, r *http.Request, p *provider, e errand, who upstream.Identity) error {
	if !p.admits(who) {
		return refuse(NotAdmitted)
	}
	if e.Link != "" {
		return s.linkAsked(w, r, p, e, who)
	}
	known, err := s.store.Identity(r.Context(), who.Issuer, who.Subject)
	if errors.Is(err, store.ErrNotFound) {
		return s.welcome(w, r, p, e, who)
	}
	if err != nil {
		return err
	}
	return s.enter(w, r, p, e.To, known.UserID, who, false)
}

// refusesArrival says whether somebody was refused for who they are elsewhere:
// they may be let in by another way.
func refusesArrival(err error) bool {
	switch reasonOf(err) {
	case NotAdmitted, NotLinked:
		return true
	}
	return false
}

// vouched is what a provider says of who is signing in. It counts once they are in.
type vouched struct {
	Provider string    `json:"provider"`
	Roles    []string  `json:"roles,omitzero"`
	Link     bool      `json:"link,omitzero"` // the identity becomes one of the account
	Issuer   string    `json:"issuer"`
	Subject  string    `json:"subject"`
	Email    string    `json:"email"`
	Newcomer *newcomer `json:"newcomer,omitzero"` // who has no account yet
}

// newcomer is what an account begins with that a provider's word creates.
type newcomer struct {
	FullName string `json:"full_name"`
	Name     string `json:"name"`     // that they are known by, or with a number behind it
	Verified bool   `json:"verified"` // the address
}

// account is a newcomer's: signed in to at the provider alone.
func (v vouched) account(id string) store.User {
	return store.User{ID: id, Name: v.Newcomer.Name, FullName: v.Newcomer.FullName, Email: v.Email, EmailVerified: v.Newcomer.Verified}
}

// admitVouched is admit for whom a provider vouches.
func (s *Server) admitVouched(r *http.Request, p *provider, a store.Admission, v vouched, user store.User) (store.User, error) {
	now := s.config.Now()
	a.Identity = &store.Identity{Issuer: v.Issuer, Subject: v.Subject, Provider: p.Name, UserID: user.ID, Email: v.Email, LinkedAt: now, UsedAt: now}
	a.Linked, a.Given = v.Link, &store.GivenRoles{Source: p.Name, Roles: v.Roles}
	if v.Newcomer != nil {
		return s.admitNewcomer(r, p, a, user)
	}
	if err := admitted(s.store.Admit(r.Context(), a, now, s.wider)); err != nil {
		return store.User{}, err
	}
	if v.Link {
		s.audit(r, "identity.linked", "provider", p.Name, "subject", user.ID)
	}
	return user, nil
}

// maxNames is how many user names are tried for somebody new.
const maxNames = 10

func (s *Server) admitNewcomer(r *http.Request, p *provider, a store.Admission, user store.User) (store.User, error) {
	first, now := user.Name, s.config.Now()
	for i := range maxNames {
		user.Name = numbered(first, i)
		a.Newcomer = &user
		err := s.store.Admit(r.Context(), a, now, s.wider)
		if errors.Is(err, store.ErrExists) {
			continue
		}
		if err != nil {
			return store.User{}, admitted(err)
		}
		s.audit(r, "user.created", "provider", p.Name, "user", user.Name, "subject", user.ID)
		return user, nil
	}
	return store.User{}, refuse(IdentityTaken)
}

// enter signs somebody in whom a provider vouches for; link says that the
// identity is none of the account's yet.
func (s *Server) enter(w http.ResponseWriter, r *http.Request, p *provider, to pending, userID string, who upstream.Identity, link bool) error {
	user, err := s.store.UserByID(r.Context(), userID)
	if err != nil {
		return err
	}
	v := p.vouches(who)
	v.Link = link
	return s.enterAs(w, r, p, to, user, who, v)
}

// enterNew signs somebody in whose account is created when they are in.
func (s *Server) enterNew(w http.ResponseWriter, r *http.Request, p *provider, to pending, who upstream.Identity) error {
	v := p.vouches(who)
	// What one provider believes of an address is not enough for the next to
	// be linked by it; and one that is somebody's already is not shared.
	v.Newcomer = &newcomer{FullName: who.Name, Name: usernameOf(p, who), Verified: p.decides(who)}
	return s.enterAs(w, r, p, to, v.account(newID("user_")), who, v)
}

func (p *provider) vouches(who upstream.Identity) vouched {
	return vouched{Provider: p.Name, Roles: p.roles(who), Issuer: who.Issuer, Subject: who.Subject, Email: who.Email}
}

func (s *Server) enterAs(w http.ResponseWriter, r *http.Request, p *provider, to pending, user store.User, who upstream.Identity, v vouched) error {
	e := s.newEntry(to, user, p.methods(who)...)
	e.Vouched = v
	e.At = provedAt(who, to.since(), s.config.Now()).UnixMilli()
	return s.proven(w, r, e)
}

// provedAt is when the person proved who they are; zero when the provider
// does not say: it may have been long before it let them through today. It
// speaks in whole seconds of its own clock: what it was found to be recent
// enough by is what it is here.
func provedAt(who upstream.Identity, since, now time.Time) time.Time {
	at := who.AuthTime
	switch {
	case at.IsZero():
		return time.Time{}
	case at.Before(since):
		return since
	case at.After(now):
		return now
	}
	return at
}
