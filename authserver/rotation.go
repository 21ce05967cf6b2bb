package authserver

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	told := keyNews{known: *s.keys.seen.Load()}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			err := s.keepKeys(ctx)
			if ctx.Err() == nil {
				told = s.tellOfKeys(told, err)
			}
		}
	}
}

func (s *Server) keepKeys(ctx context.Context) error {
	return errors.Join(s.lookAtKeys(ctx), s.dropKeys(ctx), s.rotateWhenDue(ctx))
}

// keyNews is what the log knows.
type keyNews struct {
	known   []signingKey
	signer  string // kid
	failing bool
}

// tellOfKeys logs what became of the keys, whoever did it, which of them signs
// when that is another than before, and of an outage that it begins and that it ends.
func (s *Server) tellOfKeys(before keyNews, err error) keyNews {
	signer := s.keys.signer()
	now := keyNews{*s.keys.seen.Load(), signer.Public().ID(), err != nil}
	s.tellOfChanges(before.known, now.known)
	if now.signer != before.signer {
		s.config.Log.Info("key.signs", "kid", now.signer, "algorithm", string(signer.Algorithm()))
	}
	if now.failing && !before.failing {
		s.config.Log.Error("keys.neglected", "cause", err.Error())
	}
	if before.failing && !now.failing {
		s.config.Log.Info("keys.kept_again")
	}
	return now
}

func (s *Server) tellOfChanges(before, now []signingKey) {
	for i, k := range before {
		switch {
		case hasKey(now, k.ID):
		case s.config.Now().Before(goneAt(before, i)):
			s.config.Log.Warn("key.revoked", "kid", k.ID)
		default:
			s.config.Log.Info("key.gone", "kid", k.ID)
		}
	}
	for _, k := range now {
		if !hasKey(before, k.ID) {
			s.config.Log.Info("key.published", "kid", k.ID, "algorithm", string(k.private.Algorithm()), "signs_from", k.SignsFrom)
		}
	}
}

func hasKey(keys []signingKey, id string) bool {
	return slices.ContainsFunc(keys, func(k signingKey) bool { return k.ID == id })
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
