package pages

import (
	"cmp"
	"net/http"
	"time"
)

// Invitation is a link that lets somebody sign up.
type Invitation struct {
	ID, Email        string
	Roles            []string
	By               string
	Created, Expires time.Time
}

// Invitations are those that were not used yet.
type Invitations struct {
	Now     time.Time
	All     []Invitation
	Roles   []RoleChoice
	Create  bool   // the visitor may make them
	Closed  bool   // nobody may but the operator of the machine
	File    string // of the configuration, or ""
	Command string // that makes one on the machine, or ""
	Email   string // as typed before
	Problem string
	Notices []Notice
}

// closed says what it takes to invite from here, and what works until then.
func (p Invitations) closed() Section {
	s := Section{ID: "closed", Title: "Sign-up is closed", Lead: "So invitations are made on the machine itself, and not here. This is a setting:", Facts: []Fact{
		{"To invite from here", Cell{Text: "sign_up: invitation", Code: true, Under: "Write this line under authserver: in " + cmp.Or(p.File, "the configuration file") + ", and start the server again."}},
		{"Meanwhile, on the machine", Cell{Text: cmp.Or(p.Command, "postern admin invite --role ROLE"), Code: true, Under: "It prints a link. Links that are made there work, whatever the setting says, and are listed below."}},
	}}
	if p.Create {
		s.Facts = append(s.Facts, Fact{"Meanwhile, from here", Cell{Text: "Add a person", Path: "/admin/users/new", Under: "They get a password, which is shown to you once."}})
	}
	return s
}

// Invitations writes the list, and the form for another.
func (f Frame) Invitations(w http.ResponseWriter, status int, p Invitations) error {
	f.At = "/admin/invitations"
	t := &Table{Caption: "Open invitations", Columns: []string{"For", "Roles", "Made by", "Ends"}, Acts: p.Create, Empty: "No invitation is open."}
	for _, v := range p.All {
		who := Cell{Text: v.Email}
		if v.Email == "" {
			who = Cell{Text: "whoever has the link"}
		}
		row := Row{Cells: []Cell{who, {Chips: v.Roles}, {Text: v.By}, {When: WhenOf(v.Expires, p.Now)}}}
		if p.Create {
			row.Acts = []Act{{Text: "Cancel the invitation", Path: "/admin/invitations/cancel", Post: true, Hidden: []Hidden{{"id", v.ID}}, Danger: true}}
		}
		t.Rows = append(t.Rows, row)
	}
	sections := []Section{{ID: "open", Title: "Open invitations", Table: t}}
	if p.Create && !p.Closed {
		sections = append(sections, Section{ID: "new", Title: "Invite somebody", Lead: "You get a link that works once. This server sends no e-mail: hand it over yourself. It stops working early if your password is changed or you are signed out everywhere else, in case it was not you who made it.",
			Forms: []Form{{Path: "/admin/invitations", Button: "Make an invitation link", Inputs: []Input{
				{Name: "email", Label: "E-mail address", Value: p.Email, Kind: "email", Max: 254, Hint: "Optional: it stands in the new account, as not verified.", Problem: p.Problem}, roleInput(p.Roles),
			}}}})
	}
	if p.Closed {
		sections = append([]Section{p.closed()}, sections...)
	}
	return f.Sheet(w, status, Sheet{Title: "Invitations", Notices: p.Notices, Sections: sections})
}
