package authserver

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"github.com/postern-mcp/postern/authserver/clientdoc"
)

// redirection is where an answer may go: a client and a redirect URI it
// registered. Only readRedirection makes one.
type redirection struct {
	client client
	uri    string
	state  string
}

const (
	maxQuery = 16 << 10
	maxState = 2048
)

// authorize: OAuth 2.1 §4.1.1. Until client and redirect URI are known to
// belong together every problem stays on a page here.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.limits.authorize.try(s.network(r)); err != nil {
		return err
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(r.URL.RawQuery) > maxQuery {
		return refuseFor(BadForm, err)
	}
	if query.Has("request_uri") {
		return s.authorizePushed(w, r, query)
	}
	to, err := s.readRedirection(r, query)
	if err != nil {
		return err
	}
	if s.mustPush(to.client) {
		return s.sendError(w, r, to, refuse(PushRequired))
	}
	p, err := s.readAuthorization(query, to)
	if err != nil {
		return s.sendError(w, r, to, err)
	}
	return s.advance(w, r, p, s.browser(w, r))
}

// authorizeByForm: POST means the same as GET (RFC 6749 §3.1); it becomes one,
// so that the browser sends the cookies it keeps from cross-site posts.
func (s *Server) authorizeByForm(w http.ResponseWriter, r *http.Request) error {
	p, err := readForm(w, r)
	if err != nil {
		return err
	}
	query := url.Values{}
	for name, value := range p {
		query.Set(name, value)
	}
	seeOther(w, s.site.local("/authorize?")+query.Encode())
	return nil
}

func (s *Server) readRedirection(r *http.Request, query url.Values) (redirection, error) {
	for _, name := range []string{"client_id", "redirect_uri"} {
		if len(query[name]) > 1 {
			return redirection{}, repeated(name)
		}
		if query.Get(name) == "" {
			return redirection{}, missing(name)
		}
	}
	callerOf(r).said = query.Get("client_id")
	c, err := s.client(r, query.Get("client_id"))
	if err != nil {
		return redirection{}, err
	}
	return s.redirectionOf(c, query)
}

// redirectionOf takes redirect_uri and state of a request that is this client's.
func (s *Server) redirectionOf(c client, query url.Values) (redirection, error) {
	if query.Get("redirect_uri") == "" {
		return redirection{}, missing("redirect_uri")
	}
	// OAuth 2.1 §4.1.1: exact, but for the port of a loopback address (A1).
	if !s.mayRedirect(c, query.Get("redirect_uri")) {
		return redirection{}, refuse(UnregisteredTarget)
	}
	to := redirection{client: c, uri: query.Get("redirect_uri")}
	if len(query["state"]) == 1 && len(query.Get("state")) <= maxState {
		to.state = query.Get("state")
	}
	return to, nil
}

// mayRedirect: registered, and of a kind that clients may have now: the
// operator may have taken a private scheme back.
func (s *Server) mayRedirect(c client, uri string) bool {
	return clientdoc.MatchRedirect(c.Redirects, uri) && clientdoc.Permitted(uri, s.config.RedirectSchemes)
}

func (s *Server) readAuthorization(query url.Values, to redirection) (pending, error) {
	p, err := newParams(query)
	if err != nil {
		return pending{}, err
	}
	if p["response_type"] == "" {
		return pending{}, missing("response_type")
	}
	if p["response_type"] != "code" {
		return pending{}, refuse(UnknownResponseType)
	}
	if !to.client.mayUse(grantCode) {
		return pending{}, refuse(GrantNotAllowed)
	}
	// RFC 9101: what a request object says is not passed over
	if p["request"] != "" {
		return pending{}, refuse(RequestObject)
	}
	if len(p["nonce"]) > maxNonce {
		return pending{}, refuse(BadForm)
	}
	if p["state"] != to.state {
		return pending{}, refuse(BadForm)
	}
	// RFC 7636 §4.3: an absent method means plain, which does not exist here.
	if p["code_challenge_method"] != "S256" || !isDigest(p["code_challenge"]) {
		return pending{}, refuse(BadChallenge)
	}
	// RFC 9449 §10
	if p["dpop_jkt"] != "" && !isDigest(p["dpop_jkt"]) {
		return pending{}, refuse(BadThumbprint)
	}
	res, err := s.resourceFor(p["resource"], to.client)
	if err != nil {
		return pending{}, err
	}
	scope, err := res.personal(p["scope"], to.client)
	if err != nil {
		return pending{}, err
	}
	details, err := s.readDetails(p, res.URL)
	if err != nil {
		return pending{}, err
	}
	d, err := readDemands(p, s.config.Now())
	if err != nil {
		return pending{}, err
	}
	return pending{
		ID: newSecret(""), Client: to.client.ID, Redirect: to.uri, Resource: res.URL, Scope: scope, State: to.state,
		Challenge: p["code_challenge"], Key: p["dpop_jkt"], Nonce: p["nonce"], Details: details, Silent: d.silent, Ask: d.ask, SignedIn: d.since.UnixMilli(), Level: d.level,
		Expires: s.config.Now().Add(requestLife).Unix(),
	}, nil
}

// isDigest: a SHA-256 in base64url without padding.
func isDigest(s string) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil && len(b) == 32
}

// sendError answers a request that cannot be granted. Anyone can register a
// client, so an error goes to a web address by itself only when somebody is
// signed in here (RFC 9700 §4.11.2, A2); otherwise the person decides on a page.
func (s *Server) sendError(w http.ResponseWriter, r *http.Request, to redirection, err error) error {
	s.logRefusal(r, err)
	answer := url.Values{"error": {answerTo(err).code}}
	if text := inFull(err); text != "" {
		answer.Set("error_description", text)
	}
	_, signedIn, sessionErr := s.session(r)
	if sessionErr != nil {
		return sessionErr
	}
	if strings.HasPrefix(to.uri, "https://") && !signedIn {
		return s.showProblem(w, r, err, s.answerURL(to, answer))
	}
	s.sendBack(w, to, answer)
	return nil
}

// sendBack redirects to the client, with 303 so that no form is sent along (A13).
func (s *Server) sendBack(w http.ResponseWriter, to redirection, answer url.Values) {
	seeOther(w, s.answerURL(to, answer))
}

func seeOther(w http.ResponseWriter, location string) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
}

// answerURL: RFC 6749 §4.1.2 (the redirect URI keeps its own query), with iss
// in success and error alike (RFC 9207 §2).
func (s *Server) answerURL(to redirection, answer url.Values) string {
	answer.Set("iss", s.config.Issuer)
	if to.state != "" {
		answer.Set("state", to.state)
	}
	separator := "?"
	if strings.Contains(to.uri, "?") {
		separator = "&"
	}
	return to.uri + separator + answer.Encode()
}
