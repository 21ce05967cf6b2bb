package pages

import (
	"net/http"
	"net/url"
	"time"
)

// AdminHome is the first page of the administration.
type AdminHome struct {
	Facts   []Fact
	Notices []Notice
}

// AdminHome writes it.
func (f Frame) AdminHome(w http.ResponseWriter, status int, p AdminHome) error {
	f.At = "/admin"
	return f.Sheet(w, status, Sheet{Title: "Administration", Lead: "Who may sign in, which clients there are, and what was allowed.", Notices: p.Notices,
		Sections: []Section{{ID: "now", Title: "This server", Facts: p.Facts}}})
}

// Role is a named bound on scopes.
type Role struct {
	Name, Description string
	Scopes            []string
	Everyone          bool
	Factor            bool // its holders need a second factor
}

// Roles are all of the configuration.
type Roles struct {
	All []Role
}

const rolesPath = "/admin/roles"

func rolePath(name string) string { return "/admin/role?" + url.Values{"name": {name}}.Encode() }

// Roles writes the list.
func (f Frame) Roles(w http.ResponseWriter, status int, p Roles) error {
	f.At = rolesPath
	t := &Table{Caption: "Roles", Columns: []string{"Role", "Bounds clients to"}, Empty: "The configuration names no role."}
	for _, r := range p.All {
		t.Rows = append(t.Rows, Row{Cells: []Cell{{Text: r.Name, Path: rolePath(r.Name), Under: r.Description, Tags: r.tags()}, {Chips: r.Scopes}}})
	}
	return f.Sheet(w, status, Sheet{Title: "Roles", Lead: "What a person’s roles allow is the most that any client can do in their name. Roles are written in the configuration (authserver.roles); who has them is decided here.",
		Sections: []Section{{Table: t}}})
}

func (r Role) tags() []Tag {
	var tags []Tag
	if r.Everyone {
		tags = append(tags, Tag{"everybody", Plain})
	}
	if r.Factor {
		tags = append(tags, Tag{"needs a second factor", Note})
	}
	return tags
}

// RoleOf is one role and who has it.
type RoleOf struct {
	Now         time.Time
	Of          Role
	Holders     []Holder
	First, Next string
}

// Holder is a person or a client with a role.
type Holder struct {
	ID, Name string
	Client   bool
	Source   string // who gave it: assigned, or the name of a provider
	Since    time.Time
}

// Role writes it.
func (f Frame) Role(w http.ResponseWriter, status int, p RoleOf) error {
	f.At = rolesPath
	t := &Table{Caption: "Who has the role", Columns: []string{"Name", "Given by", "Since"}, Empty: "Nobody has it.", First: p.First, Next: p.Next}
	for _, h := range p.Holders {
		name := Cell{Text: h.Name, Path: personPath(h.ID)}
		if h.Client {
			name.Path, name.Tags = clientPath(h.ID), []Tag{{"client", Note}}
		}
		given := Cell{Text: "an administrator"}
		if h.Source != "assigned" {
			given = Cell{Text: "the provider " + h.Source}
		}
		t.Rows = append(t.Rows, Row{Cells: []Cell{name, given, {When: WhenOf(h.Since, p.Now)}}})
	}
	holders := Section{ID: "holders", Title: "Who has it", Table: t}
	if p.Of.Everyone {
		holders.Table, holders.Lead = nil, "Everybody who can sign in has it."
	}
	return f.Sheet(w, status, Sheet{Title: p.Of.Name, Lead: p.Of.Description, Trail: []Link{{"Roles", rolesPath}}, Sections: []Section{
		{ID: "bound", Title: "What it allows", Facts: []Fact{{"Scopes", Cell{Chips: p.Of.Scopes, Under: "* stands for any ending; alone it is every scope except those of the administration."}}, {"Second factor", second(p.Of.Factor)}}},
		holders,
	}})
}

func second(needed bool) Cell {
	if needed {
		return Cell{Text: "needed to use it"}
	}
	return Cell{Text: "not needed"}
}

// Client is a client as an administrator sees it.
type Client struct {
	ID, Name    string
	How         string // how it came here: in words
	Proves      string // how it proves itself
	Redirects   []string
	Grants      []string
	Scope       []string
	Bounded     bool // Scope is all it may have
	Roles       []string
	Resources   []string // whose tokens it may look into
	DPoP        bool
	Secret      bool // it has one, which can be changed
	Created     time.Time
	SecretUntil time.Time // when the secret before ends, zero: there is none
}

// Clients is a page of the list.
type Clients struct {
	Now         time.Time
	Query       string
	All         []Client
	First, Next string
	Create      bool
	Notices     []Notice
}

const clientsPath = "/admin/clients"

func clientPath(id string) string { return "/admin/client?" + url.Values{"id": {id}}.Encode() }

func clientPage(step, id string) string {
	return "/admin/client/" + step + "?" + url.Values{"id": {id}}.Encode()
}

// Clients writes it.
func (f Frame) Clients(w http.ResponseWriter, status int, p Clients) error {
	f.At = clientsPath
	t := &Table{Caption: "Clients", Columns: []string{"Client", "Came here", "May ask for", "Since"}, First: p.First, Next: p.Next,
		Empty: "No client is registered. Those with a metadata document need not be: see Grants for what they hold."}
	for _, c := range p.All {
		t.Rows = append(t.Rows, Row{Cells: []Cell{{Text: c.named(), Path: clientPath(c.ID), Under: c.ID}, {Text: c.How}, c.scope(), {When: WhenOf(c.Created, p.Now)}}})
	}
	s := Sheet{Title: "Clients", Lead: "Programs that are registered here: those that act for people, machines, and servers that look into tokens.", Notices: p.Notices, Sections: []Section{{Table: t}}}
	if p.Create {
		s.Acts = []Act{{Text: "Add a machine", Path: "/admin/clients/new"}}
	}
	return f.Sheet(w, status, s)
}

func (c Client) named() string {
	if c.Name == "" {
		return "An unnamed client"
	}
	return c.Name
}

func (c Client) scope() Cell {
	if !c.Bounded && len(c.Scope) == 0 {
		return Cell{Text: "what people allow it"}
	}
	return Cell{Chips: c.Scope}
}

// ClientOf is everything about one client.
type ClientOf struct {
	Now     time.Time
	Of      Client
	Tag     string // of what is shown, for changes
	Roles   []RoleChoice
	Grants  []Grant
	Change  bool // the visitor may change clients
	End     bool // and end grants
	Notices []Notice
}

// Client writes it.
func (f Frame) Client(w http.ResponseWriter, status int, p ClientOf) error {
	f.At = clientsPath
	c := p.Of
	facts := []Fact{
		{"Id", Cell{Text: c.ID, Code: true}}, {"Came here", Cell{Text: c.How, When: WhenOf(c.Created, p.Now)}}, {"Proves itself", Cell{Text: c.Proves}},
		{"May ask for", c.scope()}, {"Ways to a token", Cell{Chips: c.Grants}}, {"Sends people back to", Cell{Chips: c.Redirects}},
		{"Looks into tokens for", Cell{Chips: c.Resources}}, {"Tokens bound to a key", Cell{Text: yesOrNo(c.DPoP)}},
	}
	if !c.SecretUntil.IsZero() {
		facts = append(facts, Fact{"The secret before", Cell{When: WhenOf(c.SecretUntil, p.Now), Under: "works until then"}})
	}
	sections := []Section{{ID: "facts", Title: "About", Facts: facts}, p.roles(), {ID: "grants", Title: "Who let it in", Table: grantList(p.Grants, p.Now, p.End, clientPath(c.ID)).without("Client")}}
	if p.Change {
		danger := Section{ID: "danger", Title: "Serious changes", Danger: true}
		if c.Secret {
			danger.Acts = append(danger.Acts, Act{Text: "Make a new secret", Path: clientPage("rotate", c.ID), Danger: true})
		}
		danger.Acts = append(danger.Acts, Act{Text: "Delete the client", Path: clientPage("delete", c.ID), Danger: true})
		sections = append(sections, danger)
	}
	return f.Sheet(w, status, Sheet{Title: c.named(), Trail: []Link{{"Clients", clientsPath}}, Notices: p.Notices, Sections: sections})
}

func (p ClientOf) roles() Section {
	s := Section{ID: "roles", Title: "Roles", Lead: "With roles, its own tokens are bounded by them too. They do not matter for what it does in a person’s name."}
	if !p.Change || len(p.Roles) == 0 {
		s.Facts = []Fact{{"Roles", Cell{Chips: p.Of.Roles}}}
		return s
	}
	s.Forms = []Form{{Path: "/admin/client/roles", Button: "Save roles", Inputs: []Input{roleInput(p.Roles)}, Hidden: []Hidden{{"id", p.Of.ID}, {"tag", p.Tag}}}}
	return s
}

func yesOrNo(v bool) string {
	if v {
		return "yes"
	}
	return "no"
}

// ClientForm adds a machine client.
type ClientForm struct {
	Name    string
	Scopes  []Option
	Problem string
}

const powerOfMachines = "postern:users and postern:clients amount to every role and scope there is: who has them makes accounts and machines that have all of it. Give them only to a machine that may have everything."

// ClientForm writes it.
func (f Frame) ClientForm(w http.ResponseWriter, status int, p ClientForm) error {
	f.At = clientsPath
	s := Sheet{Title: "Add a machine", Lead: "A program that works in its own name, with a secret that is shown to you once. Clients that work for people register themselves, or come with “postern admin client register”.",
		Trail: []Link{{"Clients", clientsPath}}, Sections: []Section{{Notice: Notice{Tone: Warn, Text: powerOfMachines}, Forms: []Form{{Path: "/admin/clients/new", Button: "Add the machine", Inputs: []Input{
			{Name: "name", Label: "Name", Value: p.Name, Kind: "text", Max: 100, Required: true},
			{Name: "scope", Label: "All it may ever ask for", Kind: "choices", Options: p.Scopes},
		}}}}}}
	if p.Problem != "" {
		s.Notices = []Notice{{Tone: Bad, Text: p.Problem}}
	}
	return f.Sheet(w, status, s)
}

// Key is one signing key.
type Key struct {
	ID, Algorithm, State string // State: next, signs, kept or revoked
	Signs, Until         time.Time
}

// Keys are all that are published.
type Keys struct {
	Now     time.Time
	All     []Key
	Change  bool
	Notices []Notice
}

// Keys writes them.
func (f Frame) Keys(w http.ResponseWriter, status int, p Keys) error {
	f.At = "/admin/keys"
	t := &Table{Caption: "Signing keys", Columns: []string{"Key", "What it does", "Signs from", "Until"}, Acts: p.Change, Empty: "There is no key."}
	for _, k := range p.All {
		row := Row{Cells: []Cell{{Text: k.ID, Code: true, Under: k.Algorithm}, {Tags: []Tag{k.tag()}}, {When: WhenOf(k.Signs, p.Now)}, k.until(p.Now)}}
		if p.Change && k.State != "revoked" {
			row.Acts = []Act{{Text: "Revoke the key", About: k.ID, Path: "/admin/keys/revoke?" + url.Values{"kid": {k.ID}}.Encode(), Danger: true}}
		}
		t.Rows = append(t.Rows, row)
	}
	s := Section{Table: t}
	if p.Change {
		s.Acts = []Act{{Text: "Rotate the key", Path: "/admin/keys/rotate"}}
	}
	return f.Sheet(w, status, Sheet{Title: "Keys", Lead: "One key signs every token. The next one is published before it signs, the one before is kept until its last token has ended. All of this happens by itself.",
		Notices: p.Notices, Sections: []Section{s}})
}

func (k Key) until(now time.Time) Cell {
	if k.Until.IsZero() {
		return Cell{Text: "not known yet"}
	}
	return Cell{When: WhenOf(k.Until, now)}
}

func (k Key) tag() Tag {
	switch k.State {
	case "signs":
		return Tag{"signs", Good}
	case "next":
		return Tag{"next", Note}
	}
	if k.State == "revoked" {
		return Tag{"revoked", Bad}
	}
	return Tag{"kept for old tokens", Plain}
}

// SignIns is a page of everybody's.
type SignIns struct {
	Now         time.Time
	Query       string
	All         []SignIn
	First, Next string
}

// SignIns writes it.
func (f Frame) SignIns(w http.ResponseWriter, status int, p SignIns) error {
	f.At = "/admin/sign-ins"
	t := signInTable(p.All, p.Now, true)
	t.First, t.Next = p.First, p.Next
	return f.Sheet(w, status, Sheet{Title: "Sign-ins", Lead: "Everybody’s, for 90 days, with what was decided and why.", Search: searchForm(f.At, "User name", p.Query), Sections: []Section{{Table: t}}})
}

// Risk asks what a sign-in would get.
type Risk struct {
	Name, Address, Agent string
	Problem              string   // with the address
	Unknown              string   // with the name
	Verdict              *Verdict // nil before it was asked
}

// Verdict is the answer.
type Verdict struct {
	Outcome          string
	Score, Ask, Stop int      // what it weighs, and from where it is asked and refused
	Reasons          []string // in words
}

// Risk writes the form, and the answer.
func (f Frame) Risk(w http.ResponseWriter, status int, p Risk) error {
	f.At = "/admin/risk"
	form := Form{Path: f.At, Button: "What would happen?", Inputs: []Input{
		{Name: "user", Label: "User name", Value: p.Name, Kind: "text", Max: 100, Required: true, Problem: p.Unknown},
		{Name: "address", Label: "IP address", Value: p.Address, Kind: "text", Max: 45, Required: true, Hint: "Such as 203.0.113.7", Problem: p.Problem},
		{Name: "agent", Label: "User agent", Value: p.Agent, Kind: "text", Max: 1024, Hint: "As the browser calls itself; empty: none."},
	}}
	sections := []Section{{Forms: []Form{form}}}
	if p.Verdict != nil {
		sections = append([]Section{p.Verdict.section()}, sections...)
	}
	return f.Sheet(w, status, Sheet{Title: "Risk", Lead: "What a sign-in would get right now, and why. Nothing is recorded, and nobody is signed in. The rules stand in the configuration (authserver.sign_in).", Sections: sections})
}

func (v Verdict) section() Section {
	return Section{ID: "verdict", Title: "Answer", Facts: []Fact{
		{"Outcome", Cell{Tags: []Tag{verdictTag(v.Outcome)}}},
		{"Weighs", Cell{Text: number(v.Score), Under: "A second factor from " + number(v.Ask) + ", refused from " + number(v.Stop)}},
	}, Points: v.Reasons}
}

func verdictTag(outcome string) Tag {
	switch outcome {
	case "allow":
		return Tag{"straight in", Good}
	case "step_up":
		return Tag{"a second factor is asked for", Note}
	}
	return Tag{"refused", Bad}
}
