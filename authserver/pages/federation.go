package pages

import (
	"net/http"
	"time"
)

// Away is between this server and a provider.
type Away struct {
	Label string // the provider's
	To    string // its URL for this sign-in
}

// Away writes it, with a link for browsers that do not go on by themselves.
func (f Frame) Away(w http.ResponseWriter, status int, p Away) error {
	return f.write(w, status, "away.html", view{Frame: f, Title: "Sign in with " + p.Label, Page: p})
}

// LinkedAccount is one at another provider that lets the person in.
type LinkedAccount struct {
	Label           string // of the provider
	Address         string // that it told last, or ""
	Issuer, Subject string // name it in forms
	Since, Used     time.Time
}

// elsewhere are the accounts at other providers.
func (p Security) elsewhere() Section {
	s := Section{ID: "elsewhere", Title: "Accounts elsewhere", Lead: "Accounts at other providers that let you in here."}
	t := &Table{Caption: "Linked accounts", Columns: []string{"Account", "Linked", "Last used"}, Acts: true}
	for _, a := range p.Elsewhere {
		t.Rows = append(t.Rows, Row{
			Cells: []Cell{{Text: a.Label, Under: a.Address}, {When: WhenOf(a.Since, p.Now)}, {When: WhenOf(a.Used, p.Now)}},
			Acts:  []Act{{Text: "Unlink", About: a.Label, Path: "/account/security/elsewhere/unlink", Post: true, Danger: true, Hidden: []Hidden{{"issuer", a.Issuer}, {"subject", a.Subject}}}},
		})
	}
	if len(p.Elsewhere) > 0 {
		s.Table = t
	}
	for _, w := range p.Providers {
		s.Acts = append(s.Acts, Act{Text: "Link your account at " + w.Label, Path: "/account/security/elsewhere/link", Post: true, Hidden: []Hidden{{"provider", w.Name}}})
	}
	return s
}
