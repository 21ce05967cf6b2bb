package authserver

import (
	"context"
	"errors"
	"time"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/store"
)

// ErrUnknown says that there is no such user or client.
var ErrUnknown = store.ErrNotFound

// HasClient says whether a client with this id is stored.
func (s *Server) HasClient(ctx context.Context, id string) (bool, error) {
	_, err := s.store.Client(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// HasPassword says whether this is the password of a user, whatever their state.
// It is for the operator: it is no try of anybody's, and on no record.
func (s *Server) HasPassword(ctx context.Context, username, password string) (bool, error) {
	u, err := s.store.User(ctx, username)
	if errors.Is(err, store.ErrNotFound) || err == nil && u.PasswordHash == "" {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return s.passwords.matches(ctx, actorsTurn(admin.Operator()), u.PasswordHash, password)
}

// Account is a user or a client as an operator sees it.
type Account struct {
	ID         string // the client_id, or the sub of a user's tokens
	Name       string
	Registered bool // a client that registered itself
	CreatedAt  time.Time
}

// Users lists everybody who can sign in, by name.
func (s *Server) Users(ctx context.Context) ([]Account, error) {
	return accounts(s.store.Users(ctx))
}

// Clients lists the clients that are stored, the oldest first. Those known by
// a metadata document are not.
func (s *Server) Clients(ctx context.Context) ([]Account, error) {
	return accounts(s.store.Clients(ctx))
}

func accounts(stored []store.Account, err error) ([]Account, error) {
	var all []Account
	for _, a := range stored {
		all = append(all, Account{ID: a.ID, Name: a.Name, Registered: a.Dynamic, CreatedAt: time.UnixMilli(a.CreatedAt).UTC()})
	}
	return all, err
}

// DeleteUser ends an account: sessions, consents and refresh tokens go with
// it, and its access tokens are revoked. ErrUnknown when there is none.
func (s *Server) DeleteUser(ctx context.Context, name string) error {
	return s.store.DeleteUser(ctx, name)
}

// DeleteClient does the same for a client, by its client_id, and revokes what
// it was given as a machine.
func (s *Server) DeleteClient(ctx context.Context, id string) error {
	return s.store.DeleteClient(ctx, id)
}
