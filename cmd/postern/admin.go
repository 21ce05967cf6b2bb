package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-mcp/postern/authserver"
)

// adminCommand changes accounts and keys in the authorization server's
// database, while that runs or not.
func (p program) adminCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "admin",
		Short: "Users, clients, keys and sign-ins of the bundled authorization server",
		Args:  noArguments,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.PersistentFlags().StringVarP(&path, "config", "c", "postern.yaml", "the configuration file")
	c.AddCommand(
		group("user", "People who can sign in", p.createUserCommand(&path),
			p.listCommand(&path, "List everybody who can sign in", (*authserver.Server).Users),
			p.deleteCommand(&path, "delete NAME", "Delete a user with all sessions, consents and tokens", (*authserver.Server).DeleteUser)),
		group("client", "Machines, and clients that registered", p.createClientCommand(&path), p.registerClientCommand(&path),
			p.listCommand(&path, "List the clients that are stored", (*authserver.Server).Clients),
			p.deleteCommand(&path, "delete CLIENT_ID", "Delete a client with all consents and tokens it was given", (*authserver.Server).DeleteClient)),
		group("resource-server", "Servers that may introspect tokens", p.createResourceServerCommand(&path)),
		p.keyCommand(&path),
		p.riskCommand(&path),
	)
	return c
}

func group(name, short string, children ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: name, Short: short, Args: noArguments, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(children...)
	return c
}

func (p program) createUserCommand(path *string) *cobra.Command {
	var fromStdin bool
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a user; without --password-stdin a password is made and printed",
		Args:  oneName,
		RunE: func(c *cobra.Command, args []string) error {
			password := randomText(16)
			if fromStdin {
				var err error
				if password, err = firstLine(p.stdin); err != nil {
					return usageError{err}
				}
			}
			return p.withAuthserver(c.Context(), *path, func(s *authserver.Server) error {
				err := s.CreateUser(c.Context(), args[0], password)
				if errors.Is(err, authserver.ErrExists) {
					return fmt.Errorf("there is a user %q already", args[0])
				}
				if err == nil && !fromStdin {
					_, err = fmt.Fprintln(p.stdout, password)
				}
				return err
			})
		},
	}
	c.Flags().BoolVar(&fromStdin, "password-stdin", false, "take the password from the first line of stdin")
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

func (p program) createClientCommand(path *string) *cobra.Command {
	var scopes []string
	c := &cobra.Command{
		Use:   "create NAME --scope SCOPE",
		Short: "Create a client for the client credentials grant; prints its id and secret, once",
		Args:  oneName,
		RunE: func(c *cobra.Command, args []string) error {
			if len(scopes) == 0 {
				return usageError{errors.New("--scope is required: a client without a scope can do nothing")}
			}
			return p.withAuthserver(c.Context(), *path, func(s *authserver.Server) error {
				return p.printAccount(s.CreateClient(c.Context(), args[0], scopes))
			})
		},
	}
	c.Flags().StringSliceVar(&scopes, "scope", nil, "a scope the client may ask for; repeat it, or separate by commas")
	return c
}

func (p program) createResourceServerCommand(path *string) *cobra.Command {
	var resources []string
	var keys string
	c := &cobra.Command{
		Use:   "create NAME --resource URL",
		Short: "Create a client that may introspect the tokens of these resources; prints its id and secret, once",
		Args:  oneName,
		RunE: func(c *cobra.Command, args []string) error {
			if len(resources) == 0 {
				return usageError{errors.New("--resource is required: a resource server without a resource sees nothing")}
			}
			return p.withAuthserver(c.Context(), *path, func(s *authserver.Server) error {
				if keys == "" {
					return p.printAccount(s.CreateResourceServer(c.Context(), args[0], resources))
				}
				return p.registerResourceServer(c.Context(), s, args[0], resources, keys)
			})
		},
	}
	c.Flags().StringVar(&keys, "jwks", "", "a file with the JWK Set of its public keys: it signs assertions (private_key_jwt) and has no secret")
	c.Flags().StringSliceVar(&resources, "resource", nil, "a resource URL; repeat it, or separate by commas")
	return c
}

func (p program) listCommand(path *string, short string, list func(*authserver.Server, context.Context) ([]authserver.Account, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: short,
		Args:  noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.withAuthserver(c.Context(), *path, func(s *authserver.Server) error {
				all, err := list(s, c.Context())
				for _, a := range all {
					made := "by an operator"
					if a.Registered {
						made = "registered itself"
					}
					fmt.Fprintf(p.stdout, "%s  %s  %s  %q\n", a.ID, a.CreatedAt.Format(time.DateTime), made, a.Name)
				}
				return err
			})
		},
	}
}

func (p program) deleteCommand(path *string, use, short string, remove func(*authserver.Server, context.Context, string) error) *cobra.Command {
	return &cobra.Command{
		Use:   use,
		Short: short,
		Long:  short + ".\nAccess tokens that are out are revoked: proxies refuse them within seconds.",
		Args:  oneName,
		RunE: func(c *cobra.Command, args []string) error {
			return p.withAuthserver(c.Context(), *path, func(s *authserver.Server) error {
				err := remove(s, c.Context(), args[0])
				if errors.Is(err, authserver.ErrUnknown) {
					return fmt.Errorf("there is no %q; see the list command beside this one", args[0])
				}
				return err
			})
		},
	}
}

func (p program) printAccount(id, secret string, err error) error {
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "client_id %s\nclient_secret %s\n", id, secret)
	return err
}

func oneName(c *cobra.Command, args []string) error {
	if len(args) == 1 && args[0] != "" {
		return nil
	}
	return usageError{fmt.Errorf("%s takes one name\nSee: %s --help", c.CommandPath(), c.CommandPath())}
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
	s.file.State.Redis = nil // no proof is checked here, and the running server tells of what is revoked
	log := p.logger(slog.LevelWarn)
	holder := &node{log: log}
	defer holder.close()
	server, err := s.openAuthserver(ctx, holder, log)
	if err != nil {
		return err
	}
	return errors.Join(work(s, server), server.Close())
}
