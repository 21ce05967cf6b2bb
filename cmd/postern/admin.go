package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postern-mcp/postern/authserver"
)

const adminLong = `Administration of the bundled authorization server.

With -c FILE it works on the database of that configuration, while the server
runs or not; with --state DIR on what postern up keeps in that folder. With
--url ISSUER it asks a running server, as whoever signed in with:
postern admin login --url ISSUER`

// adminCommand does what the administration API does, in this process or at a
// running server.
func (p program) adminCommand() *cobra.Command {
	o := &office{program: p}
	c := &cobra.Command{
		Use:   "admin",
		Short: "Users, clients, roles and keys of the bundled authorization server",
		Long:  adminLong,
		Args:  noArguments,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	flags := c.PersistentFlags()
	flags.StringVarP(&o.config, "config", "c", "", "the configuration file; postern.yaml when nothing else is said")
	flags.StringVar(&o.state, "state", "", "a folder of postern up, instead of -c: its configuration, with the ports it has while it runs")
	flags.StringVar(&o.url, "url", "", "the issuer to ask, instead of opening its database")
	flags.StringVar(&o.tokenFile, "token-file", "", "a file with an access token for --url; else the sign-in of postern admin login")
	c.AddCommand(
		group("user", "People who can sign in", o.userList(), o.userShow(), o.userCreate(), o.userUpdate(), o.userPassword(), o.userResetLink(), o.userRemoveFactor(), o.userDelete()),
		group("identity", "Accounts of people at other providers", o.identityList()),
		group("role", "What people and machines may have", o.roleList(), o.roleHolders(), o.roleGive(), o.roleTake()),
		group("client", "Machines, and clients that registered", o.clientList(), o.clientShow(), o.clientCreate(), o.clientRegister(), o.clientUpdate(), o.clientRotate(), o.clientDelete()),
		group("resource-server", "Servers that may introspect tokens", o.resourceServerCreate()),
		group("grant", "What people allowed clients", o.grantList(), o.grantRevoke()),
		group("token", "Access tokens that are out", o.tokenList(), o.tokenRevoke()),
		group("session", "Browsers in which people are signed in", o.sessionList(), o.sessionEnd()),
		group("sign-in", "How sign-ins went", o.signInList()),
		group("invitation", "Links to create an account with", o.invitationList(), o.invitationCancel()),
		o.inviteCommand(),
		o.keyCommand(),
		group("risk", "How sign-ins are judged", o.riskExplain()),
		o.statusCommand(), o.loginCommand(),
	)
	return c
}

func group(name, short string, children ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: name, Short: short, Args: noArguments, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(children...)
	return c
}

func firstLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, 4096)).ReadString('\n')
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", errors.New("there is no password on stdin")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return line, nil
}

func oneName(c *cobra.Command, args []string) error {
	if len(args) == 1 && args[0] != "" {
		return nil
	}
	return usageError{fmt.Errorf("%s takes one name\nSee: %s --help", c.CommandPath(), c.CommandPath())}
}

func someNames(c *cobra.Command, args []string) error {
	for _, a := range args {
		if a == "" {
			args = nil
		}
	}
	if len(args) > 0 {
		return nil
	}
	return usageError{fmt.Errorf("%s takes one name or more\nSee: %s --help", c.CommandPath(), c.CommandPath())}
}

// withConfiguredAuthserver is withAuthserver for work that looks at the configuration too.
func (p program) withConfiguredAuthserver(ctx context.Context, path string, work func(setup, *authserver.Server) error) error {
	s, err := load(path, p.lookup)
	if err != nil {
		return err
	}
	if s.file.AuthServer == nil {
		return usageError{fmt.Errorf("%s has no authserver block", path)}
	}
	// No proof is checked here, and the running server tells of what is revoked:
	// what needs Redis is only what may be nowhere else.
	s.file.State.Redis = nil
	holder, err := p.ownRecord(s.file.Audit)
	if err != nil {
		return err
	}
	defer holder.close()
	server, err := s.openAuthserver(ctx, holder, holder.log)
	if err != nil {
		return err
	}
	return errors.Join(work(s, server), server.Close())
}

// withAuthserver opens the database of the configuration for one piece of work.
func (p program) withAuthserver(ctx context.Context, path string, work func(*authserver.Server) error) error {
	return p.withConfiguredAuthserver(ctx, path, func(_ setup, s *authserver.Server) error { return work(s) })
}
