package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/postern-mcp/postern/authserver"
)

const registerLong = `Register a client that a file describes, with the members of RFC 7591 §2, such as

  {"client_name": "robot", "grant_types": ["client_credentials"], "scope": "calc:basic",
   "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [ … public keys … ]}}

token_endpoint_auth_method may be none, client_secret_basic, client_secret_post,
private_key_jwt, self_signed_tls_client_auth or tls_client_auth, as far as the
server takes it. It prints the id and, when there is one, the secret, once.`

// registerClientCommand takes whatever clients may register, and machines.
func (p program) registerClientCommand(path *string) *cobra.Command {
	return &cobra.Command{
		Use:   "register FILE",
		Short: "Register a client that a JSON file of client metadata describes",
		Long:  registerLong,
		Args:  oneName,
		RunE: func(c *cobra.Command, args []string) error {
			text, err := os.ReadFile(args[0])
			if err != nil {
				return usageError{err}
			}
			return p.withAuthserver(c.Context(), *path, func(s *authserver.Server) error {
				id, secret, err := s.RegisterClient(c.Context(), text)
				if err != nil || secret != "" {
					return p.printAccount(id, secret, err)
				}
				return p.printID(id)
			})
		},
	}
}

func (p program) registerResourceServer(ctx context.Context, s *authserver.Server, name string, resources []string, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return usageError{err}
	}
	id, err := s.RegisterResourceServer(ctx, name, resources, text)
	if err != nil {
		return err
	}
	return p.printID(id)
}

func (p program) printID(id string) error {
	_, err := fmt.Fprintf(p.stdout, "client_id %s\n", id)
	return err
}
