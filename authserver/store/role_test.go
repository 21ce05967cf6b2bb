package store

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRolesOfPeople(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		must(t, s.AddUser(ctx, User{ID: "u1", Name: "ada"}, t0))
		must(t, s.AddUser(ctx, User{ID: "u2", Name: "eve"}, t0, "guest"))
		want(t, s.AddUser(ctx, User{ID: "u2", Name: "mallory"}, t0, "admin"), ErrExists)
		want(t, s.SetRoles(ctx, "u3", GivenRoles{Assigned, []string{"admin"}}, t0, none), ErrNotFound)
		must(t, s.SetRoles(ctx, "u1", GivenRoles{Assigned, []string{"user", "admin"}}, t0, none))
		must(t, s.SetRoles(ctx, "u1", GivenRoles{"google", []string{"admin", "dba"}}, t0, none))
		if got, err := s.RolesOf(ctx, "u2"); err != nil || !slices.Equal(got, []UserRole{{"guest", Assigned, t0}}) {
			t.Errorf("a new person's: %v, %v", got, err)
		}
		must(t, s.SetRoles(ctx, "u2", GivenRoles{Assigned, []string{"user"}}, t0, none))
		must(t, s.SetRoles(ctx, "u1", GivenRoles{Assigned, []string{"admin", "llm"}}, t0.Add(time.Hour), none))
		got, err := s.RolesOf(ctx, "u1")
		must(t, err)
		want := []UserRole{{"admin", Assigned, t0}, {"admin", "google", t0}, {"dba", "google", t0}, {"llm", Assigned, t0.Add(time.Hour)}}
		if !slices.Equal(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
		must(t, s.SetRoles(ctx, "u1", GivenRoles{"google", nil}, t0, none))
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
		must(t, narrow(t, s, a.Grant.ID))
		must(t, assign(t, s, "m1", "agent"))
		for id, revoked := range map[string]bool{ofGrant(a, h("1")).ID: true, ofGrant(b, h("2")).ID: false, "j1": true} {
			if got, err := s.AccessToken(ctx, id); err != nil || got.Revoked != revoked {
				t.Errorf("%s: %+v, %v", id, got, err)
			}
		}
	})
}

// none and every are what roles say of grants.
func none([]string, Grant) bool  { return false }
func every([]string, Grant) bool { return true }

// narrow gives ada a role and takes it, which one grant was wider by.
func narrow(t *testing.T, s *DB, id string) error {
	t.Helper()
	one := func(_ []string, g Grant) bool { return g.ID == id }
	must(t, s.SetRoles(t.Context(), "u1", GivenRoles{"test", []string{"r"}}, t0, one))
	return s.SetRoles(t.Context(), "u1", GivenRoles{"test", nil}, t0, one)
}

// Only grants that may have tokens are looked at, and only when a role is gone.
func TestGrantsThatRolesAreHeldAgainst(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		a, b := approve(t, s, "1", "a"), approve(t, s, "2", "a")
		must(t, s.RevokeGrant(ctx, b.Grant.ID, t0))
		for _, row := range []struct {
			name  string
			roles []string
			now   time.Time
			want  []string
		}{
			{"more", []string{"x", "y"}, t0, nil},
			{"the same", []string{"y", "x"}, t0, nil},
			{"less", []string{"x"}, t0, []string{"x: " + a.Grant.ID}},
			{"another", []string{"y"}, t0, []string{"y: " + a.Grant.ID}},
			{"nothing, after its end", nil, t0.Add(2 * time.Hour), nil},
		} {
			var asked []string
			must(t, s.SetRoles(ctx, "u1", GivenRoles{"corp", row.roles}, row.now, func(held []string, g Grant) bool {
				asked = append(asked, strings.Join(held, " ")+": "+g.ID)
				return false
			}))
			if !slices.Equal(asked, row.want) {
				t.Errorf("%s: asked %v, want %v", row.name, asked, row.want)
			}
		}
	})
}

// Whoever is killed in between has taken neither the role nor the tokens, whatever
// takes roles; afterwards both are gone, with nothing left to do.
func TestRolesAndTheirTokensEndAsOne(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		for name, take := range map[string]func(context.Context, *DB, Wider) error{
			"by a provider": func(ctx context.Context, s *DB, w Wider) error {
				return s.SetRoles(ctx, "u1", GivenRoles{"corp", nil}, t0, w)
			},
			"by an administrator": func(ctx context.Context, s *DB, w Wider) error { return s.GiveRoles(ctx, "u1", nil, t0, agree, w) },
			"by the configuration": func(ctx context.Context, s *DB, w Wider) error {
				_, err := s.KeepGiven(ctx, map[string][]string{}, t0, w)
				return err
			},
			"at a sign-in": func(ctx context.Context, s *DB, w Wider) error {
				return s.Admit(ctx, Admission{Session: Session{Hash: h("in"), UserID: "u1"}, SignIn: proven("u1", t0, SignedIn), Given: &GivenRoles{"corp", nil}}, t0, w)
			},
		} {
			t.Run(name, func(t *testing.T) {
				s := open(t)
				a := approve(t, s, "1", "a")
				must(t, placed(s.Redeem(t.Context(), a.Code, nil, ofGrant(a, h("1")), t0, t0.Add(time.Hour))))
				for _, source := range []string{"corp", Assigned} {
					must(t, s.SetRoles(t.Context(), "u1", GivenRoles{source, []string{"dba"}}, t0, none))
				}
				before := rolesLeft(t, s)
				killed, kill := context.WithCancel(t.Context())
				if err := take(killed, s, func([]string, Grant) bool { kill(); return true }); err == nil {
					t.Fatal("nobody says that it was not done")
				}
				if rolesLeft(t, s) != before || s.revokedOf(t, ofGrant(a, h("1")).ID) {
					t.Errorf("half done: %d roles, token revoked %v", rolesLeft(t, s), s.revokedOf(t, ofGrant(a, h("1")).ID))
				}
				must(t, take(t.Context(), s, every))
				if rolesLeft(t, s) != before-1 || !s.revokedOf(t, ofGrant(a, h("1")).ID) {
					t.Errorf("afterwards: %d roles, token revoked %v", rolesLeft(t, s), s.revokedOf(t, ofGrant(a, h("1")).ID))
				}
			})
		}
	})
}

func rolesLeft(t *testing.T, s *DB) int {
	t.Helper()
	got, err := s.RolesOf(t.Context(), "u1")
	must(t, err)
	return len(got)
}
