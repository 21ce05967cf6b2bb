package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postern-mcp/postern/authserver/admin"
)

func (o *office) roleList() *cobra.Command {
	return listCommand(o, listing[admin.None, admin.Role]{
		use: "list", short: "List the roles there are (authserver.roles)", of: admin.ListRoles, query: nothing, none: "No roles.",
		head: []string{"NAME", "SCOPES…", "EVERYONE", "SECOND FACTOR", "DESCRIPTION…"},
		row: func(r admin.Role) []string {
			return []string{r.Name, words(r.Scopes), yesNo(r.Everyone), yesNo(r.Factor), r.Description}
		},
	})
}

func (o *office) roleHolders() *cobra.Command {
	q := admin.HolderQuery{Kind: "user"}
	clients := false
	c := listCommand(o, listing[admin.HolderQuery, admin.Holder]{
		use: "holders --role ROLE", short: "List who was given a role", of: admin.ListHolders,
		query: func(context.Context, admin.Caller) (admin.HolderQuery, error) {
			if q.Role == "" {
				return q, usageError{errors.New("--role is required; see: postern admin role list")}
			}
			if clients {
				q.Kind = "client"
			}
			return q, nil
		},
		none: "Nobody was given this role.",
		head: []string{"KIND", "ID", "NAME…", "WHERE FROM", "SINCE"},
		row: func(h admin.Holder) []string {
			return []string{h.Kind, h.ID, h.Name, sourceWords(h.Source), minute(h.Since)}
		},
	})
	c.Flags().StringVar(&q.Role, "role", "", "the role")
	c.Flags().BoolVar(&clients, "clients", false, "machine clients, instead of users")
	return c
}

// holder is whom a role is given to or taken from: a user, or a client.
type holder struct{ user, client string }

func (h *holder) flags(c *cobra.Command) {
	c.Flags().StringVar(&h.user, "user", "", "the user, by name")
	c.Flags().StringVar(&h.client, "client", "", "the client, by its client_id")
	exactlyOneFlag(c, "user", "client")
}

// held is a holder as they are: what they are called, whether they have a
// second factor, and what sets their roles unless somebody else does meanwhile.
type held struct {
	called     string
	unfactored bool // a person without a second factor
	roles      []string
	set        func(ctx context.Context, roles []string) ([]byte, error)
}

func (h holder) find(ctx context.Context, c admin.Caller) (held, error) {
	if h.client != "" {
		return clientAsHeld(ctx, c, h.client)
	}
	u, err := person(ctx, c, h.user)
	v := held{called: called(u.Value), unfactored: len(u.Value.Factors) == 0}
	for _, r := range u.Value.Roles {
		if r.Source == assigned {
			v.roles = append(v.roles, r.Role)
		}
	}
	v.set = func(ctx context.Context, roles []string) ([]byte, error) {
		a, err := admin.Call(ctx, c, admin.SetUserRoles, admin.UserRoles{UserRef: refOf(u.Value), IfMatch: u.Value.Tag(), Roles: roles})
		return a.Raw, err
	}
	return v, err
}

func clientAsHeld(ctx context.Context, c admin.Caller, id string) (held, error) {
	was, err := client(ctx, c, id)
	set := func(ctx context.Context, roles []string) ([]byte, error) {
		a, err := admin.Call(ctx, c, admin.SetClientRoles, admin.ClientRoles{ClientRef: admin.ClientRef{ID: id}, IfMatch: was.Value.Tag(), Roles: roles})
		return a.Raw, err
	}
	return held{called: id + " (" + was.Value.Name + ")", roles: was.Value.Roles, set: set}, err
}

func (o *office) roleGive() *cobra.Command {
	var h holder
	var yes bool
	c := &cobra.Command{Use: "give ROLE (--user NAME | --client CLIENT_ID)", Short: "Give a role to a user or a client", Args: oneName}
	h.flags(c)
	yesFlag(c, &yes)
	return o.changing(c, &h, func(ctx context.Context, c admin.Caller, v held, name string) ([]string, error) {
		role, err := roleNamed(ctx, c, name)
		if err == nil && powerful(role) && !yes {
			err = o.confirmGiving(ctx, role, v, cmp.Or(h.user, h.client))
		}
		if err != nil {
			return nil, err
		}
		if role.Factor && v.unfactored {
			fmt.Fprintf(o.stderr, "%s has no second factor, and the role %s counts with one only: they set it up at %s/account/security.\n",
				visible(v.called), role.Name, strings.TrimSuffix(c.Base, admin.Prefix))
		}
		return slices.Compact(slices.Sorted(slices.Values(append(v.roles, name)))), nil
	})
}

func (o *office) roleTake() *cobra.Command {
	var h holder
	c := &cobra.Command{Use: "take ROLE (--user NAME | --client CLIENT_ID)", Short: "Take a role from a user or a client", Args: oneName}
	h.flags(c)
	neverAsks(c)
	return o.changing(c, &h, func(_ context.Context, _ admin.Caller, v held, name string) ([]string, error) {
		if !slices.Contains(v.roles, name) {
			return nil, fmt.Errorf("no administrator gave %s the role %q; see: postern admin role holders --role %s", v.called, name, name)
		}
		return slices.DeleteFunc(slices.Clone(v.roles), func(r string) bool { return r == name }), nil
	})
}

// changing sets the roles that change makes of those that were assigned.
func (o *office) changing(c *cobra.Command, h *holder, change func(ctx context.Context, c admin.Caller, v held, role string) ([]string, error)) *cobra.Command {
	return answer(o, c, silently[admin.None], func(ctx context.Context, c admin.Caller, args []string) (a admin.Answer[admin.None], err error) {
		v, err := h.find(ctx, c)
		if err != nil {
			return a, err
		}
		roles, err := change(ctx, c, v, args[0])
		if err != nil {
			return a, err
		}
		a.Raw, err = v.set(ctx, append([]string{}, roles...))
		return a, err
	})
}

// roleNamed is a role of the configuration; of one that is not there, the API
// says so when it is given.
func roleNamed(ctx context.Context, c admin.Caller, name string) (admin.Role, error) {
	all, err := admin.Call(ctx, c, admin.ListRoles, admin.None{})
	for _, r := range all.Value.Items {
		if r.Name == name {
			return r, nil
		}
	}
	return admin.Role{}, err
}

// powerful says whether a role opens the administration.
func powerful(r admin.Role) bool { return slices.ContainsFunc(r.Scopes, administrative) }

func administrative(scope string) bool { return strings.HasPrefix(scope, "postern:") }

func (o *office) confirmGiving(ctx context.Context, r admin.Role, v held, word string) error {
	if err := o.askable(false, "let "+v.called+" administer this server"); err != nil {
		return err
	}
	opens := words(slices.DeleteFunc(slices.Clone(r.Scopes), func(s string) bool { return !administrative(s) }))
	return o.ask(ctx, fmt.Sprintf("This will give the role %s to:\n  %s\nIt lets them administer this server, with %s.", r.Name, visible(v.called), opens), word)
}
