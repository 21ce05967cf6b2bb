package store

import (
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"
)

// ended are all the ways in which what somebody proved ends.
var ended = map[string]func(*testing.T, *DB) error{
	"signed out": func(t *testing.T, s *DB) error { return failed(s.EndSessions(t.Context(), "u1", Hash{})) },
	"others signed out": func(t *testing.T, s *DB) error {
		return failed(s.EndOthers(t.Context(), "u1", h("owner"), Place{"home", "a"}))
	},
	"another password": func(t *testing.T, s *DB) error {
		return s.ChangePassword(t.Context(), User{ID: "u1", PasswordHash: "x"}, "y", h("owner"), Place{"home", "a"}, t0)
	},
	"a reset": func(t *testing.T, s *DB) error {
		link := Ticket{Hash: h("r"), Purpose: PasswordReset, UserID: "u1", CreatedAt: t0, ExpiresAt: t0.Add(time.Hour)}
		must(t, s.AddReset(t.Context(), link, agree))
		return s.ResetPassword(t.Context(), link, "y", Place{"home", "a"}, t0)
	},
	"by an administrator": func(t *testing.T, s *DB) error {
		return s.ChangePerson(t.Context(), "u1", t0, func(p Person) (User, error) { p.PasswordHash = "y"; return p.User, nil })
	},
	"disabled": func(t *testing.T, s *DB) error {
		return s.ChangePerson(t.Context(), "u1", t0, func(p Person) (User, error) { p.DisabledAt = t0; return p.User, nil })
	},
	"a first app": func(t *testing.T, s *DB) error {
		return failed(s.SetGenerator(t.Context(), Generator{UserID: "u1", Sealed: []byte("owner"), CreatedAt: t0}, &Alone{h("owner"), Place{"home", "a"}}))
	},
	"a first passkey": func(t *testing.T, s *DB) error {
		return failed(s.AddPasskey(t.Context(), Passkey{ID: []byte("owner"), UserID: "u1", CreatedAt: t0}, &Alone{h("owner"), Place{"home", "a"}}))
	},
	"factors removed": func(t *testing.T, s *DB) error { return s.RemoveFactors(t.Context(), "u1", "all", agree) },
}

func begun(hash string) Admission {
	v := proven("u1", t0, SignedIn)
	v.Network, v.Agent = "hotel", "a"
	return Admission{Session: Session{Hash: h(hash), UserID: "u1", CreatedAt: t0, ExpiresAt: t0.Add(time.Hour)}, SignIn: v}
}

// A sign-in that was begun before does not end afterwards, and leaves nothing.
func TestWhatWasProvedEnds(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		for name, end := range ended {
			t.Run(name, func(t *testing.T) {
				s, ctx := open(t), t.Context()
				must(t, s.AddUser(ctx, User{ID: "u1", Name: "ada", PasswordHash: "x"}, t0))
				must(t, s.Admit(ctx, begun("thief"), t0, none))
				must(t, s.RememberBrowser(ctx, Browser{Hash: h("b"), UserID: "u1", ExpiresAt: t0.Add(time.Hour)}))
				must(t, end(t, s))
				want(t, s.Admit(ctx, begun("late"), t0, none), ErrSpent)
				want(t, s.StartSession(ctx, begun("late").Session, Hash{}), ErrSpent)
				want(t, s.RememberBrowser(ctx, Browser{Hash: h("late"), UserID: "u1", ExpiresAt: t0.Add(time.Hour)}), ErrSpent)
				for _, hash := range []string{"thief", "late"} {
					_, err := s.Session(ctx, h(hash), t0)
					want(t, err, ErrNotFound)
				}
				if all, err := s.Browsers(ctx, "u1", t0); err != nil || len(all) != 0 {
					t.Errorf("remembered: %v, %v", all, err)
				}
			})
		}
	})
}

// Nor does it change how the person signs in, once it has ended.
func TestWhatWasProvedChangesNothingAfterItsEnd(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		for name, end := range ended {
			t.Run(name, func(t *testing.T) {
				s, ctx := open(t), t.Context()
				must(t, s.AddUser(ctx, User{ID: "u1", Name: "ada", PasswordHash: "x"}, t0))
				must(t, failed(s.AddPasskey(ctx, Passkey{ID: []byte("k1"), UserID: "u1", CreatedAt: t0}, nil)))
				must(t, failed(s.AddPasskey(ctx, Passkey{ID: []byte("k2"), UserID: "u1", CreatedAt: t0}, nil)))
				must(t, failed(s.SetGenerator(ctx, Generator{UserID: "u1", Sealed: []byte("x"), CreatedAt: t0}, nil)))
				must(t, s.SetRecoveryCodes(ctx, "u1", 0, []Hash{h("c")}))
				must(t, s.Link(ctx, ada))
				must(t, end(t, s))
				before := signInOf(t, s)
				u := before.user
				u.Era = 0
				want(t, s.ChangePassword(ctx, u, "thief", Hash{}, Place{}, t0), ErrSpent)
				want(t, failed(s.AddPasskey(ctx, Passkey{ID: []byte("late"), UserID: "u1", CreatedAt: t0}, nil)), ErrSpent)
				want(t, s.RemovePasskey(ctx, "u1", 0, []byte("k1"), nil), ErrSpent)
				want(t, failed(s.SetGenerator(ctx, Generator{UserID: "u1", Sealed: []byte("thief"), CreatedAt: t0}, nil)), ErrSpent)
				want(t, s.SetRecoveryCodes(ctx, "u1", 0, []Hash{h("d"), h("e")}), ErrSpent)
				want(t, s.RemoveGenerator(ctx, "u1", 0), ErrSpent)
				want(t, s.RenamePasskey(ctx, "u1", 0, []byte("k1"), "thief"), ErrSpent)
				want(t, s.ForgetBrowsers(ctx, "u1", 0, Hash{}), ErrSpent)
				want(t, s.Link(ctx, Identity{Issuer: "https://thief.example", Subject: "a", UserID: "u1"}), ErrSpent)
				want(t, s.Unlink(ctx, "u1", 0, ada.Issuer, ada.Subject, nil), ErrSpent)
				if after := signInOf(t, s); !reflect.DeepEqual(after, before) {
					t.Errorf("was %+v, is %+v", before, after)
				}
			})
		}
	})
}

// signInWays is how u1 signs in, as it is kept.
type signInWays struct {
	user      User
	passkeys  []Passkey
	generator Generator
	codes     int
	elsewhere []Identity
}

func signInOf(t *testing.T, s *DB) (v signInWays) {
	t.Helper()
	var err, none error
	v.user, err = s.UserByID(t.Context(), "u1")
	must(t, err)
	v.passkeys, err = s.Passkeys(t.Context(), "u1")
	must(t, err)
	v.generator, none = s.Generator(t.Context(), "u1")
	if none != nil {
		want(t, none, ErrNotFound)
	}
	v.codes, err = s.RecoveryCodes(t.Context(), "u1")
	must(t, err)
	v.elsewhere, err = s.Identities(t.Context(), "u1")
	must(t, err)
	return v
}

// Nor does it allow an application anything.
func TestWhatWasProvedAllowsNothingAfterItsEnd(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		for name, end := range ended {
			t.Run(name, func(t *testing.T) {
				s, ctx := open(t), t.Context()
				must(t, s.AddUser(ctx, User{ID: "u1", Name: "ada", PasswordHash: "x"}, t0))
				d, a := waiting(t, s, "1"), request("late", "", false)
				must(t, s.Approve(ctx, request("before", "", false)))
				must(t, end(t, s))
				want(t, s.Approve(ctx, a), ErrNotFound)
				want(t, s.AllowDevice(ctx, d.Hash, deviceGrant("1"), ""), ErrNotFound)
				u, err := s.UserByID(ctx, "u1")
				must(t, err)
				if !u.DisabledAt.IsZero() {
					a.Grant.Era = u.Era
					want(t, s.Approve(ctx, a), ErrNotFound)
					return
				}
				a.Grant.Era = u.Era
				must(t, s.Approve(ctx, a))
				g := deviceGrant("1")
				g.Era = u.Era
				must(t, s.AllowDevice(ctx, d.Hash, g, ""))
			})
		}
	})
}

// Of an approval and the disabling of its person at once, the approval is
// refused, or its grant ends.
func TestApprovalsRaceTheEndOfTheirPerson(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		must(t, s.AddUser(ctx, User{ID: "u1", Name: "ada", PasswordHash: "x"}, t0))
		var all sync.WaitGroup
		for i := range 12 {
			all.Go(func() {
				if err := s.Approve(ctx, request(fmt.Sprint(i), "", false)); err != nil {
					want(t, err, ErrNotFound)
				}
			})
		}
		all.Go(func() { must(t, ended["disabled"](t, s)) })
		all.Wait()
		for i := range 12 {
			if g, err := s.Grant(ctx, fmt.Sprint("grant ", i)); err == nil && !g.Revoked {
				t.Errorf("%s is alive", g.ID)
			}
		}
	})
}

// The newest era is not enough for somebody who is disabled.
func TestDisabledChangeNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		must(t, s.AddUser(ctx, User{ID: "u1", Name: "ada", PasswordHash: "x"}, t0))
		must(t, ended["disabled"](t, s))
		u, err := s.UserByID(ctx, "u1")
		must(t, err)
		want(t, s.ChangePassword(ctx, u, "y", Hash{}, Place{}, t0), ErrSpent)
		want(t, failed(s.AddPasskey(ctx, Passkey{ID: []byte("k"), UserID: "u1", Era: u.Era, CreatedAt: t0}, nil)), ErrSpent)
		want(t, failed(s.SetGenerator(ctx, Generator{UserID: "u1", Era: u.Era, Sealed: []byte("x"), CreatedAt: t0}, nil)), ErrSpent)
	})
}

// Of a sign-in and its end at once, the sign-in is ended, or comes too late.
func TestSignInsRaceTheirEnd(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		must(t, s.AddUser(ctx, User{ID: "u1", Name: "ada", PasswordHash: "x"}, t0))
		for range 20 {
			u, err := s.UserByID(ctx, "u1")
			must(t, err)
			var all sync.WaitGroup
			for _, name := range []string{"1", "2", "3"} {
				a := begun(name)
				a.Session.Era = u.Era
				all.Go(func() { _ = s.Admit(ctx, a, t0, none) })
			}
			all.Go(func() { must(t, failed(s.EndOthers(ctx, "u1", Hash{}, Place{}))) })
			all.Wait()
			left, err := s.Sessions(ctx, "u1", t0)
			must(t, err)
			contexts, err := s.KnownContexts(ctx, "u1")
			must(t, err)
			if len(left)+len(contexts) > 0 {
				t.Fatalf("left: %v, %v", left, contexts)
			}
		}
	})
}

// A sign-in that does not come to its end leaves no account, link, role,
// session or record.
func TestAdmissionsAreWhole(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		must(t, s.AddUser(ctx, User{ID: "u1", Name: "ada", PasswordHash: "x"}, t0))
		taken := ada
		must(t, s.Link(ctx, taken))
		a := begun("in")
		taken.UserID = "u2"
		a.Session.UserID, a.SignIn.UserID, a.Newcomer, a.Identity = "u2", "u2", &User{ID: "u2", Name: "eve"}, &taken
		a.Given = &GivenRoles{"corp", []string{"dba"}}
		want(t, s.Admit(ctx, a, t0, none), ErrExists)
		a = begun("in")
		a.Linked, a.Identity, a.Given = true, &Identity{Issuer: ada.Issuer, Subject: "another", UserID: "u1"}, &GivenRoles{"corp", []string{"dba"}}
		want(t, s.Admit(ctx, a, t0, none), ErrExists)
		a = begun("in")
		a.Identity = &Identity{Issuer: "https://gone.example", Subject: "x", UserID: "u1", UsedAt: t0}
		want(t, s.Admit(ctx, a, t0, none), ErrSpent)
		for _, query := range []string{"SELECT count(*) FROM sessions", "SELECT count(*) FROM user_roles", "SELECT count(*) FROM sign_ins", "SELECT count(*) FROM users WHERE id = 'u2'", "SELECT count(*) FROM identities WHERE used_at > 0"} {
			var n int
			must(t, s.read.QueryRowContext(ctx, query).Scan(&n))
			if n != 0 {
				t.Errorf("%s: %d", query, n)
			}
		}
	})
}
