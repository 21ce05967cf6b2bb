package main

import (
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
		use: "list", short: "List the roles there are (authserver.roles)", of: admin.ListRoles, query: nothing,
		head: []string{"NAME", "SCOPES", "EVERYONE", "SECOND FACTOR", "DESCRIPTION"},
		row: func(r admin.Role) []string {
			return []string{r.Name, strings.Join(r.Scopes, " "), yesNo(r.Everyone), yesNo(r.Factor), r.Description}
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
		next: (*admin.HolderQuery).From,
		head: []string{"KIND", "ID", "NAME", "SOURCE", "SINCE"},
		row: func(h admin.Holder) []string {
			return []string{h.Kind, h.ID, h.Name, h.Source, stamp(h.Since)}
		},
	})
	c.Flags().StringVar(&q.Role, "role", "", "the role")
	c.Flags().BoolVar(&clients, "clients", false, "machine clients, instead of users")
	return c
}

// add and drop are what becomes of a set of roles.
func add(roles []string, role string) []string {
	if slices.Contains(roles, role) {
		return roles
	}
	return append(roles, role)
}

func drop(roles []string, role string) []string {
	return slices.DeleteFunc(slices.Clone(roles), func(r string) bool { return r == role })
}

// roleChange gives a role, or takes it: what others change at the same time is
// not lost, but refused.
func (o *office) roleChange(verb, short string, change func(roles []string, role string) []string) *cobra.Command {
	var user, client string
	c := &cobra.Command{
		Use:   verb + " ROLE (--user NAME | --client CLIENT_ID)",
		Short: short,
		Args:  oneName,
		RunE: func(c *cobra.Command, args []string) error {
			return o.open(c.Context(), func(caller admin.Caller) error {
				if client != "" {
					return changeClientRoles(c.Context(), caller, client, func(r []string) []string { return change(r, args[0]) })
				}
				return changeUserRoles(c.Context(), caller, user, func(r []string) []string { return change(r, args[0]) })
			})
		},
	}
	c.Flags().StringVar(&user, "user", "", "the user, by name")
	c.Flags().StringVar(&client, "client", "", "the client, by its client_id")
	exactlyOneFlag(c, "user", "client")
	return c
}

func changeUserRoles(ctx context.Context, c admin.Caller, name string, change func([]string) []string) error {
	u, err := person(ctx, c, name)
	if err != nil {
		return err
	}
	var assigned []string
	for _, r := range u.Value.Roles {
		if r.Source == "assigned" {
			assigned = append(assigned, r.Role)
		}
	}
	roles := append([]string{}, change(assigned)...)
	_, err = admin.Call(ctx, c, admin.SetUserRoles, admin.UserRoles{UserRef: admin.UserRef{ID: u.Value.ID}, IfMatch: u.Value.Tag(), Roles: roles})
	return err
}

func changeClientRoles(ctx context.Context, c admin.Caller, id string, change func([]string) []string) error {
	v, err := application(ctx, c, id)
	if err != nil {
		return err
	}
	roles := append([]string{}, change(v.Value.Roles)...)
	_, err = admin.Call(ctx, c, admin.SetClientRoles, admin.ClientRoles{ClientRef: admin.ClientRef{ID: id}, IfMatch: v.Value.Tag(), Roles: roles})
	return err
}

// application finds a client.
func application(ctx context.Context, c admin.Caller, id string) (admin.Answer[admin.Client], error) {
	v, err := admin.Call(ctx, c, admin.GetClient, admin.ClientRef{ID: id})
	if admin.ReasonOf(err) == admin.NotFound {
		return v, fmt.Errorf("there is no %q; see the list command beside this one", id)
	}
	return v, err
}
