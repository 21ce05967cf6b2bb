package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/postern-mcp/postern/authserver"
	"github.com/postern-mcp/postern/authserver/admin"
)

// office is where administration commands do their work: at the database of a
// configuration, or at a running server.
type office struct {
	program
	config, state, url, tokenFile string
	says                          string // where the issuer of links is from, when it is not the configuration alone
}

// open gives work the API, with everything allowed or with a token.
func (o *office) open(ctx context.Context, work func(admin.Caller) error) error {
	if o.url != "" && o.state == "" {
		caller, err := o.remote(o.url)
		if err != nil {
			return err
		}
		return plain(work(caller))
	}
	at, err := o.place()
	if err != nil {
		return err
	}
	return at.withConfiguredAuthserver(ctx, at.config, func(conf setup, s *authserver.Server) error {
		h, err := s.OperatorAPI()
		if err != nil {
			return err
		}
		issuer := conf.file.AuthServer.Issuer
		if at.says != "" {
			o.says = fmt.Sprintf("The issuer is %s, %s.\n", issuer, at.says)
		}
		return plain(work(admin.Caller{Base: issuer + admin.Prefix, Via: admin.Inside{Handler: h}}))
	})
}

// here is for work that only the machine can do.
func (o *office) here() (place, error) {
	if o.url == "" {
		return o.place()
	}
	return place{}, usageError{errors.New("this needs the database and its secrets: run it on the server's machine, without --url")}
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
	format format
	watch  bool
}

func (f *output) flags(c *cobra.Command) {
	f.format = formatTable
	c.Flags().VarP(&f.format, "output", "o", "table, or json: what the API answers")
}

// format is a flag.
type format string

const (
	formatTable format = "table"
	formatJSON  format = "json"
)

func (f *format) String() string { return string(*f) }

// Type is what help calls the value.
func (f *format) Type() string { return "format" }

// Set takes one of the formats there are.
func (f *format) Set(text string) error {
	*f = format(text)
	if *f != formatTable && *f != formatJSON {
		return errors.New("must be one of: table, json")
	}
	return nil
}

// show prints JSON as it came, but for what a terminal acts on, or what table makes.
func (o *office) show(f output, raw []byte, table func(io.Writer) error) error {
	if f.format == formatJSON {
		_, err := o.stdout.Write(escaped(raw))
		return err
	}
	return table(o.stdout)
}

// answer is a command that shows what one operation answers.
func answer[Out any](o *office, c *cobra.Command, print func(io.Writer, Out) error,
	ask func(ctx context.Context, c admin.Caller, args []string) (admin.Answer[Out], error)) *cobra.Command {
	var f output
	c.RunE = func(c *cobra.Command, args []string) error {
		return o.open(c.Context(), func(caller admin.Caller) error {
			a, err := ask(c.Context(), caller, args)
			if err != nil {
				return err
			}
			return o.show(f, a.Raw, func(w io.Writer) error { return print(w, a.Value) })
		})
	}
	f.flags(c)
	return c
}

// silently prints nothing of an answer.
func silently[Out any](io.Writer, Out) error { return nil }

// printOnce prints a secret that was made, on a line of its own.
func printOnce(w io.Writer, secret string) error {
	if secret == "" {
		return nil
	}
	_, err := fmt.Fprintln(w, secret)
	return err
}

func terminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// width is that of the terminal that tables go to, 0 when they go elsewhere.
func (o *office) width() int {
	if !terminal(o.stdout) {
		return 0
	}
	size, err := unix.IoctlGetWinsize(int(o.stdout.(*os.File).Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(size.Col)
}
