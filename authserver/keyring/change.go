package keyring

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
)

// State is what a signing key is good for.
type State string

// A key goes through these in order; it may be revoked from each.
const (
	Next    State = "next"    // published, and not used yet
	Signs   State = "signs"   // everything is signed with it
	Kept    State = "kept"    // published until what it signed has expired
	Revoked State = "revoked" // no longer published
)

// Key is a signing key as operators see it.
type Key struct {
	ID        string // kid
	Algorithm string // "" of a revoked key
	State     State
	SignsFrom time.Time
	Until     time.Time // Signs: the next one signs, at the latest; Kept: it is gone; Revoked: when that was
}

// changes is what operators do to keys.
type changes interface {
	HastenSigningKey(ctx context.Context, id string, from time.Time) error
	ReplaceSigningKey(ctx context.Context, id string, by store.SigningKey) error
}

// List is all keys there are: those that sign one after the other in
// their order, then the revoked.
func (r *Ring) List(ctx context.Context) ([]Key, error) {
	kept, err := r.store.SigningKeys(ctx)
	if err != nil {
		return nil, err
	}
	good, err := r.openAll(kept)
	if err != nil {
		return nil, err
	}
	var all []Key
	for i := range good {
		all = append(all, r.describe(good, i))
	}
	for _, k := range kept {
		if !k.RevokedAt.IsZero() {
			all = append(all, Key{ID: k.ID, State: Revoked, SignsFrom: k.SignsFrom, Until: k.RevokedAt})
		}
	}
	return all, nil
}

// Current is the key that signs.
func (r *Ring) Current() Key {
	keys := *r.known.Load()
	return r.describe(keys, signerAt(keys, r.Now()))
}

// Neglected says that the keys could not be kept when that was tried last.
func (r *Ring) Neglected() bool {
	r.telling.Lock()
	defer r.telling.Unlock()
	return r.told.failing
}

func (r *Ring) describe(keys []signingKey, i int) Key {
	k := Key{ID: keys[i].ID, Algorithm: string(keys[i].private.Algorithm()), SignsFrom: keys[i].SignsFrom}
	switch at := signerAt(keys, r.Now()); {
	case i < at:
		k.State, k.Until = Kept, r.goneAt(keys, i)
	case i > at:
		k.State = Next
	case i+1 < len(keys):
		k.State, k.Until = Signs, keys[i+1].SignsFrom
	default:
		k.State, k.Until = Signs, k.SignsFrom.Add(r.Policy.RotateEvery)
	}
	return k
}

// Rotate publishes the next key, or hastens it when there is one already:
// it signs once it has been published for that long, 15 s at the least.
// ErrMany when too many are published.
func (r *Ring) Rotate(ctx context.Context, after time.Duration) (Key, error) {
	if after < Soonest {
		return Key{}, fmt.Errorf("a key must be published for %v before it signs: those who verify have to know it", Soonest)
	}
	if err := r.look(ctx); err != nil {
		return Key{}, err
	}
	if err := r.bringNext(ctx, *r.known.Load(), after); err != nil {
		return Key{}, err
	}
	return r.next(ctx)
}

func (r *Ring) bringNext(ctx context.Context, keys []signingKey, after time.Duration) error {
	now := r.Now()
	if at := signerAt(keys, now); at+1 < len(keys) {
		next := keys[at+1]
		return r.store.HastenSigningKey(ctx, next.ID, later(next.CreatedAt.Add(after), now))
	}
	if len(keys) >= most {
		return ErrMany
	}
	return r.addNext(ctx, after)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (r *Ring) addNext(ctx context.Context, after time.Duration) error {
	number, err := r.nextNumber(ctx)
	if err != nil {
		return err
	}
	return atOnce(r.add(ctx, number, after))
}

// ErrAtOnce says that the other change was made, and this one was not.
var ErrAtOnce = errors.New("another process added a key at the same time: look at the list and try again")

// atOnce: two processes changed the keys at the same time, and this is the other.
func atOnce(err error) error {
	if errors.Is(err, store.ErrExists) {
		return ErrAtOnce
	}
	return err
}

// next is the newest of the good keys.
func (r *Ring) next(ctx context.Context) (Key, error) {
	if err := r.look(ctx); err != nil {
		return Key{}, err
	}
	keys := *r.known.Load()
	return r.describe(keys, len(keys)-1), nil
}

// Revoke takes a key back at once, as when it was stolen: it is published
// no more, and what it signed is worth nothing here. A key that nobody has
// seen yet signs from now on, so that whoever meets it fetches the keys anew
// and drops the revoked one. store.ErrNotFound when there is no such good key.
func (r *Ring) Revoke(ctx context.Context, id string) (Key, error) {
	number, err := r.nextNumber(ctx)
	if err != nil {
		return Key{}, err
	}
	fresh, err := r.fresh(number, 0)
	if err != nil {
		return Key{}, err
	}
	err = r.store.ReplaceSigningKey(ctx, id, fresh)
	if err != nil {
		return Key{}, atOnce(err)
	}
	if err := r.look(ctx); err != nil {
		return Key{}, err
	}
	return Key{ID: fresh.ID, Algorithm: string(r.Policy.Algorithm), State: Signs, SignsFrom: fresh.SignsFrom}, nil
}
