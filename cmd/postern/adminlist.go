package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/postern-mcp/postern/authserver/admin"
)

// listing is a command that shows a list of the API.
type listing[In, Item any] struct {
	use, short string
	of         admin.Operation[In, admin.Page[Item]]
	query      func(ctx context.Context, c admin.Caller) (In, error) // what to ask for
	next       func(*In, string)                                     // nil for lists of one page
	head       []string
	row        func(Item) []string
}

const longestList = 100_000

// listCommand makes the command of a listing.
func listCommand[In, Item any](o *office, l listing[In, Item]) *cobra.Command {
	var f output
	c := &cobra.Command{
		Use:   l.use,
		Short: l.short,
		Args:  noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return o.open(c.Context(), func(caller admin.Caller) error {
				look := func(w io.Writer) error { return l.print(c.Context(), caller, f, w) }
				if f.watch {
					return o.watched(c.Context(), look)
				}
				return look(o.stdout)
			})
		},
	}
	f.flags(c)
	f.watchFlag(c)
	return c
}

// print shows every page as one list.
func (l listing[In, Item]) print(ctx context.Context, c admin.Caller, f output, w io.Writer) error {
	in, err := l.query(ctx, c)
	if err != nil {
		return err
	}
	first, err := admin.Call(ctx, c, l.of, in)
	if err != nil {
		return err
	}
	all := first.Value.Items
	if next := first.Value.Next; next != "" {
		l.next(&in, next)
		rest, err := admin.All(ctx, c, l.of, in, l.next, longestList)
		if err != nil {
			return err
		}
		all = append(all, rest...)
		if first.Raw, err = json.Marshal(admin.Page[Item]{Items: all}, json.Deterministic(true)); err != nil {
			return err
		}
		first.Raw = append(first.Raw, '\n')
	}
	if f.format == "json" {
		_, err := w.Write(first.Raw)
		return err
	}
	t := newTable(w, l.head...)
	for _, item := range all {
		t.add(l.row(item)...)
	}
	return t.flush()
}

func nothing(context.Context, admin.Caller) (admin.None, error) { return admin.None{}, nil }

// table is aligned text, without anything a terminal would act on.
type table struct{ to *tabwriter.Writer }

func newTable(w io.Writer, head ...string) table {
	t := table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	fmt.Fprintln(t.to, strings.Join(head, "\t"))
	return t
}

func (t table) add(cells ...string) {
	for i, c := range cells {
		cells[i] = dash(visible(c))
	}
	fmt.Fprintln(t.to, strings.Join(cells, "\t"))
}

func (t table) flush() error { return t.to.Flush() }

// visible is text of strangers as it may stand in a table: what has no shape,
// or would move the cursor, is shown by its number.
func visible(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsGraphic(r) {
			b.WriteRune(r)
			continue
		}
		fmt.Fprintf(&b, "<U+%04X>", r)
	}
	return b.String()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// facts are the lines of one thing.
func facts(w io.Writer, pairs ...string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i := 0; i+1 < len(pairs); i += 2 {
		fmt.Fprintf(t, "%s\t%s\n", pairs[i], dash(visible(pairs[i+1])))
	}
	return t.Flush()
}
