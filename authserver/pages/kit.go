package pages

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// When is a time in words, with the exact one beside it.
type When struct{ Words, Exact, Machine string }

// WhenOf is t as seen from now; the zero time is never.
func WhenOf(t, now time.Time) When {
	if t.IsZero() {
		return When{Words: "never"}
	}
	t = t.UTC()
	return When{Words: distance(t, now), Exact: t.Format("2 Jan 2006, 15:04 UTC"), Machine: t.Format(time.RFC3339)}
}

func distance(t, now time.Time) string {
	d := now.Sub(t)
	ahead := d < 0
	if ahead {
		d = -d
	}
	words := span(d)
	switch {
	case words == "" && ahead:
		return "in less than a minute"
	case words == "":
		return "just now"
	case ahead:
		return "in " + words
	}
	return words + " ago"
}

// Span is a length of time in words.
func Span(d time.Duration) string {
	if words := span(d); words != "" {
		return words
	}
	return count(int(d/time.Second), "second")
}

// span is a length of time in its largest unit, to the nearest of these, "" for
// less than a minute.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	if d < time.Minute {
		return ""
	}
	for _, unit := range []struct {
		long, below time.Duration
		noun        string
	}{{time.Minute, time.Hour, "minute"}, {time.Hour, 2 * day, "hour"}, {day, 60 * day, "day"}} {
		if near := d.Round(unit.long); near < unit.below {
			return count(int(near/unit.long), unit.noun)
		}
	}
	return count(int(d.Round(30*day)/(30*day)), "month")
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Tone is how a tag or a notice looks; its text must say the same.
type Tone string

const (
	Plain Tone = ""
	Good  Tone = "good"
	Note  Tone = "note"
	Warn  Tone = "warn"
	Bad   Tone = "bad"
)

// Tag is a word or two that mark something.
type Tag struct {
	Text string
	Tone Tone
}

// Link leads to a page of ours.
type Link struct {
	Text string
	Path string // under the base
}

// Cell is one value: in a table, or of a fact. Empty ones are shown as such.
type Cell struct {
	Text  string // of anybody: shown with what is invisible in it
	Code  bool   // Text is a name that programs use
	Path  string // of the page about it, under the base; "" for none
	When  When
	Under string // a quieter second line
	Tags  []Tag
	Chips []string // names of scopes and the like
}

// fewChips are as many as a line of a list has room for.
const fewChips = 8

// Few are the first chips.
func (c Cell) Few() []string { return c.Chips[:min(len(c.Chips), fewChips)] }

// More is how many there are besides.
func (c Cell) More() int { return max(0, len(c.Chips)-fewChips) }

// Empty says whether there is nothing to show.
func (c Cell) Empty() bool {
	return c.Text == "" && c.When.Words == "" && c.Under == "" && len(c.Tags) == 0 && len(c.Chips) == 0
}

// Fact is one line about something.
type Fact struct {
	Name string
	Cell
}

// Row is one line of a table: as many cells as the table has columns.
type Row struct {
	Cells []Cell
	Acts  []Act
}

// Table is a list of things.
type Table struct {
	Caption string // what the rows are, for those who do not see the heading
	Columns []string
	Rows    []Row
	Empty   string // what to say when there is none
	Acts    bool   // there is a column of acts
	First   string // path of the first page, "" on it
	Next    string // path of the page after this one, "" when there is none
}

// Bare says that the one column needs no heading: the title above says as much.
func (t Table) Bare() bool { return len(t.Columns) == 1 }

// without leaves out a column: what the page says already.
func (t *Table) without(column string) *Table {
	i := slices.Index(t.Columns, column)
	t.Columns = slices.Delete(t.Columns, i, i+1)
	for n := range t.Rows {
		t.Rows[n].Cells = slices.Delete(t.Rows[n].Cells, i, i+1)
	}
	return t
}

// Act is a button: to a page that asks, or right away.
type Act struct {
	Text   string
	About  string // what it is done to, for those who hear the button alone
	Path   string // under the base
	Hidden []Hidden
	Post   bool // it is done now; else Path is a page
	Danger bool
	Main   bool // it is what people are here for
}

// Hidden is a value that comes back with a form.
type Hidden struct{ Name, Value string }

// Option is one choice of several.
type Option struct {
	Value, Text, Hint string
	Chosen            bool
}

// Input is one field of a form.
type Input struct {
	Name, Label, Value, Hint string
	Kind                     string // text, email, password, search, datetime-local, check, choices, or select
	Complete                 string // autocomplete
	Max                      int
	Required                 bool
	Problem                  string
	Options                  []Option
}

// ID is the field's id in the page.
func (i Input) ID() string { return "f-" + i.Name }

// Described is what is said about the field, by id.
func (i Input) Described() string {
	var ids []string
	if i.Hint != "" {
		ids = append(ids, i.ID()+"-hint")
	}
	if i.Problem != "" {
		ids = append(ids, i.ID()+"-fault")
	}
	return strings.Join(ids, " ")
}

// Form asks for something, and sends it with the token of the session.
type Form struct {
	Path   string // under the base
	Button string
	Inputs []Input
	Hidden []Hidden
	Danger bool
	Search bool // it only looks: sent by GET, without a token
}

// Notice stands out.
type Notice struct {
	Tone Tone
	Text string
	Link Link
}

// Section is one part of a sheet.
type Section struct {
	ID, Title, Lead string
	Danger          bool
	Folded          bool // its title alone shows until somebody opens it; not within what is live
	Notice          Notice
	Points          []string // what it means, one by one
	Facts           []Fact
	Secret          string // shown once, to be copied
	Table           *Table
	Forms           []Form
	Acts            []Act
}

// Alone says that there is one point, which is no list.
func (s Section) Alone() bool { return len(s.Points) == 1 }

// Sheet is a page with navigation: an account's, or of the administration.
type Sheet struct {
	Title    string
	Lead     string
	Trail    []Link // the pages above this one
	Notices  []Notice
	Search   *Form
	Acts     []Act
	Live     string // path of a stream that renews the sections, "" for none
	Sections []Section
}

// Sheet writes one. Its frame needs a visitor.
func (f Frame) Sheet(w http.ResponseWriter, status int, p Sheet) error {
	f.Script = f.Script || p.Live != "" || slices.ContainsFunc(p.Sections, func(s Section) bool { return s.Secret != "" })
	return f.write(w, status, "sheet.html", view{f, p.Title, p})
}

// renewal writes sections as a stream renews them.
func (f Frame) renewal(w io.Writer, sections []Section) error {
	return templates.ExecuteTemplate(w, "sections", f.With(sections))
}

func number(n int) string { return strconv.Itoa(n) }
