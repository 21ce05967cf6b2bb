package pages

import (
	"net/http"
	"net/url"
	"time"
)

// Grants is a page of the list of what people allowed.
type Grants struct {
	Now         time.Time
	Query       string // whose: a user name; "" shows the question alone
	All         []Grant
	First, Next string
	Change      bool
	Notices     []Notice
}

// Grants writes it.
func (f Frame) Grants(w http.ResponseWriter, status int, p Grants) error {
	f.At = "/admin/grants"
	t := grantList(p.All, p.Now, p.Change, f.At+"?"+url.Values{"q": {p.Query}}.Encode())
	t.First, t.Next = p.First, p.Next
	if p.Query == "" {
		t.Empty = "Whose? Type a user name. Those of a client are on its own page."
	}
	return f.Sheet(w, status, Sheet{Title: "Grants", Lead: "Each is one yes of a person to a client, with every token that came of it.", Notices: p.Notices,
		Search: searchForm(f.At, "User name", p.Query), Sections: []Section{{Table: t}}})
}

// grantList lists grants; back is the page to come back to.
func grantList(all []Grant, now time.Time, change bool, back string) *Table {
	t := &Table{Caption: "Grants", Columns: []string{"Client", "Person", "May", "Since", "Ends"}, Acts: change, Empty: "Nothing is granted."}
	for _, g := range all {
		row := Row{Cells: []Cell{{Text: g.Client, Under: g.ClientID}, {Text: g.User, Path: personPath(g.UserID)}, g.may(), {When: WhenOf(g.Since, now)}, {When: WhenOf(g.Expires, now)}}}
		if change {
			row.Acts = []Act{{Text: "End access", About: "of " + g.Client + " for " + g.User, Path: "/admin/grants/end", Post: true, Hidden: []Hidden{{"grant", g.ID}, {"back", back}}, Danger: true}}
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// may is where the grant is for, and what it allows there.
func (g Grant) may() Cell {
	c := may(g.Scope)
	c.Text = g.Resource
	return c
}
