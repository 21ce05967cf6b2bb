package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
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

func keyHead() []string { return []string{"KID", "ALG", "STATE", "SIGNS FROM", "UNTIL"} }

func keyRow(k admin.Key) []string {
	return []string{k.ID, k.Algorithm, k.State, minute(k.SignsFrom), minute(k.Until)}
}

func (o *office) keyList() *cobra.Command {
	return listCommand(o, listing[admin.None, admin.Key]{
		use: "list", short: "List the signing keys: which signs, which is next, which are kept for tokens that are out",
		of: admin.ListKeys, query: nothing, none: "No keys.", head: keyHead(), row: keyRow,
	})
}

func (o *office) printKey(w io.Writer, k admin.Key) error {
	t := newTable(o.width(), keyHead()...)
	t.add(keyRow(k)...)
	return t.print(w)
}

const soonestKey = 15 * time.Second

func (o *office) keyRotate() *cobra.Command {
	var after time.Duration
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Publish the next signing key now; it signs once it has been published for a while",
		Long: "Publish the next signing key now, or hasten the one that is published already.\n" +
			"It signs once it has been published for authserver.keys.publish_before, or --after.\n" +
			"The key before it stays published until the last token it signed has expired.",
		Args: noArguments,
		PreRunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("after") && after < soonestKey {
				return fmt.Errorf("a key must be published for %v before it signs: those who verify have to know it", soonestKey)
			}
			return nil
		},
	}
	neverAsks(c)
	c.Flags().DurationVar(&after, "after", 0, "for how long it must have been published, 15s at the least, which is enough for Postern's proxies; others may keep keys for longer")
	return answer(o, c, o.printKey, func(ctx context.Context, c admin.Caller, _ []string) (admin.Answer[admin.Key], error) {
		return admin.Call(ctx, c, admin.RotateKey, admin.KeyRotation{After: int(after / time.Second)})
	})
}

func (o *office) keyRevoke() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "revoke KID",
		Short: "Take a signing key back at once, as when it was stolen; prints the key that signs instead",
		Long: "Take a signing key back at once. Every token it signed is refused from then on:\n" +
			"here at once, by proxies with the next fetch of the keys. A new key signs from now on,\n" +
			"so proxies that have just fetched may refuse its first tokens, for ten seconds at most.\n" +
			"That holds for a key that is merely kept, too: the new one also replaces the one of now,\n" +
			"whose tokens stay good until they expire.",
		Args: oneName,
		PreRunE: func(_ *cobra.Command, args []string) error {
			return o.askable(yes, "end every token that "+quoted(args)+" signed")
		},
	}
	yesFlag(c, &yes)
	return answer(o, c, o.printKey, func(ctx context.Context, c admin.Caller, args []string) (a admin.Answer[admin.Key], err error) {
		if !yes {
			err = o.confirmRevoking(ctx, c, args[0])
		}
		if err != nil {
			return a, err
		}
		a, err = admin.Call(ctx, c, admin.RevokeKey, admin.KeyRef{ID: args[0]})
		if admin.ReasonOf(err) == admin.NotFound {
			return a, noSuchKey(args[0])
		}
		return a, err
	})
}

func noSuchKey(id string) error {
	return fmt.Errorf("there is no good key %q; see: postern admin key list", id)
}

var keyStates = map[string]string{"next": "will sign next", "signs": "signs now", "kept": "is kept for tokens that are out"}

func (o *office) confirmRevoking(ctx context.Context, c admin.Caller, id string) error {
	keys, err := admin.Call(ctx, c, admin.ListKeys, admin.None{})
	if err != nil {
		return err
	}
	i := slices.IndexFunc(keys.Value.Items, func(k admin.Key) bool { return k.ID == id && keyStates[k.State] != "" })
	if i < 0 {
		return noSuchKey(id)
	}
	return o.ask(ctx, fmt.Sprintf("This will take back the key %s, which %s.\nEvery token it signed is refused from then on: people's clients refresh theirs, machines get new ones.",
		id, keyStates[keys.Value.Items[i].State]), id)
}

func (o *office) keyReseal() *cobra.Command {
	var f output
	c := &cobra.Command{
		Use:   "reseal",
		Short: "Seal everything in the database with the current secret, so that the previous one can go",
		Args:  noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			at, err := o.here()
			if err != nil {
				return err
			}
			return at.withConfiguredAuthserver(c.Context(), at.config, func(conf setup, s *authserver.Server) error {
				return o.reseal(c.Context(), f, s, previousKey(conf))
			})
		},
	}
	f.flags(c)
	return c
}

// previousKey is the key of the configuration that gives the secret before, or "".
func previousKey(s setup) string {
	switch {
	case s.file.AuthServer.PreviousFile != "":
		return "secret_previous_file"
	case s.file.AuthServer.PreviousEnv != "":
		return "secret_previous_env"
	}
	return ""
}

// reseal says what is left to do where there is a secret before.
func (o *office) reseal(ctx context.Context, f output, s *authserver.Server, previous string) error {
	p := o.progress()
	n, err := s.ResealTelling(ctx, func(done int) { p.at("%d sealed", done) })
	p.end()
	printed := o.show(f, fmt.Appendf(nil, "{\"sealed\":%d}\n", n), func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%d sealed with the secret of today: signing keys, second factors, and refresh tokens that were just used\n", n)
		return err
	})
	if err == nil && printed == nil && previous != "" {
		_, printed = fmt.Fprintf(o.stderr, "Nothing in the database needs the previous secret any more: take %s out, start again, and destroy it."+
			" With short_lived: redis wait eight hours, or those who are signed in do so again.\n", previous)
	}
	return errors.Join(err, printed)
}
