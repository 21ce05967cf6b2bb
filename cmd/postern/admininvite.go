package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/postern-mcp/postern/authserver/admin"
)

const inviteLong = `Print a link with which one person creates an account. It works once, for seven
days, also where nobody may sign up otherwise. Nothing is sent: hand it out.

The first administrator: postern admin invite --role admin`

func (o *office) inviteCommand() *cobra.Command {
	var n admin.NewInvitation
	var f output
	c := &cobra.Command{
		Use:   "invite",
		Short: "Print a link to create one account with, such as the first administrator's",
		Long:  inviteLong,
		Args:  noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return o.open(c.Context(), func(caller admin.Caller) error {
				made, err := admin.Call(c.Context(), caller, admin.Invite, n)
				if err != nil {
					return err
				}
				return o.show(f, made.Raw, printOnce(made.Value.URL))
			})
		},
	}
	c.Flags().StringVar(&n.Email, "email", "", "the account's address")
	c.Flags().StringSliceVar(&n.Roles, "role", nil, "a role the account gets; repeat it, or separate by commas")
	f.flags(c)
	return c
}

func (o *office) invitationList() *cobra.Command {
	return listCommand(o, listing[admin.None, admin.Invitation]{
		use: "list", short: "List invitations that nobody used yet", of: admin.ListInvitations, query: nothing,
		head: []string{"ID", "EMAIL", "ROLES", "BY", "CREATED", "UNTIL"},
		row: func(i admin.Invitation) []string {
			return []string{i.ID, i.Email, strings.Join(i.Roles, " "), i.CreatedBy, stamp(i.CreatedAt), stamp(i.ExpiresAt)}
		},
	})
}

func (o *office) invitationCancel() *cobra.Command {
	return o.removal("cancel ID...", "Cancel invitations", "cancel these invitations", "cancelled",
		func(ctx context.Context, c admin.Caller, id string) error {
			_, err := admin.Call(ctx, c, admin.CancelInvitation, admin.InvitationRef{ID: id})
			return err
		})
}

// userResetLink is for somebody who forgot their password.
func (o *office) userResetLink() *cobra.Command {
	var f output
	c := &cobra.Command{
		Use:   "reset-link NAME",
		Short: "Print a link with which a user chooses a new password; it works once, for a day",
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
				made, err := admin.Call(c.Context(), caller, admin.ResetLink, admin.UserRef{ID: u.Value.ID})
				if err != nil {
					return err
				}
				return o.show(f, made.Raw, printOnce(made.Value.URL))
			})
		},
	}
	f.flags(c)
	return c
}
