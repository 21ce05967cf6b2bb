package store

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func adaAndBob(t *testing.T, s *DB) {
	t.Helper()
	must(t, s.AddUser(t.Context(), User{ID: "u1", Name: "ada", PasswordHash: "x"}, t0))
	must(t, s.AddUser(t.Context(), User{ID: "u2", Name: "bob", PasswordHash: "x"}, t0))
}

// once runs what must succeed for one only, by many at a time.
func once(t *testing.T, by func() error) {
	t.Helper()
	var all sync.WaitGroup
	var done atomic.Int32
	for range 8 {
		all.Go(func() {
			if err := by(); err == nil {
				done.Add(1)
			} else {
				want(t, err, ErrSpent)
			}
		})
	}
	all.Wait()
	if done.Load() != 1 {
		t.Errorf("%d times", done.Load())
	}
}

func TestGenerators(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		adaAndBob(t, s)
		_, err := s.Generator(t.Context(), "u1")
		want(t, err, ErrNotFound)
		want(t, s.TakeStep(t.Context(), "u1", 10), ErrSpent)
		must(t, failed(s.SetGenerator(t.Context(), Generator{UserID: "u1", Sealed: []byte("sealed"), Step: 10, CreatedAt: t0}, nil)))
		g, err := s.Generator(t.Context(), "u1")
		must(t, err)
		if string(g.Sealed) != "sealed" || g.Step != 10 || !g.CreatedAt.Equal(t0) || g.UserID != "u1" {
			t.Errorf("got %+v", g)
		}
		for _, step := range []int64{9, 10} {
			want(t, s.TakeStep(t.Context(), "u1", step), ErrSpent)
		}
		once(t, func() error { return s.TakeStep(t.Context(), "u1", 12) })
		want(t, s.TakeStep(t.Context(), "u1", 11), ErrSpent)
		must(t, s.TakeStep(t.Context(), "u1", 13))
		must(t, failed(s.SetGenerator(t.Context(), Generator{UserID: "u1", Sealed: []byte("another"), Step: 5, CreatedAt: t0}, nil)))
		must(t, s.TakeStep(t.Context(), "u1", 6))
		sealed, err := s.Sealed(t.Context(), SealedGenerators, "", 10)
		must(t, err)
		if len(sealed) != 1 || sealed[0].Name != "u1" || string(sealed[0].Value) != "another" {
			t.Fatalf("sealed: %+v", sealed)
		}
		must(t, s.Reseal(t.Context(), SealedGenerators, sealed[0], []byte("again")))
		if g, err = s.Generator(t.Context(), "u1"); err != nil || string(g.Sealed) != "again" || g.Step != 6 {
			t.Errorf("got %+v, %v", g, err)
		}
		must(t, s.RemoveGenerator(t.Context(), "u1", 0))
		must(t, s.RemoveGenerator(t.Context(), "u1", 0))
		_, err = s.Generator(t.Context(), "u1")
		want(t, err, ErrNotFound)
	})
}

func TestRecoveryCodes(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		adaAndBob(t, s)
		must(t, s.SetRecoveryCodes(t.Context(), "u1", 0, []Hash{h("a"), h("b"), h("c")}))
		must(t, s.SetRecoveryCodes(t.Context(), "u2", 0, []Hash{h("a")}))
		once(t, func() error { return s.UseRecoveryCode(t.Context(), "u1", h("a"), t0) })
		want(t, s.UseRecoveryCode(t.Context(), "u1", h("x"), t0), ErrSpent)
		want(t, s.UseRecoveryCode(t.Context(), "u2", h("b"), t0), ErrSpent)
		for user, left := range map[string]int{"u1": 2, "u2": 1, "nobody": 0} {
			if got, err := s.RecoveryCodes(t.Context(), user); err != nil || got != left {
				t.Errorf("%s: %d, %v", user, got, err)
			}
		}
		must(t, s.SetRecoveryCodes(t.Context(), "u1", 0, []Hash{h("d")}))
		want(t, s.UseRecoveryCode(t.Context(), "u1", h("b"), t0), ErrSpent)
		must(t, s.UseRecoveryCode(t.Context(), "u1", h("d"), t0))
	})
}

func TestPasskeys(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		adaAndBob(t, s)
		ctx := t.Context()
		k := Passkey{ID: []byte("k1"), UserID: "u1", Name: "phone", Credential: `{"a":1}`, Counter: 4_000_000_000, CreatedAt: t0}
		must(t, failed(s.AddPasskey(ctx, k, nil)))
		stolen := k
		stolen.UserID = "u2"
		want(t, failed(s.AddPasskey(ctx, stolen, nil)), ErrExists)
		must(t, failed(s.AddPasskey(ctx, Passkey{ID: []byte("k2"), UserID: "u1", Name: "synced", CreatedAt: t0.Add(time.Second)}, nil)))
		all, err := s.Passkeys(ctx, "u1")
		must(t, err)
		if len(all) != 2 || string(all[0].ID) != "k1" || all[0].Counter != k.Counter || all[0].Credential != k.Credential || !all[0].UsedAt.IsZero() || !all[0].ClonedAt.IsZero() {
			t.Fatalf("got %+v", all)
		}
		next := k
		next.Counter++
		once(t, func() error { return s.UsePasskey(ctx, next, t0.Add(time.Hour)) })
		for name, other := range map[string]Passkey{"counter that went back": k, "counter that stopped": {ID: k.ID, UserID: "u1"}, "another person": {ID: k.ID, UserID: "u2", Counter: k.Counter + 9}} {
			if err := s.UsePasskey(ctx, other, t0); !errors.Is(err, ErrSpent) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for range 2 {
			must(t, s.UsePasskey(ctx, Passkey{ID: []byte("k2"), UserID: "u1", Credential: "{}"}, t0))
		}
		must(t, s.MarkCloned(ctx, "u2", k.ID, t0))
		next.Counter++
		must(t, s.UsePasskey(ctx, next, t0))
		must(t, s.MarkCloned(ctx, "u1", k.ID, t0))
		next.Counter++
		want(t, s.UsePasskey(ctx, next, t0), ErrSpent)
		want(t, s.RenamePasskey(ctx, "u2", 0, k.ID, "mine"), ErrNotFound)
		must(t, s.RenamePasskey(ctx, "u1", 0, k.ID, "old phone"))
		want(t, s.RemovePasskey(ctx, "u2", 0, k.ID, nil), ErrNotFound)
		all, err = s.Passkeys(ctx, "u1")
		must(t, err)
		if all[0].Name != "old phone" || all[0].ClonedAt.IsZero() || all[0].UsedAt.IsZero() {
			t.Errorf("got %+v", all[0])
		}
		must(t, s.RemovePasskey(ctx, "u1", 0, k.ID, nil))
		want(t, s.RemovePasskey(ctx, "u1", 0, k.ID, nil), ErrNotFound)
	})
}

func TestLastPasskeyStays(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		ctx := t.Context()
		must(t, s.AddUser(ctx, User{ID: "u1", Name: "ada"}, t0)) // without a password
		for _, id := range []string{"k1", "k2"} {
			must(t, failed(s.AddPasskey(ctx, Passkey{ID: []byte(id), UserID: "u1", CreatedAt: t0}, nil)))
		}
		must(t, s.RemovePasskey(ctx, "u1", 0, []byte("k1"), nil))
		want(t, s.RemovePasskey(ctx, "u1", 0, []byte("k2"), nil), ErrLastWay)
		if all, err := s.Passkeys(ctx, "u1"); err != nil || len(all) != 1 {
			t.Errorf("%d passkeys, %v", len(all), err)
		}
	})
}

func TestRememberedBrowsers(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		adaAndBob(t, s)
		ctx := t.Context()
		for i, name := range []string{"1", "2", "3"} {
			must(t, s.RememberBrowser(ctx, Browser{Hash: h(name), UserID: "u1", Agent: "Firefox " + name, CreatedAt: t0.Add(time.Duration(i)), ExpiresAt: t0.Add(time.Duration(i) * time.Hour)}))
		}
		all, err := s.Browsers(ctx, "u1", t0)
		must(t, err)
		if len(all) != 2 || all[0].Agent != "Firefox 2" && all[0].Agent != "Firefox 3" || !all[1].CreatedAt.Equal(t0) {
			t.Errorf("got %+v", all)
		}
		must(t, s.ForgetBrowsers(ctx, "u2", 0, h("2")))
		must(t, s.ForgetBrowsers(ctx, "u1", 0, h("3")))
		if all, err = s.Browsers(ctx, "u1", t0); err != nil || len(all) != 1 || all[0].Hash != h("2") {
			t.Errorf("got %+v, %v", all, err)
		}
		must(t, s.ForgetBrowsers(ctx, "u1", 0, Hash{}))
		if all, err = s.Browsers(ctx, "u1", t0); err != nil || len(all) != 0 {
			t.Errorf("got %+v, %v", all, err)
		}
	})
}

func TestFactorsAreRemovedTogether(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		adaAndBob(t, s)
		ctx := t.Context()
		for _, u := range []string{"u1", "u2"} {
			must(t, failed(s.SetGenerator(ctx, Generator{UserID: u, Sealed: []byte("x"), CreatedAt: t0}, nil)))
			must(t, s.SetRecoveryCodes(ctx, u, 0, []Hash{h("a")}))
			must(t, failed(s.AddPasskey(ctx, Passkey{ID: []byte(u), UserID: u, Name: "n", CreatedAt: t0}, nil)))
			must(t, s.RememberBrowser(ctx, Browser{Hash: h(u), UserID: u, CreatedAt: t0, ExpiresAt: t0.Add(time.Hour)}))
		}
		must(t, s.RemoveFactors(ctx, "u1", "all", agree))
		for u, kept := range map[string]int{"u1": 0, "u2": 1} {
			_, err := s.Generator(ctx, u)
			keys, err1 := s.Passkeys(ctx, u)
			codes, err2 := s.RecoveryCodes(ctx, u)
			browsers, err3 := s.Browsers(ctx, u, t0)
			must(t, err1)
			must(t, err2)
			must(t, err3)
			if (err == nil) != (kept == 1) || len(keys) != kept || codes != kept || len(browsers) != kept {
				t.Errorf("%s: %v, %d, %d, %d", u, err, len(keys), codes, len(browsers))
			}
		}
	})
}

// A factor that is kept ends the other sessions in the same step, and one that
// is not ends none.
func TestFactorsEndOtherSessions(t *testing.T) {
	here := &Alone{h("here"), Place{"home", "a"}}
	app := func(alone *Alone, era int64) func(context.Context, *DB) (int64, error) {
		return func(ctx context.Context, s *DB) (int64, error) {
			return s.SetGenerator(ctx, Generator{UserID: "u1", Era: era, Sealed: []byte("x"), CreatedAt: t0}, alone)
		}
	}
	key := func(alone *Alone, id string) func(context.Context, *DB) (int64, error) {
		return func(ctx context.Context, s *DB) (int64, error) {
			return s.AddPasskey(ctx, Passkey{ID: []byte(id), UserID: "u1", CreatedAt: t0}, alone)
		}
	}
	for name, row := range map[string]struct {
		set   func(context.Context, *DB) (int64, error)
		want  error
		ended int64
	}{
		"an app alone":            {app(here, 0), nil, 2},
		"an app beside":           {app(nil, 0), nil, 0},
		"an app in another era":   {app(here, 1), ErrSpent, 0},
		"a passkey alone":         {key(here, "mine"), nil, 2},
		"a passkey beside":        {key(nil, "mine"), nil, 0},
		"a passkey that is bob's": {key(here, "bob's"), ErrExists, 0},
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, open opener) {
				s, ctx := open(t), t.Context()
				adaAndBob(t, s)
				must(t, failed(s.AddPasskey(ctx, Passkey{ID: []byte("bob's"), UserID: "u2", CreatedAt: t0}, nil)))
				for _, one := range []string{"here", "there", "elsewhere"} {
					must(t, s.StartSession(ctx, Session{Hash: h(one), UserID: "u1", ExpiresAt: t0.Add(time.Hour)}, Hash{}))
				}
				must(t, s.RememberBrowser(ctx, Browser{Hash: h("b"), UserID: "u1", ExpiresAt: t0.Add(time.Hour)}))
				n, err := row.set(ctx, s)
				want(t, err, row.want)
				left, err := s.Sessions(ctx, "u1", t0)
				must(t, err)
				browsers, err := s.Browsers(ctx, "u1", t0)
				must(t, err)
				if n != row.ended || len(left) != 3-int(row.ended) || (len(browsers) == 0) != (row.ended > 0) {
					t.Errorf("%d ended, %d left, %d browsers", n, len(left), len(browsers))
				}
				if row.ended > 0 && left[0].Hash != h("here") {
					t.Errorf("another session is left: %+v", left)
				}
			})
		})
	}
}

func invitation(name string, roles ...string) Ticket {
	return Ticket{Hash: h(name), Purpose: Invitation, Email: "new@example.com", Roles: roles, CreatedBy: "operator", CreatedAt: t0, ExpiresAt: t0.Add(time.Hour)}
}

func TestInvitations(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		adaAndBob(t, s)
		ctx := t.Context()
		must(t, s.AddTicket(ctx, invitation("1", "admin", "dba")))
		got, err := s.Ticket(ctx, h("1"), Invitation, t0)
		must(t, err)
		if got.Email != "new@example.com" || !slices.Equal(got.Roles, []string{"admin", "dba"}) || got.CreatedBy != "operator" || !got.ExpiresAt.Equal(t0.Add(time.Hour)) || !got.UsedAt.IsZero() {
			t.Errorf("got %+v", got)
		}
		_, err = s.Ticket(ctx, h("1"), PasswordReset, t0)
		want(t, err, ErrNotFound)
		_, err = s.Ticket(ctx, h("1"), Invitation, t0.Add(time.Hour))
		want(t, err, ErrNotFound)
		want(t, s.SignUp(ctx, got, User{ID: "u3", Name: "ada", PasswordHash: "x"}, t0), ErrExists)
		want(t, s.SignUp(ctx, got, User{ID: "u3", Name: "cyd", PasswordHash: "x"}, t0.Add(time.Hour)), ErrSpent)
		want(t, s.SignUp(ctx, Ticket{Hash: h("1"), Purpose: PasswordReset}, User{ID: "u3", Name: "cyd", PasswordHash: "x"}, t0), ErrSpent)
		names := make(chan string, 8)
		for _, n := range []string{"c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8"} {
			names <- n
		}
		once(t, func() error {
			n := <-names
			return s.SignUp(ctx, got, User{ID: n, Name: n, PasswordHash: "x"}, t0)
		})
		users, err := s.Users(ctx)
		must(t, err)
		if len(users) != 3 {
			t.Errorf("%d people", len(users))
		}
		roles, err := s.RolesOf(ctx, users[2].ID)
		must(t, err)
		if len(roles) != 2 || roles[0].Source != Assigned {
			t.Errorf("roles %+v", roles)
		}
		_, err = s.Ticket(ctx, h("1"), Invitation, t0)
		want(t, err, ErrNotFound)
	})
}

func TestTicketsAreListedAndTakenBack(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		ctx := t.Context()
		must(t, s.AddTicket(ctx, invitation("1")))
		must(t, s.AddTicket(ctx, invitation("2")))
		all, err := s.Tickets(ctx, Invitation, t0)
		must(t, err)
		if len(all) != 2 || len(all[0].Roles) != 0 {
			t.Errorf("got %+v", all)
		}
		must(t, s.RemoveTicket(ctx, h("1")))
		want(t, s.RemoveTicket(ctx, h("1")), ErrNotFound)
		if all, err = s.Tickets(ctx, Invitation, t0); err != nil || len(all) != 1 {
			t.Errorf("got %+v, %v", all, err)
		}
		for len(all) > 0 {
			_, err := s.Sweep(ctx, t0.Add(2*time.Hour), t0, 10)
			must(t, err)
			all, err = s.Tickets(ctx, Invitation, t0)
			must(t, err)
		}
	})
}

func TestPasswordsAreReset(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		adaAndBob(t, s)
		ctx := t.Context()
		reset := func(name string) Ticket {
			return Ticket{Hash: h(name), Purpose: PasswordReset, UserID: "u1", CreatedBy: "operator", CreatedAt: t0, ExpiresAt: t0.Add(time.Hour)}
		}
		must(t, s.AddReset(ctx, reset("1"), agree))
		must(t, s.AddTicket(ctx, invitation("i")))
		must(t, s.AddReset(ctx, reset("2"), agree))
		_, err := s.Ticket(ctx, h("1"), PasswordReset, t0)
		want(t, err, ErrNotFound)
		must(t, s.StartSession(ctx, Session{Hash: h("s"), UserID: "u1", ExpiresAt: t0.Add(time.Hour)}, Hash{}))
		must(t, s.StartSession(ctx, Session{Hash: h("t"), UserID: "u2", ExpiresAt: t0.Add(time.Hour)}, Hash{}))
		must(t, s.RememberBrowser(ctx, Browser{Hash: h("b"), UserID: "u1", CreatedAt: t0, ExpiresAt: t0.Add(time.Hour)}))
		once(t, func() error { return s.ResetPassword(ctx, reset("2"), "new", Place{}, t0.Add(time.Minute)) })
		u, err := s.User(ctx, "ada")
		must(t, err)
		if u.PasswordHash != "new" || !u.PasswordAt.Equal(t0.Add(time.Minute)) {
			t.Errorf("got %+v", u)
		}
		_, err = s.Session(ctx, h("s"), t0)
		want(t, err, ErrNotFound)
		_, err = s.Session(ctx, h("t"), t0)
		must(t, err)
		if all, err := s.Browsers(ctx, "u1", t0); err != nil || len(all) != 0 {
			t.Errorf("browsers %v, %v", all, err)
		}
		if _, err := s.Ticket(ctx, h("i"), Invitation, t0); err != nil {
			t.Errorf("somebody else's invitation: %v", err)
		}
	})
}

func TestPasswordsAreChanged(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		adaAndBob(t, s)
		ctx := t.Context()
		for _, name := range []string{"here", "there"} {
			must(t, s.StartSession(ctx, Session{Hash: h(name), UserID: "u1", ExpiresAt: t0.Add(time.Hour)}, Hash{}))
		}
		was, err := s.User(ctx, "ada")
		must(t, err)
		must(t, s.AddReset(ctx, Ticket{Hash: h("r"), Purpose: PasswordReset, UserID: "u1", CreatedAt: t0, ExpiresAt: t0.Add(time.Hour)}, agree))
		once(t, func() error { return s.ChangePassword(ctx, was, "new", h("here"), Place{}, t0.Add(time.Minute)) })
		_, err = s.Session(ctx, h("there"), t0)
		want(t, err, ErrNotFound)
		_, err = s.Session(ctx, h("here"), t0)
		must(t, err)
		_, err = s.Ticket(ctx, h("r"), PasswordReset, t0)
		want(t, err, ErrNotFound)
	})
}
