package main

import (
	"cmp"
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/postern-mcp/postern/authserver/admin"
)

func (o *office) sessionList() *cobra.Command {
	user := ""
	c := listCommand(o, listing[admin.SessionQuery, admin.Session]{
		use: "list", short: "List browsers in which people are signed in, the newest first", of: admin.ListSessions,
		query: func(ctx context.Context, c admin.Caller) (q admin.SessionQuery, err error) {
			q.User, err = idOf(ctx, c, user)
			return q, err
		},
		none: "No sessions.",
		head: []string{"ID", "USER", "SEEN", "BY…", "ADDRESS…", "BROWSER…"},
		row: func(s admin.Session) []string {
			return []string{s.ID, s.UserName, minute(s.SeenAt), words(s.Methods), s.Address, s.Agent}
		},
	})
	c.Flags().StringVar(&user, "user", "", "only of this user, by name")
	return c
}

// sessionEnd ends sessions by their ids, or all of one user.
func (o *office) sessionEnd() *cobra.Command {
	some := removal{
		does: "end these sessions", done: "ended", about: named,
		ends: "Whoever is signed in there has to sign in again. What they allowed clients stays.\nOne that is not there counts as ended.",
		end: func(ctx context.Context, c admin.Caller, id string) error {
			_, err := admin.Call(ctx, c, admin.EndSession, admin.SessionRef{ID: id})
			return err
		},
	}
	all := removal{
		does: "end all sessions of", done: "signed out", about: aboutUser,
		ends: "They have to sign in again, and links they made for others end. What they allowed clients stays.",
		end: func(ctx context.Context, c admin.Caller, name string) error {
			_, err := ofPerson(admin.EndUserSessions, refOf)(ctx, c, []string{name})
			return err
		},
	}
	user := ""
	c := &cobra.Command{Use: "end (ID... | --user NAME)", Short: "Sign browsers out: these, or all of a user",
		Long: "Sign browsers out: these, by the ids that session list shows, or all of a user.\n" + some.ends + "\nWith --user: " + all.ends}
	c.Flags().StringVar(&user, "user", "", "all of this user, by name")
	c.Args = func(_ *cobra.Command, ids []string) error {
		if (user == "") == (len(ids) == 0) {
			return usageError{errors.New("name sessions, or say --user NAME for all of a user")}
		}
		return nil
	}
	return o.ending(c, func(ids []string) (removal, []string) {
		if user != "" {
			return all, []string{user}
		}
		return some, ids
	})
}

func (o *office) signInList() *cobra.Command {
	var q admin.SignInQuery
	user := ""
	c := listCommand(o, listing[admin.SignInQuery, admin.SignIn]{
		use: "list", short: "List sign-ins and why they went as they did, the latest first", of: admin.ListSignIns,
		query: func(ctx context.Context, c admin.Caller) (admin.SignInQuery, error) {
			var err error
			q.User, err = idOf(ctx, c, user)
			return q, err
		},
		none: "No sign-ins.",
		head: []string{"TIME", "USER", "OUTCOME", "REASONS…", "BY…", "ADDRESS…", "BROWSER…", "CLIENT…"},
		row: func(s admin.SignIn) []string {
			return []string{stamp(s.At), s.UserName, s.Outcome, words(s.Reasons), words(s.Methods), s.Address, s.Agent, cmp.Or(s.ClientName, s.ClientID)}
		},
	})
	c.Flags().StringVar(&user, "user", "", "only of this user, by name")
	c.Flags().StringVar(&q.Outcome, "outcome", "", "only with this outcome: allow, step_up, refuse or failed")
	return c
}
