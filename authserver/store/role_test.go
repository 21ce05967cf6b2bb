package store

import (
	"slices"
	"testing"
	"time"
)

func TestRolesOfPeople(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		must(t, s.AddUser(ctx, User{ID: "u1", Name: "ada"}, t0))
		must(t, s.AddUser(ctx, User{ID: "u2", Name: "eve"}, t0, "guest"))
		want(t, s.AddUser(ctx, User{ID: "u2", Name: "mallory"}, t0, "admin"), ErrExists)
		want(t, s.SetRoles(ctx, "u3", Assigned, []string{"admin"}, t0), ErrNotFound)
		must(t, s.SetRoles(ctx, "u1", Assigned, []string{"user", "admin"}, t0))
		must(t, s.SetRoles(ctx, "u1", "google", []string{"admin", "dba"}, t0))
		if got, err := s.RolesOf(ctx, "u2"); err != nil || !slices.Equal(got, []UserRole{{"guest", Assigned, t0}}) {
			t.Errorf("a new person's: %v, %v", got, err)
		}
		must(t, s.SetRoles(ctx, "u2", Assigned, []string{"user"}, t0))
		must(t, s.SetRoles(ctx, "u1", Assigned, []string{"admin", "llm"}, t0.Add(time.Hour)))
		got, err := s.RolesOf(ctx, "u1")
		must(t, err)
		want := []UserRole{{"admin", Assigned, t0}, {"admin", "google", t0}, {"dba", "google", t0}, {"llm", Assigned, t0.Add(time.Hour)}}
		if !slices.Equal(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
		must(t, s.SetRoles(ctx, "u1", "google", nil, t0))
		if got, err := s.RolesOf(ctx, "u1"); err != nil || len(got) != 2 {
			t.Errorf("got %v, %v", got, err)
		}
		must(t, s.DeleteUser(ctx, "ada"))
		if got, err := s.RolesOf(ctx, "u1"); err != nil || len(got) != 0 {
			t.Errorf("of nobody: %v, %v", got, err)
		}
		if got, err := s.RolesOf(ctx, "u2"); err != nil || len(got) != 1 {
			t.Errorf("another's: %v, %v", got, err)
		}
	})
}

// assign makes these the roles of a client, whose tokens end.
func assign(t *testing.T, s *DB, client string, roles ...string) error {
	t.Helper()
	return s.ChangeClient(t.Context(), client, t0, func(was Stored) (ClientChange, error) {
		return ClientChange{Client: was.Client, Roles: roles, Ends: true}, nil
	})
}

func TestRolesOfClients(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		want(t, assign(t, s, "m1", "agent"), ErrNotFound)
		must(t, s.AddClient(ctx, Client{ID: "m1", CreatedAt: t0}, 10))
		must(t, assign(t, s, "m1", "agent", "llm"))
		must(t, assign(t, s, "m1", "llm"))
		if got, err := s.ClientRoles(ctx, "m1"); err != nil || !slices.Equal(got, []string{"llm"}) {
			t.Errorf("got %v, %v", got, err)
		}
		must(t, s.DeleteClient(ctx, "m1"))
		must(t, s.AddClient(ctx, Client{ID: "m1", CreatedAt: t0}, 10))
		if got, err := s.ClientRoles(ctx, "m1"); err != nil || len(got) != 0 {
			t.Errorf("of a client that is gone: %v, %v", got, err)
		}
	})
}

func TestTokensEndWithoutTheirGrant(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		a := approve(t, s, "1", "a")
		b := approve(t, s, "2", "a")
		for i, of := range []Approval{a, b} {
			_, err := s.Redeem(ctx, of.Code, nil, ofGrant(of, h(string(rune('1'+i)))), t0, t0.Add(time.Hour))
			must(t, err)
		}
		machineToken(t, s, "m1", "j1")
		live, err := s.LiveGrants(ctx, "u1", t0)
		if err != nil || len(live) != 2 {
			t.Fatalf("live: %v, %v", live, err)
		}
		must(t, s.RevokeTokensOf(ctx, a.Grant.ID))
		must(t, assign(t, s, "m1", "agent"))
		for id, revoked := range map[string]bool{ofGrant(a, h("1")).ID: true, ofGrant(b, h("2")).ID: false, "j1": true} {
			if got, err := s.AccessToken(ctx, id); err != nil || got.Revoked != revoked {
				t.Errorf("%s: %+v, %v", id, got, err)
			}
		}
		must(t, s.RevokeGrant(ctx, b.Grant.ID, t0))
		live, err = s.LiveGrants(ctx, "u1", t0)
		if err != nil || len(live) != 1 || live[0].ID != a.Grant.ID {
			t.Errorf("live: %v, %v", live, err)
		}
		if live, err := s.LiveGrants(ctx, "u1", t0.Add(2*time.Hour)); err != nil || len(live) != 0 {
			t.Errorf("live after their end: %v, %v", live, err)
		}
	})
}
