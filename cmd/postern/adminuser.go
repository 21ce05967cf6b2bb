package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postern-mcp/postern/authserver/admin"
)

func (o *office) userList() *cobra.Command {
	var q admin.UserQuery
	c := listCommand(o, listing[admin.UserQuery, admin.User]{
		use: "list", short: "List everybody who can sign in", of: admin.ListUsers,
		query: func(context.Context, admin.Caller) (admin.UserQuery, error) { return q, nil }, next: (*admin.UserQuery).From,
		head: []string{"ID", "NAME", "FULL NAME", "EMAIL", "ROLES", "SECOND FACTORS", "STATE", "CREATED"},
		row: func(u admin.User) []string {
			return []string{u.ID, u.Name, u.FullName, u.Email, roleWords(u.Roles), strings.Join(u.Factors, " "), stateOf(u), stamp(u.CreatedAt)}
		},
	})
	c.Flags().StringVar(&q.Search, "search", "", "only names that begin with this")
	c.Flags().StringVar(&q.Email, "email", "", "only this address")
	return c
}

func roleWords(held []admin.HeldRole) string {
	var words []string
	for _, r := range held {
		word := r.Role
		if r.Source != "assigned" {
			word += "(" + r.Source + ")"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func stateOf(u admin.User) string {
	switch {
	case u.Disabled:
		return "disabled"
	case !u.Password:
		return "no password"
	}
	return "active"
}

// person finds somebody by name, or by id.
func person(ctx context.Context, c admin.Caller, name string) (admin.Answer[admin.User], error) {
	found, err := admin.Call(ctx, c, admin.ListUsers, admin.UserQuery{Name: name})
	if err != nil {
		return admin.Answer[admin.User]{}, err
	}
	id := name
	if len(found.Value.Items) == 1 {
		id = found.Value.Items[0].ID
	}
	u, err := admin.Call(ctx, c, admin.GetUser, admin.UserRef{ID: id})
	if admin.ReasonOf(err) == admin.NotFound {
		return u, fmt.Errorf("there is no %q; see the list command beside this one", name)
	}
	return u, err
}

func (o *office) userShow() *cobra.Command {
	var f output
	c := &cobra.Command{
		Use:   "show NAME",
		Short: "Show everything about a user",
		Args:  oneName,
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return o.open(c.Context(), func(caller admin.Caller) error {
				u, err := person(c.Context(), caller, args[0])
				if err != nil {
					return err
				}
				return o.show(f, u.Raw, func(w io.Writer) error { return printUser(w, u.Value) })
			})
		},
	}
	f.flags(c)
	return c
}

func printUser(w io.Writer, u admin.User) error {
	email := u.Email
	if email != "" && !u.Verified {
		email += " (not verified)"
	}
	return facts(w, "ID", u.ID, "Name", u.Name, "Full name", u.FullName, "Email", email, "State", stateOf(u),
		"Roles", roleWords(u.Roles), "Second factors", strings.Join(u.Factors, " "), "Created", stamp(u.CreatedAt),
		"Password set", stamp(u.PasswordAt), "Disabled", stamp(u.DisabledAt))
}

func (o *office) userCreate() *cobra.Command {
	var fromStdin, none bool
	var f output
	var n admin.NewUser
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a user; without --password-stdin a password is made and printed",
		Args:  oneName,
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			n.Name = args[0]
			if none {
				n.SignIn = admin.WithNothing
			}
			if err := o.readPassword(fromStdin, &n.Password); err != nil {
				return err
			}
			return o.open(c.Context(), func(caller admin.Caller) error {
				made, err := admin.Call(c.Context(), caller, admin.CreateUser, n)
				if admin.ReasonOf(err) == admin.Exists {
					return fmt.Errorf("there is a user %q already", n.Name)
				}
				if err != nil {
					return err
				}
				return o.show(f, made.Raw, printOnce(made.Value.Password))
			})
		},
	}
	c.Flags().BoolVar(&fromStdin, "password-stdin", false, "take the password from the first line of stdin")
	c.Flags().BoolVar(&none, "no-password", false, "they come in by another provider only")
	atMostOneFlag(c, "password-stdin", "no-password")
	c.Flags().StringVar(&n.FullName, "full-name", "", "what the person is called")
	c.Flags().StringVar(&n.Email, "email", "", "their address")
	c.Flags().BoolVar(&n.Verified, "email-verified", false, "the address is known to be theirs")
	c.Flags().StringSliceVar(&n.Roles, "role", nil, "a role they get; repeat it, or separate by commas")
	f.flags(c)
	return c
}

func (o *office) readPassword(fromStdin bool, into *string) error {
	if !fromStdin {
		return nil
	}
	line, err := firstLine(o.stdin)
	if err != nil {
		return usageError{err}
	}
	*into = line
	return nil
}

// printOnce prints a secret that was made, on a line of its own.
func printOnce(secret string) func(io.Writer) error {
	return func(w io.Writer) error {
		if secret == "" {
			return nil
		}
		_, err := fmt.Fprintln(w, secret)
		return err
	}
}

// userUpdate sends only what was given, and only if nobody changed the person
// in between.
func (o *office) userUpdate() *cobra.Command {
	var fullName, email string
	var verified, disabled bool
	var f output
	c := &cobra.Command{
		Use:   "update NAME",
		Short: "Change a user; --disabled ends all their sessions, grants and tokens",
		Args:  oneName,
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			set := c.Flags().Changed
			change := admin.UserChange{FullName: given(set("full-name"), fullName), Email: given(set("email"), email),
				Verified: given(set("email-verified"), verified), Disabled: given(set("disabled"), disabled)}
			return o.open(c.Context(), func(caller admin.Caller) error {
				u, err := person(c.Context(), caller, args[0])
				if err != nil {
					return err
				}
				change.ID, change.IfMatch = u.Value.ID, u.Value.Tag()
				changed, err := admin.Call(c.Context(), caller, admin.UpdateUser, change)
				if err != nil {
					return err
				}
				return o.show(f, changed.Raw, func(w io.Writer) error { return printUser(w, changed.Value) })
			})
		},
	}
	c.Flags().StringVar(&fullName, "full-name", "", "what the person is called")
	c.Flags().StringVar(&email, "email", "", "their address; empty for none")
	c.Flags().BoolVar(&verified, "email-verified", false, "the address is known to be theirs")
	c.Flags().BoolVar(&disabled, "disabled", false, "they cannot sign in; --disabled=false lets them in again")
	someFlag(c, "full-name", "email", "email-verified", "disabled")
	f.flags(c)
	return c
}

func given[T any](is bool, v T) *T {
	if !is {
		return nil
	}
	return &v
}

func (o *office) userPassword() *cobra.Command {
	var fromStdin, yes bool
	var change admin.PasswordChange
	c := &cobra.Command{
		Use:   "password NAME",
		Short: "Give a user another password, which ends their sessions; without --password-stdin it is made and printed",
		Args:  oneName,
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.sure(yes || fromStdin, "end the password and all sessions of "+quoted(args), args[0]); err != nil {
				return err
			}
			if err := o.readPassword(fromStdin, &change.Password); err != nil {
				return err
			}
			return o.open(c.Context(), func(caller admin.Caller) error {
				u, err := person(c.Context(), caller, args[0])
				if err != nil {
					return err
				}
				change.ID = u.Value.ID
				made, err := admin.Call(c.Context(), caller, admin.SetPassword, change)
				if err != nil {
					return err
				}
				return printOnce(made.Value.Password)(o.stdout)
			})
		},
	}
	c.Flags().BoolVar(&fromStdin, "password-stdin", false, "take the password from the first line of stdin")
	yesFlag(c, &yes)
	return c
}

func (o *office) userForget() *cobra.Command {
	var yes bool
	factor := "all"
	c := &cobra.Command{
		Use:   "remove-factor NAME",
		Short: "Remove the second factors of a user who lost them, which ends their sessions",
		Args:  oneName,
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.sure(yes, "remove second factors of "+quoted(args), args[0]); err != nil {
				return err
			}
			return o.open(c.Context(), func(caller admin.Caller) error {
				u, err := person(c.Context(), caller, args[0])
				if err != nil {
					return err
				}
				_, err = admin.Call(c.Context(), caller, admin.RemoveFactor, admin.FactorRef{UserRef: admin.UserRef{ID: u.Value.ID}, Factor: factor})
				return err
			})
		},
	}
	c.Flags().StringVar(&factor, "factor", "all", "totp, recovery_codes, passkey, browsers or all")
	yesFlag(c, &yes)
	return c
}

func (o *office) userDelete() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "delete NAME...",
		Short: "Delete users with all their sessions, consents and tokens",
		Long: "Delete users with all their sessions, consents and tokens.\n" +
			"Access tokens that are out are revoked: proxies refuse them within seconds.",
		Args: someNames,
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.sure(yes, "delete "+quoted(args)+" with all they have", word(args)); err != nil {
				return err
			}
			return o.open(c.Context(), func(caller admin.Caller) error {
				return o.each(args, "deleted", func(name string) error {
					u, err := person(c.Context(), caller, name)
					if err != nil {
						return err
					}
					_, err = admin.Call(c.Context(), caller, admin.DeleteUser, admin.UserRef{ID: u.Value.ID})
					return err
				})
			})
		},
	}
	yesFlag(c, &yes)
	return c
}
