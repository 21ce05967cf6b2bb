package authserver

import (
	"context"
	"errors"
	"fmt"

	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/authserver/store"
)

// signingKey loads the newest key, or makes the first one. Of several
// processes starting at once on one database all end with the same key.
func (s *Server) signingKey(ctx context.Context) (jose.PrivateKey, error) {
	kept, err := s.store.Keys(ctx)
	if err != nil {
		return jose.PrivateKey{}, err
	}
	if len(kept) > 0 {
		return s.openKey(kept[0])
	}
	if err := s.makeKey(ctx); err != nil && !errors.Is(err, store.ErrExists) {
		return jose.PrivateKey{}, err
	}
	if kept, err = s.store.Keys(ctx); err != nil || len(kept) == 0 {
		return jose.PrivateKey{}, fmt.Errorf("read the signing key back: %w", err)
	}
	return s.openKey(kept[0])
}

func (s *Server) makeKey(ctx context.Context) error {
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		return err
	}
	id := key.Public().ID()
	sealed := s.seals.keys.close(key.SecretJWK(), id)
	return s.store.AddFirstKey(ctx, store.SealedKey{ID: id, Sealed: sealed}, s.config.Now())
}

func (s *Server) openKey(k store.SealedKey) (jose.PrivateKey, error) {
	jwk, err := s.seals.keys.open(k.Sealed, k.ID)
	if err != nil {
		return jose.PrivateKey{}, errors.New(
			"the signing key in the database does not open with this secret: start with the secret it was made with, or with a new database")
	}
	return jose.ParsePrivateKey(jwk)
}
