package main

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/postern-mcp/postern/authserver/admin"
)

const inviteLong = `Print a link with which one person creates an account. It works once, for seven
days, also where nobody may sign up otherwise. Nothing is sent: hand it out.

The first administrator: postern admin invite --role admin`

func (o *office) inviteCommand() *cobra.Command {
	var n admin.NewInvitation
	c := &cobra.Command{Use: "invite", Short: "Print a link to create one account with, such as the first administrator's", Long: inviteLong, Args: noArguments}
	c.Flags().StringVar(&n.Email, "email", "", "the account's address")
	c.Flags().StringSliceVar(&n.Roles, "role", nil, "a role the account gets; repeat it, or separate by commas")
	return answer(o, c, o.printLink, func(ctx context.Context, c admin.Caller, _ []string) (admin.Answer[admin.Link], error) {
		return admin.Call(ctx, c, admin.Invite, n)
	})
}

// printLink says on which issuer's pages the link is, where that may surprise.
func (o *office) printLink(w io.Writer, l admin.Link) error {
	if o.says != "" {
		fmt.Fprint(o.stderr, o.says)
	}
	return printOnce(w, l.URL)
}

func (o *office) invitationList() *cobra.Command {
	return listCommand(o, listing[admin.None, admin.Invitation]{
		use: "list", short: "List invitations that nobody used yet", of: admin.ListInvitations, query: nothing,
		none: "No open invitations.",
		head: []string{"ID", "EMAIL…", "ROLES…", "BY…", "UNTIL"},
		row: func(i admin.Invitation) []string {
			return []string{i.ID, i.Email, words(i.Roles), cmp.Or(i.CreatedByName, i.CreatedBy), minute(i.ExpiresAt)}
		},
	})
}

func (o *office) invitationCancel() *cobra.Command {
	return o.removal(removal{
		use: "cancel ID...", short: "Cancel invitations", does: "cancel these invitations", done: "cancelled",
		ends: "Their links open nothing any more.\nOne that is not there counts as ended.", about: named,
		end: func(ctx context.Context, c admin.Caller, id string) error {
			_, err := admin.Call(ctx, c, admin.CancelInvitation, admin.InvitationRef{ID: id})
			return err
		},
	})
}
