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
	Left int
	GoOn string // where the person is going, under the base
}

// RecoveryUsed writes it.
func (f Frame) RecoveryUsed(w http.ResponseWriter, status int, p RecoveryUsed) error {
	left := Notice{Tone: Good, Text: "You have " + count(p.Left, "recovery code") + " left. Cross out the one you used: it works no more."}
	if p.Left <= fewCodes {
		left = Notice{Tone: Warn, Text: "You have only " + count(p.Left, "recovery code") + " left. Make new ones now, under Security."}
	}
	return f.Sheet(w, status, Sheet{Title: "You used a recovery code", Notices: []Notice{left}, Sections: []Section{{
		Lead: "If you no longer have your authenticator app or your passkey, remove it under Security and set up another one: whoever has it now could use it.",
		Acts: []Act{{Text: "Go on", Path: p.GoOn}, {Text: "Open Security", Path: "/account/security"}},
	}}})
}
