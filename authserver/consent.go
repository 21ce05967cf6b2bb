package authserver

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/postern-mcp/postern/authserver/pages"
	"github.com/postern-mcp/postern/authserver/store"
)

// resume goes on with a pending request after sign-in.
func (s *Server) resume(w http.ResponseWriter, r *http.Request) error {
	browser := s.cookie(r, browserCookie)
	p, err := s.openRequest(r.URL.Query().Get("request"), browser)
	if err != nil {
		return err
	}
	return s.advance(w, r, p, browser)
}

// advance takes a pending request to its next step: sign-in, consent, or a code.
func (s *Server) advance(w http.ResponseWriter, r *http.Request, p pending, browser string) error {
	to, err := s.revisit(r, p)
	if err != nil {
		return err
	}
	if err := s.begun(r.Context(), to.client); err != nil {
		return err
	}
	now, err := s.offered(to.client, p.asked())
	if err != nil {
		return s.answerError(w, r, to, p, err)
	}
	return s.ask(w, r, to, now, browser)
}

// answerError tells the client what cannot be, and the person when a device asks.
func (s *Server) answerError(w http.ResponseWriter, r *http.Request, to redirection, p pending, err error) error {
	if p.Device != "" {
		return err
	}
	return s.sendError(w, r, to, err)
}

// ask asks who is there, and what they allow, as far as it is not known.
func (s *Server) ask(w http.ResponseWriter, r *http.Request, to redirection, p pending, browser string) error {
	v, ok, err := s.session(r)
	if err != nil {
		return err
	}
	if ok {
		if err := s.admitNetwork(r); err != nil {
			return s.answerError(w, r, to, p, err)
		}
	}
	p = s.told(p, v)
	if !ok || v.AuthTime.Before(p.since()) {
		return s.askWho(w, r, to, p, browser, v)
	}
	mine, err := s.theirs(r.Context(), p, v)
	if err != nil {
		return s.answerError(w, r, to, p, err)
	}
	p = mine
	if !levelOf(v.Methods).meets(p.Level) {
		return s.askMore(w, r, to, p, v)
	}
	p.Version = to.client.version
	held, err := s.store.Consent(r.Context(), s.consentOf(p, v))
	if err != nil {
		return err
	}
	if held != nil && len(without(p.Scope, held)) == 0 && to.client.vetted() && provable(p.Redirect) && !p.Ask && p.Details == "" && (p.Beyond == nil || p.Silent) {
		return s.approve(w, r, to, p, v, true)
	}
	if p.Silent {
		return s.sendError(w, r, to, refuse(ConsentRequired))
	}
	return s.showConsent(w, to, p, browser, v, held)
}

// askWho shows the sign-in page; v is who signed in too long ago, or nobody.
func (s *Server) askWho(w http.ResponseWriter, r *http.Request, to redirection, p pending, browser string, v store.Session) error {
	if p.Silent {
		return s.sendError(w, r, to, refuse(LoginRequired))
	}
	return s.showLogin(w, http.StatusOK, to.client, p, browser, pages.Login{Username: v.UserName, Again: v.UserName != "", Ended: s.ended(r, v)})
}

// askMore goes on with a session that is not enough for the request.
func (s *Server) askMore(w http.ResponseWriter, r *http.Request, to redirection, p pending, v store.Session) error {
	if p.Silent {
		return s.sendError(w, r, to, refuse(LoginRequired))
	}
	return s.proven(w, r, s.entryOf(p, v))
}

// revisit looks the client up again: it may be gone, or say something else by now.
func (s *Server) revisit(r *http.Request, p pending) (redirection, error) {
	c, err := s.client(r, p.Client)
	if err != nil {
		return redirection{}, err
	}
	if p.Device != "" {
		return redirection{client: c}, nil
	}
	if !s.mayRedirect(c, p.Redirect) {
		return redirection{}, refuse(UnregisteredTarget)
	}
	if s.mustPush(c) && !p.Pushed {
		return redirection{}, refuse(PushRequired)
	}
	return redirection{client: c, uri: p.Redirect, state: p.State}, nil
}

// provable: an answer to an https address reaches its owner. One to a
// loopback port or a private scheme may reach any program, so a person sees
// the page every time (RFC 8252 §8.6).
func provable(redirect string) bool { return strings.HasPrefix(redirect, "https://") }

// consentOf is what is remembered of a yes. A client with a metadata document
// got it for what that says, keys included: another version is asked for anew.
// The consents of one that is registered go when that is replaced.
func (s *Server) consentOf(p pending, v store.Session) store.Consent {
	host := redirectHost(p.Redirect)
	if s.documents.IsID(p.Client) {
		host += " " + p.Version
	}
	return store.Consent{UserID: v.UserID, ClientID: p.Client, RedirectHost: host, Resource: p.Resource, Scope: p.Scope}
}

// redirectHost is what consent is remembered for and people are shown: the
// host with its port, without the port on loopback, or the private scheme.
func redirectHost(redirect string) string {
	u, err := url.Parse(redirect)
	if err != nil {
		return redirect // unreachable: it matched a registered URI
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return u.Scheme + ":"
	}
	if u.Scheme == "http" {
		return u.Hostname()
	}
	return u.Host
}

// privateScheme is the scheme of a redirect URI that is no web address, else "".
func privateScheme(redirect string) string {
	scheme, _, _ := strings.Cut(redirectHost(redirect), ":")
	if strings.HasPrefix(redirect, "https:") || strings.HasPrefix(redirect, "http:") {
		return ""
	}
	return scheme
}

func (s *Server) showConsent(w http.ResponseWriter, to redirection, p pending, browser string, v store.Session, held []string) error {
	sealed, err := s.sealApproval(p, browser, v)
	if err != nil {
		return err
	}
	res := s.catalogue.byURL[p.Resource]
	return s.pages(p.Redirect).Consent(w, http.StatusOK, pages.Consent{
		Request: sealed, User: v.UserName, Asker: to.client.asker(s.site.name(), p.Redirect),
		Administers: p.Resource == s.catalogue.admin.URL && len(without(p.Scope, about(p.Scope))) > 0,
		Lasts:       s.lasts(to, p), TakeBack: s.site.url(applicationsPath),
		RedirectHost: redirectHost(p.Redirect), Local: !provable(p.Redirect), Scheme: privateScheme(p.Redirect),
		Resource: s.resourceName(p.Resource), About: res.aboutFor(p), ResourceURL: p.Resource, Knows: res.identifies(p), UserCode: p.UserCode,
		Details: s.inWords(p.Details), New: res.lines(without(p.Scope, held)), Held: res.lines(intersect(p.Scope, held)), Beyond: res.lines(without(p.Beyond, res.reach(p.Scope))),
	})
}

// lasts is how long the client gets what it asks for, for people.
func (s *Server) lasts(to redirection, p pending) string {
	if to.client.mayUse(grantRefresh) {
		return "Until you take it back. It ends by itself when it is not used for " + pages.Span(s.config.RefreshTokenLife) + "."
	}
	if to.client.vetted() && p.Device == "" && provable(p.Redirect) {
		return "For " + pages.Span(s.config.AccessTokenLife) + " each time it comes back here, until you take it back."
	}
	return "For " + pages.Span(s.config.AccessTokenLife) + ". Then it has to ask you again."
}

func (s *Server) resourceName(url string) string {
	if n := s.catalogue.byURL[url].Name; n != "" {
		return n
	}
	return url
}

// identifies: who the person is, is all that is asked for, where there would be
// something else to ask for.
func (r Resource) identifies(p pending) bool {
	return len(p.Scope) > 0 && len(without(p.Scope, about(p.Scope))) == 0 && p.Details == "" && len(r.Scopes) > 0
}

// aboutFor is what the resource is, for whoever is asked to let it be used.
func (r Resource) aboutFor(p pending) string {
	if r.identifies(p) {
		return ""
	}
	return r.About
}

func (r Resource) lines(scope []string) []pages.Scope {
	var lines []pages.Scope
	for _, s := range identityScopes {
		if slices.Contains(scope, s.Name) {
			lines = append(lines, s)
		}
	}
	for _, d := range r.Scopes {
		for _, n := range scope {
			if n == d.Name {
				lines = append(lines, r.line(d))
			}
		}
	}
	return lines
}

// line is one scope with all that comes with it: whoever holds it has those too.
func (r Resource) line(s Scope) pages.Scope {
	line := pages.Scope{Name: s.Name, Words: s.Description, Risk: s.Risk}
	if along := without(r.reach([]string{s.Name}), []string{s.Name}); len(along) > 0 {
		line.Implied = r.plain(along)
	}
	return line
}

// plain are scopes without what comes with them.
func (r Resource) plain(names []string) []pages.Scope {
	var lines []pages.Scope
	for _, d := range r.Scopes {
		if slices.Contains(names, d.Name) {
			lines = append(lines, pages.Scope{Name: d.Name, Words: d.Description, Risk: d.Risk})
		}
	}
	return lines
}

// decide takes the consent form: it counts only in the browser and the
// session it was shown in, and once.
func (s *Server) decide(w http.ResponseWriter, r *http.Request) error {
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
	v, ok, err := s.session(r)
	if err != nil {
		return err
	}
	if !ok {
		return refuse(BadRequestState)
	}
	browser := s.cookie(r, browserCookie)
	p, err := s.openApproval(form["request"], browser, v)
	if err != nil {
		return err
	}
	to, err := s.revisit(r, p)
	if err != nil {
		return err
	}
	now, err := s.offered(to.client, p)
	if err != nil || to.client.version != p.Version || !slices.Equal(now.Scope, p.Scope) || now.Details != p.Details {
		return s.advance(w, r, p, browser) // not what the person saw
	}
	switch form["decision"] {
	case "allow":
		return s.approve(w, r, to, p, v, false)
	case "deny":
		return s.deny(w, r, to, p, v)
	case "switch":
		return s.switchUser(w, r, p, browser)
	}
	return refuse(MissingParameter)
}

// approve grants what a person allowed, just now or, remembered, before. A
// client that is replaced in this moment, a consent that is taken back, or a
// session that ends, makes it begin again.
func (s *Server) approve(w http.ResponseWriter, r *http.Request, to redirection, p pending, v store.Session, remembered bool) error {
	if p.Device != "" {
		return s.answerDevice(w, r, to, p, v, true)
	}
	code, until := p.code(), s.config.Now().Add(s.config.CodeLife)
	g := s.newGrant(p, v, until)
	err := s.store.Approve(r.Context(), store.Approval{
		Request: hashOf(p.ID), RequestUntil: p.until(), Version: to.client.Version, Remembered: remembered, Consent: s.consentOf(p, v), Grant: g,
		Code: store.Code{Hash: hashOf(code), GrantID: g.ID, RedirectURI: p.Redirect, Challenge: p.Challenge, Thumbprint: p.Key, Nonce: p.Nonce, ExpiresAt: until},
	})
	if errors.Is(err, store.ErrSpent) {
		return refuse(RequestSpent)
	}
	if errors.Is(err, store.ErrChanged) || errors.Is(err, store.ErrNotFound) {
		return s.advance(w, r, p, s.cookie(r, browserCookie))
	}
	if err != nil {
		return err
	}
	s.audit(r, "consent.granted", "client_id", p.Client, "subject", v.UserID, "resource", p.Resource,
		"scope", strings.Join(p.Scope, " "), "not_in_roles", strings.Join(p.Beyond, " "), "redirect_host", redirectHost(p.Redirect), "grant", g.ID)
	s.sendBack(w, to, url.Values{"code": {code}})
	return nil
}

// newGrant is what the person of a session allows, kept until its first tokens are issued.
func (s *Server) newGrant(p pending, v store.Session, until time.Time) store.Grant {
	return store.Grant{ID: newID("grant_"), ClientID: p.Client, UserID: v.UserID, Resource: p.Resource, Scope: p.Scope, Details: p.Details, Era: v.Era,
		Methods: v.Methods, AuthTime: v.AuthTime, CreatedAt: s.config.Now(), ExpiresAt: until}
}

func (s *Server) deny(w http.ResponseWriter, r *http.Request, to redirection, p pending, v store.Session) error {
	if p.Device != "" {
		return s.answerDevice(w, r, to, p, v, false)
	}
	err := s.store.Spend(r.Context(), hashOf(p.ID), p.until())
	if errors.Is(err, store.ErrSpent) {
		return refuse(RequestSpent)
	}
	if err != nil {
		return err
	}
	s.audit(r, "consent.denied", "client_id", p.Client, "subject", v.UserID, "resource", p.Resource, "scope", strings.Join(p.Scope, " "))
	s.sendBack(w, to, url.Values{"error": {answers[Denied].code}, "error_description": {answers[Denied].text}})
	return nil
}

func (s *Server) switchUser(w http.ResponseWriter, r *http.Request, p pending, browser string) error {
	v, ok, err := s.session(r)
	if err != nil {
		return err
	}
	if err := s.endHere(w, r, v, ok); err != nil {
		return err
	}
	return s.goOn(w, p, browser)
}
