package pages

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// SignIn is one attempt to sign in.
type SignIn struct {
	Until   int64  // with this value the person says they know of it and all before
	Name    string // whose it is, where several people's are shown; else ""
	At      time.Time
	Outcome string // allow, step_up or refuse
	Reasons []string
	Agent   string // browser and system in words
	Address string
	Client  string // application it was for, "" for our own pages
	Methods []string
}

// Session is one browser in which somebody is signed in.
type Session struct {
	ID       string // names it in forms
	Proof    string // goes with it there; "" of none
	Agent    string
	Address  string
	Methods  []string
	SignedIn time.Time
	Seen     time.Time
	Here     bool // it is this one
}

// Grant is one yes of a person to an application.
type Grant struct {
	ID, ClientID, Client string
	User, UserID         string
	Resource             string
	Scope                []Scope
	Since, Expires       time.Time
}

// Token is one live access token.
type Token struct {
	ID, ClientID, Client, Resource string
	Scope                          []Scope
	Expires                        time.Time
}

// Overview is the first page of an account.
type Overview struct {
	Now                            time.Time
	Name, FullName                 string
	Address                        string // of this page
	HasPassword                    bool
	PasswordAt                     time.Time
	News                           []SignIn // that the person has not seen
	Factors                        []string // second factors in words
	Sessions, Applications, Tokens int
	Roles                          []string
	Notices                        []Notice
}

// Overview writes it.
func (f Frame) Overview(w http.ResponseWriter, status int, p Overview) error {
	f.At = "/account"
	name := p.FullName
	if name == "" {
		name = p.Name
	}
	return f.Sheet(w, status, Sheet{
		Title: "Hello, " + name, Lead: "This is your account: who you are here, where you are signed in, and what you have allowed applications to do.",
		Notices: p.Notices, Sections: append(p.news(), p.summary()),
	})
}

func (p Overview) news() []Section {
	if len(p.News) == 0 {
		return nil
	}
	s := Section{ID: "news", Title: "New sign-ins to your account", Lead: "Did you do all of this yourself? If not, somebody can get in as you.",
		Table: &Table{Caption: "New sign-ins", Columns: []string{"When", "What happened", "Where from"}, Rows: signInRows(p.News, p.Now, false)}}
	seen := Act{Text: "That was me", Path: "/account/activity/seen", Post: true, Hidden: []Hidden{{"until", strconv.FormatInt(p.News[0].Until, 10)}}}
	if p.HasPassword && p.PasswordAt.After(p.News[0].At) {
		s.Title, s.Lead = "Sign-ins before your new password", "Whoever knew the password before cannot use it any more."
		seen.Text = "Do not show them any more"
		s.Acts = []Act{seen}
		return []Section{s}
	}
	if p.HasPassword {
		s.Lead = "Did you do all of this yourself? If not, somebody knows your password: choose a new one."
	}
	s.Acts = []Act{seen, {Text: "That was not me", Path: "/account/activity/stranger", Danger: true}}
	return []Section{s}
}

func (p Overview) summary() Section {
	alone := "only your password protects you"
	if !p.HasPassword {
		alone = "only your provider protects you"
	}
	factor := Cell{Text: "none: set one up", Tags: []Tag{{alone, Warn}}, Path: "/account/security"}
	if len(p.Factors) > 0 {
		factor = Cell{Text: strings.Join(p.Factors, ", "), Path: "/account/security"}
	}
	browsers, applications := "this browser only", Cell{Text: "none"}
	if p.Sessions > 1 {
		browsers = count(p.Sessions, "browser")
	}
	if p.Applications > 0 {
		applications = Cell{Text: count(p.Applications, "application"), Path: "/account/applications", Under: holdingNow(p.Tokens)}
	}
	return Section{ID: "summary", Title: "At a glance", Facts: []Fact{
		{"User name", Cell{Text: p.Name}},
		{"Second factor", factor},
		{"Signed in at", Cell{Text: browsers, Path: "/account/sessions"}},
		{"Applications you let in", applications},
		{"Roles", Cell{Chips: p.Roles}},
		{"Address of this page", Cell{Text: p.Address, Under: "Keep it: this is where you come back to."}},
	}}
}

func holdingNow(tokens int) string {
	if tokens == 0 {
		return "none of them holds access right now"
	}
	return "they hold " + count(tokens, "token") + " right now"
}

// Profile is what a person says about themselves.
type Profile struct {
	Name, FullName, Email string
	Verified              bool // somebody proved that the address is theirs
	Problem               string
	Notices               []Notice
}

// Profile writes the page to change it.
func (f Frame) Profile(w http.ResponseWriter, status int, p Profile) error {
	f.At = "/account/profile"
	address := Cell{Text: p.Email}
	if p.Email != "" && p.Verified {
		address.Tags = []Tag{{"verified", Good}}
	} else if p.Email != "" {
		address.Tags = []Tag{{"not verified", Warn}}
		address.Under = "Nobody has confirmed that it is yours. An administrator of this server can confirm it."
	}
	return f.Sheet(w, status, Sheet{Title: "Profile", Lead: "Applications learn your name and address only when you let them.", Notices: p.Notices,
		Sections: []Section{
			{ID: "now", Title: "Who you are here", Facts: []Fact{{"User name", Cell{Text: p.Name, Under: "You sign in with it. It stays as it is."}}, {"Full name", Cell{Text: p.FullName}}, {"E-mail address", address}}},
			{ID: "change", Title: "Change it", Forms: []Form{{Path: "/account/profile", Button: "Save", Inputs: []Input{
				{Name: "full_name", Label: "Full name", Value: p.FullName, Kind: "text", Complete: "name", Max: 200, Hint: "As you want to be called. You may leave it empty."},
				{Name: "email", Label: "E-mail address", Value: p.Email, Kind: "email", Complete: "email", Max: 254, Problem: p.Problem, Hint: "A new address counts as not verified."},
			}}}},
		}})
}

// Sessions are the browsers in which somebody is signed in.
type Sessions struct {
	Now     time.Time
	All     []Session
	Notices []Notice
}

// Sessions writes the list of them.
func (f Frame) Sessions(w http.ResponseWriter, status int, p Sessions) error {
	f.At = "/account/sessions"
	lead := "Everywhere you are signed in right now. Sign out what you do not know or no longer use."
	if len(p.All) == 1 {
		lead = "You are signed in here, and nowhere else."
	}
	section := Section{Table: sessionTable(p.All, p.Now, "/account/sessions/end")}
	if len(p.All) > 1 {
		section.Acts = []Act{{Text: "Sign out everywhere else", Path: "/account/sessions/end-others", Danger: true}}
	}
	return f.Sheet(w, status, Sheet{Title: "Signed-in browsers", Lead: lead,
		Notices: p.Notices, Sections: []Section{section}})
}

func sessionTable(all []Session, now time.Time, end string, more ...Hidden) *Table {
	t := &Table{Caption: "Browsers in which somebody is signed in", Columns: []string{"Browser", "Where from", "Signed in", "Last used"}, Acts: true, Empty: "Signed in nowhere."}
	for _, s := range all {
		browser := Cell{Text: s.Agent}
		if s.Here {
			browser.Tags = []Tag{{"this browser", Good}}
		}
		signed := Cell{When: WhenOf(s.SignedIn, now), Under: MethodWords(s.Methods)}
		hidden := append([]Hidden{{"session", s.ID}}, more...)
		if s.Proof != "" {
			hidden = append(hidden, Hidden{"proof", s.Proof})
		}
		t.Rows = append(t.Rows, Row{
			Cells: []Cell{browser, {Text: s.Address}, signed, {When: WhenOf(s.Seen, now)}},
			Acts:  []Act{{Text: "Sign out", About: s.Agent, Path: end, Post: true, Hidden: hidden}},
		})
	}
	return t
}

// Activity is how somebody signed in, or tried to.
type Activity struct {
	Now     time.Time
	All     []SignIn
	First   string
	Next    string
	Notices []Notice
}

// Activity writes the list.
func (f Frame) Activity(w http.ResponseWriter, status int, p Activity) error {
	f.At = "/account/activity"
	t := signInTable(p.All, p.Now, false)
	t.First, t.Next = p.First, p.Next
	return f.Sheet(w, status, Sheet{Title: "Activity", Lead: "Every time you signed in, and every time somebody tried with your name. We keep it for 90 days.",
		Notices: p.Notices, Sections: []Section{{Table: t}}})
}

func signInTable(all []SignIn, now time.Time, names bool) *Table {
	columns := []string{"When", "What happened", "Where from"}
	if names {
		columns = append([]string{"Who"}, columns...)
	}
	return &Table{Caption: "Sign-ins, the latest first", Columns: columns, Rows: signInRows(all, now, names), Empty: "Nobody has signed in yet."}
}

func signInRows(all []SignIn, now time.Time, names bool) []Row {
	var rows []Row
	for _, s := range all {
		cells := []Cell{{When: WhenOf(s.At, now)}, s.outcome(), {Text: s.Agent, Under: s.Address}}
		if names {
			cells = append([]Cell{{Text: s.Name}}, cells...)
		}
		rows = append(rows, Row{Cells: cells})
	}
	return rows
}

func (s SignIn) outcome() Cell {
	c := Cell{Tags: []Tag{outcomeTag(s.Outcome)}}
	var why []string
	by := MethodWords(s.Methods)
	if s.Outcome != "allow" {
		by = provenWords(s.Methods)
	}
	if by != "" {
		why = append(why, by)
	}
	for _, r := range s.Reasons {
		why = append(why, reasonWords(r))
	}
	if s.Client != "" {
		why = append(why, "for "+s.Client)
	}
	c.Under = strings.Join(why, "; ")
	return c
}
