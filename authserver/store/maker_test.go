package store

import (
	"context"
	"errors"
	"testing"
	"time"
)

// Links end with what whoever made them may, and nobody else's do.
func TestLinksEndWithTheirMaker(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		person, client, other := MadeBy(KindPerson, "u1"), MadeBy(KindClient, "s1"), MadeBy(KindPerson, "u2")
		for _, row := range []struct {
			name string
			end  func(context.Context, *DB) error
			gone string
		}{
			{"nothing", func(context.Context, *DB) error { return nil }, ""},
			{"another name", func(ctx context.Context, s *DB) error {
				return s.ChangePerson(ctx, "u1", t0, func(p Person) (User, error) { p.FullName = "Ada"; return p.User, nil })
			}, ""},
			{"more roles", func(ctx context.Context, s *DB) error {
				return s.GiveRoles(ctx, "u1", []string{"admin", "user"}, t0, agree, none)
			}, ""},
			{"disabled", func(ctx context.Context, s *DB) error {
				return s.ChangePerson(ctx, "u1", t0, func(p Person) (User, error) { p.DisabledAt = t0; return p.User, nil })
			}, person},
			{"a new password", func(ctx context.Context, s *DB) error {
				return s.ChangePassword(ctx, User{ID: "u1"}, "y", h("here"), Place{}, t0)
			}, person},
			{"a password of an administrator", func(ctx context.Context, s *DB) error {
				return s.ChangePerson(ctx, "u1", t0, func(p Person) (User, error) { p.PasswordHash = "y"; return p.User, nil })
			}, person},
			{"a reset", func(ctx context.Context, s *DB) error {
				link := Ticket{Hash: h("r"), Purpose: PasswordReset, UserID: "u1", CreatedBy: "operator", CreatedAt: t0, ExpiresAt: t0.Add(time.Hour)}
				return errors.Join(s.AddReset(ctx, link, agree), s.ResetPassword(ctx, link, "y", Place{}, t0))
			}, person},
			{"signed out", func(ctx context.Context, s *DB) error { return failed(s.EndSessions(ctx, "u1", Hash{})) }, person},
			{"signed out elsewhere", func(ctx context.Context, s *DB) error {
				return failed(s.EndOthers(ctx, "u1", h("here"), Place{}))
			}, person},
			{"factors removed", func(ctx context.Context, s *DB) error { return s.RemoveFactors(ctx, "u1", "all", agree) }, person},
			{"a first factor", func(ctx context.Context, s *DB) error {
				return failed(s.SetGenerator(ctx, Generator{UserID: "u1", Sealed: []byte("x"), CreatedAt: t0}, &Alone{}))
			}, person},
			{"one browser signed out", func(ctx context.Context, s *DB) error { return s.EndSession(ctx, h("here"), time.Time{}) }, ""},
			{"a factor beside", func(ctx context.Context, s *DB) error {
				return failed(s.SetGenerator(ctx, Generator{UserID: "u1", Sealed: []byte("x"), CreatedAt: t0}, nil))
			}, ""},
			{"another role", func(ctx context.Context, s *DB) error {
				return s.GiveRoles(ctx, "u1", []string{"user"}, t0, agree, none)
			}, person},
			{"a role that a provider gives no more", func(ctx context.Context, s *DB) error {
				return s.SetRoles(ctx, "u1", GivenRoles{"corp", nil}, t0, none)
			}, person},
			{"a role that the configuration gives no more", func(ctx context.Context, s *DB) error {
				return failed(s.KeepGiven(ctx, map[string][]string{"corp": {}}, t0, none))
			}, person},
			{"deleted", func(ctx context.Context, s *DB) error { return s.DeletePerson(ctx, "u1", agree) }, person},
			{"deleted by name", func(ctx context.Context, s *DB) error { return s.DeleteUser(ctx, "ada") }, person},
			{"a client deleted", func(ctx context.Context, s *DB) error { return s.DeleteClient(ctx, "s1") }, client},
			{"a client that may less", func(ctx context.Context, s *DB) error {
				return s.ChangeClient(ctx, "s1", t0, func(c Stored) (ClientChange, error) { return ClientChange{c.Client, nil, true}, nil })
			}, client},
		} {
			s, ctx := open(t), t.Context()
			must(t, s.AddPerson(ctx, User{ID: "u1", Name: "ada"}, []string{"admin"}, t0))
			must(t, s.SetRoles(ctx, "u1", GivenRoles{"corp", []string{"dba"}}, t0, none))
			must(t, s.AddPerson(ctx, User{ID: "u2", Name: "eve"}, nil, t0))
			must(t, s.AddStored(ctx, Client{ID: "s1", Name: "robot", CreatedAt: t0}, nil))
			for _, by := range []string{person, client, other, "operator"} {
				i, r := invitation(string(Invitation)+by, "admin"), Ticket{Hash: h(string(PasswordReset) + by), Purpose: PasswordReset, UserID: "of " + by, CreatedBy: by, CreatedAt: t0, ExpiresAt: t0.Add(time.Hour)}
				i.CreatedBy = by
				must(t, s.AddTicket(ctx, i))
				must(t, s.AddTicket(ctx, r))
			}
			must(t, row.end(ctx, s))
			for _, by := range []string{person, client, other, "operator"} {
				for _, p := range []Purpose{Invitation, PasswordReset} {
					_, err := s.Ticket(ctx, h(string(p)+by), p, t0)
					if errors.Is(err, ErrNotFound) != (by == row.gone) {
						t.Errorf("%s: the %s by %s: %v", row.name, p, by, err)
					}
				}
			}
		}
	})
}
