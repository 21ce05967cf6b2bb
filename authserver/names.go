package authserver

import "context"

// sayShared says whose names fold to somebody else's, who came before: they sign
// in with exactly the letters of their name, and administrators give them others.
func (s *Server) sayShared(ctx context.Context) error {
	names, err := s.store.SharedNames(ctx)
	if err != nil || len(names) == 0 {
		return err
	}
	s.config.Log.Warn("users.names_shared", "names", names,
		"fix", "each is the name of somebody else in other letters: make these people another account, and delete this one")
	return nil
}
