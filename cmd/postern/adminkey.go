package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-mcp/postern/authserver"
)

// keyCommand is about what the authorization server signs and seals with. A
// running server follows within seconds.
func (p program) keyCommand(path *string) *cobra.Command {
	return group("key", "The keys that tokens are signed with, and the secret that seals them",
		p.keyListCommand(path), p.keyRotateCommand(path), p.keyRevokeCommand(path), p.keyResealCommand(path))
}

func (p program) keyListCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the signing keys: which signs, which is next, which are kept for tokens that are out",
		Args:  noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.withAuthserver(c.Context(), *path, func(s *authserver.Server) error {
				keys, err := s.SigningKeys(c.Context())
				if err != nil {
					return err
				}
				return p.printKeys(keys...)
			})
		},
	}
}

func (p program) printKeys(keys ...authserver.Key) error {
	table := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "KID\tALGORITHM\tSTATE\tSIGNS FROM\tUNTIL")
	for _, k := range keys {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", k.ID, dash(k.Algorithm), k.State, stamp(k.SignsFrom), stamp(k.Until))
	}
	return table.Flush()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

func (p program) keyRotateCommand(path *string) *cobra.Command {
	var after time.Duration
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Publish the next signing key now; it signs once it has been published for a while",
		Long: "Publish the next signing key now, or hasten the one that is published already.\n" +
			"It signs once it has been published for authserver.keys.publish_before, or --after.\n" +
			"The key before it stays published until the last token it signed has expired.",
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.withConfiguredAuthserver(c.Context(), *path, func(conf setup, s *authserver.Server) error {
				if !c.Flags().Changed("after") {
					after = conf.file.AuthServer.Keys.PublishBefore
				}
				k, err := s.RotateKey(c.Context(), after)
				if err != nil {
					return err
				}
				return p.printKeys(k)
			})
		},
	}
	c.Flags().DurationVar(&after, "after", 0, "for how long it must have been published, 15s at the least, which is enough for Postern's proxies; others may keep keys for longer")
	return c
}

func (p program) keyRevokeCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke KID",
		Short: "Take a signing key back at once, as when it was stolen; prints the key that signs instead",
		Long: "Take a signing key back at once. Every token it signed is refused from then on:\n" +
			"here at once, by proxies with the next fetch of the keys. A new key signs from now on,\n" +
			"so proxies that have just fetched may refuse its first tokens, for ten seconds at most.",
		Args: oneName,
		RunE: func(c *cobra.Command, args []string) error {
			return p.withAuthserver(c.Context(), *path, func(s *authserver.Server) error {
				k, err := s.RevokeKey(c.Context(), args[0])
				if errors.Is(err, authserver.ErrUnknown) {
					return fmt.Errorf("there is no good key %q; see: postern admin key list", args[0])
				}
				if err != nil {
					return err
				}
				return p.printKeys(k)
			})
		},
	}
}

func (p program) keyResealCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use:   "reseal",
		Short: "Seal everything in the database with the current secret, so that the previous one can go",
		Args:  noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.withAuthserver(c.Context(), *path, func(s *authserver.Server) error {
				n, err := s.Reseal(c.Context())
				fmt.Fprintf(p.stdout, "%d sealed\n", n)
				return err
			})
		},
	}
}

// withAuthserver opens the database of the configuration for one piece of work.
func (p program) withAuthserver(ctx context.Context, path string, work func(*authserver.Server) error) error {
	return p.withConfiguredAuthserver(ctx, path, func(_ setup, s *authserver.Server) error { return work(s) })
}
