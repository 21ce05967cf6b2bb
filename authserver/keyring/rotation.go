package keyring

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
)

const (
	lookEvery = time.Second // so soon an instance follows what another did
	most      = 32          // published at a time; verifiers bound the sets they read
)

// ErrMany says that no key can be added before others are gone.
var ErrMany = fmt.Errorf("%d keys are published already: wait until the oldest is gone, or revoke some", most)

// KeepUntil follows what other processes did to the keys, and rotates them
// when it is time.
func (r *Ring) KeepUntil(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = r.Keep(ctx) // logged where it failed
		}
	}
}

// Keep is one turn: it follows, drops what nobody needs, rotates when it is
// time, and logs what is new. Errors leave the keys as they were seen last.
func (r *Ring) Keep(ctx context.Context) error {
	err := errors.Join(r.look(ctx), r.drop(ctx), r.rotateWhenDue(ctx))
	if ctx.Err() == nil {
		r.tell(ctx, err)
	}
	return err
}

// news is what the log knows.
type news struct {
	known   []signingKey
	signer  string // kid
	failing bool
}

// tell logs what became of the keys, whoever did it, which of them signs
// when that is another than before, and of an outage that it begins and that it ends.
func (r *Ring) tell(ctx context.Context, err error) {
	r.telling.Lock()
	defer r.telling.Unlock()
	signer, before := r.Signer(), r.told
	now := news{*r.known.Load(), signer.Public().ID(), err != nil}
	r.told = now
	r.tellOfChanges(ctx, before.known, now.known)
	if now.signer != before.signer {
		r.Report(ctx, slog.LevelInfo, "key.signs", "kid", now.signer, "algorithm", string(signer.Algorithm()))
	}
	if now.failing && !before.failing {
		r.Log.Error("keys.neglected", "cause", err.Error())
	}
	if before.failing && !now.failing {
		r.Log.Info("keys.kept_again")
	}
}

func (r *Ring) tellOfChanges(ctx context.Context, before, now []signingKey) {
	for i, k := range before {
		switch {
		case has(now, k.ID):
		case r.Now().Before(r.goneAt(before, i)):
			r.Report(ctx, slog.LevelWarn, "key.revoked", "kid", k.ID)
		default:
			r.Report(ctx, slog.LevelInfo, "key.gone", "kid", k.ID)
		}
	}
	for _, k := range now {
		if !has(before, k.ID) {
			r.Report(ctx, slog.LevelInfo, "key.published", "kid", k.ID, "algorithm", string(k.private.Algorithm()), "signs_from", k.SignsFrom)
		}
	}
}

func has(keys []signingKey, id string) bool {
	return slices.ContainsFunc(keys, func(k signingKey) bool { return k.ID == id })
}

// drop forgets the keys that nobody needs any more.
func (r *Ring) drop(ctx context.Context) error {
	keys, now := *r.known.Load(), r.Now()
	for i, k := range keys {
		if now.Before(r.goneAt(keys, i)) {
			continue
		}
		if err := r.store.DropSigningKey(ctx, k.ID); err != nil {
			return err
		}
	}
	return nil
}

// rotateWhenDue publishes the next key so early that it takes over on time.
func (r *Ring) rotateWhenDue(ctx context.Context) error {
	keys, now := *r.known.Load(), r.Now()
	at := signerAt(keys, now)
	if at+1 < len(keys) || len(keys) >= most {
		return nil
	}
	p := r.Policy
	due := keys[at].SignsFrom.Add(p.RotateEvery - p.PublishBefore)
	if now.Before(due) && keys[at].private.Algorithm() == p.Algorithm {
		return nil
	}
	number, err := r.nextNumber(ctx)
	if err != nil {
		return err
	}
	err = r.add(ctx, number, p.PublishBefore)
	if errors.Is(err, store.ErrExists) { // another instance was quicker
		return nil
	}
	return err
}

// nextNumber counts the revoked as well, which are not among those of the ring.
func (r *Ring) nextNumber(ctx context.Context) (int64, error) {
	kept, err := r.store.SigningKeys(ctx)
	if err != nil || len(kept) == 0 {
		return 1, err
	}
	return kept[len(kept)-1].Number + 1, nil
}
