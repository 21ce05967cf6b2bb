package store

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"
)

// placed is what is left of an answer when the place does not matter.
func placed(_ uint64, err error) error { return err }

// ofGrant is an access token of an approved grant, its jti from name.
func ofGrant(a Approval, name Hash) AccessToken {
	return AccessToken{ID: fmt.Sprintf("%x", name), GrantID: a.Grant.ID, ClientID: a.Grant.ClientID, Subject: a.Grant.UserID, ExpiresAt: t0.Add(time.Minute)}
}

func machineToken(t *testing.T, s *DB, client, id string) AccessToken {
	t.Helper()
	_ = s.AddClient(t.Context(), Client{ID: client, CreatedAt: t0}, 10)
	a := AccessToken{ID: id, ClientID: client, Subject: client, ExpiresAt: t0.Add(time.Minute)}
	var err error
	a.Place, err = s.Issue(t.Context(), a)
	must(t, err)
	return a
}

func (s *DB) revokedIDs(t *testing.T) []string {
	t.Helper()
	all, err := s.Revocations(t.Context(), 0, 1000)
	must(t, err)
	var ids []string
	for _, r := range all {
		ids = append(ids, r.TokenID)
	}
	slices.Sort(ids)
	return ids
}

func TestEveryTokenHasItsOwnPlace(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		first := machineToken(t, s, "m1", "j1")
		second := machineToken(t, s, "m1", "j2")
		if first.Place == 0 || second.Place != first.Place+1 {
			t.Errorf("places %d and %d", first.Place, second.Place)
		}
		if err := placed(s.Issue(t.Context(), second)); err == nil {
			t.Error("two tokens with one jti")
		}
		got, err := s.AccessToken(t.Context(), "j2")
		if err != nil || !reflect.DeepEqual(got, second) {
			t.Errorf("got %+v, %v, want %+v", got, err, second)
		}
		_, err = s.Sweep(t.Context(), t0.Add(time.Hour), t0, 10)
		must(t, err)
		_, err = s.AccessToken(t.Context(), "j2")
		want(t, err, ErrNotFound)
		low, high, err := s.Places(t.Context())
		if low != high || low < second.Place || err != nil {
			t.Errorf("places %d to %d, %v: want the last that was given", low, high, err)
		}
		third := machineToken(t, s, "m1", "j1")
		if third.Place <= high {
			t.Errorf("place %d after %d was swept", third.Place, second.Place)
		}
		must(t, placed(s.Issue(t.Context(), AccessToken{ID: "j4", ClientID: "m1", Subject: "m1"})))
		if low, high, err := s.Places(t.Context()); low != third.Place || high <= third.Place || err != nil {
			t.Errorf("places %d to %d, %v", low, high, err)
		}
	})
}

func TestNoPlacesYet(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		if low, high, err := open(t).Places(t.Context()); low != 0 || high != 0 || err != nil {
			t.Errorf("places %d to %d, %v", low, high, err)
		}
	})
}

// A token is kept only while what it stands on is there.
func TestNothingIsIssuedToWhoIsGone(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		a := approve(t, s, "1", "a")
		machineToken(t, s, "m1", "j1")
		must(t, s.DeleteClient(t.Context(), "m1"))
		must(t, s.DeleteUser(t.Context(), "ada"))
		for name, token := range map[string]AccessToken{
			"deleted machine": {ID: "j2", ClientID: "m1", Subject: "m1"},
			"deleted user":    ofGrant(a, h("x")),
			"nobody":          {ID: "j3"},
		} {
			if place, err := s.Issue(t.Context(), token); place != 0 || err == nil {
				t.Errorf("%s: place %d, %v", name, place, err)
			} else {
				want(t, err, ErrNotFound)
			}
		}
	})
}

// Who is revoked, by what, and who is not.
func TestRevoking(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		for _, row := range []struct {
			name   string
			revoke func(s *DB) error
			want   []string
		}{
			{"nothing", func(*DB) error { return nil }, nil},
			{"a token", func(s *DB) error { return s.RevokeToken(context.Background(), "machine 1") }, []string{"machine 1"}},
			{"a token twice", func(s *DB) error {
				_ = s.RevokeToken(context.Background(), "machine 1")
				return s.RevokeToken(context.Background(), "machine 1")
			}, []string{"machine 1"}},
			{"an unknown token", func(s *DB) error { return s.RevokeToken(context.Background(), "machine") }, nil},
			{"a grant", func(s *DB) error { return s.RevokeGrant(context.Background(), "grant 1", t0) }, []string{"ada c1 a", "ada c1 b"}},
			{"a grant twice", func(s *DB) error {
				_ = s.RevokeGrant(context.Background(), "grant 1", t0)
				return s.RevokeGrant(context.Background(), "grant 1", t0)
			}, []string{"ada c1 a", "ada c1 b"}},
			{"a user", func(s *DB) error { return s.DeleteUser(context.Background(), "ada") }, []string{"ada c1 a", "ada c1 b", "ada c1 c"}},
			{"a client of people", func(s *DB) error { return s.DeleteClient(context.Background(), "c1") }, []string{"ada c1 a", "ada c1 b", "ada c1 c", "bob c1"}},
			{"a machine", func(s *DB) error { return s.DeleteClient(context.Background(), "m1") }, []string{"machine 1", "machine 2"}},
		} {
			t.Run(row.name, func(t *testing.T) {
				s := open(t)
				one, two := approve(t, s, "1", "a"), approve(t, s, "2", "a")
				must(t, s.AddUser(t.Context(), User{ID: "u2", Name: "bob"}, t0))
				bob := one
				bob.Grant.UserID, bob.Grant.ID, bob.Request, bob.Code.Hash, bob.Consent.UserID = "u2", "grant bob", h("bob"), h("bob"), "u2"
				must(t, s.Approve(t.Context(), bob))
				for _, of := range []struct {
					id    string
					grant Approval
				}{{"ada c1 a", one}, {"ada c1 b", one}, {"ada c1 c", two}, {"bob c1", bob}} {
					token := ofGrant(of.grant, Hash{})
					token.ID = of.id
					must(t, placed(s.Issue(t.Context(), token)))
				}
				machineToken(t, s, "m1", "machine 1")
				machineToken(t, s, "m1", "machine 2")
				machineToken(t, s, "m2", "machine 3")
				must(t, row.revoke(s))
				if got := s.revokedIDs(t); !slices.Equal(got, row.want) {
					t.Errorf("revoked %q, want %q", got, row.want)
				}
				for _, id := range []string{"ada c1 a", "ada c1 b", "ada c1 c", "bob c1", "machine 1", "machine 2", "machine 3"} {
					got, err := s.AccessToken(t.Context(), id)
					if err != nil || got.Revoked != slices.Contains(row.want, id) {
						t.Errorf("%s: %+v, %v", id, got, err)
					}
					places, err := s.RevokedPlaces(t.Context(), got.Place, got.Place+1)
					if err != nil || (len(places) == 1) != got.Revoked {
						t.Errorf("%s: revoked places %v, %v", id, places, err)
					}
				}
			})
		}
	})
}

func TestRevocationsComeInOrder(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		for i := range 5 {
			machineToken(t, s, "m1", fmt.Sprint("j", i))
		}
		for _, i := range []int{3, 0, 4} {
			must(t, s.RevokeToken(t.Context(), fmt.Sprint("j", i)))
		}
		all, err := s.Revocations(t.Context(), 0, 10)
		if err != nil || len(all) != 3 || all[0].TokenID != "j3" || all[1].TokenID != "j0" || all[2].TokenID != "j4" {
			t.Fatalf("got %+v, %v", all, err)
		}
		if !all[0].ExpiresAt.Equal(t0.Add(time.Minute)) {
			t.Errorf("until %v", all[0].ExpiresAt)
		}
		if rest, err := s.Revocations(t.Context(), all[0].Number, 1); err != nil || len(rest) != 1 || rest[0] != all[1] {
			t.Errorf("after the first, one: %+v, %v", rest, err)
		}
		_, err = s.Sweep(t.Context(), t0.Add(time.Hour), t0, 10)
		must(t, err)
		if rest, err := s.Revocations(t.Context(), 0, 10); err != nil || len(rest) != 0 {
			t.Errorf("after the end of all: %+v, %v", rest, err)
		}
		machineToken(t, s, "m1", "later")
		must(t, s.RevokeToken(t.Context(), "later"))
		if next, err := s.Revocations(t.Context(), all[2].Number, 10); err != nil || len(next) != 1 {
			t.Errorf("numbers begin again: %+v, %v", next, err)
		}
	})
}

// Issuing and revoking at once: whatever was issued before the grant's end is revoked by it.
func TestRevocationMissesNoToken(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		a := approve(t, s, "1", "a")
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() { _, _ = s.Issue(context.Background(), ofGrant(a, h(fmt.Sprint(i)))) })
		}
		all.Go(func() { _ = s.RevokeGrant(context.Background(), a.Grant.ID, t0) })
		all.Wait()
		var kept, revoked int
		must(t, s.read.QueryRow("SELECT (SELECT count(*) FROM access_tokens), (SELECT count(*) FROM revocations)").Scan(&kept, &revoked))
		if g, err := s.Grant(t.Context(), a.Grant.ID); err != nil || !g.Revoked || kept != revoked {
			t.Errorf("%+v, %v: %d issued, %d revoked", g, err, kept, revoked)
		}
	})
}

// The same for a machine, whose tokens stand on its registration.
func TestDeletionMissesNoToken(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		must(t, s.AddClient(t.Context(), Client{ID: "m1", CreatedAt: t0}, 10))
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				_, err := s.Issue(context.Background(), AccessToken{ID: fmt.Sprint("j", i), ClientID: "m1", Subject: "m1"})
				if err != nil && !errors.Is(err, ErrNotFound) {
					t.Error(err)
				}
			})
		}
		all.Go(func() {
			if err := s.DeleteClient(context.Background(), "m1"); err != nil {
				t.Error(err)
			}
		})
		all.Wait()
		var kept, revoked int
		must(t, s.read.QueryRow("SELECT (SELECT count(*) FROM access_tokens), (SELECT count(*) FROM revocations)").Scan(&kept, &revoked))
		if kept != revoked {
			t.Errorf("%d issued, %d revoked", kept, revoked)
		}
	})
}

// Whoever reads on from the last number it saw misses no revocation, however
// many are written at the same time.
func TestReadingOnMissesNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		const writers, each = 6, 15
		for i := range writers * each {
			machineToken(t, s, "m1", fmt.Sprint("j", i))
		}
		var all sync.WaitGroup
		for w := range writers {
			all.Go(func() {
				for i := range each {
					if err := s.RevokeToken(context.Background(), fmt.Sprint("j", w*each+i)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		written := make(chan struct{})
		go func() { all.Wait(); close(written) }()
		seen, after := 0, uint64(0)
		for last := false; !last; {
			select {
			case <-written:
				last = true
			default:
			}
			more, err := s.Revocations(t.Context(), after, 1000)
			must(t, err)
			for _, r := range more {
				seen, after = seen+1, r.Number
			}
		}
		if seen != writers*each {
			t.Errorf("%d of %d", seen, writers*each)
		}
	})
}
