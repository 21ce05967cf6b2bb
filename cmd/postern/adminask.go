package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postern-mcp/postern/authserver/admin"
)

func yesFlag(c *cobra.Command, yes *bool) {
	c.Flags().BoolVar(yes, "yes", false, "do not ask")
}

// neverAsks is a command that changes something and has nothing to ask: scripts
// may say --yes to it as to the others.
func neverAsks(c *cobra.Command) {
	c.Flags().Bool("yes", false, "without effect: this command does not ask")
}

// askable refuses what would have to be asked for where there is nobody to ask.
func (o *office) askable(yes bool, would string) error {
	if yes || terminal(o.stdin) {
		return nil
	}
	return usageError{fmt.Errorf("this would %s: say --yes, because there is no terminal to ask at", would)}
}

var errAnotherWord = errors.New("nothing was done: that was another word")

// ask has whoever is at the terminal type a word before something ends or opens.
func (o *office) ask(ctx context.Context, question, word string) error {
	fmt.Fprintf(o.stderr, "%s\nType %s to go on: ", question, word)
	typed := make(chan error, 1)
	go func() {
		line, err := bufio.NewReader(io.LimitReader(o.stdin, 4096)).ReadString('\n')
		if err == nil && strings.TrimRight(line, "\r\n") != word || errors.Is(err, io.EOF) {
			err = errAnotherWord
		}
		typed <- err
	}()
	select {
	case <-ctx.Done():
		return errors.New("nothing was done: interrupted")
	case err := <-typed:
		return err
	}
}

// removal is a command that ends things by their names.
type removal struct {
	use, short string
	does, done string // in front of the names: delete; behind their number: deleted
	ends       string // what ends with them, in a sentence
	about      func(ctx context.Context, c admin.Caller, name string) (string, error)
	end        func(ctx context.Context, c admin.Caller, name string) error
}

// ended is what a removal answers as JSON.
type ended struct {
	Ended []string `json:"ended"` // as they were named
}

// named is what a removal says of something it knows by its name only.
func named(_ context.Context, _ admin.Caller, name string) (string, error) { return name, nil }

func (o *office) removal(r removal) *cobra.Command {
	c := &cobra.Command{Use: r.use, Short: r.short, Long: r.short + ".\n" + r.ends, Args: someNames}
	return o.ending(c, func(names []string) (removal, []string) { return r, names })
}

// ending makes a command of what choose makes of its arguments.
func (o *office) ending(c *cobra.Command, choose func(args []string) (removal, []string)) *cobra.Command {
	var yes bool
	var f output
	c.RunE = func(c *cobra.Command, args []string) error {
		r, names := choose(args)
		if err := o.askable(yes, r.does+" "+quoted(names)); err != nil {
			return err
		}
		return o.open(c.Context(), func(caller admin.Caller) error {
			if err := o.confirm(c.Context(), caller, r, yes, names); err != nil {
				return err
			}
			if err := o.each(r, names, func(name string) error { return r.end(c.Context(), caller, name) }); err != nil {
				return err
			}
			return o.tellEnded(f, r.done, names)
		})
	}
	f.flags(c)
	yesFlag(c, &yes)
	return c
}

// confirm asks before names end, knowing what they are.
func (o *office) confirm(ctx context.Context, caller admin.Caller, r removal, yes bool, names []string) error {
	if yes {
		return nil
	}
	question := "This will " + r.does + ":\n"
	for _, name := range names {
		about, err := r.about(ctx, caller, name)
		if err != nil {
			return err
		}
		question += "  " + visible(about) + "\n"
	}
	return o.ask(ctx, question+r.ends, word(names))
}

// each ends every name in turn, and says on a terminal how far it has come.
func (o *office) each(r removal, names []string, end func(string) error) error {
	p := o.progress()
	defer p.end()
	for i, name := range names {
		err := p.during(fmt.Sprintf("%d of %d %s", i, len(names), r.done), func() error { return end(name) })
		if err != nil && len(names) > 1 {
			return fmt.Errorf("%s: %w; %d of %d were %s before", name, plain(err), i, len(names), r.done)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (o *office) tellEnded(f output, done string, names []string) error {
	if f.format != formatJSON {
		o.note("%d %s.", len(names), done)
		return nil
	}
	text, err := json.Marshal(ended{names})
	if err != nil {
		return err // unreachable: strings always marshal
	}
	return o.show(f, append(text, '\n'), nil)
}

// word is what has to be typed before these end.
func word(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return fmt.Sprintf("%d", len(names))
}

func quoted(names []string) string {
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = fmt.Sprintf("%q", n)
	}
	return strings.Join(all, ", ")
}
