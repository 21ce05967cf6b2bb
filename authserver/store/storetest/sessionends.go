package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
)

func agree(store.Person) error { return nil }

// Ends are all the ways in which every session of u1 "ada" ends, by the method
// that does it. The session "stays" does, where there is a choice.
var Ends = map[string]func(context.Context, SessionStore) error{
	"EndSessions": func(ctx context.Context, s SessionStore) error {
		_, err := s.EndSessions(ctx, "u1", Named("stays"))
		return err
	},
	"EndOthers": func(ctx context.Context, s SessionStore) error {
		_, err := s.EndOthers(ctx, "u1", Named("stays"), store.Place{Network: "home", Agent: "a"})
		return err
	},
	"ChangePassword": func(ctx context.Context, s SessionStore) error {
		u, err := s.UserByID(ctx, "u1")
		return errors.Join(err, s.ChangePassword(ctx, u, "y", Named("stays"), store.Place{}, Now))
	},
	"SetGenerator": func(ctx context.Context, s SessionStore) error {
		u, err := s.UserByID(ctx, "u1")
		_, failed := s.SetGenerator(ctx, store.Generator{UserID: "u1", Era: u.Era, Sealed: []byte("x"), CreatedAt: Now}, &store.Alone{But: Named("stays")})
		return errors.Join(err, failed)
	},
	"AddPasskey": func(ctx context.Context, s SessionStore) error {
		u, err := s.UserByID(ctx, "u1")
		_, failed := s.AddPasskey(ctx, store.Passkey{UserID: "u1", Era: u.Era, ID: fmt.Append(nil, u.Era), CreatedAt: Now}, &store.Alone{But: Named("stays")})
		return errors.Join(err, failed)
	},
	"ResetPassword": func(ctx context.Context, s SessionStore) error {
		link := store.Ticket{Hash: Named("r"), Purpose: store.PasswordReset, UserID: "u1", CreatedAt: Now, ExpiresAt: Now.Add(time.Hour)}
		return errors.Join(s.AddReset(ctx, link, agree), s.ResetPassword(ctx, link, "y", store.Place{}, Now))
	},
	"ChangePerson": func(ctx context.Context, s SessionStore) error {
		return s.ChangePerson(ctx, "u1", Now, func(p store.Person) (store.User, error) { p.PasswordHash = "y"; return p.User, nil })
	},
	"ChangePerson to disabled": func(ctx context.Context, s SessionStore) error {
		return s.ChangePerson(ctx, "u1", Now, func(p store.Person) (store.User, error) { p.DisabledAt = Now; return p.User, nil })
	},
	"RemoveFactors": func(ctx context.Context, s SessionStore) error { return s.RemoveFactors(ctx, "u1", "all", agree) },
	"DeleteUser":    func(ctx context.Context, s SessionStore) error { return s.DeleteUser(ctx, "ada") },
	"DeletePerson":  func(ctx context.Context, s SessionStore) error { return s.DeletePerson(ctx, "u1", agree) },
}

func sessionsEndWithAnEra(t *testing.T, open func(*testing.T) SessionStore) {
	for name, end := range Ends {
		t.Run(name, func(t *testing.T) {
			s, ctx := open(t), t.Context()
			addPeople(t, s, "ada", "eve")
			for _, name := range []string{"one", "two"} {
				must(t, s.StartSession(ctx, sessionOf(name), store.Hash{}))
			}
			hers := sessionOf("hers")
			hers.UserID = "u2"
			must(t, s.StartSession(ctx, hers, store.Hash{}))
			must(t, end(ctx, s))
			want(t, s.StartSession(ctx, sessionOf("late"), store.Hash{}), store.ErrSpent)
			want(t, s.Admit(ctx, letIn("late"), Now, noneWider), store.ErrSpent)
			expectSessions(t, s, map[string]bool{"one": false, "two": false, "late": false, "hers": true})
			must(t, s.SeeSession(ctx, Named("one"), Now.Add(time.Minute)))
			expectSessions(t, s, map[string]bool{"one": false})
			if all, err := s.Sessions(ctx, "u1", Now); len(all) != 0 || err != nil {
				t.Errorf("left: %v, %v", all, err)
			}
			if all, err := s.AllSessions(ctx, "", time.Time{}, nil, Now, 10); len(all) != 1 || err != nil {
				t.Errorf("everybody's: %v, %v", all, err)
			}
		})
	}
}

// factors sets up factors of u1, with one outcome.
func factors(t *testing.T, s SessionStore, era int64, alone *store.Alone, outcome error) {
	t.Helper()
	ended, err := s.SetGenerator(t.Context(), store.Generator{UserID: "u1", Era: era, Sealed: []byte("x"), CreatedAt: Now}, alone)
	want(t, err, outcome)
	more, err := s.AddPasskey(t.Context(), store.Passkey{UserID: "u1", Era: era, ID: []byte("another"), CreatedAt: Now}, alone)
	if want(t, err, outcome); ended+more != 0 {
		t.Errorf("ended %d and %d", ended, more)
	}
}

// Where one stays, it goes on into what comes, and ends with that.
func oneSessionStays(t *testing.T, open func(*testing.T) SessionStore) {
	for _, name := range []string{"EndSessions", "EndOthers", "ChangePassword", "SetGenerator", "AddPasskey"} {
		t.Run(name, func(t *testing.T) {
			s, ctx := open(t), t.Context()
			addPeople(t, s, "ada", "eve")
			for _, name := range []string{"stays", "goes", "goes too"} {
				must(t, s.StartSession(ctx, sessionOf(name), store.Hash{}))
			}
			must(t, Ends[name](ctx, s))
			expectSessions(t, s, map[string]bool{"stays": true, "goes": false, "goes too": false})
			u, err := s.UserByID(ctx, "u1")
			must(t, err)
			factors(t, s, 0, &store.Alone{But: Named("goes")}, store.ErrSpent) // of an era that is over
			factors(t, s, u.Era, nil, nil)
			v, err := s.Session(ctx, Named("stays"), Now)
			if must(t, err); v.Era != u.Era {
				t.Errorf("it stays in era %d of %d", v.Era, u.Era)
			}
			must(t, s.SeeSession(ctx, Named("stays"), Now.Add(time.Minute)))
			must(t, Ends[name](ctx, s))
			expectSessions(t, s, map[string]bool{"stays": true})
			if n, err := s.EndSessions(ctx, "u1", Named("stays")); n != 0 || err != nil {
				t.Errorf("ended %d, %v", n, err)
			}
			if n, err := s.EndSessions(ctx, "u1", store.Hash{}); n != 1 || err != nil {
				t.Errorf("ended %d, %v", n, err)
			}
			expectSessions(t, s, map[string]bool{"stays": false})
			if _, err := s.EndSessions(ctx, "u1", Named("stays")); err != nil {
				t.Error(err)
			}
			expectSessions(t, s, map[string]bool{"stays": false})
		})
	}
}

// Of a sign-in and its end at once, the sign-in is ended, or comes too late.
func sessionsRaceTheirEnd(t *testing.T, open func(*testing.T) SessionStore) {
	s, ctx := open(t), t.Context()
	addPeople(t, s, "ada")
	for range 10 {
		u, err := s.UserByID(ctx, "u1")
		must(t, err)
		var all sync.WaitGroup
		for _, name := range []string{"1", "2", "3"} {
			a := letIn(name)
			a.Session.Era = u.Era
			all.Go(func() { _ = s.Admit(ctx, a, Now, noneWider) })
		}
		all.Go(func() {
			if _, err := s.EndOthers(ctx, "u1", store.Hash{}, store.Place{}); err != nil {
				t.Error(err)
			}
		})
		all.Wait()
		if left, err := s.Sessions(ctx, "u1", Now); len(left) > 0 || err != nil {
			t.Fatalf("left: %v, %v", left, err)
		}
		expectSessions(t, s, map[string]bool{"1": false, "2": false, "3": false})
	}
}

// Lists go on where they stopped, also among those of one moment.
func sessionsAreListed(t *testing.T, open func(*testing.T) SessionStore) {
	s, ctx := open(t), t.Context()
	addPeople(t, s, "ada", "eve")
	var wanted []string
	for i := range 9 {
		v := sessionOf(fmt.Sprint(i))
		v.UserID, v.CreatedAt = fmt.Sprint("u", 1+i%2), Now.Add(time.Duration(i/6)*time.Second)
		must(t, s.StartSession(ctx, v, store.Hash{}))
		wanted = append(wanted, fmt.Sprint(i))
	}
	must(t, s.EndSession(ctx, Named("5"), time.Time{}))
	wanted = slices.Delete(wanted, 5, 6)
	slices.Reverse(wanted)
	for user, of := range map[string][]string{"": wanted, "u1": {"8", "6", "4", "2", "0"}, "u2": {"7", "3", "1"}} {
		for _, limit := range []int{1, 2, 3, 100} {
			var got []string
			var last store.Session
			for range 20 {
				page, err := s.AllSessions(ctx, user, last.CreatedAt, last.Hash[:], Now, limit)
				must(t, err)
				if len(page) > limit {
					t.Fatalf("%d of at most %d", len(page), limit)
				}
				if len(page) == 0 {
					break
				}
				for _, v := range page {
					got = append(got, string(v.Hash[:1]))
					if wantName := map[string]string{"u1": "ada", "u2": "eve"}[v.UserID]; v.UserName != wantName {
						t.Errorf("%s is of %q", v.Hash[:1], v.UserName)
					}
				}
				last = page[len(page)-1]
			}
			if !slices.Equal(got, of) {
				t.Errorf("%q, by %d: %q, want %q", user, limit, got, of)
			}
		}
	}
	if all, err := s.AllSessions(ctx, "", time.Time{}, nil, Now.Add(time.Hour), 10); len(all) != 0 || err != nil {
		t.Errorf("expired: %v, %v", all, err)
	}
}
