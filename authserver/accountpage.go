package authserver

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/pages"
	"github.com/postern-mcp/postern/authserver/store"
)

const accountPath = "/account"

// signedPage is a page for somebody who is signed in.
type signedPage func(w http.ResponseWriter, r *http.Request, v store.Session) error

// signedForm takes a form of such a page.
type signedForm func(w http.ResponseWriter, r *http.Request, v store.Session, form params) error

// forVisitor asks people to sign in, as well as d wants, and takes them back to
// the page they came for: to the path they asked for, so no parameter names it.
func (s *Server) forVisitor(d visit, page signedPage) handle {
	return func(w http.ResponseWriter, r *http.Request) error {
		d := d
		d.next = s.here(r)
		v, ok, err := s.visitor(w, r, d)
		if err != nil || !ok {
			return err
		}
		return page(w, r, v)
	}
}

// here is the path of a request with its query, under the base.
func (s *Server) here(r *http.Request) string {
	path := strings.TrimPrefix(r.URL.Path, s.site.path)
	if r.URL.RawQuery != "" {
		path += "?" + r.URL.RawQuery
	}
	return path
}

// fromVisitor takes forms: those of our own pages, shown in the session they
// come back in. Whoever is not signed in well enough comes back to d.next.
func (s *Server) fromVisitor(d visit, do signedForm) handle {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := s.fromHere(r); err != nil {
			return err
		}
		form, err := readForm(w, r)
		if err != nil {
			return err
		}
		v, ok, err := s.visitor(w, r, d)
		if err != nil || !ok {
			return err
		}
		if err := s.checkFormToken(form["token"], v); err != nil {
			return err
		}
		return do(w, r, v, form)
	}
}

// formToken proves that a form was shown in this session.
func (s *Server) formToken(v store.Session) string {
	return base64.RawURLEncoding.EncodeToString(s.seals.forms.close(nil, contextOf(v.Hash)))
}

func (s *Server) checkFormToken(token string, v store.Session) error {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return refuseFor(StaleForm, err)
	}
	if _, err := s.seals.forms.open(raw, contextOf(v.Hash)); err != nil {
		return refuseFor(StaleForm, err)
	}
	return nil
}

// frameOf is the frame of a page of somebody who is signed in.
func (s *Server) frameOf(ctx context.Context, v store.Session) (pages.Frame, error) {
	f := s.pages("")
	f.Visitor = &pages.Visitor{Name: v.UserName, Token: s.formToken(v)}
	b, err := s.personBound(ctx, v.UserID, addMethods(nil, amrPassword, amrCode))
	if err != nil {
		return pages.Frame{}, err
	}
	if b.Allows(admin.ScopeRead) {
		f.Visitor.May = pages.AdminPaths()
	}
	return f, nil
}

// onward leads to a page by GET, which then says what was done.
func (s *Server) onward(w http.ResponseWriter, path, done string) error {
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	seeOther(w, s.site.local(path)+separator+url.Values{"done": {done}}.Encode())
	return nil
}

// doneWords is all that a page may be told to say: nothing of an address is repeated.
var doneWords = map[string]string{
	"joined":   "Your account is made, and you are signed in. Applications that you let in later are listed here, and so is everywhere you are signed in.",
	"saved":    "Saved.",
	"ended":    "Signed out there.",
	"others":   "Signed out everywhere else.",
	"stranger": "You are signed out everywhere else. Now choose a new password: until then, whoever knows the old one can come back.",
	"token":    "The token has ended. The application can fetch another: to stop it, take back its access.",
	"grant":    "Its access has ended.",
	"removed":  "The application has no access any more: its tokens end within seconds, and it is no longer listed here. To let it in again, use it: it asks you as it did the first time.",
	"seen":     "Good. Nothing else to do.",
}

func doneNotices(r *http.Request) []pages.Notice {
	words, ok := doneWords[r.URL.Query().Get("done")]
	if !ok {
		return nil
	}
	return []pages.Notice{{Tone: pages.Good, Text: words}}
}
