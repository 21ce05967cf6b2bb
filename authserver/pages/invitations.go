package pages

import (
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
	Email   string // as typed before
	Problem string
	Notices []Notice
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
			row.Acts = []Act{{Text: "Cancel", About: "this invitation", Path: "/admin/invitations/cancel", Post: true, Hidden: []Hidden{{"id", v.ID}}, Danger: true}}
		}
		t.Rows = append(t.Rows, row)
	}
	sections := []Section{{ID: "open", Title: "Open invitations", Table: t}}
	if p.Create && !p.Closed {
		sections = append(sections, Section{ID: "new", Title: "Invite somebody", Lead: "You get a link that works once. This server sends no e-mail: hand it over yourself.",
			Forms: []Form{{Path: "/admin/invitations", Button: "Make a link", Inputs: []Input{
				{Name: "email", Label: "E-mail address", Value: p.Email, Kind: "email", Max: 254, Hint: "Optional: it stands in the new account, as not verified.", Problem: p.Problem}, roleInput(p.Roles),
			}}}})
	}
	if p.Closed {
		p.Notices = append(p.Notices, Notice{Tone: Note, Text: "Sign-up is closed. To invite people from here, the configuration says “sign_up: invitation” (under authserver). Until then, add them under People, or invite from the machine itself: postern admin invite."})
	}
	return f.Sheet(w, status, Sheet{Title: "Invitations", Notices: p.Notices, Sections: sections})
}
