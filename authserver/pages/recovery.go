package pages

import (
	"net/http"
	"net/url"
)

// RecoveryCodes are shown once.
type RecoveryCodes struct {
	Codes      []string
	Site, User string
	Then       string
	Done       string // what was done before they were made, as a word, or ""
	Passkeys   bool   // browsers know them for this address
}

// News is what was done, in words.
func (p RecoveryCodes) News() string { return doneWords[p.Done] }

// Onward is where the page leads to, under the base.
func (p RecoveryCodes) Onward() string {
	if p.Then == "" {
		return "/account/security"
	}
	return "/account/security?" + url.Values{"then": {p.Then}}.Encode()
}

// RecoveryCodes writes them.
func (f Frame) RecoveryCodes(w http.ResponseWriter, status int, p RecoveryCodes) error {
	f.Script = true
	return f.write(w, status, "recovery.html", view{f, "Your recovery codes", p})
}

// fewCodes is how many recovery codes are so few that it is time for new ones.
const fewCodes = 3

// RecoveryUsed says how many recovery codes are left after one was used.
type RecoveryUsed struct {
	Left     int
	App      bool   // they have an authenticator app
	Passkeys bool   // browsers know them for this address
	GoOn     string // where the person is going, under the base
}

// RecoveryUsed writes it.
func (f Frame) RecoveryUsed(w http.ResponseWriter, status int, p RecoveryUsed) error {
	left := Notice{Tone: Good, Text: "You have " + count(p.Left, "recovery code") + " left. Cross out the one you used: it works no more."}
	if p.Left <= fewCodes {
		left = Notice{Tone: Warn, Text: "You have only " + count(p.Left, "recovery code") + " left. Make new ones now, under Security."}
	}
	return f.Sheet(w, status, Sheet{Title: "You used a recovery code", Notices: []Notice{left}, Sections: []Section{{
		Points: p.advice(),
		Acts:   []Act{{Text: "Go on", Path: p.GoOn}, {Text: "Open Security", Path: "/account/security"}},
	}}})
}

// advice says what to do about a factor that is lost: whoever has it could use it.
func (p RecoveryUsed) advice() []string {
	passkey := "A passkey is lost? Remove it under Security, and add another one: whoever has it now could use it."
	if !p.App {
		return []string{passkey}
	}
	phone := "Your phone is lost? Choose “Set up on another phone” under Security: the old phone stops working at once, and your recovery codes stay."
	if !p.Passkeys {
		return []string{phone}
	}
	return []string{phone, passkey}
}
