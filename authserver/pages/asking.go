package pages

import (
	"net/http"
	"slices"
	"strings"
)

// Login asks who the person is.
type Login struct {
	Request string // sealed pending request
	Asker
	Resource       string // what it wants to use, "" on the way to a page of ours
	Knows          bool   // all it wants is to know who the person is
	Username       string // as typed before
	Again          bool   // Username is signed in, too long ago for what is asked
	Ended          bool   // whoever was signed in here is no more
	Problem        string // why the last try failed, or ""
	Done           string // what was done just before, or ""
	Ways           []Way  // other providers at which people sign in
	Without        string // the one of them that is not offered, or ""
	Administration bool   // they go on to it

	Linking string // the provider whose account is linked by signing in, or ""
	Address string // that both sides know
	Passkey *Passkey
	SignUp  bool // whoever has no account may create one
}

// Way is another provider at which people sign in.
type Way struct{ Name, Label string }

// Scope is one permission in words.
type Scope struct {
	Name  string
	Words string // "" shows the name alone
	Risk  string // low, medium or high; "" when nobody said

	Implied []Scope // what comes with it
}

const comesWith = "Comes with it: "

// beside leaves out of what comes with scopes what is shown for itself.
func beside(all, shown []Scope) []Scope {
	held, apart := names(shown), slices.Clone(all)
	for i := range apart {
		apart[i].Implied = slices.DeleteFunc(slices.Clone(apart[i].Implied), func(s Scope) bool { return slices.Contains(held, s.Name) })
	}
	return apart
}

// Brings is in words what comes with it, "" for nothing.
func (s Scope) Brings() string {
	var all []string
	for _, i := range s.Implied {
		all = append(all, i.inWords())
	}
	if len(all) == 0 {
		return ""
	}
	return comesWith + strings.Join(all, "; ")
}

func (s Scope) inWords() string {
	if s.Words == "" {
		return s.Name
	}
	return s.Words + " (" + s.Name + ")"
}

// RiskTag is the risk in words.
func (s Scope) RiskTag() Tag {
	switch s.Risk {
	case "low":
		return Tag{"Risk: low", Good}
	case "medium":
		return Tag{"Risk: medium", Warn}
	case "high":
		return Tag{"Risk: high", Bad}
	}
	return Tag{}
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
	Request string // sealed pending request, for this session
	User    string
	Asker
	Administers  bool   // what it asks for is the administration of this server
	Lasts        string // how long it gets this, as a sentence
	TakeBack     string // URL of the page on which it is taken back
	RedirectHost string // where the browser goes afterwards
	Local        bool   // which is a program on the person's device
	Scheme       string // the one that opens these links, "" for a loopback address
	Resource     string
	About        string // the resource, in words; "" when nobody described it
	ResourceURL  string
	Knows        bool   // all it asks for is who the person is
	UserCode     string // of a device that waits: then nobody is redirected
	New, Held    []Scope
	Beyond       []Scope // asked for as well, and not theirs to give
	Details      []Detail
}

// Old: the person allowed all of it before.
func (c Consent) Old() bool { return len(c.Held) > 0 && len(c.New)+len(c.Details) == 0 }

// Many says that the list is too long to be seen at once.
func (c Consent) Many() bool { return len(c.New)+len(c.Held)+len(c.Beyond) > 12 }

// List is some of its scopes in one style: new or held.
func (c Consent) List(scopes []Scope, class string) scopeList {
	return scopeList{class, beside(scopes, slices.Concat(c.New, c.Held))}
}

type scopeList struct {
	Class  string
	Scopes []Scope
}

// Device asks for the code that a device shows.
type Device struct {
	Code    string // from the link, or ""
	Given   bool   // there is one, to be compared
	Problem string // why the last one failed, or ""
}

// Done says that a device has its answer.
type Done struct {
	Asker
	Resource string
	About    string // the resource, in words, or ""
	Knows    bool   // all it asked for was who the person is
	Allowed  bool
	TakeBack string // URL of the page on which it is taken back
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
	Next     Link // what may help, when there is no way back; or nowhere
}

// Login writes the sign-in page.
func (f Frame) Login(w http.ResponseWriter, status int, p Login) error {
	f.Script = p.Passkey != nil
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
