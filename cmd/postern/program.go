package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postern-mcp/postern/config"
)

// Exit codes of every command.
const (
	exitFine     = 0
	exitFindings = 1 // the work was done and something was found, or it failed on the way
	exitUsage    = 2 // the command line or the configuration is wrong
)

// program is the whole program with its surroundings, so that tests can run it in-process.
type program struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	lookup config.Lookup
	called string // how it was started: a path, or a name that the shell finds
}

// again is how a shell starts the program again, from any folder.
func (p program) again() string {
	if !strings.ContainsRune(p.called, filepath.Separator) {
		return "postern"
	}
	path, err := filepath.Abs(p.called)
	if err != nil {
		return shellWord(p.called)
	}
	return shellWord(path)
}

// usageError is a mistake in the command line or the configuration.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func (p program) run(ctx context.Context, args []string) int {
	root := p.root()
	root.SetArgs(args)
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	err := root.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return exitFine
	case errors.As(err, &usage):
		fmt.Fprintln(p.stderr, lines(err))
		return exitUsage
	}
	fmt.Fprintln(p.stderr, "postern:", lines(err))
	return exitFindings
}

func (p program) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "postern",
		Short:         "Authorization in front of any MCP server",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArguments,
		Version:       version(),
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		hint := ""
		if strings.HasPrefix(err.Error(), "unknown shorthand") && strings.Contains(c.Use, " ") {
			hint = "\nAn id or name that begins with a hyphen goes behind --, after all flags: " + c.CommandPath() + " -- -abc"
		}
		return usageError{fmt.Errorf("%w%s\nSee: %s --help", err, hint, c.CommandPath())}
	})
	root.AddCommand(p.upCommand(), p.proxyCommand(), p.authserverCommand(), p.mcpCommand(), p.adminCommand(), p.checkCommand(), p.versionCommand())
	return root
}

// logger writes to stderr, from the given level up.
func (p program) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: level}))
}

func (p program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(p.stdout, "postern", version())
			return err
		},
	}
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

func noArguments(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if c.HasSubCommands() {
		return usageError{fmt.Errorf("there is no command %q\nSee: %s --help", c.CommandPath()+" "+args[0], c.CommandPath())}
	}
	return usageError{fmt.Errorf("%s takes no argument, got %q\nSee: %s --help", c.CommandPath(), args[0], c.CommandPath())}
}
