package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-mcp/postern/authserver/admin"
)

func (o *office) clientList() *cobra.Command {
	var q admin.ClientQuery
	var registered bool
	var c *cobra.Command
	c = listCommand(o, listing[admin.ClientQuery, admin.Client]{
		use: "list", short: "List the clients that are stored, the newest first", of: admin.ListClients,
		query: func(context.Context, admin.Caller) (admin.ClientQuery, error) {
			q.Registered = given(c.Flags().Changed("registered"), registered)
			return q, nil
		},
		none: "No clients.",
		head: []string{"CLIENT ID", "NAME…", "KIND", "SCOPES…", "ROLES…", "CREATED"},
		row: func(v admin.Client) []string {
			return []string{v.ID, v.Name, kindOf(v), words(v.Scopes), words(v.Roles), minute(v.CreatedAt)}
		},
	})
	c.Flags().BoolVar(&registered, "registered", false, "only clients that registered themselves; =false: only those of operators")
	c.Flags().StringVar(&q.Search, "search", "", "only those that have this in their name, in capitals or not, or this client_id")
	return c
}

func kindOf(c admin.Client) string {
	switch {
	case len(c.Resources) > 0:
		return "resource server"
	case slices.Contains(c.Grants, "client_credentials"):
		return "machine"
	}
	return "application"
}

func madeBy(c admin.Client) string {
	if c.Registered {
		return "registered itself"
	}
	return "by an administrator"
}

// client finds one.
func client(ctx context.Context, c admin.Caller, id string) (admin.Answer[admin.Client], error) {
	v, err := admin.Call(ctx, c, admin.GetClient, admin.ClientRef{ID: id})
	if admin.ReasonOf(err) == admin.NotFound {
		return v, fmt.Errorf("there is no client %q; see: postern admin client list", id)
	}
	return v, err
}

func (o *office) clientShow() *cobra.Command {
	c := &cobra.Command{Use: "show CLIENT_ID", Short: "Show everything about a client", Args: oneName}
	return answer(o, c, printClient, func(ctx context.Context, c admin.Caller, args []string) (admin.Answer[admin.Client], error) {
		return client(ctx, c, args[0])
	})
}

func printClient(w io.Writer, c admin.Client) error {
	scopes := words(c.Scopes)
	if c.Bounded && scopes != "" {
		scopes += " (and no others)"
	}
	return facts(w, "Client ID", c.ID, "Name", c.Name, "Kind", kindOf(c), "Made", madeBy(c), "Proves itself by", c.AuthMethod,
		"Grants", words(c.Grants), "Scopes", scopes, "Roles", words(c.Roles), "Redirects", strings.Join(c.Redirects, "\n"),
		"Resources", strings.Join(c.Resources, "\n"), "DPoP required", yesNo(c.Bound), "Created", stamp(c.CreatedAt), "Old secret until", stamp(c.SecretBefore))
}

func (o *office) clientCreate() *cobra.Command {
	var n admin.NewClient
	c := &cobra.Command{
		Use:   "create NAME --scope SCOPE",
		Short: "Create a client for the client credentials grant; prints its id and secret, once",
		Args:  oneName,
		PreRunE: func(_ *cobra.Command, args []string) error {
			if len(n.Scopes) == 0 {
				return usageError{errors.New("--scope is required: a client without a scope can do nothing")}
			}
			n.Name = args[0]
			return nil
		},
	}
	c.Flags().Var((*scopeList)(&n.Scopes), "scope", "a scope the client may ask for; repeat it, or separate by spaces or commas")
	c.Flags().StringSliceVar(&n.Roles, "role", nil, "a role whose scopes bound it too; repeat it, or separate by commas")
	return created(o, c, admin.CreateClient, &n)
}

func (o *office) resourceServerCreate() *cobra.Command {
	var n admin.NewClient
	var keys string
	c := &cobra.Command{
		Use:   "create NAME --resource URL",
		Short: "Create a client that may introspect the tokens of these resources; prints its id and secret, once",
		Args:  oneName,
		PreRunE: func(_ *cobra.Command, args []string) (err error) {
			if len(n.Resources) == 0 {
				return usageError{errors.New("--resource is required: a resource server without a resource sees nothing")}
			}
			if keys != "" {
				if n.Keys, err = os.ReadFile(keys); err != nil {
					return usageError{err}
				}
			}
			n.Name = args[0]
			return nil
		},
	}
	c.Flags().StringVar(&keys, "jwks", "", "a file with the JWK Set of its public keys: it signs assertions (private_key_jwt) and has no secret")
	c.Flags().StringSliceVar(&n.Resources, "resource", nil, "a resource URL; repeat it, or separate by commas")
	return created(o, c, admin.CreateClient, &n)
}

const registerLong = `Register a client that a file describes, with the members of RFC 7591 §2, such as

  {"client_name": "robot", "grant_types": ["client_credentials"], "scope": "calc:basic",
   "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [ … public keys … ]}}

token_endpoint_auth_method may be none, client_secret_basic, client_secret_post,
private_key_jwt, self_signed_tls_client_auth or tls_client_auth, as far as the
server takes it. It prints the id and, when there is one, the secret, once.`

// clientRegister takes whatever clients may register, and machines.
func (o *office) clientRegister() *cobra.Command {
	var r admin.Registration
	return created(o, &cobra.Command{
		Use:   "register FILE",
		Short: "Register a client that a JSON file of client metadata describes",
		Long:  registerLong,
		Args:  oneName,
		PreRunE: func(_ *cobra.Command, args []string) error {
			text, err := os.ReadFile(args[0])
			if err != nil {
				return usageError{err}
			}
			r.Metadata = text
			if !r.Metadata.IsValid() {
				return fmt.Errorf("%s must be one JSON object", args[0])
			}
			return nil
		},
	}, admin.RegisterClient, &r)
}

// created makes a client, or its secret, and prints what is told once.
func created[In any](o *office, c *cobra.Command, how admin.Operation[In, admin.CreatedClient], in *In) *cobra.Command {
	return answer(o, c, printCreated, func(ctx context.Context, c admin.Caller, _ []string) (admin.Answer[admin.CreatedClient], error) {
		return admin.Call(ctx, c, how, *in)
	})
}

func printCreated(w io.Writer, made admin.CreatedClient) error {
	text := "client_id " + made.Client.ID + "\n"
	if made.Secret != "" {
		text += "client_secret " + made.Secret + "\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

func (o *office) clientUpdate() *cobra.Command {
	var name string
	var scopes []string
	c := &cobra.Command{Use: "update CLIENT_ID", Short: "Change a client's name or scopes; tokens that have more are revoked", Args: oneName}
	c.Flags().StringVar(&name, "name", "", "what it is called")
	c.Flags().Var((*scopeList)(&scopes), "scope", "all scopes it shall have; repeat it, or separate by spaces or commas")
	someFlag(c, "name", "scope")
	neverAsks(c)
	set := c.Flags().Changed
	return answer(o, c, printClient, func(ctx context.Context, c admin.Caller, args []string) (admin.Answer[admin.Client], error) {
		v, err := client(ctx, c, args[0])
		if err != nil {
			return v, err
		}
		return admin.Call(ctx, c, admin.UpdateClient, admin.ClientChange{ClientRef: admin.ClientRef{ID: args[0]}, IfMatch: v.Value.Tag(),
			Name: given(set("name"), name), Scopes: given(set("scope"), scopes)})
	})
}

func (o *office) clientRotate() *cobra.Command {
	var overlap time.Duration
	var yes bool
	c := &cobra.Command{Use: "rotate-secret CLIENT_ID", Short: "Make another secret for a client; prints it, once", Args: oneName}
	c.Flags().DurationVar(&overlap, "overlap", 0, "for how long the secret before is good as well, up to 168h; not at all when absent")
	yesFlag(c, &yes)
	c.PreRunE = func(_ *cobra.Command, args []string) error {
		return o.askable(yes || overlap > 0, "end the secret of "+quoted(args)+" at once")
	}
	return answer(o, c, printCreated, func(ctx context.Context, c admin.Caller, args []string) (made admin.Answer[admin.CreatedClient], err error) {
		v, err := client(ctx, c, args[0])
		if err == nil && !yes && overlap == 0 {
			err = o.ask(ctx, fmt.Sprintf("This will end the secret of %s (%s) at once: whoever uses it is refused until they have the new one.\n"+
				"With --overlap both are good for a while.", args[0], visible(v.Value.Name)), args[0])
		}
		if err != nil {
			return made, err
		}
		return admin.Call(ctx, c, admin.RotateSecret, admin.SecretRotation{ClientRef: admin.ClientRef{ID: args[0]}, Overlap: int(overlap / time.Second)})
	})
}

func (o *office) clientDelete() *cobra.Command {
	return o.removal(removal{
		use: "delete CLIENT_ID...", short: "Delete clients, also one known by its metadata document", does: "delete", done: "deleted",
		ends:  "Every consent, grant and token they were given ends; proxies refuse the tokens within seconds.",
		about: aboutClient,
		end: func(ctx context.Context, c admin.Caller, id string) error {
			if err := knownClient(ctx, c, id); err != nil {
				return err
			}
			_, err := admin.Call(ctx, c, admin.DeleteClient, admin.ClientRef{ID: id})
			return err
		},
	})
}

// knownClient says of one that is not there that it is not: whoever typed it
// meant another. One with a metadata document is not stored.
func knownClient(ctx context.Context, c admin.Caller, id string) error {
	if strings.Contains(id, "://") {
		return nil
	}
	_, err := client(ctx, c, id)
	return err
}

func aboutClient(ctx context.Context, c admin.Caller, id string) (string, error) {
	about := id
	if !strings.Contains(id, "://") {
		v, err := client(ctx, c, id)
		if err != nil {
			return "", err
		}
		about += " (" + v.Value.Name + ", " + kindOf(v.Value) + ")"
	}
	grants, err := grantsOf(ctx, c, admin.Whose{Client: id})
	return about + ": " + grants, err
}
