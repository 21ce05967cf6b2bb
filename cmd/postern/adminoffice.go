package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/postern-mcp/postern/authserver"
	"github.com/postern-mcp/postern/authserver/admin"
)

// office is where administration commands do their work: at the database of a
// configuration, or at a running server.
type office struct {
	program
	config, url, tokenFile string
}

// open gives work the API, with everything allowed or with a token.
func (o *office) open(ctx context.Context, work func(admin.Caller) error) error {
	if o.url != "" {
		caller, err := o.remote(o.url)
		if err != nil {
			return err
		}
		return plain(work(caller))
	}
	return o.withConfiguredAuthserver(ctx, o.config, func(conf setup, s *authserver.Server) error {
		h, err := s.OperatorAPI()
		if err != nil {
			return err
		}
		return plain(work(admin.Caller{Base: conf.file.AuthServer.Issuer + admin.Prefix, Via: admin.Inside{Handler: h}}))
	})
}

// here is for work that only the machine can do.
func (o *office) here() error {
	if o.url == "" {
		return nil
	}
	return usageError{errors.New("this needs the database and its secrets: run it on the server's machine, with -c FILE and without --url")}
}

// plain puts the member in front of what the API says of it.
func plain(err error) error {
	p, ok := errors.AsType[*admin.Problem](err)
	if !ok {
		return err
	}
	text := strings.TrimSuffix(p.Detail, ".")
	if member := strings.TrimPrefix(p.Member, "/"); member != "" && !strings.Contains(text, member) {
		text = member + ": " + text
	}
	return errors.New(text)
}

// output is how a command shows what it found.
type output struct {
	format string
	watch  bool
}

func (f *output) flags(c *cobra.Command) {
	c.Flags().StringVarP(&f.format, "output", "o", "table", "table, or json: what the API answers")
}

// watchFlag is for lists.
func (f *output) watchFlag(c *cobra.Command) {
	c.Flags().BoolVar(&f.watch, "watch", false, "show it again whenever it changes, until interrupted")
}

func (f *output) check() error {
	if f.format == "table" || f.format == "json" {
		return nil
	}
	return usageError{errors.New("--output must be one of: table, json")}
}

// show prints JSON as it came, or what table makes.
func (o *office) show(f output, raw []byte, table func(io.Writer) error) error {
	if f.format == "json" {
		_, err := o.stdout.Write(raw)
		return err
	}
	return table(o.stdout)
}

const watchEvery = 2 * time.Second

// watched calls look again and again, and shows what it gives when that is
// another than before. Its end by a signal is a good one.
func (o *office) watched(ctx context.Context, look func(io.Writer) error) error {
	shown := ""
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		var now strings.Builder
		if err := look(&now); err != nil && ctx.Err() == nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		if now.String() != shown {
			if err := o.redraw(shown != "", now.String()); err != nil {
				return err
			}
			shown = now.String()
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

func terminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// sure asks whoever is at the terminal to type a word before something is
// destroyed; --yes answers for scripts.
func (o *office) sure(yes bool, what, word string) error {
	if yes {
		return nil
	}
	if !terminal(o.stdin) {
		return usageError{fmt.Errorf("this would %s: say --yes, because there is no terminal to ask at", what)}
	}
	fmt.Fprintf(o.stderr, "This will %s.\nType %s to go on: ", what, word)
	line, err := bufio.NewReader(io.LimitReader(o.stdin, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.TrimRight(line, "\r\n") != word {
		return errors.New("nothing was done: that was another word")
	}
	return nil
}

func yesFlag(c *cobra.Command, yes *bool) {
	c.Flags().BoolVar(yes, "yes", false, "do not ask")
}

// progress says on a terminal how far work that takes longer has come.
type progress struct {
	to    io.Writer // nil when nobody looks
	began time.Time
	said  bool
}

func (o *office) progress() *progress {
	p := &progress{began: time.Now()}
	if terminal(o.stderr) {
		p.to = o.stderr
	}
	return p
}

// at shows the words, once the work has taken a second.
func (p *progress) at(format string, args ...any) {
	if p.to == nil || time.Since(p.began) < time.Second {
		return
	}
	fmt.Fprintf(p.to, "\r\x1b[K"+format, args...)
	p.said = true
}

func (p *progress) end() {
	if p.said {
		fmt.Fprint(p.to, "\r\x1b[K")
	}
}

// each does something for every name, and says how far it has come.
func (o *office) each(names []string, done string, do func(string) error) error {
	p := o.progress()
	defer p.end()
	for i, name := range names {
		if err := do(name); err != nil {
			return err
		}
		p.at("%d of %d %s", i+1, len(names), done)
	}
	return nil
}

// word is what has to be typed before these are destroyed.
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
	return strings.Join(slices.Compact(all), ", ")
}

// someFlag, atMostOneFlag and exactlyOneFlag demand so many of these flags.
func someFlag(c *cobra.Command, names ...string) { flagsBetween(c, 1, len(names), names) }

func atMostOneFlag(c *cobra.Command, names ...string) { flagsBetween(c, 0, 1, names) }

func exactlyOneFlag(c *cobra.Command, names ...string) { flagsBetween(c, 1, 1, names) }

func flagsBetween(c *cobra.Command, least, most int, names []string) {
	check := c.Args
	c.Args = func(c *cobra.Command, args []string) error {
		given := 0
		for _, n := range names {
			if c.Flags().Changed(n) {
				given++
			}
		}
		list := "--" + strings.Join(names, ", --")
		if given < least {
			return usageError{fmt.Errorf("%s needs one of %s\nSee: %s --help", c.CommandPath(), list, c.CommandPath())}
		}
		if given > most {
			return usageError{fmt.Errorf("%s takes only one of %s\nSee: %s --help", c.CommandPath(), list, c.CommandPath())}
		}
		return check(c, args)
	}
}
