package pages

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Person is somebody who can sign in, as an administrator sees them.
type Person struct {
	ID, Name, FullName, Email string
	Verified                  bool // the address
	Roles                     []string
	Factors                   []Factor
	Identities                []string // at other providers
	Created, Changed          time.Time
	Disabled                  time.Time // zero while they may sign in
}

// Factor is a second factor of somebody.
type Factor struct{ ID, Name string }

// RoleChoice is a role that can be given or taken.
type RoleChoice struct {
	Name, Description string
	Administers       bool // it gives scopes of the administration
	Factor            bool // it counts in sign-ins with a second factor only
	Has               bool
	Fixed             string // why it cannot be changed here, or ""
}

// People is a page of the list of everybody.
type People struct {
	Now         time.Time
	Query       string
	All         []Person
	First, Next string
	Create      bool // the visitor may add somebody
	Notices     []Notice
}

const peoplePath = "/admin/users"

func personPath(id string) string { return "/admin/user?" + url.Values{"id": {id}}.Encode() }

func personPage(step, id string) string {
	return "/admin/user/" + step + "?" + url.Values{"id": {id}}.Encode()
}

// People writes the list.
func (f Frame) People(w http.ResponseWriter, status int, p People) error {
	f.At = peoplePath
	t := &Table{Caption: "People", Columns: []string{"User name", "Name and address", "Roles", "Added"}, Empty: "Nobody yet.", First: p.First, Next: p.Next}
	if p.Query != "" {
		t.Empty = "Nobody has that in their user name, name or address."
	}
	for _, u := range p.All {
		t.Rows = append(t.Rows, Row{Cells: []Cell{{Text: u.Name, Path: personPath(u.ID), Tags: u.tags()}, {Text: u.FullName, Under: u.Email}, {Chips: u.Roles}, {When: WhenOf(u.Created, p.Now)}}})
	}
	s := Sheet{Title: "People", Lead: "Everybody who can sign in here.", Notices: p.Notices, Search: searchForm(peoplePath, "Part of a name or address", p.Query), Sections: []Section{{Table: t}}}
	if p.Create {
		s.Acts = []Act{{Text: "Add a person", Path: "/admin/users/new"}, {Text: "Invite somebody", Path: "/admin/invitations"}}
	}
	return f.Sheet(w, status, s)
}

func searchForm(path, label, value string) *Form {
	return &Form{Path: path, Button: "Find", Search: true, Inputs: []Input{{Name: "q", Label: label, Value: value, Kind: "search", Max: 254}}}
}

func (u Person) tags() []Tag {
	var tags []Tag
	if !u.Disabled.IsZero() {
		tags = append(tags, Tag{"disabled", Bad})
	}
	if len(u.Factors) == 0 {
		tags = append(tags, Tag{"no second factor", Warn})
	}
	return tags
}

// PersonOf is everything about one person.
type PersonOf struct {
	Now      time.Time
	Of       Person
	Tag      string // of what is shown, for changes
	Roles    []RoleChoice
	Sessions []Session
	Grants   []Grant
	SignIns  []SignIn
	Change   bool // the visitor may change people
	End      bool // the visitor may end sessions and grants
	Self     bool // it is the visitor
	Notices  []Notice
}

// Person writes it.
func (f Frame) Person(w http.ResponseWriter, status int, p PersonOf) error {
	f.At = peoplePath
	sections := []Section{p.facts(), p.roles(), p.factors(), p.sessions(), p.grants(),
		{ID: "sign-ins", Title: "Latest sign-ins", Table: signInTable(p.SignIns, p.Now, false)}}
	if p.Change {
		sections = append(sections, p.danger())
	}
	return f.Sheet(w, status, Sheet{Title: p.Of.Name, Trail: []Link{{"People", peoplePath}}, Notices: p.Notices, Sections: sections})
}

func (p PersonOf) facts() Section {
	address := Cell{Text: p.Of.Email}
	if p.Of.Email != "" && !p.Of.Verified {
		address.Tags = []Tag{{"not verified", Warn}}
	}
	facts := []Fact{
		{"Full name", Cell{Text: p.Of.FullName}}, {"E-mail address", address},
		{"Id", Cell{Text: p.Of.ID, Code: true, Under: "Tokens name the person by it (sub)."}},
		{"Added", Cell{When: WhenOf(p.Of.Created, p.Now)}}, {"Password changed", Cell{When: WhenOf(p.Of.Changed, p.Now)}},
		{"Signs in with", Cell{Chips: p.Of.Identities}},
	}
	if !p.Of.Disabled.IsZero() {
		facts = append(facts, Fact{"Disabled", Cell{When: WhenOf(p.Of.Disabled, p.Now), Tags: []Tag{{"cannot sign in", Bad}}}})
	}
	s := Section{ID: "facts", Title: "About", Facts: facts}
	if p.Change {
		s.Acts = []Act{{Text: "Edit name and address", Path: personPage("edit", p.Of.ID)}}
	}
	return s
}

func (p PersonOf) roles() Section {
	s := Section{ID: "roles", Title: "Roles", Lead: "Roles bound what clients can do in this person’s name. A role that is taken away ends tokens that need it within seconds."}
	if !p.Change {
		s.Facts = []Fact{{"Roles", Cell{Chips: p.Of.Roles}}}
		return s
	}
	choices := Input{Name: "role", Label: "This person is", Kind: "choices"}
	for _, r := range p.Roles {
		if r.Fixed != "" {
			s.Facts = append(s.Facts, Fact{r.Name, Cell{Text: r.Fixed}})
			continue
		}
		choices.Options = append(choices.Options, Option{Value: r.Name, Text: r.Name, Hint: r.hint(), Chosen: r.Has})
	}
	if len(choices.Options) > 0 {
		s.Forms = []Form{{Path: "/admin/user/roles", Button: "Save roles", Inputs: []Input{choices}, Hidden: []Hidden{{"id", p.Of.ID}, {"tag", p.Tag}}}}
	}
	return s
}

func (p PersonOf) factors() Section {
	t := &Table{Caption: "Second factors", Columns: []string{"Second factor"}, Acts: p.Change, Empty: "None: the password alone lets this person in."}
	for _, k := range p.Of.Factors {
		row := Row{Cells: []Cell{{Text: k.Name}}}
		if p.Change {
			row.Acts = []Act{{Text: "Remove", About: k.Name, Path: "/admin/user/factor?" + url.Values{"id": {p.Of.ID}, "factor": {k.ID}}.Encode(), Danger: true}}
		}
		t.Rows = append(t.Rows, row)
	}
	return Section{ID: "factors", Title: "Second factors", Table: t}
}

func (p PersonOf) sessions() Section {
	t := sessionTable(p.Sessions, p.Now, "/admin/user/session", Hidden{"id", p.Of.ID})
	if !p.End {
		t = withoutActs(t)
	}
	return Section{ID: "sessions", Title: "Signed-in browsers", Table: t}
}

func (p PersonOf) grants() Section {
	t := grantList(p.Grants, p.Now, p.End, personPath(p.Of.ID)).without("Person")
	return Section{ID: "grants", Title: "Clients with access", Table: t}
}

func withoutActs(t *Table) *Table {
	t.Acts = false
	for i := range t.Rows {
		t.Rows[i].Acts = nil
	}
	return t
}

func (p PersonOf) danger() Section {
	s := Section{ID: "danger", Title: "Serious changes", Danger: true, Acts: []Act{
		{Text: "Make a link for a new password", Path: personPage("reset", p.Of.ID)},
		{Text: "Make a new password", Path: personPage("password", p.Of.ID), Danger: true},
	}}
	if p.Self {
		s.Notice = Notice{Tone: Note, Text: "This is you: another administrator has to disable or delete your account."}
		return s
	}
	if p.Of.Disabled.IsZero() {
		s.Acts = append(s.Acts, Act{Text: "Disable the account", Path: personPage("disable", p.Of.ID), Danger: true})
	} else {
		s.Acts = append(s.Acts, Act{Text: "Enable the account", Path: personPage("enable", p.Of.ID)})
	}
	s.Acts = append(s.Acts, Act{Text: "Delete the account", Path: personPage("delete", p.Of.ID), Danger: true})
	return s
}

// PersonForm adds somebody, or changes what is known of them.
type PersonForm struct {
	Tag                       string // of what is shown
	ID, Name, FullName, Email string // ID is "" for somebody new
	Verified                  bool
	Roles                     []RoleChoice // for somebody new
	Problem                   string
}

// PersonForm writes it.
func (f Frame) PersonForm(w http.ResponseWriter, status int, p PersonForm) error {
	f.At = peoplePath
	inputs := []Input{
		{Name: "full_name", Label: "Full name", Value: p.FullName, Kind: "text", Max: 200},
		{Name: "email", Label: "E-mail address", Value: p.Email, Kind: "email", Max: 254},
		{Name: "email_verified", Label: "I know that the address is this person’s", Value: yes(p.Verified), Kind: "check"},
	}
	s := Sheet{Title: "Edit " + p.Name, Trail: []Link{{"People", peoplePath}, {p.Name, personPath(p.ID)}}}
	form := Form{Path: "/admin/user/edit", Button: "Save name and address", Hidden: []Hidden{{"id", p.ID}, {"tag", p.Tag}}, Inputs: inputs}
	if p.ID == "" {
		s = Sheet{Title: "Add a person", Lead: "A password is made up and shown to you once. With an invitation people choose their own.", Trail: []Link{{"People", peoplePath}}}
		form = Form{Path: "/admin/users/new", Button: "Add the person", Inputs: append([]Input{{Name: "name", Label: "User name", Value: p.Name, Kind: "text", Max: 100, Required: true, Hint: "They sign in with it."}}, inputs...)}
		form.Inputs = append(form.Inputs, roleInput(p.Roles))
	}
	if p.Problem != "" {
		s.Notices = []Notice{{Tone: Bad, Text: p.Problem}}
	}
	s.Sections = []Section{{Forms: []Form{form}}}
	return f.Sheet(w, status, s)
}

// hint says what the role is for, and what it takes.
func (r RoleChoice) hint() string {
	var all []string
	if r.Description != "" {
		all = append(all, strings.TrimRight(r.Description, "."))
	}
	if r.Administers {
		all = append(all, "Opens the administration of this server")
	}
	if r.Factor {
		all = append(all, "Counts only in sign-ins with a second factor: its holders set one up first")
	}
	return strings.Join(all, ". ")
}

func roleInput(all []RoleChoice) Input {
	i := Input{Name: "role", Label: "Roles", Kind: "choices"}
	for _, r := range all {
		i.Options = append(i.Options, Option{Value: r.Name, Text: r.Name, Hint: r.hint(), Chosen: r.Has})
	}
	return i
}

func yes(v bool) string {
	if v {
		return "yes"
	}
	return ""
}

// Secret is something shown once.
type Secret struct {
	At, Title, Lead string
	Name, Value     string // what it is, and itself
	Facts           []Fact
	Back            Link
}

// Secret writes it.
func (f Frame) Secret(w http.ResponseWriter, status int, p Secret) error {
	f.At = p.At
	return f.Sheet(w, status, Sheet{Title: p.Title, Lead: p.Lead, Trail: []Link{p.Back}, Sections: []Section{{
		ID: "secret", Title: p.Name, Lead: "It is shown this once. Copy it now, and hand it over in a way that nobody else reads.",
		Secret: p.Value, Facts: p.Facts, Acts: []Act{{Text: "I have copied it", Path: p.Back.Path}},
	}}})
}
