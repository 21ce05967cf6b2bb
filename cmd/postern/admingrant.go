package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postern-mcp/postern/authserver/admin"
)

// whose are the flags that choose a person or a client.
type whose struct{ user, client string }

func (w *whose) flags(c *cobra.Command) {
	c.Flags().StringVar(&w.user, "user", "", "of this user, by name")
	c.Flags().StringVar(&w.client, "client", "", "of this client, by its client_id")
	exactlyOneFlag(c, "user", "client")
}

func (w *whose) find(ctx context.Context, c admin.Caller) (admin.Whose, error) {
	if w.user == "" {
		return admin.Whose{Client: w.client}, nil
	}
	u, err := person(ctx, c, w.user)
	return admin.Whose{User: u.Value.ID}, err
}

func (o *office) grantList() *cobra.Command {
	var w whose
	c := listCommand(o, listing[admin.GrantQuery, admin.Grant]{
		use: "list (--user NAME | --client CLIENT_ID)", short: "List what people allowed clients, the newest first", of: admin.ListGrants,
		query: func(ctx context.Context, c admin.Caller) (q admin.GrantQuery, err error) {
			q.Whose, err = w.find(ctx, c)
			return q, err
		},
		next: (*admin.GrantQuery).From,
		head: []string{"ID", "USER", "CLIENT ID", "RESOURCE", "SCOPES", "CREATED", "UNTIL"},
		row: func(g admin.Grant) []string {
			return []string{g.ID, g.UserName, g.ClientID, g.Resource, strings.Join(g.Scopes, " "), stamp(g.CreatedAt), stamp(g.ExpiresAt)}
		},
	})
	w.flags(c)
	return c
}

func (o *office) grantRevoke() *cobra.Command {
	return o.removal("revoke ID...", "Revoke grants with all their tokens", "revoke these grants with all their tokens", "revoked",
		func(ctx context.Context, c admin.Caller, id string) error {
			_, err := admin.Call(ctx, c, admin.RevokeGrant, admin.GrantRef{ID: id})
			return err
		})
}

// removal is a command that ends things by their ids.
func (o *office) removal(use, short, what, done string, end func(context.Context, admin.Caller, string) error) *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  someNames,
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.sure(yes, what+": "+quoted(args), word(args)); err != nil {
				return err
			}
			return o.open(c.Context(), func(caller admin.Caller) error {
				return o.each(args, done, func(id string) error { return end(c.Context(), caller, id) })
			})
		},
	}
	yesFlag(c, &yes)
	return c
}

func (o *office) tokenList() *cobra.Command {
	var w whose
	c := listCommand(o, listing[admin.TokenQuery, admin.Token]{
		use: "list (--user NAME | --client CLIENT_ID)", short: "List live access tokens, the newest first", of: admin.ListTokens,
		query: func(ctx context.Context, c admin.Caller) (q admin.TokenQuery, err error) {
			q.Whose, err = w.find(ctx, c)
			return q, err
		},
		next: (*admin.TokenQuery).From,
		head: []string{"ID", "CLIENT ID", "SUBJECT", "GRANT", "RESOURCE", "SCOPES", "UNTIL"},
		row: func(t admin.Token) []string {
			return []string{t.ID, t.ClientID, t.Subject, t.GrantID, t.Resource, strings.Join(t.Scopes, " "), stamp(t.ExpiresAt)}
		},
	})
	w.flags(c)
	return c
}

func (o *office) tokenRevoke() *cobra.Command {
	return o.removal("revoke ID...", "Revoke access tokens by their jti", "revoke these access tokens", "revoked",
		func(ctx context.Context, c admin.Caller, id string) error {
			_, err := admin.Call(ctx, c, admin.RevokeToken, admin.TokenRef{ID: id})
			return err
		})
}

func (o *office) sessionList() *cobra.Command {
	user := ""
	c := listCommand(o, listing[admin.SessionQuery, admin.Session]{
		use: "list", short: "List browsers in which people are signed in, the newest first", of: admin.ListSessions,
		query: func(ctx context.Context, c admin.Caller) (admin.SessionQuery, error) {
			if user == "" {
				return admin.SessionQuery{}, nil
			}
			u, err := person(ctx, c, user)
			return admin.SessionQuery{User: u.Value.ID}, err
		},
		next: (*admin.SessionQuery).From,
		head: []string{"ID", "USER", "SIGNED IN BY", "SINCE", "SEEN", "UNTIL", "ADDRESS", "BROWSER"},
		row: func(s admin.Session) []string {
			return []string{s.ID, s.UserName, strings.Join(s.Methods, " "), stamp(s.CreatedAt), stamp(s.SeenAt), stamp(s.ExpiresAt), s.Address, s.Agent}
		},
	})
	c.Flags().StringVar(&user, "user", "", "only of this user, by name")
	return c
}

func (o *office) sessionEnd() *cobra.Command {
	user := ""
	c := o.removal("end (ID... | --user NAME)", "Sign browsers out: these, or all of a user", "end these sessions", "ended",
		func(ctx context.Context, c admin.Caller, id string) error {
			_, err := admin.Call(ctx, c, admin.EndSession, admin.SessionRef{ID: id})
			return err
		})
	some := c.RunE
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, args []string) error {
		if (user == "") == (len(args) == 0) {
			return usageError{errors.New("name sessions, or say --user NAME for all of a user")}
		}
		if user == "" {
			return some(c, args)
		}
		yes, err := c.Flags().GetBool("yes")
		if err != nil {
			return err // unreachable: removal has the flag
		}
		if err := o.sure(yes, fmt.Sprintf("end all sessions of %q", user), user); err != nil {
			return err
		}
		return o.open(c.Context(), func(caller admin.Caller) error {
			u, err := person(c.Context(), caller, user)
			if err != nil {
				return err
			}
			_, err = admin.Call(c.Context(), caller, admin.EndUserSessions, admin.UserRef{ID: u.Value.ID})
			return err
		})
	}
	c.Flags().StringVar(&user, "user", "", "all of this user, by name")
	return c
}

func (o *office) signInList() *cobra.Command {
	var q admin.SignInQuery
	user := ""
	c := listCommand(o, listing[admin.SignInQuery, admin.SignIn]{
		use: "list", short: "List sign-ins and why they went as they did, the latest first", of: admin.ListSignIns,
		query: func(ctx context.Context, c admin.Caller) (admin.SignInQuery, error) {
			if user == "" {
				return q, nil
			}
			u, err := person(ctx, c, user)
			q.User = u.Value.ID
			return q, err
		},
		next: (*admin.SignInQuery).From,
		head: []string{"TIME", "USER", "OUTCOME", "REASONS", "BY", "ADDRESS", "CLIENT ID", "BROWSER"},
		row: func(s admin.SignIn) []string {
			return []string{stamp(s.At), s.UserName, s.Outcome, strings.Join(s.Reasons, " "), strings.Join(s.Methods, " "), s.Address, s.ClientID, s.Agent}
		},
	})
	c.Flags().StringVar(&user, "user", "", "only of this user, by name")
	c.Flags().StringVar(&q.Outcome, "outcome", "", "only with this outcome: allow, step_up or refuse")
	return c
}

func (o *office) statusCommand() *cobra.Command {
	var f output
	c := &cobra.Command{
		Use:   "status",
		Short: "Say how the server is",
		Args:  noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return o.open(c.Context(), func(caller admin.Caller) error {
				s, err := admin.Call(c.Context(), caller, admin.GetStatus, admin.None{})
				if err != nil {
					return err
				}
				return o.show(f, s.Raw, func(w io.Writer) error {
					v := s.Value
					return facts(w, "Issuer", v.Issuer, "Time", stamp(v.Now), "Database answers", yesNo(v.Ready),
						"Signs with", v.Key.ID+" ("+v.Key.Algorithm+")", "Until", stamp(v.Key.Until))
				})
			})
		},
	}
	f.flags(c)
	return c
}
