package authserver

import (
	"context"
	"errors"

	"github.com/postern-mcp/postern/authserver/store"
)

// HasClient says whether a client with this id is stored.
func (s *Server) HasClient(ctx context.Context, id string) (bool, error) {
	_, err := s.store.Client(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
