package authserver

import (
	"context"
	"time"

	"github.com/postern-mcp/postern/authserver/revoked"
)

// announceUntil passes revocations on to resource servers, out of the store:
// whatever was revoked while they, or this process, were away, or by another
// process, is told in the next round.
func (s *Server) announceUntil(ctx context.Context) {
	tick := time.NewTicker(revoked.Interval)
	defer tick.Stop()
	heard := true
	for {
		heard = s.announce(ctx, heard)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// announce is one round. What the log says of an outage is that it begins, and that it ends.
func (s *Server) announce(ctx context.Context, before bool) (heard bool) {
	err := s.config.Revocations.Publish(ctx, s.revocations)
	if ctx.Err() != nil {
		return before
	}
	s.untold.Store(err != nil)
	if err != nil && before {
		s.config.Log.Error("revocations.untold", "cause", err.Error())
	}
	if err == nil && !before {
		s.config.Log.Info("revocations.told_again")
	}
	return err == nil
}

// revocations is a revoked.Source.
func (s *Server) revocations(ctx context.Context, after uint64, limit int) ([]revoked.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	kept, err := s.store.Revocations(ctx, after, limit)
	if err != nil {
		return nil, err
	}
	entries := make([]revoked.Entry, len(kept))
	for i, r := range kept {
		entries[i] = revoked.Entry{Number: r.Number, ID: r.TokenID, Until: r.ExpiresAt}
	}
	return entries, nil
}
