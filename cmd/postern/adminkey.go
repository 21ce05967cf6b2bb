package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-mcp/postern/authserver"
	"github.com/postern-mcp/postern/authserver/admin"
)

// keyCommand is about what the authorization server signs and seals with. A
// running server follows within seconds.
func (o *office) keyCommand() *cobra.Command {
	return group("key", "The keys that tokens are signed with, and the secret that seals them",
		o.keyList(), o.keyRotate(), o.keyRevoke(), o.keyReseal())
}

var keyHead = []string{"KID", "ALGORITHM", "STATE", "SIGNS FROM", "UNTIL"}

func keyRow(k admin.Key) []string {
	return []string{k.ID, k.Algorithm, k.State, stamp(k.SignsFrom), stamp(k.Until)}
}

func (o *office) keyList() *cobra.Command {
	return listCommand(o, listing[admin.None, admin.Key]{
		use: "list", short: "List the signing keys: which signs, which is next, which are kept for tokens that are out",
		of: admin.ListKeys, query: nothing, head: keyHead, row: keyRow,
	})
}

func (o *office) showKey(f output, k admin.Answer[admin.Key]) error {
	return o.show(f, k.Raw, func(w io.Writer) error {
		t := newTable(w, keyHead...)
		t.add(keyRow(k.Value)...)
		return t.flush()
	})
}

const soonestKey = 15 * time.Second

func (o *office) keyRotate() *cobra.Command {
	var after time.Duration
	var f output
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Publish the next signing key now; it signs once it has been published for a while",
		Long: "Publish the next signing key now, or hasten the one that is published already.\n" +
			"It signs once it has been published for authserver.keys.publish_before, or --after.\n" +
			"The key before it stays published until the last token it signed has expired.",
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			if c.Flags().Changed("after") && after < soonestKey {
				return fmt.Errorf("a key must be published for %v before it signs: those who verify have to know it", soonestKey)
			}
			return o.open(c.Context(), func(caller admin.Caller) error {
				k, err := admin.Call(c.Context(), caller, admin.RotateKey, admin.KeyRotation{After: int(after / time.Second)})
				if err != nil {
					return err
				}
				return o.showKey(f, k)
			})
		},
	}
	c.Flags().DurationVar(&after, "after", 0, "for how long it must have been published, 15s at the least, which is enough for Postern's proxies; others may keep keys for longer")
	f.flags(c)
	return c
}

func (o *office) keyRevoke() *cobra.Command {
	var yes bool
	var f output
	c := &cobra.Command{
		Use:   "revoke KID",
		Short: "Take a signing key back at once, as when it was stolen; prints the key that signs instead",
		Long: "Take a signing key back at once. Every token it signed is refused from then on:\n" +
			"here at once, by proxies with the next fetch of the keys. A new key signs from now on,\n" +
			"so proxies that have just fetched may refuse its first tokens, for ten seconds at most.",
		Args: oneName,
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			if err := o.sure(yes, "end every token that "+quoted(args)+" signed", args[0]); err != nil {
				return err
			}
			return o.open(c.Context(), func(caller admin.Caller) error {
				k, err := admin.Call(c.Context(), caller, admin.RevokeKey, admin.KeyRef{ID: args[0]})
				if admin.ReasonOf(err) == admin.NotFound {
					return fmt.Errorf("there is no good key %q; see: postern admin key list", args[0])
				}
				if err != nil {
					return err
				}
				return o.showKey(f, k)
			})
		},
	}
	yesFlag(c, &yes)
	f.flags(c)
	return c
}

func (o *office) keyReseal() *cobra.Command {
	return &cobra.Command{
		Use:   "reseal",
		Short: "Seal everything in the database with the current secret, so that the previous one can go",
		Args:  noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.here(); err != nil {
				return err
			}
			return o.withAuthserver(c.Context(), o.config, func(s *authserver.Server) error {
				return o.reseal(c.Context(), s)
			})
		},
	}
}

func (o *office) reseal(ctx context.Context, s *authserver.Server) error {
	p := o.progress()
	n, err := s.ResealTelling(ctx, func(done int) { p.at("%d sealed", done) })
	p.end()
	_, printed := fmt.Fprintf(o.stdout, "%d sealed with the secret of today: signing keys, second factors, and refresh tokens that were just used\n", n)
	if err == nil && printed == nil {
		_, printed = fmt.Fprintln(o.stderr, "Nothing in the database needs the previous secret any more: take secret_previous_file out, start again, and destroy it.")
	}
	return errors.Join(err, printed)
}
