package store

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestNamesAreFolded(t *testing.T) {
	for _, row := range []struct{ a, b string }{
		{"ada", "ADA"}, {"ada", "Ada"}, {"\uff41\uff44\uff41", "ada"}, {"stra\u00dfe", "STRASSE"}, {"\u212bsa", "\u00e5sa"}, {"e\u0301va", "\u00e9VA"},
		{"a\u200bda", "ada"}, {"a\u00adda", "ada"}, {"\u2060ada", "ada"}, {"ada\u200d", "ada"}, {"\ufeffada", "ada"}, {"a\u202eda\u2069", "ada"},
		{"a\u034fda", "ada"}, {"ada\ufe0f", "ada"}, {"\u03c3\u03bf\u03c6\u03cc\u03c2", "\u03a3\u039f\u03a6\u038c\u03a3"}, {"ada\u00a0l", "ada l"},
	} {
		if Folded(row.a) != Folded(row.b) {
			t.Errorf("%q is %q, and %q is %q", row.a, Folded(row.a), row.b, Folded(row.b))
		}
		if again := Folded(Folded(row.a)); again != Folded(row.a) {
			t.Errorf("%q folds on: %q", row.a, again)
		}
	}
	for _, row := range []struct{ a, b string }{{"ada", "adb"}, {"ada", "ad"}, {"a.da", "ada"}, {"a-da", "a_da"}} {
		if Folded(row.a) == Folded(row.b) {
			t.Errorf("%q and %q are one", row.a, row.b)
		}
	}
}

// People are found however the name is written, and nobody is called like another.
func TestNamesAreOnePersons(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		must(t, s.AddUser(ctx, User{ID: "u1", Name: "Ada"}, t0))
		for _, name := range []string{"ada", "ADA", "Ada"} {
			want(t, s.AddUser(ctx, User{ID: "u2", Name: name}, t0), ErrExists)
			want(t, s.AddPerson(ctx, User{ID: "u2", Name: name}, nil, t0), ErrExists)
			if got, err := s.User(ctx, name); err != nil || got.ID != "u1" || got.Name != "Ada" {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
		_, err := s.User(ctx, "")
		want(t, err, ErrNotFound)
	})
}

// Two who would be called the same at once: one is.
func TestRacersForOneName(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		won := race(func(i int) error {
			return s.AddUser(t.Context(), User{ID: string(rune('a' + i)), Name: []string{"ada", "ADA", "Ada", "aDa"}[i]}, t0)
		}, 4)
		if won != 1 {
			t.Errorf("%d are called so", won)
		}
	})
}

// race is how many of n at once come through; those who do not must be refused
// for what the winner has.
func race(do func(int) error, n int) (won int) {
	failures := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { failures[i] = do(i) })
	}
	all.Wait()
	for _, err := range failures {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, ErrExists) && !errors.Is(err, ErrAddressTaken):
			return -1
		}
	}
	return won
}

// Two who have one address verified at once, by whatever way: one has.
func TestRacersForOneAddress(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		for name, verify := range map[string]func(*DB, string) error{
			"people that are there": func(s *DB, id string) error {
				return s.ChangePerson(t.Context(), id, t0, func(p Person) (User, error) {
					p.Email, p.EmailVerified = "ada@corp.example", true
					return p.User, nil
				})
			},
			"new people": func(s *DB, id string) error {
				return s.AddPerson(t.Context(), User{ID: "new " + id, Name: "new " + id, Email: "ada@corp.example", EmailVerified: true}, nil, t0)
			},
		} {
			t.Run(name, func(t *testing.T) {
				s := open(t)
				ids := []string{"u1", "u2", "u3", "u4"}
				for _, id := range ids {
					must(t, s.AddUser(t.Context(), User{ID: id, Name: id}, t0))
				}
				if won := race(func(i int) error { return verify(s, ids[i]) }, len(ids)); won != 1 {
					t.Errorf("%d have it", won)
				}
				if got, err := s.UserByAddress(t.Context(), "ada@corp.example"); err != nil {
					t.Errorf("nobody has it: %+v, %v", got, err)
				}
			})
		}
	})
}

// What was there before names and addresses were one person's: the first has the
// name, the others are found by exactly their letters, and nobody has an address
// that several had.
func TestOldNamesAndAddresses(t *testing.T) {
	for kind, d := range map[string]dialect{"sqlite": sqlite, "postgres": postgres} {
		t.Run(kind, func(t *testing.T) {
			url := empty(t, d)
			migrateTo(t, url, d, 16)
			run(t, url, `INSERT INTO users (id, name, password_hash, created_at, email, email_verified) VALUES
				('u1', 'Ada', 'x', 2, 'ada@corp.example', 1), ('u2', 'ada', 'x', 1, 'ada@corp.example', 1),
				('u3', 'ADA', 'x', 3, 'eve@corp.example', 1), ('u4', 'bob', 'x', 4, '', 1);`)
			s, ctx := openURL(t, url), t.Context()
			for name, id := range map[string]string{"Ada": "u1", "ada": "u2", "ADA": "u3", "aDA": "u2", "BOB": "u4"} {
				if got, err := s.User(ctx, name); err != nil || got.ID != id {
					t.Errorf("%s: %+v, %v", name, got, err)
				}
			}
			if shared, err := s.SharedNames(ctx); err != nil || strings.Join(shared, " ") != "ADA Ada" {
				t.Errorf("shared: %q, %v", shared, err)
			}
			want(t, s.AddUser(ctx, User{ID: "u5", Name: "aDa"}, t0), ErrExists)
			_, err := s.UserByAddress(ctx, "ada@corp.example")
			want(t, err, ErrNotFound)
			if got, err := s.UserByAddress(ctx, "eve@corp.example"); err != nil || got.ID != "u3" {
				t.Errorf("an address of one: %+v, %v", got, err)
			}
			must(t, s.DeleteUser(ctx, "ada"))
			must(t, s.Close())
			again := openURL(t, url)
			if got, err := again.User(ctx, "aDA"); err != nil || got.ID != "u1" {
				t.Errorf("who came second, when the first is gone: %+v, %v", got, err)
			}
		})
	}
}

// A link for a new password is made for somebody as they are at that moment.
func TestResetLinksAreForWhoWasSeen(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		must(t, s.AddUser(ctx, User{ID: "u1", Name: "ada"}, t0))
		link := Ticket{Hash: h("r"), Purpose: PasswordReset, UserID: "u1", CreatedAt: t0, ExpiresAt: t0.Add(time.Hour)}
		clerk := func(p Person) error {
			if len(p.Roles) > 0 {
				return errNo
			}
			return nil
		}
		for i := range 20 {
			link.Hash = h(string(rune('a' + i)))
			must(t, s.SetRoles(ctx, "u1", GivenRoles{Assigned, nil}, t0, none))
			var both sync.WaitGroup
			both.Go(func() { _ = s.AddReset(ctx, link, clerk) })
			both.Go(func() { _ = s.GiveRoles(ctx, "u1", []string{"admin"}, t0, agree, none) })
			both.Wait()
			if roles := rolesLeft(t, s); roles != 1 {
				t.Fatalf("%d roles", roles)
			}
			_, err := s.Ticket(ctx, link.Hash, PasswordReset, t0)
			want(t, err, ErrNotFound)
		}
		link.UserID = "u9"
		want(t, s.AddReset(ctx, link, agree), ErrNotFound)
	})
}
