package authserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
)

// KeyState is what a signing key is good for.
type KeyState string

// A key goes through these in order; it may be revoked from each.
const (
	KeyNext    KeyState = "next"    // published, and not used yet
	KeySigns   KeyState = "signs"   // everything is signed with it
	KeyKept    KeyState = "kept"    // published until what it signed has expired
	KeyRevoked KeyState = "revoked" // no longer published
)

// Key is a signing key as operators see it.
type Key struct {
	ID        string // kid
	Algorithm string // "" of a revoked key
	State     KeyState
	SignsFrom time.Time
	Until     time.Time // KeySigns: the next one signs, at the latest; KeyKept: it is gone; KeyRevoked: when that was
}

// keyChanges is what operators do to keys.
type keyChanges interface {
	HastenSigningKey(ctx context.Context, id string, from time.Time) error
	ReplaceSigningKey(ctx context.Context, id string, by store.SigningKey) error
}

// SigningKeys are all keys there are: those that sign one after the other in
// their order, then the revoked.
func (s *Server) SigningKeys(ctx context.Context) ([]Key, error) {
	kept, err := s.store.SigningKeys(ctx)
	if err != nil {
		return nil, err
	}
	good, err := s.openAll(kept)
	if err != nil {
		return nil, err
	}
	var all []Key
	for i := range good {
		all = append(all, s.describeKey(good, i))
	}
	for _, k := range kept {
		if !k.RevokedAt.IsZero() {
			all = append(all, Key{ID: k.ID, State: KeyRevoked, SignsFrom: k.SignsFrom, Until: k.RevokedAt})
		}
	}
	return all, nil
}

func (s *Server) describeKey(keys []signingKey, i int) Key {
	k := Key{ID: keys[i].ID, Algorithm: string(keys[i].private.Algorithm()), SignsFrom: keys[i].SignsFrom}
	switch at := signerAt(keys, s.config.Now()); {
	case i < at:
		k.State, k.Until = KeyKept, goneAt(keys, i)
	case i > at:
		k.State = KeyNext
	case i+1 < len(keys):
		k.State, k.Until = KeySigns, keys[i+1].SignsFrom
	default:
		k.State, k.Until = KeySigns, k.SignsFrom.Add(s.config.Keys.RotateEvery)
	}
	return k
}

// RotateKey publishes the next key, or hastens it when there is one already:
// it signs once it has been published for that long, 15 s at the least.
// ErrManyKeys when too many are published.
func (s *Server) RotateKey(ctx context.Context, after time.Duration) (Key, error) {
	if after < soonest {
		return Key{}, fmt.Errorf("a key must be published for %v before it signs: those who verify have to know it", soonest)
	}
	if err := s.lookAtKeys(ctx); err != nil {
		return Key{}, err
	}
	if err := s.bringNext(ctx, *s.keys.seen.Load(), after); err != nil {
		return Key{}, err
	}
	return s.nextKey(ctx)
}

func (s *Server) bringNext(ctx context.Context, keys []signingKey, after time.Duration) error {
	now := s.config.Now()
	if at := signerAt(keys, now); at+1 < len(keys) {
		next := keys[at+1]
		return s.store.HastenSigningKey(ctx, next.ID, later(next.CreatedAt.Add(after), now))
	}
	if len(keys) >= mostKeys {
		return ErrManyKeys
	}
	return s.addNext(ctx, after)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (s *Server) addNext(ctx context.Context, after time.Duration) error {
	number, err := s.nextNumber(ctx)
	if err != nil {
		return err
	}
	return atOnce(s.addKey(ctx, number, after))
}

var errAtOnce = errors.New("another process added a key at the same time: look at the list and try again")

// atOnce: two processes changed the keys at the same time, and this is the other.
func atOnce(err error) error {
	if errors.Is(err, store.ErrExists) {
		return errAtOnce
	}
	return err
}

// nextKey is the newest of the good keys.
func (s *Server) nextKey(ctx context.Context) (Key, error) {
	if err := s.lookAtKeys(ctx); err != nil {
		return Key{}, err
	}
	keys := *s.keys.seen.Load()
	return s.describeKey(keys, len(keys)-1), nil
}

// RevokeKey takes a key back at once, as when it was stolen: it is published
// no more, and what it signed is worth nothing here. A key that nobody has
// seen yet signs from now on, so that whoever meets it fetches the keys anew
// and drops the revoked one. ErrUnknown when there is no such key.
func (s *Server) RevokeKey(ctx context.Context, id string) (Key, error) {
	number, err := s.nextNumber(ctx)
	if err != nil {
		return Key{}, err
	}
	fresh, err := s.newKey(number, 0)
	if err != nil {
		return Key{}, err
	}
	err = s.store.ReplaceSigningKey(ctx, id, fresh)
	if errors.Is(err, store.ErrNotFound) {
		return Key{}, ErrUnknown
	}
	if err != nil {
		return Key{}, atOnce(err)
	}
	if err := s.lookAtKeys(ctx); err != nil {
		return Key{}, err
	}
	return Key{ID: fresh.ID, Algorithm: string(s.config.Keys.Algorithm), State: KeySigns, SignsFrom: fresh.SignsFrom}, nil
}
