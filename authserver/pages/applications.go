package pages

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Application is one that a person let in, with what it was allowed.
type Application struct {
	ID, Name, Host string // Host: "" when nobody vouches for one
	Verified       bool   // the host proves that it is its own
	Known          bool   // an administrator registered it
	Command        bool   // it is the command line of this server, or says so
	Local          bool   // its answers go to a program on a device
	Back           []string
	Allowed        []Allowed
	Since          time.Time
	Tokens         int
}

// GoesTo notes where people are sent afterwards; "" is nowhere.
func (a *Application) GoesTo(host string) {
	if host == "" || slices.Contains(a.Back, host) {
		return
	}
	a.Back = append(a.Back, host)
	a.Local = a.Local || strings.HasSuffix(host, ":") || slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, host)
}

// Allow adds scopes of a resource, which is about something, each once.
func (a *Application) Allow(resource, about string, scope []Scope) {
	i := slices.IndexFunc(a.Allowed, func(r Allowed) bool { return r.Resource == resource })
	if i < 0 {
		i, a.Allowed = len(a.Allowed), append(a.Allowed, Allowed{Resource: resource, About: about})
	}
	for _, s := range scope {
		if !slices.ContainsFunc(a.Allowed[i].Scope, func(h Scope) bool { return h.Name == s.Name }) {
			a.Allowed[i].Scope = append(a.Allowed[i].Scope, s)
		}
	}
}

// Allowed is what is remembered for one resource.
type Allowed struct {
	Resource string
	About    string // what it is, in words, or ""
	Scope    []Scope
}

// Applications are all of a person's.
type Applications struct {
	Now     time.Time
	All     []Application
	Tokens  []Token
	Notices []Notice
}

// TokensPath is where the list of live tokens comes as a stream.
const TokensPath = "/account/tokens"

// Applications writes the list of them.
func (f Frame) Applications(w http.ResponseWriter, status int, p Applications) error {
	f.At = "/account/applications"
	return f.Sheet(w, status, Sheet{Title: "Applications", Lead: "What you have allowed to act in your name. You can take it back at any time.", Notices: p.Notices,
		Live: TokensPath, Sections: p.sections()})
}

// ApplicationsNow writes what the page shows now, for its stream.
func (f Frame) ApplicationsNow(w io.Writer, p Applications) error { return f.renewal(w, p.sections()) }

func (p Applications) sections() []Section {
	t := &Table{Caption: "Applications you let in", Columns: []string{"Application", "May use", "Since", "Tokens right now"}, Acts: true,
		Empty: "No application has access now."}
	for _, a := range p.All {
		t.Rows = append(t.Rows, Row{Cells: []Cell{a.cell(), a.uses(), {When: WhenOf(a.Since, p.Now)}, {Text: number(a.Tokens)}},
			Acts: []Act{{Text: "See details", About: "of " + a.Name, Path: a.path()}, {Text: "Take back", About: "all access of " + a.Name, Path: a.removal(), Danger: true}}})
	}
	return []Section{{Table: t}, tokenSection(p.Tokens, p.Now)}
}

func (a Application) path() string {
	return "/account/application?" + url.Values{"client": {a.ID}}.Encode()
}

// removal is where it is asked whether to take back what it may.
func (a Application) removal() string {
	return "/account/application/remove?" + url.Values{"client": {a.ID}}.Encode()
}

// Losses are what it may no longer when its access is taken back.
func (a Application) Losses() []Fact {
	var all []Fact
	for _, r := range a.Allowed {
		var words []string
		for _, s := range r.Scope {
			words = append(words, s.inWords())
		}
		if len(words) == 0 {
			words = []string{"it only knows that it is you"}
		}
		all = append(all, Fact{"What it loses at " + r.Resource, Cell{Text: strings.Join(atMost(fewChips, words), "; ")}})
	}
	return all
}

func (a Application) cell() Cell {
	return Cell{Text: a.Name, Path: a.path(), Under: a.Host, Tags: a.tags()}
}

func (a Application) tags() []Tag {
	var tags []Tag
	switch {
	case a.Verified:
		tags = append(tags, Tag{"verified", Good})
	case a.Command:
		tags = append(tags, Tag{"the command of this server", Note})
	case a.Known:
		tags = append(tags, Tag{"known here", Good})
	default:
		tags = append(tags, Tag{"not verified", Warn})
	}
	if a.Local {
		tags = append(tags, Tag{"runs on your device", Note})
	}
	return tags
}

// uses are the resources, and in words what the only one is.
func (a Application) uses() Cell {
	var c Cell
	for _, r := range a.Allowed {
		c.Chips = append(c.Chips, r.Resource)
	}
	if len(a.Allowed) == 1 {
		c.Under = a.Allowed[0].About
	}
	return c
}

func tokenSection(all []Token, now time.Time) Section {
	t := tokenTable(all, now)
	return Section{ID: "tokens", Title: "Tokens in use right now", Table: &t,
		Lead: "While an application works for you it holds a token: a pass for one place and a few minutes. Each ends by itself; “End this token” ends it within seconds, but the application can fetch another. To stop it, open it by its name and take back its access."}
}

// tokenTable is the list of live tokens.
func tokenTable(all []Token, now time.Time) Table {
	t := Table{Caption: "Tokens in use right now", Columns: []string{"Application", "Where", "May", "Ends"}, Acts: true,
		Empty: "No application holds a token of yours right now."}
	for _, k := range all {
		t.Rows = append(t.Rows, Row{
			Cells: []Cell{k.holder(), {Text: k.Resource}, may(k.Scope), {When: WhenOf(k.Expires, now)}},
			Acts:  []Act{{Text: "End this token", About: "of " + k.Client, Path: "/account/tokens/end", Post: true, Hidden: []Hidden{{"token_id", k.ID}}}},
		})
	}
	return t
}

// holder leads to where the access of the application is taken back.
func (k Token) holder() Cell {
	if k.Client == "" {
		return Cell{}
	}
	return Cell{Text: k.Client, Path: Application{ID: k.ClientID}.path()}
}

// ApplicationOf is one application of a person.
type ApplicationOf struct {
	Now     time.Time
	Of      Application
	Grants  []Grant
	Tokens  []Token
	Notices []Notice
}

// Application writes what one application may do.
func (f Frame) Application(w http.ResponseWriter, status int, p ApplicationOf) error {
	f.At = "/account/applications"
	sections := []Section{{ID: "who", Title: "Who it is", Facts: []Fact{
		{"Where it comes from", Cell{Text: p.Of.Host, Tags: p.Of.tags()}},
		{"You let it in", Cell{When: WhenOf(p.Of.Since, p.Now)}},
	}}}
	for i, a := range p.Of.Allowed {
		sections = append(sections, allowedSection("allowed-"+number(i), a))
	}
	sections = append(sections, Section{ID: "end", Title: "Take it back", Danger: true,
		Lead: "The application loses everything you allowed it, at once. The next time it wants something, it has to ask you again.",
		Acts: []Act{{Text: "Take back all access", About: "of " + p.Of.Name, Path: p.Of.removal(), Danger: true}}})
	if len(p.Tokens) > 0 {
		t := tokenTable(p.Tokens, p.Now)
		sections = append(sections, Section{ID: "tokens", Title: "Tokens in use right now: " + number(len(p.Tokens)), Folded: true, Table: &t})
	}
	sections = append(sections,
		Section{ID: "grants", Title: "Each time you said yes: " + number(len(p.Grants)), Folded: true, Table: grantTable(p.Grants, p.Now)},
		Section{ID: "more", Title: "For whoever you ask for help", Folded: true, Facts: []Fact{
			{"Its id here", Cell{Text: p.Of.ID, Code: true}},
			{"Sends you back to", Cell{Chips: p.Of.Back}},
		}})
	return f.Sheet(w, status, Sheet{Title: p.Of.Name, Trail: []Link{{"Applications", "/account/applications"}}, Notices: p.Notices, Sections: sections})
}

// manyThings are more than anybody reads who looks for something else.
const manyThings = 12

func allowedSection(id string, a Allowed) Section {
	s := Section{ID: id, Title: "What it may do with " + a.Resource, Lead: a.About, Table: scopeTable(a.Scope)}
	if len(a.Scope) == 0 {
		s.Table, s.Lead = nil, "Nothing in particular: it only knows that it is you."
	}
	if len(a.Scope) > manyThings {
		s.Title, s.Folded = s.Title+": "+number(len(a.Scope))+" things", true
	}
	return s
}

func scopeTable(all []Scope) *Table {
	t := &Table{Caption: "What it may do", Columns: []string{"What"}, Empty: "Nothing in particular."}
	for _, s := range beside(all, all) {
		words := Cell{Text: s.Words, Chips: []string{s.Name}, Under: s.Brings()}
		if tag := s.RiskTag(); tag.Text != "" {
			words.Tags = []Tag{tag}
		}
		t.Rows = append(t.Rows, Row{Cells: []Cell{words}})
	}
	return t
}

func grantTable(all []Grant, now time.Time) *Table {
	t := &Table{Caption: "Each yes", Columns: []string{"When", "Where", "What", "Ends"}, Acts: true, Empty: "None of them is still in use."}
	for _, g := range all {
		t.Rows = append(t.Rows, Row{
			Cells: []Cell{{When: WhenOf(g.Since, now)}, {Text: g.Resource}, may(g.Scope), {When: WhenOf(g.Expires, now)}},
			Acts:  []Act{{Text: "Take this back", About: "what you allowed for " + g.Resource, Path: "/account/grants/end", Post: true, Hidden: []Hidden{{"grant", g.ID}}}},
		})
	}
	return t
}

// may is what some scopes allow: their names, and what comes with them besides.
func may(all []Scope) Cell {
	held := names(all)
	c := Cell{Chips: held}
	var along []string
	for _, s := range all {
		for _, i := range s.Implied {
			if !slices.Contains(held, i.Name) {
				held, along = append(held, i.Name), append(along, i.inWords())
			}
		}
	}
	if len(along) > 0 {
		c.Under = comesWith + strings.Join(atMost(fewChips, along), "; ")
	}
	return c
}

// atMost are the first words, and how many there are besides.
func atMost(most int, words []string) []string {
	if more := len(words) - most; more > 0 {
		return append(words[:most:most], "and "+number(more)+" more")
	}
	return words
}

func names(all []Scope) []string {
	var list []string
	for _, s := range all {
		list = append(list, s.Name)
	}
	return list
}

// Confirm asks before something that cannot be undone.
type Confirm struct {
	At      string // the place in the navigation
	Title   string
	Lead    string
	About   []Fact   // what it is about, beside the title
	Effects []string // what will be, one by one
	Button  string
	Path    string
	Hidden  []Hidden
	Back    Link
	Secret  *Input // what has to be typed, nil for nothing
}

// Confirm writes the question.
func (f Frame) Confirm(w http.ResponseWriter, status int, p Confirm) error {
	f.At = p.At
	form := Form{Path: p.Path, Button: p.Button, Hidden: p.Hidden, Danger: true}
	if p.Secret != nil {
		form.Inputs = []Input{*p.Secret}
	}
	return f.Sheet(w, status, Sheet{Title: p.Title, Lead: p.Lead, Trail: []Link{p.Back}, Sections: []Section{{
		ID: "effects", Title: "What happens then", Danger: true, Facts: p.About, Points: p.Effects, Forms: []Form{form},
		Acts: []Act{{Text: "No, go back", Path: p.Back.Path}},
	}}})
}
