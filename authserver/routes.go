package authserver

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/pages"
)

// route is one path: what it answers to each method, and for whom.
type route struct {
	get, post, put, del handle
	every               handle // whatever the method

	cors bool // any origin may call it from a browser, without cookies
	page bool // it is for people: errors are pages, forms come from here only
	open bool // it says what anybody may know, or what a token is worth: answered while nothing can be put on record
}

// routes is every path there is.
func (s *Server) routes() http.Handler {
	table := map[string]route{
		s.wellKnown("oauth-authorization-server"):         {get: s.metadata, cors: true, open: true},
		s.wellKnown("openid-configuration"):               {get: s.openID, cors: true, open: true},
		s.site.local("/.well-known/openid-configuration"): {get: s.openID, cors: true, open: true},
		s.site.local("/jwks.json"):                        {get: s.jwks, cors: true, open: true},
		s.site.local("/token"):                            {post: s.token, cors: true},
		s.site.local("/par"):                              {post: s.push, cors: true},
		s.site.local("/revoke"):                           {post: s.revoke, cors: true},
		s.site.local("/introspect"):                       {post: s.introspect, open: true},
		s.site.local("/status"):                           {get: s.statusIndex, cors: true, open: true},
		s.site.local("/userinfo"):                         {get: s.userinfo, post: s.userinfo, cors: true},
		s.site.local("/logout"):                           {get: s.logout, post: s.logoutByForm, page: true},
		s.site.local("/authorize"):                        {get: s.authorize, post: s.authorizeByForm, page: true},
		s.site.local("/login"):                            {post: s.login, page: true},
		s.site.local("/login/second"):                     {post: s.second, page: true},
		s.site.local("/login/passkey"):                    {post: s.passkeySignIn, page: true},
		s.site.local(signUpPath):                          {get: s.signUpPage, post: s.signUp, page: true},
		s.site.local(resetPath):                           {get: s.resetPage, post: s.reset, page: true},
		s.site.local("/consent"):                          {get: s.resume, post: s.decide, page: true},
		s.site.local(pages.StylePath):                     {get: asset(pages.WriteStyle), open: true},
		s.site.local(pages.IconPath):                      {get: asset(pages.WriteIcon), open: true},
		s.site.local(pages.ScriptPath):                    {get: asset(pages.WriteScript), open: true},
	}
	for path, to := range s.account() {
		table[s.site.local(accountPath+path)] = to
	}
	maps.Copy(table, s.securityRoutes())
	maps.Copy(table, s.consoleRoutes())
	if s.profile.devices {
		table[s.site.local("/device_authorization")] = route{post: s.deviceAuthorization, cors: true}
		table[s.site.local(devicePath)] = route{get: s.devicePage, post: s.enterDevice, page: true}
	}
	if s.config.Registration != RegistrationClosed {
		table[s.site.local("/register")] = route{post: s.register, cors: true}
	}
	if s.config.StepUpSecret != "" {
		table[s.site.local("/step-up")] = route{post: s.stepUp}
	}
	named := newHosts(s.config.Issuer, s.config.Hosts)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to, ok := table[r.URL.Path]
		if !ok {
			to = s.below(r.URL.Path)
			if s.arrives(r) {
				to = route{get: s.toAccount, page: true}
			}
		}
		// RFC 3986 §6.2.2: a path that is written in another way is another; the
		// administration API, whose paths carry names, reads its own.
		if r.URL.EscapedPath() != r.URL.Path && to.every == nil {
			to = route{}
		}
		r = withCaller(r)
		e, end := s.exchange(w, r, s.endpoint(r.URL.Path, to), to)
		defer end()
		s.frame(e.Header(), callerOf(r), to)
		if !named.answers(r.Host) {
			s.fail(e, r, to, s.wrongHost())
			return
		}
		s.serve(e, r, to)
	})
}

// securityRoutes are the pages where people change how they sign in.
func (s *Server) securityRoutes() map[string]route {
	return map[string]route{
		s.site.local(securityPath):                     {get: s.guarded(s.security), page: true},
		s.site.local(securityPath + "/code"):           {get: s.guarded(s.codePage), post: s.sent(s.setCode), page: true},
		s.site.local(securityPath + "/code/remove"):    {get: s.guarded(s.removeCodePage), post: s.sent(s.removeCode), page: true},
		s.site.local(securityPath + "/recovery"):       {post: s.sent(s.makeRecovery), page: true},
		s.site.local(usedRecoveryPath):                 {get: s.forVisitor(visit{}, s.usedRecovery), page: true},
		s.site.local(securityPath + "/passkey"):        {get: s.guarded(s.passkeyPage), post: s.sent(s.addPasskey), page: true},
		s.site.local(securityPath + "/passkey/one"):    {get: s.guarded(s.passkeyForm), post: s.sent(s.renamePasskey), page: true},
		s.site.local(securityPath + "/passkey/remove"): {post: s.sent(s.removePasskey), page: true},
		s.site.local(securityPath + "/password"):       {get: s.guarded(s.passwordPage), post: s.sent(s.changePassword), page: true},
		s.site.local(linkPath):                         {post: s.sent(s.linkOwn), page: true},
		s.site.local(unlinkPath):                       {post: s.sent(s.unlinkOwn), page: true},
		s.site.local(securityPath + "/browsers"):       {post: s.sent(s.forgetBrowser), page: true},
	}
}

// below are the paths that end in a number or a name.
func (s *Server) below(path string) route {
	switch {
	case strings.HasPrefix(path, s.site.local(statusPrefix)):
		return route{get: s.statusList, cors: true, open: true}
	case strings.HasPrefix(path, s.site.local(withPrefix)):
		return s.provided(path)
	case strings.HasPrefix(path, s.site.local(managementPrefix)) && s.config.Registration != RegistrationClosed:
		return route{get: s.readRegistration, put: s.replaceRegistration, del: s.deleteRegistration, cors: true}
	}
	return s.administration(path)
}

// statusPrefix comes before the number of a status list.
const statusPrefix = "/status/"

// wellKnown inserts the name between host and path of the issuer (RFC 8414 §3.1).
func (s *Server) wellKnown(name string) string { return "/.well-known/" + name + s.site.path }

// frame is what stands in the header of every answer.
func (s *Server) frame(h http.Header, c *caller, to route) {
	h.Set("X-Request-Id", c.id)
	h.Set("X-Content-Type-Options", "nosniff")
	if to.cors {
		allowAnyOrigin(h)
	}
	if to.page && s.site.secure {
		h.Set("Strict-Transport-Security", "max-age=31536000") // RFC 6797 §6.1
	}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, to route) {
	if to.cors && r.Method == http.MethodOptions {
		answerPreflight(w, to)
		return
	}
	if err := s.recordable(to); err != nil {
		s.fail(w, r, to, err)
		return
	}
	if r.ContentLength != 0 { // a connection that waits for no body is watched: a deadline would end its later requests as well
		if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.arrival)); err != nil {
			s.writeError(w, r, err) // unreachable: connections of net/http have deadlines
			return
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.patience)
	defer cancel()
	if err := s.dispatch(w, r.WithContext(ctx), to); err != nil {
		s.fail(w, r, to, err)
	}
}

// fail says what went wrong, to a person or to a program.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, to route, err error) {
	switch {
	case to.page:
		s.writeErrorPage(w, r, err)
	case to.every != nil && reasonOf(err) == AuditAway:
		setRetryAfter(w.Header(), retryAfter(err))
		s.api.Refuse(w, r, &admin.Error{Reason: admin.Unavailable, Cause: err})
	default:
		s.writeError(w, r, err)
	}
}

func (s *Server) dispatch(w http.ResponseWriter, r *http.Request, to route) error {
	if !isTextIn(r.URL) {
		return refuse(BadForm)
	}
	if to.every != nil {
		return to.every(w, r)
	}
	if to.methods() == nil {
		return refuse(UnknownPath)
	}
	h := to.handler(r.Method)
	if h == nil {
		w.Header().Set("Allow", strings.Join(to.methods(), ", "))
		return refuse(WrongVerb)
	}
	return h(w, r)
}

func (t route) handler(method string) handle {
	switch method {
	case http.MethodGet:
		return t.get
	case http.MethodHead:
		return t.head()
	case http.MethodPost:
		return t.post
	case http.MethodPut:
		return t.put
	case http.MethodDelete:
		return t.del
	}
	return nil
}

// head: a page may end in a code, or in nobody signed in, and whoever asks for its
// header alone, to look at a link, wants neither (RFC 9110 §9.2.1).
func (t route) head() handle {
	if t.page {
		return nil
	}
	return t.get
}

func (t route) methods() []string {
	var m []string
	if t.get != nil {
		m = append(m, http.MethodGet)
	}
	if t.head() != nil {
		m = append(m, http.MethodHead)
	}
	if t.post != nil {
		m = append(m, http.MethodPost)
	}
	if t.put != nil {
		m = append(m, http.MethodPut)
	}
	if t.del != nil {
		m = append(m, http.MethodDelete)
	}
	if t.cors {
		m = append(m, http.MethodOptions)
	}
	return slices.Clip(m)
}

// allowAnyOrigin is safe where no cookie is read (RFC 9449 §8.1, D27).
func allowAnyOrigin(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "DPoP-Nonce, WWW-Authenticate, Retry-After")
}

func answerPreflight(w http.ResponseWriter, to route) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", strings.Join(to.methods(), ", "))
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, DPoP, MCP-Protocol-Version")
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
}
