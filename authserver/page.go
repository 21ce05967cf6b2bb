package authserver

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/postern-mcp/postern/authserver/pages"
)

// pages writes pages whose forms may lead to the redirect URI: browsers hold a
// form's redirects, too, against form-action.
func (s *Server) pages(redirect string) pages.Frame {
	return pages.Frame{Base: s.site.path, FormTarget: formTarget(redirect)}
}

// formTarget is a CSP source for a redirect URI. CSP has no word for an IPv6
// address, so those get their scheme.
func formTarget(redirect string) string {
	u, err := url.Parse(redirect)
	if err != nil || redirect == "" {
		return ""
	}
	if (u.Scheme != "https" && u.Scheme != "http") || strings.HasPrefix(u.Host, "[") {
		return u.Scheme + ":"
	}
	return u.Scheme + "://" + u.Host
}

// writeErrorPage is the one place that tells a person what went wrong.
func (s *Server) writeErrorPage(w http.ResponseWriter, r *http.Request, err error) {
	s.logRefusal(r, err)
	if e := s.showProblem(w, r, err, ""); e != nil {
		s.config.Log.ErrorContext(r.Context(), "page.failed", "cause", e.Error())
		http.Error(w, "Something went wrong here.", http.StatusInternalServerError)
	}
}

func (s *Server) showProblem(w http.ResponseWriter, r *http.Request, err error, back string) error {
	a := answerTo(err)
	setRetryAfter(w.Header(), retryAfter(err))
	p := pages.Problem{Text: describe(err), Code: a.code, Reason: string(reasonOf(err))}
	if p.Text == "" {
		p.Text, p.Reason = "Something went wrong here. Try again in a while.", ""
	}
	if back != "" {
		p.Back, p.BackHost = back, redirectHost(back)
	}
	if place := s.areaOf(r); back == "" && place.Path != "" {
		p.Next = place
	}
	switch reasonOf(err) {
	case AccountOff:
		p.Next = pages.Link{Text: "Sign in with another account", Path: accountPath}
	case BadTicket:
		p.Next = pages.Link{Text: "Already done? Sign in", Path: accountPath}
	case WrongVerb:
		if r.Method == http.MethodGet { // an address of a form, opened again
			p.Text, p.Next = "Nothing was sent with this page: it was opened again. Start again where you came from, or sign in to your account.", pages.Link{Text: "Sign in", Path: accountPath}
		}
	}
	// RFC 9110 §15.5.2: 401 would need a challenge, and there is none for a person.
	if a.status == http.StatusUnauthorized {
		a.status = http.StatusBadRequest
	}
	return s.pages("").Problem(w, a.status, p)
}

// areaOf is where a page of ours that failed leads to, nowhere for any other.
func (s *Server) areaOf(r *http.Request) pages.Link {
	path := strings.TrimPrefix(r.URL.Path, s.site.path)
	switch {
	case strings.HasPrefix(path, "/admin/"):
		return pages.Link{Text: "Go to the administration", Path: "/admin"}
	case path == "/admin", strings.HasPrefix(path, accountPath+"/"):
		return pages.Link{Text: "Go to your account", Path: accountPath}
	}
	return pages.Link{}
}

// asset serves what goes with the pages.
func asset(write func(http.ResponseWriter) error) handle {
	return func(w http.ResponseWriter, _ *http.Request) error { return write(w) }
}
