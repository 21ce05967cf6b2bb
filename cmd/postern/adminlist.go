package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/postern-mcp/postern/authserver/admin"
)

// listing is a command that shows a list of the API.
type listing[In, Item any] struct {
	use, short string
	of         admin.Operation[In, admin.Page[Item]]
	query      func(ctx context.Context, c admin.Caller) (In, error) // what to ask for
	none       string                                                // what is said where nothing is listed
	head       []string                                              // of the columns; one that ends in … may be cut
	row        func(Item) []string
}

const (
	longestList = 100_000
	watched     = 50 // entries that are watched, when nothing else is said
)

// listCommand makes the command of a listing.
func listCommand[In, Item any](o *office, l listing[In, Item]) *cobra.Command {
	var f output
	most := 0
	c := &cobra.Command{
		Use:   l.use,
		Short: l.short,
		Args:  noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if most < 0 || most > longestList || most == 0 && c.Flags().Changed("limit") {
				return usageError{fmt.Errorf("--limit must be from 1 to %d", longestList)}
			}
			if f.watch && most == 0 {
				most = watched
			}
			return o.open(c.Context(), func(caller admin.Caller) error {
				look := func(to, talk io.Writer) error { return l.print(c.Context(), o, caller, f, most, to, talk) }
				if f.watch {
					return o.watch(c.Context(), look)
				}
				return look(o.stdout, o.stderr)
			})
		},
	}
	f.flags(c)
	c.Flags().BoolVar(&f.watch, "watch", false, "show it again whenever it changes, until interrupted; 50 entries, or --limit")
	c.Flags().IntVar(&most, "limit", 0, "only so many, the first ones; all of them when absent")
	return c
}

// print shows every page as one list.
func (l listing[In, Item]) print(ctx context.Context, o *office, c admin.Caller, f output, most int, to, talk io.Writer) error {
	in, err := l.query(ctx, c)
	if err != nil {
		return err
	}
	if most == 0 {
		most = longestList
	}
	var all admin.Page[Item]
	p := o.progress()
	err = p.during("reading", func() (err error) {
		all, err = admin.All(ctx, c, l.of, in, most)
		return err
	})
	if p.end(); err != nil {
		return err
	}
	if f.format == formatJSON {
		text, err := json.Marshal(all, json.Deterministic(true))
		if err != nil {
			return err // unreachable: what was read marshals
		}
		_, err = to.Write(append(escaped(text), '\n'))
		return err
	}
	if len(all.Items) == 0 {
		_, err := fmt.Fprintln(talk, l.none)
		return err
	}
	t := newTable(o.width(), l.head...)
	for _, item := range all.Items {
		t.add(l.row(item)...)
	}
	if err := t.print(to); err != nil || all.Next == "" || f.watch {
		return err
	}
	_, err = fmt.Fprintf(talk, "These are the first %d; there are more.\n", len(all.Items))
	return err
}

func nothing(context.Context, admin.Caller) (admin.None, error) { return admin.None{}, nil }

const watchEvery = 2 * time.Second

// watch calls look again and again, and shows what it gives when that is
// another than before. Its end by a signal is a good one.
func (o *office) watch(ctx context.Context, look func(to, talk io.Writer) error) error {
	var shown []byte
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		var now bytes.Buffer
		err := look(&now, &now)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if !bytes.Equal(now.Bytes(), shown) {
			if err := o.redraw(shown != nil, now.String()); err != nil {
				return err
			}
			shown = now.Bytes()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// redraw clears a terminal; anything else gets an empty line in between.
func (o *office) redraw(again bool, text string) error {
	between := ""
	switch {
	case terminal(o.stdout):
		between = "\x1b[H\x1b[2J"
	case again:
		between = "\n"
	}
	_, err := io.WriteString(o.stdout, between+text)
	return err
}
