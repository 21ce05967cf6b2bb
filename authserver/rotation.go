package authserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
)

const (
	lookEvery = time.Second // so soon an instance follows what another did
	mostKeys  = 32          // published at a time; verifiers bound the sets they read
)

// ErrManyKeys says that no key can be added before others are gone.
var ErrManyKeys = fmt.Errorf("%d keys are published already: wait until the oldest is gone, or revoke some", mostKeys)

// keepKeysUntil follows what other processes did to the keys, and rotates them
// when it is time.
func (s *Server) keepKeysUntil(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	healthy := true
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			healthy = s.keepKeys(ctx, healthy)
		}
	}
}

// keepKeys is one round. What the log says of an outage is that it begins, and that it ends.
func (s *Server) keepKeys(ctx context.Context, before bool) (healthy bool) {
	err := errors.Join(s.followKeys(ctx), s.dropKeys(ctx), s.rotateWhenDue(ctx))
	if ctx.Err() != nil {
		return before
	}
	if err != nil && before {
		s.config.Log.Error("keys.neglected", "cause", err.Error())
	}
	if err == nil && !before {
		s.config.Log.Info("keys.kept_again")
	}
	return err == nil
}

// followKeys looks, and logs which key signs when that is another than before.
func (s *Server) followKeys(ctx context.Context) error {
	err := s.lookAtKeys(ctx)
	if id := s.keys.signer().Public().ID(); s.keys.told != id {
		s.keys.told = id
		s.config.Log.Info("key.signs", "kid", id, "algorithm", string(s.keys.signer().Algorithm()))
	}
	return err
}

// dropKeys forgets the keys that nobody needs any more.
func (s *Server) dropKeys(ctx context.Context) error {
	keys, now := *s.keys.seen.Load(), s.config.Now()
	for i, k := range keys {
		if now.Before(goneAt(keys, i)) {
			continue
		}
		if err := s.store.DropSigningKey(ctx, k.ID); err != nil {
			return err
		}
		s.config.Log.Info("key.gone", "kid", k.ID)
	}
	return nil
}

// rotateWhenDue publishes the next key so early that it takes over on time.
func (s *Server) rotateWhenDue(ctx context.Context) error {
	keys, now := *s.keys.seen.Load(), s.config.Now()
	at := signerAt(keys, now)
	if at+1 < len(keys) || len(keys) >= mostKeys {
		return nil
	}
	p := s.config.Keys
	due := keys[at].SignsFrom.Add(p.RotateEvery - p.PublishBefore)
	if now.Before(due) && keys[at].private.Algorithm() == p.Algorithm {
		return nil
	}
	number, err := s.nextNumber(ctx)
	if err != nil {
		return err
	}
	err = s.addKey(ctx, number, p.PublishBefore)
	if errors.Is(err, store.ErrExists) { // another instance was quicker
		return nil
	}
	return err
}

// nextNumber counts the revoked as well, which are not among those of the ring.
func (s *Server) nextNumber(ctx context.Context) (int64, error) {
	kept, err := s.store.SigningKeys(ctx)
	if err != nil || len(kept) == 0 {
		return 1, err
	}
	return kept[len(kept)-1].Number + 1, nil
}
