package authserver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/postern-mcp/postern/authserver/clientdoc"
	"github.com/postern-mcp/postern/authserver/store"
)

var errNoSecrets = errors.New("clients with a secret are not let in under this profile: register one with keys or a certificate")

// RegisterClient adds a client that client metadata describes (RFC 7591 §2, a
// JSON document), for an operator: client_credentials may be among its grants,
// and a scope is all it may ever have. It returns the generated id, and a
// secret when the client has one.
func (s *Server) RegisterClient(ctx context.Context, metadata []byte) (id, secret string, err error) {
	c, secret, err := s.operatorsClient(metadata)
	if err != nil {
		return "", "", err
	}
	if err := s.addOperators(ctx, c); err != nil {
		return "", "", err
	}
	return c.ID, secret, nil
}

// addOperators adds a client for an operator.
func (s *Server) addOperators(ctx context.Context, c store.Client) error {
	if err := s.store.AddClient(ctx, c, maxUnusedClients); err != nil {
		return err
	}
	return s.reportAsOperator(ctx, "client.created", "client_id", c.ID, "name", c.Name, "scopes", c.Scope, "resources", c.Resources, "auth_method", c.AuthMethod)
}

// operatorsClient is the client that metadata of an operator describes, and its
// secret, if it has one.
func (s *Server) operatorsClient(metadata []byte) (c store.Client, secret string, err error) {
	rules := s.registrationRules()
	rules.Machines = true
	m, err := clientdoc.Parse(metadata, rules)
	if err != nil {
		return store.Client{}, "", err
	}
	if err := s.catalogue.known(m.Scope()); err != nil {
		return store.Client{}, "", err
	}
	if slices.Contains(m.Grants, grantMachine) && len(m.Scope()) == 0 {
		return store.Client{}, "", errors.New("scope is required with client_credentials: a machine without a scope can do nothing")
	}
	if slices.Contains(m.Grants, grantMachine) && m.AuthMethod == authNone {
		return store.Client{}, "", errors.New("client_credentials needs a client that authenticates: token_endpoint_auth_method must not be none")
	}
	c, secret = s.newClient(m)
	c.Bounded = len(c.Scope) > 0
	return c, secret, nil
}

// RegisterResourceServer is CreateResourceServer for one that proves itself
// with a key of this JWK Set (private_key_jwt), and has no secret.
func (s *Server) RegisterResourceServer(ctx context.Context, name string, resources []string, jwks []byte) (id string, err error) {
	if err := s.serves(resources); err != nil {
		return "", err
	}
	if _, err := clientdoc.ParseKeys(jwks); err != nil {
		return "", err
	}
	c := store.Client{ID: newID("client_"), Name: name, Bounded: true, Resources: resources,
		AuthMethod: authKey, Keys: jwks, CreatedAt: s.config.Now()}
	return c.ID, s.addOperators(ctx, c)
}

func (s *Server) serves(resources []string) error {
	for _, u := range resources {
		if _, ok := s.catalogue.byURL[u]; !ok {
			return fmt.Errorf("no resource %q; there are: %s", u, strings.Join(s.catalogue.urls(), " "))
		}
	}
	return nil
}
