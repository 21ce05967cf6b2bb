package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/postern-mcp/postern/authserver/legible"
)

// table is aligned text, without anything a terminal would act on.
type table struct {
	width int // of the terminal it goes to; 0: any
	soft  []bool
	rows  [][]string // the heads are the first
}

const (
	cut     = "…" // behind the head of a column whose cells may be cut to fit
	softest = 7   // what is left of such a column at least
)

func newTable(width int, head ...string) *table {
	t := &table{width: width}
	for i, h := range head {
		plain, soft := strings.CutSuffix(h, cut)
		head[i] = plain
		t.soft = append(t.soft, soft)
	}
	t.rows = append(t.rows, head)
	return t
}

func (t *table) add(cells ...string) {
	for i, c := range cells {
		cells[i] = dash(visible(c))
	}
	t.rows = append(t.rows, cells)
}

// print writes the table. Where it is wider than its terminal, the widest of
// the soft columns gives way.
func (t *table) print(w io.Writer) error {
	widths := t.widths()
	var out strings.Builder
	for _, row := range t.rows {
		line := ""
		for i, cell := range row {
			cell = fitted(cell, widths[i])
			line += cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2)
		}
		out.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func (t *table) widths() []int {
	widths := make([]int, len(t.soft))
	for _, row := range t.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for t.width > 0 && total(widths) > t.width {
		widest := -1
		for i, soft := range t.soft {
			if soft && widths[i] > softest && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return widths
		}
		widths[widest]--
	}
	return widths
}

func total(widths []int) int {
	all := 2 * (len(widths) - 1)
	for _, w := range widths {
		all += w
	}
	return all
}

func fitted(cell string, width int) string {
	runes := []rune(cell)
	if len(runes) <= width {
		return cell
	}
	return string(runes[:width-1]) + cut
}

// visible is text of strangers as it may stand in a table: what has no shape,
// or would move the cursor, is shown by its number.
func visible(s string) string {
	var b strings.Builder
	for _, r := range s {
		if !legible.Shows(r) {
			fmt.Fprintf(&b, "<U+%04X>", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// lines is what went wrong, in which a server that was asked may have its words.
func lines(err error) string {
	all := strings.Split(err.Error(), "\n")
	for i, line := range all {
		cells := strings.Split(line, "\t")
		for j, c := range cells {
			cells[j] = visible(c)
		}
		all[i] = strings.Join(cells, "\t")
	}
	return strings.Join(all, "\n")
}

// escaped is JSON that says the same, and a terminal does not act on: what has no
// shape is written by its number. Control characters of ASCII are so already, but
// for the space between the members.
func escaped(raw []byte) []byte {
	var b bytes.Buffer
	for _, r := range string(raw) {
		if r < 0x7f || legible.Shows(r) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.Bytes()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// stamp is a time to the second, and minute to the minute, both in UTC.
func stamp(t time.Time) string { return inForm(t, time.RFC3339) }

func minute(t time.Time) string { return inForm(t, "2006-01-02T15:04Z07:00") }

func inForm(t time.Time, form string) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(form)
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// words are a list in a cell.
func words(all []string) string { return strings.Join(all, " ") }

// facts are the lines of one thing: names and values. A value of several lines
// goes on below itself.
func facts(w io.Writer, pairs ...string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for pair := range slices.Chunk(pairs, 2) {
		name := pair[0]
		for line := range strings.SplitSeq(pair[1], "\n") {
			fmt.Fprintf(t, "%s\t%s\n", name, dash(visible(line)))
			name = ""
		}
	}
	return t.Flush()
}
