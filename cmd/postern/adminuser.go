package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postern-mcp/postern/authserver/admin"
)

func (o *office) userList() *cobra.Command {
	var q admin.UserQuery
	c := listCommand(o, listing[admin.UserQuery, admin.User]{
		use: "list", short: "List everybody who can sign in, by name", of: admin.ListUsers,
		query: func(context.Context, admin.Caller) (admin.UserQuery, error) { return q, nil },
		none:  "No users.",
		head:  []string{"NAME", "FULL NAME…", "EMAIL…", "ROLES…", "SECOND FACTORS…", "STATE", "LAST SIGN-IN"},
		row: func(u admin.User) []string {
			return []string{u.Name, u.FullName, u.Email, roleNames(u.Roles), factorWords(u), stateOf(u), minute(u.SignedInAt)}
		},
	})
	c.Flags().StringVar(&q.Search, "search", "", "only those who have this in their name, full name or address, in capitals or not")
	c.Flags().StringVar(&q.Email, "email", "", "only this address")
	return c
}

// roleNames are each role once, whoever gave it.
func roleNames(held []admin.HeldRole) string {
	var names []string
	for _, r := range held {
		names = append(names, r.Role)
	}
	slices.Sort(names)
	return words(slices.Compact(names))
}

// roleLines say of each role where it comes from.
func roleLines(held []admin.HeldRole) string {
	var lines []string
	for _, r := range held {
		lines = append(lines, r.Role+", "+sourceWords(r.Source))
	}
	return strings.Join(lines, "\n")
}

const assigned = "assigned" // the source of roles that administrators give

func sourceWords(source string) string {
	if source == assigned {
		return "given by an administrator"
	}
	return "from the provider " + source
}

var factorNames = map[string]string{"totp": "authenticator app", "recovery_codes": "recovery codes", "passkey": "passkey"}

func factorWords(u admin.User) string {
	var names []string
	for _, f := range u.Factors {
		names = append(names, factorNames[f])
	}
	return strings.Join(names, ", ")
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
		return u, fmt.Errorf("there is no user %q; see: postern admin user list", name)
	}
	return u, err
}

// called is a person with what tells them from others.
func called(u admin.User) string {
	about := slices.DeleteFunc([]string{u.FullName, u.Email}, func(s string) bool { return s == "" })
	if len(about) == 0 {
		return u.Name
	}
	return u.Name + " (" + strings.Join(about, ", ") + ")"
}

// aboutUser says who somebody is, and what they have that would end.
func aboutUser(ctx context.Context, c admin.Caller, name string) (string, error) {
	u, err := person(ctx, c, name)
	if err != nil {
		return "", err
	}
	sessions, err := admin.Call(ctx, c, admin.ListSessions, admin.SessionQuery{User: u.Value.ID})
	if err != nil {
		return "", err
	}
	grants, err := grantsOf(ctx, c, admin.Whose{User: u.Value.ID})
	about := called(u.Value) + ": " + howMany(len(sessions.Value.Items), sessions.Value.Next, "session") + ", " + grants
	if names := roleNames(u.Value.Roles); names != "" {
		about += ", roles " + names
	}
	return about, err
}

func grantsOf(ctx context.Context, c admin.Caller, w admin.Whose) (string, error) {
	grants, err := admin.Call(ctx, c, admin.ListGrants, admin.GrantQuery{Whose: w})
	return howMany(len(grants.Value.Items), grants.Value.Next, "grant"), err
}

// howMany is how many there are on the first page of a list.
func howMany(n int, next, what string) string {
	number := fmt.Sprint(n)
	if next != "" {
		number = "more than " + number
	}
	if n != 1 {
		what += "s"
	}
	return number + " " + what
}

// ofPerson asks for something about whom the first argument names.
func ofPerson[In, Out any](how admin.Operation[In, Out], in func(admin.User) In) func(context.Context, admin.Caller, []string) (admin.Answer[Out], error) {
	return func(ctx context.Context, c admin.Caller, args []string) (admin.Answer[Out], error) {
		u, err := person(ctx, c, args[0])
		if err != nil {
			return admin.Answer[Out]{}, err
		}
		return admin.Call(ctx, c, how, in(u.Value))
	}
}

func refOf(u admin.User) admin.UserRef { return admin.UserRef{ID: u.ID} }

func (o *office) userShow() *cobra.Command {
	c := &cobra.Command{Use: "show NAME", Short: "Show everything about a user", Args: oneName}
	return answer(o, c, printUser, func(ctx context.Context, c admin.Caller, args []string) (admin.Answer[admin.User], error) {
		return person(ctx, c, args[0])
	})
}

func printUser(w io.Writer, u admin.User) error {
	email := u.Email
	if email != "" && !u.Verified {
		email += " (not verified)"
	}
	return facts(w, "ID", u.ID, "Name", u.Name, "Full name", u.FullName, "Email", email, "State", stateOf(u),
		"Roles", roleLines(u.Roles), "Second factors", factorWords(u), "Last sign-in", stamp(u.SignedInAt), "Created", stamp(u.CreatedAt),
		"Password set", stamp(u.PasswordAt), "Disabled", stamp(u.DisabledAt))
}

func (o *office) identityList() *cobra.Command {
	user := ""
	c := listCommand(o, listing[admin.UserRef, admin.Identity]{
		use: "list --user NAME", short: "List a user's accounts at other providers, by which they sign in here", of: admin.ListIdentities,
		query: func(ctx context.Context, c admin.Caller) (q admin.UserRef, err error) {
			q.ID, err = idOf(ctx, c, user)
			return q, err
		},
		none: "No accounts at other providers.",
		head: []string{"PROVIDER", "EMAIL…", "SUBJECT…", "LINKED", "USED"},
		row: func(i admin.Identity) []string {
			return []string{i.Provider, i.Email, i.Subject, minute(i.LinkedAt), minute(i.UsedAt)}
		},
	})
	c.Flags().StringVar(&user, "user", "", "the user, by name")
	someFlag(c, "user")
	return c
}

func (o *office) userCreate() *cobra.Command {
	var fromStdin, none bool
	var n admin.NewUser
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a user; without --password-stdin a password is made and printed",
		Args:  oneName,
		PreRunE: func(_ *cobra.Command, args []string) error {
			n.Name = args[0]
			if none {
				n.SignIn = admin.WithNothing
			}
			return o.readPassword(fromStdin, &n.Password)
		},
	}
	c.Flags().BoolVar(&fromStdin, "password-stdin", false, "take the password from the first line of stdin")
	c.Flags().BoolVar(&none, "no-password", false, "they come in by another provider only")
	atMostOneFlag(c, "password-stdin", "no-password")
	c.Flags().StringVar(&n.FullName, "full-name", "", "what the person is called")
	c.Flags().StringVar(&n.Email, "email", "", "their address")
	c.Flags().BoolVar(&n.Verified, "email-verified", false, "the address is known to be theirs")
	c.Flags().StringSliceVar(&n.Roles, "role", nil, "a role they get; repeat it, or separate by commas")
	printed := func(w io.Writer, made admin.CreatedUser) error { return printOnce(w, made.Password) }
	return answer(o, c, printed, func(ctx context.Context, c admin.Caller, _ []string) (admin.Answer[admin.CreatedUser], error) {
		made, err := admin.Call(ctx, c, admin.CreateUser, n)
		if admin.ReasonOf(err) == admin.Exists {
			return made, fmt.Errorf("there is a user %q already", n.Name)
		}
		return made, err
	})
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

// userUpdate sends only what was given, and only if nobody changed the person
// in between.
func (o *office) userUpdate() *cobra.Command {
	var fullName, email string
	var verified, disabled, yes bool
	c := &cobra.Command{Use: "update NAME", Short: "Change a user; --disabled ends all their sessions, grants and tokens", Args: oneName}
	c.Flags().StringVar(&fullName, "full-name", "", "what the person is called")
	c.Flags().StringVar(&email, "email", "", "their address; empty for none")
	c.Flags().BoolVar(&verified, "email-verified", false, "the address is known to be theirs")
	c.Flags().BoolVar(&disabled, "disabled", false, "they cannot sign in; --disabled=false lets them in again")
	someFlag(c, "full-name", "email", "email-verified", "disabled")
	yesFlag(c, &yes)
	set := c.Flags().Changed
	c.PreRunE = func(_ *cobra.Command, args []string) error {
		return o.askable(yes || !disabled, "disable "+quoted(args)+", with all sessions, grants and tokens")
	}
	return answer(o, c, printUser, func(ctx context.Context, c admin.Caller, args []string) (a admin.Answer[admin.User], err error) {
		if disabled && !yes {
			err = o.confirmDisabling(ctx, c, args[0])
		}
		if err != nil {
			return a, err
		}
		p := o.progress()
		defer p.end()
		err = p.during("changing "+args[0], func() error {
			a, err = ofPerson(admin.UpdateUser, func(u admin.User) admin.UserChange {
				return admin.UserChange{UserRef: refOf(u), IfMatch: u.Tag(), FullName: given(set("full-name"), fullName), Email: given(set("email"), email),
					Verified: given(set("email-verified"), verified), Disabled: given(set("disabled"), disabled)}
			})(ctx, c, args)
			return err
		})
		return a, err
	})
}

func (o *office) confirmDisabling(ctx context.Context, c admin.Caller, name string) error {
	about, err := aboutUser(ctx, c, name)
	if err != nil {
		return err
	}
	return o.ask(ctx, "This will disable:\n  "+visible(about)+"\nThey cannot sign in, and every session, grant and token of theirs ends. --disabled=false lets them in again.", name)
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
		PreRunE: func(_ *cobra.Command, args []string) error {
			if err := o.askable(yes || fromStdin, "end the password and all sessions of "+quoted(args)); err != nil {
				return err
			}
			return o.readPassword(fromStdin, &change.Password)
		},
	}
	c.Flags().BoolVar(&fromStdin, "password-stdin", false, "take the password from the first line of stdin")
	yesFlag(c, &yes)
	printed := func(w io.Writer, made admin.Password) error { return printOnce(w, made.Password) }
	return answer(o, c, printed, func(ctx context.Context, c admin.Caller, args []string) (a admin.Answer[admin.Password], err error) {
		if !yes && !fromStdin {
			err = o.ask(ctx, "This will end the password and all sessions of "+quoted(args)+", and the links they made for others.\nuser reset-link lets them choose one instead.", args[0])
		}
		if err != nil {
			return a, err
		}
		return ofPerson(admin.SetPassword, func(u admin.User) admin.PasswordChange {
			change.ID = u.ID
			return change
		})(ctx, c, args)
	})
}

// userResetLink is for somebody who forgot their password.
func (o *office) userResetLink() *cobra.Command {
	c := &cobra.Command{Use: "reset-link NAME", Short: "Print a link with which a user chooses a new password; it works once, for a day", Args: oneName}
	return answer(o, c, o.printLink, ofPerson(admin.ResetLink, refOf))
}

func (o *office) userRemoveFactor() *cobra.Command {
	factor := ""
	c := o.removal(removal{
		use: "remove-factor NAME...", short: "Remove the second factors of users who lost them", does: "remove second factors of", done: "without them",
		ends:  "Their sessions, remembered browsers and the links they made for others end, too; they set up new ones after they signed in.",
		about: aboutUser,
		end: func(ctx context.Context, c admin.Caller, name string) error {
			_, err := ofPerson(admin.RemoveFactor, func(u admin.User) admin.FactorRef { return admin.FactorRef{UserRef: refOf(u), Factor: factor} })(ctx, c, []string{name})
			return err
		},
	})
	c.Flags().StringVar(&factor, "factor", "all", "totp, recovery_codes, passkey, browsers or all")
	return c
}

func (o *office) userDelete() *cobra.Command {
	return o.removal(removal{
		use: "delete NAME...", short: "Delete users", does: "delete, for good", done: "deleted",
		ends:  "Their sessions, consents, grants and tokens end; proxies refuse the tokens within seconds.",
		about: aboutUser,
		end: func(ctx context.Context, c admin.Caller, name string) error {
			_, err := ofPerson(admin.DeleteUser, refOf)(ctx, c, []string{name})
			return err
		},
	})
}
