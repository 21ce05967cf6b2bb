package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/jose"
)

const (
	commandClient = "postern-admin" // there at every issuer, without being registered
	deviceGrant   = "urn:ietf:params:oauth:grant-type:device_code"
)

const loginLong = `Sign in at a running server, for postern admin --url ISSUER.

It shows a code, to be typed in at a browser where an administrator signs in.
The tokens it gets are worth nothing without the key that it makes for them and
keeps beside them, in a file only you can read.`

func (o *office) loginCommand() *cobra.Command {
	var scopes []string
	c := &cobra.Command{
		Use:   "login --url ISSUER",
		Short: "Sign in at a running server, at a browser, for postern admin --url",
		Long:  loginLong,
		Args:  noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.url == "" {
				return usageError{errors.New("--url is required: the issuer to sign in at")}
			}
			if err := checkIssuerURL(o.url); err != nil {
				return err
			}
			if len(scopes) == 0 {
				scopes = admin.Operator().Scopes
			}
			return o.login(c.Context(), scopes)
		},
	}
	c.Flags().Var((*scopeList)(&scopes), "scope", "only these scopes of the API; all your roles give, when absent")
	return c
}

// waiting is RFC 8628 §3.2.
type waiting struct {
	Device   string `json:"device_code"`
	User     string `json:"user_code"`
	Page     string `json:"verification_uri"`
	Complete string `json:"verification_uri_complete"`
	Life     int64  `json:"expires_in"`
	Interval int64  `json:"interval"`
	Failure  string `json:"error"`
	Words    string `json:"error_description"`
}

func (o *office) login(ctx context.Context, scopes []string) error {
	path, err := o.loginPath(o.url)
	if err != nil {
		return err
	}
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		return err
	}
	s := &speaker{login: &login{path: path, Issuer: o.url, Key: key.SecretJWK()}, key: key}
	var w waiting
	form := url.Values{"client_id": {commandClient}, "resource": {o.url + admin.Prefix}, "scope": {strings.Join(scopes, " ")}}
	if err := s.post(ctx, "/device_authorization", form, &w); err != nil {
		return err
	}
	if w.Failure != "" {
		return fmt.Errorf("%s does not take this: %s (%s)", o.url, w.Words, w.Failure)
	}
	fmt.Fprintf(o.stderr, "Sign in as an administrator at\n\n  %s\n\nand type the code\n\n  %s\n\nWaiting; Ctrl-C gives up.\n", visible(w.Page), visible(w.User))
	g, err := s.poll(ctx, w)
	if err != nil {
		return err
	}
	if err := s.keep(g); err != nil {
		return err
	}
	fmt.Fprintf(o.stderr, "Signed in, with %s.\n", visible(g.Scope))
	if missing := slices.DeleteFunc(slices.Clone(scopes), func(n string) bool { return slices.Contains(strings.Fields(g.Scope), n) }); len(missing) > 0 {
		fmt.Fprintf(o.stderr, "Your roles do not give %s.\n", strings.Join(missing, " "))
	}
	return nil
}

// poll: RFC 8628 §3.4, §3.5.
func (s *speaker) poll(ctx context.Context, w waiting) (granted, error) {
	pause := time.Duration(max(w.Interval, 1)) * time.Second
	for {
		select {
		case <-ctx.Done():
			return granted{}, errors.New("given up: nobody signed in")
		case <-time.After(pause):
		}
		var g granted
		err := s.post(ctx, "/token", url.Values{"grant_type": {deviceGrant}, "client_id": {commandClient}, "device_code": {w.Device}}, &g)
		switch {
		case err != nil:
			return granted{}, err
		case g.Failure == "authorization_pending":
		case g.Failure == "slow_down":
			pause += 5 * time.Second
		case g.Failure != "":
			return granted{}, fmt.Errorf("nobody signed in: %s (%s)", strings.TrimSuffix(g.Words, "."), g.Failure)
		default:
			return g, nil
		}
	}
}
