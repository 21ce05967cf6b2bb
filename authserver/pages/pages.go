// Package pages is what people see of the authorization server: templates, one
// stylesheet, and one script for what cannot do without, embedded. Every page
// forbids framing, caching, referrers and everything that is not its own.
package pages

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"

	"github.com/postern-mcp/postern/authserver/legible"
)

//go:embed templates/*.html
var files embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{"show": shown, "claim": claimed, "within": within, "prose": prose, "bare": bare, "text": legible.Text}).ParseFS(files, "templates/*.html"))

// Frame is what all pages of one request share.
type Frame struct {
	Base       string   // path of the issuer, in front of every link
	FormTarget string   // CSP source a form may be redirected to, or ""
	Visitor    *Visitor // who is signed in, on pages with navigation; else nil
	At         string   // path of the place in the navigation, under the base
	Script     bool     // the page has use for the script
}

// Visitor is who is signed in.
type Visitor struct {
	Name  string
	Token string   // of the session, for forms
	May   []string // paths of the administration that are open to them
}

// view is a page in its frame, as templates see it.
type view struct {
	Frame
	Title string
	Page  any
}

// part is a piece of a page, with what its links and forms need.
type part struct {
	Base, Token string
	Of          any
}

// With makes a part of the page.
func (f Frame) With(of any) part { return part{f.Base, f.Token(), of} }

// With makes a part of the part.
func (p part) With(of any) part { return part{p.Base, p.Token, of} }

// Token goes into every form of a signed-in person, "" when nobody is.
func (f Frame) Token() string {
	if f.Visitor == nil {
		return ""
	}
	return f.Visitor.Token
}

func (f Frame) write(w http.ResponseWriter, status int, name string, v view) error {
	var body bytes.Buffer
	if err := templates.ExecuteTemplate(&body, name, v); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", v.policy())
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // the reader is gone: nobody to tell
	return nil
}

// policy: RFC 9700 §4.16 (A14, A19). form-action names the redirect's origin
// because browsers hold the redirects after a form to it.
func (f Frame) policy() string {
	script := ""
	if f.Script {
		script = "script-src 'self'; connect-src 'self'; "
	}
	form := "'self'"
	if f.FormTarget != "" {
		form += " " + f.FormTarget
	}
	return "default-src 'none'; style-src 'self'; img-src 'self'; " + script + "form-action " + form + "; frame-ancestors 'none'; base-uri 'none'"
}
