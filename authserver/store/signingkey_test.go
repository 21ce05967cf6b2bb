package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func someKey(id string, number int64) SigningKey {
	return SigningKey{ID: id, Number: number, Sealed: []byte("sealed " + id), CreatedAt: t0, SignsFrom: t0.Add(time.Hour)}
}

func keysOf(t *testing.T, s *DB) []SigningKey {
	t.Helper()
	keys, err := s.SigningKeys(t.Context())
	must(t, err)
	return keys
}

func TestSigningKeys(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		must(t, s.AddSigningKey(t.Context(), someKey("a", 1)))
		must(t, s.AddSigningKey(t.Context(), someKey("b", 2)))
		want(t, s.AddSigningKey(t.Context(), someKey("c", 2)), ErrExists)
		want(t, s.AddSigningKey(t.Context(), someKey("b", 3)), ErrExists)
		got := keysOf(t, s)
		if len(got) != 2 || got[1].ID != "b" || got[1].Number != 2 || string(got[1].Sealed) != "sealed b" ||
			!got[1].CreatedAt.Equal(t0) || !got[1].SignsFrom.Equal(t0.Add(time.Hour)) || !got[1].RevokedAt.IsZero() {
			t.Errorf("got %+v", got)
		}

		must(t, s.HastenSigningKey(t.Context(), "b", t0.Add(2*time.Hour))) // later: no
		must(t, s.HastenSigningKey(t.Context(), "a", t0.Add(time.Minute)))
		got = keysOf(t, s)
		if !got[0].SignsFrom.Equal(t0.Add(time.Minute)) || !got[1].SignsFrom.Equal(t0.Add(time.Hour)) {
			t.Errorf("sign from %v and %v", got[0].SignsFrom, got[1].SignsFrom)
		}
	})
}

func TestReplacedKeyHasNoSecret(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		must(t, s.AddSigningKey(t.Context(), someKey("a", 1)))
		want(t, s.ReplaceSigningKey(t.Context(), "x", someKey("b", 2)), ErrNotFound)
		want(t, s.ReplaceSigningKey(t.Context(), "a", someKey("b", 1)), ErrExists)
		if got := keysOf(t, s); len(got) != 1 || !got[0].RevokedAt.IsZero() || len(got[0].Sealed) == 0 {
			t.Fatalf("half of it happened: %+v", got)
		}
		must(t, s.ReplaceSigningKey(t.Context(), "a", someKey("b", 2)))
		want(t, s.ReplaceSigningKey(t.Context(), "a", someKey("c", 3)), ErrNotFound)
		got := keysOf(t, s)
		if len(got) != 2 || !got[0].RevokedAt.Equal(t0) || len(got[0].Sealed) != 0 || got[1].ID != "b" {
			t.Errorf("got %+v", got)
		}
		must(t, s.HastenSigningKey(t.Context(), "a", t0))
		if again := keysOf(t, s); !again[0].SignsFrom.Equal(got[0].SignsFrom) {
			t.Error("a revoked key was hastened")
		}
	})
}

func TestDroppedKeys(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		for i, id := range []string{"a", "b"} {
			must(t, s.AddSigningKey(t.Context(), someKey(id, int64(i+1))))
		}
		for _, id := range []string{"b", "a", "a", "x"} {
			must(t, s.DropSigningKey(t.Context(), id))
		}
		if got := keysOf(t, s); len(got) != 1 || got[0].ID != "b" {
			t.Errorf("got %+v, want the newest alone", got)
		}
	})
}

// Of those who add the next key at the same time, one does.
func TestKeysAreAddedOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		var all sync.WaitGroup
		var added atomic.Int32
		for i := range 8 {
			all.Go(func() {
				err := s.AddSigningKey(context.Background(), someKey(fmt.Sprint(i), 1))
				if err == nil {
					added.Add(1)
				} else if !errors.Is(err, ErrExists) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if added.Load() != 1 {
			t.Errorf("%d added the first key", added.Load())
		}
	})
}

func TestSealed(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		for i, id := range []string{"a", "b", "c"} {
			must(t, s.AddSigningKey(t.Context(), someKey(id, int64(i+1))))
		}
		must(t, s.ReplaceSigningKey(t.Context(), "b", someKey("d", 4)))
		a := approve(t, s, "1", "a")
		old := RefreshToken{Hash: h("old"), GrantID: a.Grant.ID, ExpiresAt: t0.Add(time.Hour)}
		access := AccessToken{ID: "t1", GrantID: a.Grant.ID, ExpiresAt: t0.Add(time.Hour)}
		_, err := s.Redeem(t.Context(), a.Code, &old, access, t0, t0.Add(time.Hour))
		must(t, err)
		next := RefreshToken{Hash: h("next"), GrantID: a.Grant.ID, ExpiresAt: t0.Add(time.Hour)}
		access.ID = "t2"
		_, err = s.Rotate(t.Context(), old.Hash, []byte("sealed next"), next, access, t0, t0.Add(time.Hour))
		must(t, err)

		first, err := s.Sealed(t.Context(), SealedKeys, "", 2)
		must(t, err)
		second, err := s.Sealed(t.Context(), SealedKeys, "c", 2)
		must(t, err)
		if names := namesOf(append(first, second...)); !slices.Equal(names, []string{"a", "c", "d"}) {
			t.Errorf("keys %q, want those that are good, in pages", names)
		}
		successors, err := s.Sealed(t.Context(), SealedSuccessors, "", 10)
		must(t, err)
		if len(successors) != 1 || successors[0].Name != string(old.Hash[:]) || string(successors[0].Value) != "sealed next" {
			t.Fatalf("got %+v", successors)
		}

		must(t, s.Reseal(t.Context(), SealedSuccessors, successors[0], []byte("again")))
		must(t, s.Reseal(t.Context(), SealedSuccessors, successors[0], []byte("too late"))) // it has changed
		if got, err := s.Refresh(t.Context(), old.Hash); err != nil || string(got.Successor) != "again" {
			t.Errorf("%q, %v", got.Successor, err)
		}
		must(t, s.Reseal(t.Context(), SealedKeys, first[0], []byte("again")))
		if got := keysOf(t, s); string(got[0].Sealed) != "again" || string(got[2].Sealed) != "sealed c" {
			t.Errorf("got %+v", got)
		}
		if _, err := s.Sealed(t.Context(), "else", "", 1); err == nil {
			t.Error("something else is sealed")
		}
	})
}

func namesOf(all []Sealed) (names []string) {
	for _, v := range all {
		names = append(names, v.Name)
	}
	return names
}
