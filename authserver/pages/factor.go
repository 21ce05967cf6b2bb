package pages

import (
	"html/template"
	"net/http"
	"strings"
	"time"
)

// Passkey is a question to the browser's passkeys, for the script.
type Passkey struct {
	Options string // JSON for navigator.credentials
	State   string // sealed
}

// Second asks for a second factor.
type Second struct {
	Entry        string // sealed sign-in that is not finished
	User         string
	Unusual      bool // something about the sign-in made us ask
	Code         bool // there is an authenticator app
	Recovery     bool // there are recovery codes
	Passkey      *Passkey
	RememberDays int // that the browser can be remembered for, 0 for not at all

	RecoveryTried bool // the problem is with what was typed as one
	Problem       string
}

// Second writes the page of the second factor.
func (f Frame) Second(w http.ResponseWriter, status int, p Second) error {
	f.Script = p.Passkey != nil
	return f.write(w, status, "second.html", view{f, "One more step", p})
}

// Generator shows a new generator of codes.
type Generator struct {
	Site     string // and User: what the app calls it
	User     string
	Setup    string       // sealed
	Key      string       // to type into an app
	Open     template.URL // the same for an app on this device
	QRSize   int
	QRPath   string
	Replaces bool // there is one, which ends
	Recovery bool // there are recovery codes, which stay
	Then     string
	Problem  string
}

// Generator writes the page that sets one up.
func (f Frame) Generator(w http.ResponseWriter, status int, p Generator) error {
	f.Script = true
	return f.write(w, status, "generator.html", view{f, p.Title(), p})
}

// Title is what the page is for.
func (p Generator) Title() string {
	if p.Replaces {
		return "Set up on another phone"
	}
	return "Set up an authenticator app"
}

// Codes says of recovery codes whether they come next.
func (p Generator) Codes() string {
	if p.Recovery {
		return "Your recovery codes stay as they are."
	}
	return "Then you get recovery codes, for the day you do not have your phone."
}

// NewPasskey asks the browser for a new passkey.
type NewPasskey struct {
	Passkey
	Name          string // that it gets when the person gives none
	Then, Problem string
}

// NewPasskey writes the page that adds one.
func (f Frame) NewPasskey(w http.ResponseWriter, status int, p NewPasskey) error {
	f.Script = true
	return f.write(w, status, "newpasskey.html", view{f, "Add a passkey", p})
}

// KeptPasskey is a passkey of an account.
type KeptPasskey struct {
	ID, Name    string
	Since, Used time.Time
	Cloned      bool
}

// TrustedBrowser is one where no second factor is asked for.
type TrustedBrowser struct {
	ID, Agent    string
	Since, Until time.Time
}

// Security is how somebody signs in.
type Security struct {
	Now             time.Time
	Done            string   // what was just done, as a word
	Address         string   // of the account, which they come back to
	Wanted          string   // the level that what they came from wants, or ""
	GoOn, Then      string   // where that goes on, under the base; and as it comes back with forms
	For             string   // the application they came from, or ""
	Roles           []string // of the person, that count with a second factor only
	HasPassword     bool
	PasswordAt      time.Time
	Generator       bool
	GeneratorAt     time.Time
	Recovery        int
	PasskeysOffered bool // browsers know passkeys for this address
	Always          bool // a second factor is asked for at every sign-in
	Passkeys        []KeptPasskey
	Browsers        []TrustedBrowser
	Elsewhere       []LinkedAccount
	Providers       []Way // that can be linked
}

var doneWords = map[string]string{
	"code-on":           "Your authenticator app is set up. Other browsers were signed out.",
	"code-moved":        "Your authenticator app is set up on the new phone, and the old one opens nothing any more. Other browsers were signed out.",
	"code-beside":       "Your authenticator app is set up.",
	"code-off":          "The authenticator app is removed. It may still show codes: they open nothing.",
	"passkey-on":        "Your passkey is added. You can sign in with it alone, or use it as your second factor.",
	"passkey-off":       "The passkey is removed. It may still be on your device: remove it there too.",
	"passkey-renamed":   "The passkey has its new name.",
	"password-set":      "Your password is set. You were signed out everywhere else.",
	"password-changed":  "Your password is changed. You were signed out everywhere else.",
	"stranger":          "You are signed out everywhere else. Look through what lets you in here, and remove what is not yours.",
	"linked":            "The account is linked: it lets you in from now on.",
	"unlinked":          "The account is unlinked: it lets you in no more. You were signed out everywhere else.",
	"browser-forgotten": "You are asked for your second factor there again.",
}

func (p Security) notices() []Notice {
	var all []Notice
	if words, ok := doneWords[p.Done]; ok {
		all = append(all, Notice{Good, words, Link{}})
	}
	if p.Done == "joined" {
		all = append(all, p.welcome())
	}
	if p.Done == "factor-first" {
		all = append(all, Notice{Bad, "Recovery codes stand in for a second factor. Set one up first.", Link{}})
	}
	if len(p.Roles) > 0 && !p.Generator && len(p.Passkeys) == 0 {
		all = append(all, Notice{Warn, p.idleRoles(), Link{}})
	}
	switch {
	case p.Wanted == "phr":
		all = append(all, Notice{Warn, p.cameFor() + " needs a passkey. Add one below, then go on.", Link{}})
	case p.Wanted != "":
		all = append(all, Notice{Warn, p.cameFor() + " needs a second factor: " + p.possible() + ". Set one up below, then go on.", Link{}})
	case p.GoOn != "":
		all = append(all, Notice{Good, "That is all you need.", Link{"Go on where you were", p.GoOn}})
	}
	if p.factorless() && len(p.Roles) == 0 {
		all = append(all, Notice{Note, p.protection(), Link{}})
	}
	return all
}

// welcome is for whoever has just signed up, and has to do something here first.
func (p Security) welcome() Notice {
	next := "Now set up a second factor below: " + p.possible() + "."
	if !p.factorless() {
		next = "You have a second factor: that is all you need."
	}
	return Notice{Good, "Your account is made, and you are signed in. This is its Security page. " + next + " Keep the address of your account, this is where you come back to: " + p.Address, Link{"Open your account", "/account"}}
}

func (p Security) cameFor() string {
	if p.For == "" {
		return "What you came for"
	}
	return "“" + p.For + "”"
}

// possible are the second factors that can be set up.
func (p Security) possible() string {
	if p.PasskeysOffered {
		return "a passkey or an authenticator app"
	}
	return "an authenticator app"
}

// protection says what alone lets somebody in who has no second factor.
func (p Security) protection() string {
	if p.HasPassword {
		return "Only your password protects this account. With a second factor, somebody who learns it still cannot get in."
	}
	return "Only your account at another provider protects this one. With a second factor, somebody who gets into that one still cannot get in here."
}

// idleRoles says of roles that they give nothing yet, and why.
func (p Security) idleRoles() string {
	if len(p.Roles) == 1 {
		return "Your role “" + p.Roles[0] + "” counts only when you sign in with a second factor: it gives you nothing until you have set one up."
	}
	return "Your roles “" + strings.Join(p.Roles, "”, “") + "” count only when you sign in with a second factor: they give you nothing until you have set one up."
}

func (p Security) factorless() bool { return !p.Generator && len(p.Passkeys) == 0 && p.Wanted == "" }

func (p Security) then() []Hidden {
	if p.Then == "" {
		return nil
	}
	return []Hidden{{"then", p.Then}}
}

// Security writes the page about signing in.
func (f Frame) Security(w http.ResponseWriter, status int, p Security) error {
	sections := p.ways()
	if len(p.Elsewhere)+len(p.Providers) > 0 {
		sections = append(sections, p.elsewhere())
	}
	if len(p.Browsers) > 0 {
		sections = append(sections, p.browsers())
	}
	return f.Sheet(w, status, Sheet{Title: "Security", Lead: "How you prove that it is you.", Notices: p.notices(), Sections: sections})
}

// ways are the ways to prove it; the one that somebody was led here to set up
// stands first.
func (p Security) ways() []Section {
	if !p.due() {
		return []Section{p.password(), p.passkeys(), p.generator(), p.recovery()}
	}
	all := []Section{p.passkeys(), p.generator(), p.recovery(), p.password()}
	if !p.PasskeysOffered {
		all = []Section{p.generator(), p.recovery(), p.password(), p.passkeys()}
	}
	all[0].Acts[0].Main = true
	return all
}

// due: what somebody is here for, or was given, takes a factor that they lack.
func (p Security) due() bool {
	return p.Wanted != "" || p.factorless() && (len(p.Roles) > 0 || p.Done == "joined")
}

func (p Security) password() Section {
	fact, act := Cell{When: WhenOf(p.PasswordAt, p.Now)}, "Change your password"
	if !p.HasPassword {
		fact, act = Cell{Text: "none"}, "Choose a password"
	}
	return Section{ID: "password", Title: "Password", Facts: []Fact{{"Last changed", fact}}, Acts: []Act{{Text: act, Path: "/account/security/password"}}}
}

func (p Security) passkeys() Section {
	if !p.PasskeysOffered {
		return Section{ID: "passkeys", Title: "Passkeys", Lead: "There are none here: browsers keep passkeys for names such as auth.example.com, and this server is reached at a bare IP address."}
	}
	s := Section{ID: "passkeys", Title: "Passkeys",
		Lead: "Your phone, your computer or a security key proves that it is you, with your finger, your face or a PIN. Nobody can talk it out of you. A passkey alone is enough to sign in.",
		Acts: []Act{{Text: "Add a passkey", Path: withThen("/account/security/passkey", p.Then)}}}
	t := &Table{Caption: "Your passkeys", Columns: []string{"Name", "Added", "Last used"}, Acts: true}
	for _, k := range p.Passkeys {
		name := Cell{Text: k.Name}
		if k.Cloned {
			name.Tags = []Tag{{"has a copy: opens nothing", Bad}}
		}
		t.Rows = append(t.Rows, Row{
			Cells: []Cell{name, {When: WhenOf(k.Since, p.Now)}, {When: WhenOf(k.Used, p.Now)}},
			Acts:  []Act{{Text: "Rename or remove", About: k.Name, Path: "/account/security/passkey/one?passkey=" + k.ID}},
		})
	}
	if len(p.Passkeys) > 0 {
		s.Table = t
	}
	return s
}

func (p Security) generator() Section {
	s := Section{ID: "code", Title: "Authenticator app", Lead: "An app on your phone, such as Google Authenticator or Aegis, shows a new code of six digits every half minute. " + p.whenAsked()}
	if !p.Generator {
		s.Acts = []Act{{Text: "Set up an authenticator app", Path: withThen("/account/security/code", p.Then)}}
		return s
	}
	s.Facts = []Fact{{"Set up", Cell{When: WhenOf(p.GeneratorAt, p.Now), Tags: []Tag{{"on", Good}}}}}
	s.Points = []string{"A new phone, or a lost one: set the app up on the other phone. The old one stops working at once, other browsers are signed out, and your recovery codes stay."}
	s.Acts = []Act{
		{Text: "Set up on another phone", Path: withThen("/account/security/code", p.Then)},
		{Text: "Remove", About: "the authenticator app", Path: "/account/security/code/remove", Danger: true},
	}
	return s
}

// whenAsked says when somebody who has a second factor is asked for it.
func (p Security) whenAsked() string {
	if p.Always {
		return "We ask for one at every sign-in, except at browsers that you have remembered."
	}
	return "We ask for one when a sign-in is unusual, or when what you do needs it."
}

// RemoveCode asks before the authenticator app is removed.
type RemoveCode struct {
	Last bool // it is the only second factor
}

// RemoveCode writes the page that asks.
func (f Frame) RemoveCode(w http.ResponseWriter, status int, p RemoveCode) error {
	points := []string{"The app still shows codes, but they open nothing. Delete the entry there, too."}
	if p.Last {
		points = append(points, onlyFactor)
	}
	return f.Sheet(w, status, Sheet{Title: "Remove the authenticator app?", Trail: []Link{{"Security", "/account/security"}}, Sections: []Section{{
		Danger: true, Points: points, Forms: []Form{{Path: "/account/security/code/remove", Button: "Remove it", Danger: true}},
		Acts: []Act{{Text: "Keep it", Path: "/account/security"}},
	}}})
}

const onlyFactor = "It is your only second factor: recovery codes and remembered browsers end with it, and what you sign in with first is all that protects this account then."

func (p Security) recovery() Section {
	s := Section{ID: "recovery", Title: "Recovery codes", Lead: "For the day you do not have your phone. Each code works once. Keep them on paper, not on your phone."}
	if p.PasskeysOffered {
		s.Lead = "For the day you have neither your phone nor your passkey. Each code works once. Keep them on paper, not on your phone."
	}
	if !p.Generator && len(p.Passkeys) == 0 {
		s.Points = []string{"You get them with your first second factor."}
		return s
	}
	left := Cell{Text: count(p.Recovery, "code") + " left"}
	if p.Recovery <= fewCodes {
		left.Tags = []Tag{{"make new ones", Warn}}
	}
	text := "Make recovery codes"
	if p.Recovery > 0 {
		text = "Make new ones, end the old ones"
	}
	s.Facts = []Fact{{"Yours", left}}
	s.Acts = []Act{{Text: text, Path: "/account/security/recovery", Post: true, Hidden: p.then()}}
	return s
}

func (p Security) browsers() Section {
	t := &Table{Caption: "Remembered browsers", Columns: []string{"Browser", "Since", "Until"}, Acts: true}
	for _, b := range p.Browsers {
		t.Rows = append(t.Rows, Row{
			Cells: []Cell{{Text: b.Agent}, {When: WhenOf(b.Since, p.Now)}, {When: WhenOf(b.Until, p.Now)}},
			Acts:  []Act{{Text: "Forget", About: b.Agent, Path: "/account/security/browsers", Post: true, Hidden: []Hidden{{"browser", b.ID}}}},
		})
	}
	return Section{ID: "browsers", Title: "Remembered browsers", Lead: "Where you are not asked for your second factor, as you wished.", Table: t,
		Acts: []Act{{Text: "Forget all", About: "remembered browsers", Path: "/account/security/browsers", Post: true, Danger: true, Hidden: []Hidden{{"browser", "all"}}}}}
}

func withThen(path, then string) string {
	if then == "" {
		return path
	}
	return path + "?then=" + then
}

// OnePasskey is the page of one passkey.
type OnePasskey struct {
	Now  time.Time
	Key  KeptPasskey
	Last bool // it is the only second factor
}

// OnePasskey writes it.
func (f Frame) OnePasskey(w http.ResponseWriter, status int, p OnePasskey) error {
	points := []string{"It signs nobody in any more."}
	if p.Last {
		points = append(points, onlyFactor)
	}
	hidden := []Hidden{{"passkey", p.Key.ID}}
	return f.Sheet(w, status, Sheet{
		Title: "Passkey", Trail: []Link{{"Security", "/account/security"}},
		Sections: []Section{
			{ID: "name", Title: "Name", Forms: []Form{{Path: "/account/security/passkey/one", Button: "Save", Hidden: hidden,
				Inputs: []Input{{Name: "name", Label: "Name", Value: p.Key.Name, Kind: "text", Max: 60, Required: true, Hint: "So that you know which one it is."}}}}},
			{ID: "remove", Title: "Remove it", Danger: true, Points: points, Forms: []Form{{Path: "/account/security/passkey/remove", Button: "Remove this passkey", Danger: true, Hidden: hidden}}},
		},
	})
}

// Password asks for a new password.
type Password struct {
	Username string
	Old      bool // there is one, which is asked for
	Problem  string
	Field    string // that the problem is about, or ""
	Notices  []Notice
}

// Password writes the page that changes it.
func (f Frame) Password(w http.ResponseWriter, status int, p Password) error {
	inputs := []Input{
		{Name: "new_password", Label: "New password", Kind: "password", Complete: "new-password", Max: 1024, Required: true, Hint: "Three or four words that have nothing to do with each other are easy to remember and hard to guess."},
		{Name: "repeat_password", Label: "New password, once more", Kind: "password", Complete: "new-password", Max: 1024, Required: true},
	}
	if p.Old {
		inputs = append([]Input{{Name: "password", Label: "Your password now", Kind: "password", Complete: "current-password", Max: 1024, Required: true}}, inputs...)
	}
	for i := range inputs {
		if inputs[i].Name == p.Field {
			inputs[i].Problem = p.Problem
		}
	}
	var notices []Notice
	if p.Problem != "" && p.Field == "" {
		notices = []Notice{{Tone: Bad, Text: p.Problem}}
	}
	title, button := "Change your password", "Change it"
	if !p.Old {
		title, button = "Choose a password", "Set this password"
	}
	return f.Sheet(w, status, Sheet{
		Title: title, Trail: []Link{{"Security", "/account/security"}}, Notices: append(p.Notices, notices...),
		Sections: []Section{{Points: []string{"You stay signed in here, and are signed out everywhere else.", "Remembered browsers ask for your second factor again.", "Applications keep what you allowed them: see Applications."},
			Forms: []Form{{Path: "/account/security/password", Button: button, Inputs: inputs}}}},
	})
}
