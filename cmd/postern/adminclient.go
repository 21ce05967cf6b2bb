package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
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
		next: (*admin.ClientQuery).From,
		head: []string{"CLIENT ID", "NAME", "MADE", "PROVES ITSELF BY", "GRANTS", "SCOPES", "ROLES", "CREATED"},
		row: func(v admin.Client) []string {
			return []string{v.ID, v.Name, madeBy(v), v.AuthMethod, strings.Join(v.Grants, " "), strings.Join(v.Scopes, " "), strings.Join(v.Roles, " "), stamp(v.CreatedAt)}
		},
	})
	c.Flags().BoolVar(&registered, "registered", false, "only clients that registered themselves; =false: only those of operators")
	return c
}

func madeBy(c admin.Client) string {
	switch {
	case c.Registered:
		return "by itself"
	case len(c.Resources) > 0:
		return "resource server"
	}
	return "by an operator"
}

func (o *office) clientShow() *cobra.Command {
	var f output
	c := &cobra.Command{
		Use:   "show CLIENT_ID",
		Short: "Show everything about a client",
		Args:  oneName,
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return o.open(c.Context(), func(caller admin.Caller) error {
				v, err := application(c.Context(), caller, args[0])
				if err != nil {
					return err
				}
				return o.show(f, v.Raw, func(w io.Writer) error { return printClient(w, v.Value) })
			})
		},
	}
	f.flags(c)
	return c
}

func printClient(w io.Writer, c admin.Client) error {
	return facts(w, "Client ID", c.ID, "Name", c.Name, "Made", madeBy(c), "Proves itself by", c.AuthMethod,
		"Grants", strings.Join(c.Grants, " "), "Scopes", strings.Join(c.Scopes, " "), "Only these", yesNo(c.Bounded),
		"Roles", strings.Join(c.Roles, " "), "Redirects", strings.Join(c.Redirects, " "), "Resources", strings.Join(c.Resources, " "),
		"DPoP required", yesNo(c.Bound), "Created", stamp(c.CreatedAt), "Old secret until", stamp(c.SecretBefore))
}

func (o *office) clientCreate() *cobra.Command {
	var n admin.NewClient
	var f output
	c := &cobra.Command{
		Use:   "create NAME --scope SCOPE",
		Short: "Create a client for the client credentials grant; prints its id and secret, once",
		Args:  oneName,
		RunE: func(c *cobra.Command, args []string) error {
			if len(n.Scopes) == 0 {
				return usageError{errors.New("--scope is required: a client without a scope can do nothing")}
			}
			n.Name = args[0]
			return created(o, c, f, admin.CreateClient, n)
		},
	}
	c.Flags().Var((*scopeList)(&n.Scopes), "scope", "a scope the client may ask for; repeat it, or separate by spaces or commas")
	c.Flags().StringSliceVar(&n.Roles, "role", nil, "a role whose scopes bound it too; repeat it, or separate by commas")
	f.flags(c)
	return c
}

func (o *office) resourceServerCreate() *cobra.Command {
	var n admin.NewClient
	var keys string
	var f output
	c := &cobra.Command{
		Use:   "create NAME --resource URL",
		Short: "Create a client that may introspect the tokens of these resources; prints its id and secret, once",
		Args:  oneName,
		RunE: func(c *cobra.Command, args []string) (err error) {
			if len(n.Resources) == 0 {
				return usageError{errors.New("--resource is required: a resource server without a resource sees nothing")}
			}
			if keys != "" {
				if n.Keys, err = os.ReadFile(keys); err != nil {
					return usageError{err}
				}
			}
			n.Name = args[0]
			return created(o, c, f, admin.CreateClient, n)
		},
	}
	c.Flags().StringVar(&keys, "jwks", "", "a file with the JWK Set of its public keys: it signs assertions (private_key_jwt) and has no secret")
	c.Flags().StringSliceVar(&n.Resources, "resource", nil, "a resource URL; repeat it, or separate by commas")
	f.flags(c)
	return c
}

const registerLong = `Register a client that a file describes, with the members of RFC 7591 §2, such as

  {"client_name": "robot", "grant_types": ["client_credentials"], "scope": "calc:basic",
   "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [ … public keys … ]}}

token_endpoint_auth_method may be none, client_secret_basic, client_secret_post,
private_key_jwt, self_signed_tls_client_auth or tls_client_auth, as far as the
server takes it. It prints the id and, when there is one, the secret, once.`

// clientRegister takes whatever clients may register, and machines.
func (o *office) clientRegister() *cobra.Command {
	var f output
	c := &cobra.Command{
		Use:   "register FILE",
		Short: "Register a client that a JSON file of client metadata describes",
		Long:  registerLong,
		Args:  oneName,
		RunE: func(c *cobra.Command, args []string) error {
			text, err := os.ReadFile(args[0])
			if err != nil {
				return usageError{err}
			}
			if !jsontext.Value(text).IsValid() {
				return fmt.Errorf("%s must be one JSON object", args[0])
			}
			return created(o, c, f, admin.RegisterClient, admin.Registration{Metadata: text})
		},
	}
	f.flags(c)
	return c
}

// created makes a client, and prints what is told once.
func created[In any](o *office, c *cobra.Command, f output, how admin.Operation[In, admin.CreatedClient], in In) error {
	if err := f.check(); err != nil {
		return err
	}
	return o.open(c.Context(), func(caller admin.Caller) error {
		made, err := admin.Call(c.Context(), caller, how, in)
		if err != nil {
			return err
		}
		return o.show(f, made.Raw, func(w io.Writer) error {
			if made.Value.Secret == "" {
				_, err := fmt.Fprintf(w, "client_id %s\n", made.Value.Client.ID)
				return err
			}
			_, err := fmt.Fprintf(w, "client_id %s\nclient_secret %s\n", made.Value.Client.ID, made.Value.Secret)
			return err
		})
	})
}

func (o *office) clientUpdate() *cobra.Command {
	var name string
	var scopes []string
	var f output
	c := &cobra.Command{
		Use:   "update CLIENT_ID",
		Short: "Change a client's name or scopes; tokens that have more are revoked",
		Args:  oneName,
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			set := c.Flags().Changed
			change := admin.ClientChange{ClientRef: admin.ClientRef{ID: args[0]}, Name: given(set("name"), name), Scopes: given(set("scope"), scopes)}
			return o.open(c.Context(), func(caller admin.Caller) error {
				v, err := application(c.Context(), caller, args[0])
				if err != nil {
					return err
				}
				change.IfMatch = v.Value.Tag()
				changed, err := admin.Call(c.Context(), caller, admin.UpdateClient, change)
				if err != nil {
					return err
				}
				return o.show(f, changed.Raw, func(w io.Writer) error { return printClient(w, changed.Value) })
			})
		},
	}
	c.Flags().StringVar(&name, "name", "", "what it is called")
	c.Flags().Var((*scopeList)(&scopes), "scope", "all scopes it shall have; repeat it, or separate by spaces or commas")
	someFlag(c, "name", "scope")
	f.flags(c)
	return c
}

func (o *office) clientRotate() *cobra.Command {
	var overlap time.Duration
	var yes bool
	var f output
	c := &cobra.Command{
		Use:   "rotate-secret CLIENT_ID",
		Short: "Make another secret for a client; prints it, once",
		Args:  oneName,
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.sure(yes || overlap > 0, "end the secret of "+quoted(args)+" at once", args[0]); err != nil {
				return err
			}
			return created(o, c, f, admin.RotateSecret, admin.SecretRotation{ClientRef: admin.ClientRef{ID: args[0]}, Overlap: int(overlap / time.Second)})
		},
	}
	c.Flags().DurationVar(&overlap, "overlap", 0, "for how long the secret before is good as well, up to 168h")
	yesFlag(c, &yes)
	f.flags(c)
	return c
}

func (o *office) clientDelete() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "delete CLIENT_ID...",
		Short: "Delete clients with all consents and tokens they were given",
		Long: "Delete clients with all consents and tokens they were given, also one known by its metadata document.\n" +
			"Access tokens that are out are revoked: proxies refuse them within seconds.",
		Args: someNames,
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.sure(yes, "delete "+quoted(args)+" with all they have", word(args)); err != nil {
				return err
			}
			return o.open(c.Context(), func(caller admin.Caller) error {
				return o.each(args, "deleted", func(id string) error { return deleteClient(c.Context(), caller, id) })
			})
		},
	}
	yesFlag(c, &yes)
	return c
}

// deleteClient says of one that is not there that it is not: whoever typed it
// meant another.
func deleteClient(ctx context.Context, c admin.Caller, id string) error {
	if !strings.Contains(id, "://") {
		if _, err := application(ctx, c, id); err != nil {
			return err
		}
	}
	_, err := admin.Call(ctx, c, admin.DeleteClient, admin.ClientRef{ID: id})
	return err
}
