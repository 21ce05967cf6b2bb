package authserver

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"time"

	"github.com/postern-mcp/postern/authserver/pages"
	"github.com/postern-mcp/postern/authserver/risk"
	"github.com/postern-mcp/postern/authserver/store"
)

const (
	securityPath = "/account/security"

	// securityAge is how long ago somebody may have signed in who changes how
	// they sign in.
	securityAge = 10 * time.Minute
)

// guarded is a page for somebody who has just signed in, as strongly as they
// can: whoever finds an open session changes nothing with it.
func (s *Server) guarded(h func(w http.ResponseWriter, r *http.Request, v store.Session, f factors) error) handle {
	return func(w http.ResponseWriter, r *http.Request) error {
		v, f, ok, err := s.guard(w, r, s.here(r))
		if err != nil || !ok {
			return err
		}
		return h(w, r, v, f)
	}
}

// guard is visitor for what is guarded, and says what factors the person has.
func (s *Server) guard(w http.ResponseWriter, r *http.Request, next string) (v store.Session, f factors, ok bool, err error) {
	d := visit{next: next, age: securityAge}
	if v, ok, err = s.visitor(w, r, d); err != nil || !ok {
		return store.Session{}, factors{}, false, err
	}
	if f, err = s.factorsOf(r.Context(), v.UserID); err != nil {
		return store.Session{}, factors{}, false, err
	}
	if f.any() && !levelOf(v.Methods).meets(levelMulti) {
		d.level = levelMulti
		if v, ok, err = s.visitor(w, r, d); err != nil || !ok {
			return store.Session{}, factors{}, false, err
		}
	}
	return v, f, true, nil
}

// sent is the form of a guarded page. Nobody looks at the session before all of
// it is here: a body takes its time, in which the session may end.
func (s *Server) sent(h func(w http.ResponseWriter, r *http.Request, v store.Session, f factors, form params) error) handle {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := s.fromHere(r); err != nil {
			return err
		}
		form, err := readForm(w, r)
		if err != nil {
			return err
		}
		v, f, ok, err := s.guard(w, r, securityPath)
		if err != nil || !ok {
			return err
		}
		if err := s.checkFormToken(form["token"], v); err != nil {
			return err
		}
		return h(w, r, v, f, form)
	}
}

// securityFrame is the frame of the pages about signing in.
func (s *Server) securityFrame(r *http.Request, v store.Session) (pages.Frame, error) {
	f, err := s.frameOf(r.Context(), v)
	f.At = securityPath
	return f, err
}

// security shows how somebody signs in.
func (s *Server) security(w http.ResponseWriter, r *http.Request, v store.Session, f factors) error {
	q, err := newParams(r.URL.Query())
	if err != nil {
		return err
	}
	user, err := s.store.UserByID(r.Context(), v.UserID)
	if err != nil {
		return err
	}
	browsers, err := s.store.Browsers(r.Context(), v.UserID, s.config.Now())
	if err != nil {
		return err
	}
	page := pages.Security{
		Now: s.config.Now(), Done: q["done"], Address: s.site.url(accountPath), PasswordAt: user.PasswordAt, HasPassword: user.PasswordHash != "",
		Generator: f.generator, GeneratorAt: f.since, Recovery: f.recovery, PasskeysOffered: s.party != nil, Always: s.config.SecondFactor.Always, Then: q["then"],
	}
	page.For, page.Wanted, page.GoOn = s.wantedFor(r, q["then"], v)
	if page.Roles, err = s.rolesByFactor(r.Context(), v.UserID); err != nil {
		return err
	}
	if page.Elsewhere, page.Providers, err = s.elsewhere(r.Context(), v.UserID); err != nil {
		return err
	}
	for _, k := range f.passkeys {
		page.Passkeys = append(page.Passkeys, passkeyShown(k))
	}
	for _, b := range browsers {
		page.Browsers = append(page.Browsers, pages.TrustedBrowser{ID: base64.RawURLEncoding.EncodeToString(b.Hash[:]), Agent: risk.ReadAgent(b.Agent).String(), Since: b.CreatedAt, Until: b.ExpiresAt})
	}
	frame, err := s.securityFrame(r, v)
	if err != nil {
		return err
	}
	return frame.Security(w, http.StatusOK, page)
}

func passkeyShown(k store.Passkey) pages.KeptPasskey {
	return pages.KeptPasskey{ID: base64.RawURLEncoding.EncodeToString(k.ID), Name: k.Name, Since: k.CreatedAt, Used: k.UsedAt, Cloned: !k.ClonedAt.IsZero()}
}

// wantedFor is what the person was on the way to when they were sent here: the
// application, what it still wants, and where it goes on.
func (s *Server) wantedFor(r *http.Request, then string, v store.Session) (from, wanted, goOn string) {
	if then == "" {
		return "", "", ""
	}
	p, err := s.openRequest(then, s.cookie(r, browserCookie))
	if err != nil {
		return "", "", "" // it is too old by now: the page stands for itself
	}
	goOn = "/consent?" + url.Values{"request": {then}}.Encode()
	if p.Next != "" {
		goOn = p.Next
	}
	if levelOf(v.Methods).meets(p.Level) {
		return "", "", goOn
	}
	return s.labelOf(r.Context(), p.Client), string(p.Level), goOn
}

// secured goes back to the page after a change, saying what was done.
func (s *Server) secured(w http.ResponseWriter, form params, done string) error {
	q := url.Values{"done": {done}}
	if form["then"] != "" {
		q.Set("then", form["then"])
	}
	seeOther(w, s.site.local(securityPath)+"?"+q.Encode())
	return nil
}

// setUp keeps a factor. alone ends in the same step all other sessions, and what
// browsers remember: a first factor holds for every session, and whoever has one
// that is replaced is out. The session as it is from now on is what comes back.
func (s *Server) setUp(r *http.Request, v store.Session, alone bool, keep func(*store.Alone) (ended int64, err error)) (store.Session, error) {
	var others *store.Alone
	if alone {
		others = &store.Alone{But: v.Hash, Here: s.place(r)}
	}
	ended, err := keep(others)
	if err != nil {
		return store.Session{}, err
	}
	if alone {
		if v, err = s.goneOn(r.Context(), v); err != nil {
			return store.Session{}, err
		}
	}
	if ended > 0 {
		s.audit(r, "sessions.ended", "subject", v.UserID, "number", ended, "because", "a second factor was set up")
	}
	return v, nil
}

// goneOn is a session that was to outlive an end. It stays in the era that was
// over then when there was another end since.
func (s *Server) goneOn(ctx context.Context, v store.Session) (store.Session, error) {
	u, err := s.store.UserByID(ctx, v.UserID)
	if err != nil {
		return store.Session{}, err
	}
	if store.Follows(u.Era, v.Era) {
		v.Era = u.Era
	}
	return v, nil
}

// strengthened: what the person has just shown counts for this session too,
// under a new id. The session as it is from now on is what comes back.
func (s *Server) strengthened(w http.ResponseWriter, r *http.Request, v store.Session, methods ...string) (store.Session, error) {
	id := s.newSessionCookie(v.ExpiresAt)
	v.Hash, v.Methods = hashOf(id), addMethods(v.Methods, methods...)
	if err := admitted(s.store.StartSession(r.Context(), v, s.before(r))); err != nil {
		return store.Session{}, err
	}
	s.setCookie(w, sessionCookie, id, v.ExpiresAt.Sub(s.config.Now()))
	return v, s.rememberAs(w, r, v)
}

// forgetBrowser asks for a second factor at remembered browsers again.
func (s *Server) forgetBrowser(w http.ResponseWriter, r *http.Request, v store.Session, _ factors, form params) error {
	var one store.Hash
	if form["browser"] != "all" {
		raw, err := base64.RawURLEncoding.DecodeString(form["browser"])
		if err != nil || len(raw) != len(one) {
			return refuse(BadForm)
		}
		copy(one[:], raw)
	}
	if err := admitted(s.store.ForgetBrowsers(r.Context(), v.UserID, v.Era, one)); err != nil {
		return err
	}
	s.audit(r, "browser.forgotten", "subject", v.UserID, "all", form["browser"] == "all")
	return s.secured(w, form, "browser-forgotten")
}
