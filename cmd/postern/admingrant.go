package main

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/postern-mcp/postern/authserver/admin"
)

// whose are the flags that choose a person, a client, or both.
type whose struct{ user, client string }

func (w *whose) flags(c *cobra.Command) {
	c.Flags().StringVar(&w.user, "user", "", "of this user, by name")
	c.Flags().StringVar(&w.client, "client", "", "of this client, by its client_id")
	someFlag(c, "user", "client")
}

func (w *whose) find(ctx context.Context, c admin.Caller) (admin.Whose, error) {
	user, err := idOf(ctx, c, w.user)
	return admin.Whose{User: user, Client: w.client}, err
}

// idOf is the id of a person, "" of nobody in particular.
func idOf(ctx context.Context, c admin.Caller, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	u, err := person(ctx, c, name)
	return u.Value.ID, err
}

func (o *office) grantList() *cobra.Command {
	var w whose
	c := listCommand(o, listing[admin.GrantQuery, admin.Grant]{
		use: "list (--user NAME | --client CLIENT_ID)", short: "List what a user allowed (--user), or who allowed a client (--client), the newest first", of: admin.ListGrants,
		query: func(ctx context.Context, c admin.Caller) (q admin.GrantQuery, err error) {
			q.Whose, err = w.find(ctx, c)
			return q, err
		},
		none: "No grants.",
		head: []string{"ID", "USER", "CLIENT…", "SCOPES…", "RESOURCE…", "UNTIL"},
		row: func(g admin.Grant) []string {
			return []string{g.ID, g.UserName, cmp.Or(g.ClientName, g.ClientID), words(g.Scopes), g.Resource, minute(g.ExpiresAt)}
		},
	})
	w.flags(c)
	return c
}

func (o *office) grantRevoke() *cobra.Command {
	return o.removal(removal{
		use: "revoke ID...", short: "Revoke grants", does: "revoke these grants", done: "revoked",
		ends: "Every token of theirs ends; proxies refuse them within seconds. The client has to ask again.\nOne that is not there counts as ended.", about: named,
		end: func(ctx context.Context, c admin.Caller, id string) error {
			_, err := admin.Call(ctx, c, admin.RevokeGrant, admin.GrantRef{ID: id})
			return err
		},
	})
}

func (o *office) tokenList() *cobra.Command {
	var w whose
	c := listCommand(o, listing[admin.TokenQuery, admin.Token]{
		use: "list (--user NAME | --client CLIENT_ID)", short: "List live access tokens of a user (--user) or a client (--client), the newest first", of: admin.ListTokens,
		query: func(ctx context.Context, c admin.Caller) (q admin.TokenQuery, err error) {
			q.Whose, err = w.find(ctx, c)
			return q, err
		},
		none: "No live access tokens.",
		head: []string{"ID", "CLIENT ID…", "SUBJECT…", "SCOPES…", "RESOURCE…", "UNTIL"},
		row: func(t admin.Token) []string {
			return []string{t.ID, t.ClientID, t.Subject, words(t.Scopes), t.Resource, minute(t.ExpiresAt)}
		},
	})
	w.flags(c)
	return c
}

func (o *office) tokenRevoke() *cobra.Command {
	return o.removal(removal{
		use: "revoke ID...", short: "Revoke access tokens by their jti", does: "revoke these access tokens", done: "revoked",
		ends: "Proxies refuse them within seconds. Refreshing gets others: grant revoke ends that.\nOne that is not there counts as ended.", about: named,
		end: func(ctx context.Context, c admin.Caller, id string) error {
			_, err := admin.Call(ctx, c, admin.RevokeToken, admin.TokenRef{ID: id})
			return err
		},
	})
}

// readiness says what keeps a server from working.
func readiness(v admin.Status) string {
	switch v.Away {
	case "database":
		return "no: the database does not answer"
	case "redis":
		return "no: Redis does not answer, which has who is signed in"
	case "audit":
		return "no: audit lines cannot be written"
	}
	return yesNo(v.Ready)
}

func (o *office) statusCommand() *cobra.Command {
	c := &cobra.Command{Use: "status", Short: "Say how the server is", Args: noArguments}
	printed := func(w io.Writer, v admin.Status) error {
		return facts(w, "Issuer", v.Issuer, "Time", stamp(v.Now), "Ready", readiness(v),
			"Signs with", fmt.Sprintf("%s (%s)", v.Key.ID, v.Key.Algorithm), "Until", stamp(v.Key.Until))
	}
	return answer(o, c, printed, func(ctx context.Context, c admin.Caller, _ []string) (admin.Answer[admin.Status], error) {
		return admin.Call(ctx, c, admin.GetStatus, admin.None{})
	})
}
