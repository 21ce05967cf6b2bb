// Package pages is what people see of the authorization server: templates and
// one stylesheet, embedded, without any script. Every page forbids framing,
// caching, referrers and everything that is not its own.
package pages

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
)

//go:embed templates/*.html
var files embed.FS

//go:embed style.css
var stylesheet []byte

// StylePath is where the pages look for their stylesheet, under the base.
const StylePath = "/style.css"

var templates = template.Must(template.ParseFS(files, "templates/*.html"))

// Frame is what all pages of one request share.
type Frame struct {
	Base       string // path of the issuer, in front of every link
	FormTarget string // CSP source a form may be redirected to, or ""
}

// Login asks who the person is.
type Login struct {
	Request  string // sealed pending request
	Client   string
	Resource string
	Username string // as typed before
	Again    bool   // the last sign-in is too long ago for what is asked
	Problem  string // why the last try failed, or ""
}

// Scope is one permission in words.
type Scope struct {
	Name  string
	Words string // "" shows the name alone
}

// Detail is one authorization detail in words.
type Detail struct {
	Type, Words string
	Fields      []Field
}

// Field is one member of it.
type Field struct{ Name, Value string }

// Consent asks for a decision.
type Consent struct {
	Request      string // sealed pending request, for this session
	User         string
	Client       string
	ClientHost   string // whose client it says it is, "" when nobody vouches
	Verified     bool   // the host proved it
	RedirectHost string // where the browser goes afterwards
	Local        bool   // which is a program on the person's device
	Scheme       string // the one that opens these links, "" for a loopback address
	Resource     string
	ResourceURL  string
	UserCode     string // of a device that waits: then nobody is redirected
	New, Held    []Scope
	Details      []Detail
}

// Device asks for the code that a device shows.
type Device struct {
	Code    string // from the link, or ""
	Given   bool   // there is one, to be compared
	Problem string // why the last one failed, or ""
}

// Done says that a device has its answer.
type Done struct {
	Client   string
	Resource string
	Allowed  bool
}

// Logout asks whether to end the session; the rest comes back with the yes.
type Logout struct {
	User                        string // "" when that is not known
	Hint, Target, State, Client string
}

// Problem says what went wrong.
type Problem struct {
	Text     string
	Code     string // OAuth error code
	Reason   string // stable name, for whoever is asked for help
	Back     string // where the client would like to hear of it, or ""
	BackHost string
}

type view struct {
	Frame
	Title string
	Page  any
}

// Login writes the sign-in page.
func (f Frame) Login(w http.ResponseWriter, status int, p Login) error {
	return f.write(w, status, "login.html", view{f, "Sign in", p})
}

// Consent writes the consent page.
func (f Frame) Consent(w http.ResponseWriter, status int, p Consent) error {
	return f.write(w, status, "consent.html", view{f, "Allow access?", p})
}

// Device writes the page that asks for a device's code.
func (f Frame) Device(w http.ResponseWriter, status int, p Device) error {
	return f.write(w, status, "device.html", view{f, "Connect a device", p})
}

// Done writes the page that ends a device's request.
func (f Frame) Done(w http.ResponseWriter, status int, p Done) error {
	return f.write(w, status, "done.html", view{f, "Go back to your device", p})
}

// Logout writes the page that asks whether to sign out.
func (f Frame) Logout(w http.ResponseWriter, status int, p Logout) error {
	return f.write(w, status, "logout.html", view{f, "Sign out?", p})
}

// SignedOut writes the page at the end of a session.
func (f Frame) SignedOut(w http.ResponseWriter, status int) error {
	return f.write(w, status, "signedout.html", view{f, "Signed out", nil})
}

// Problem writes the page that says what went wrong.
func (f Frame) Problem(w http.ResponseWriter, status int, p Problem) error {
	return f.write(w, status, "problem.html", view{f, "That did not work", p})
}

func (f Frame) write(w http.ResponseWriter, status int, name string, v view) error {
	var body bytes.Buffer
	if err := templates.ExecuteTemplate(&body, name, v); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", f.policy())
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
	form := "'self'"
	if f.FormTarget != "" {
		form += " " + f.FormTarget
	}
	return "default-src 'none'; style-src 'self'; img-src 'self'; form-action " + form + "; frame-ancestors 'none'; base-uri 'none'"
}

// WriteStyle writes the stylesheet.
func WriteStyle(w http.ResponseWriter) error {
	h := w.Header()
	h.Set("Content-Type", "text/css; charset=utf-8")
	h.Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(stylesheet) // the reader is gone: nobody to tell
	return nil
}
