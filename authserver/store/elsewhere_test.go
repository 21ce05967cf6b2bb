package store

import (
	"slices"
	"testing"
	"time"
)

// standsElsewhere is a session of u1 in its first era that is kept elsewhere.
func standsElsewhere(name string) Session {
	return Session{Hash: h(name), UserID: "u1", CreatedAt: t0, ExpiresAt: t0.Add(time.Hour)}
}

// elsewhereWork is what is done about sessions that are kept elsewhere.
func elsewhereWork(t *testing.T, s *DB) []error {
	t.Helper()
	ctx, one, two := t.Context(), standsElsewhere("elsewhere"), standsElsewhere("elsewhere too")
	a := Admission{Session: standsElsewhere("let in elsewhere"), Before: two.Hash, Held: true, SignIn: proven("u1", t0, SignedIn)}
	return []error{
		s.StartElsewhere(ctx, standsElsewhere("new"), []Session{one}), failed(s.Standing(ctx, two)), failed(s.AllStanding(ctx, []Session{one, two})),
		s.AdmitElsewhere(ctx, a, []Session{two}, t0, none), s.RecordEnded(ctx, a.Session),
	}
}

func TestStanding(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		people(t, s, "ada", "eve")
		must(t, s.ChangePerson(ctx, "u2", t0, func(p Person) (User, error) { p.DisabledAt = t0; return p.User, nil }))
		stands, ended, later, disabled, nobodys := standsElsewhere("1"), standsElsewhere("2"), standsElsewhere("3"), standsElsewhere("4"), standsElsewhere("5")
		later.Era, disabled.UserID, disabled.Era, nobodys.UserID = 1, "u2", 1, "u9"
		must(t, s.RecordEnded(ctx, ended))
		must(t, s.RecordEnded(ctx, ended))
		for name, row := range map[string]struct {
			session Session
			miss    error
		}{
			"one that nothing ended": {session: stands}, "one on record": {ended, ErrNotFound}, "of another era": {later, ErrNotFound},
			"of somebody disabled": {disabled, ErrNotFound}, "of nobody": {nobodys, ErrNotFound},
		} {
			v, err := s.Standing(ctx, row.session)
			if want(t, err, row.miss); err == nil && v.UserName != "ada" {
				t.Errorf("%s: %+v", name, v)
			}
		}
		all, err := s.AllStanding(ctx, []Session{ended, later, stands, disabled, nobodys, stands})
		must(t, err)
		if !slices.EqualFunc(all, []string{"ada", "ada"}, func(v Session, name string) bool { return v.Hash == stands.Hash && v.UserName == name }) {
			t.Errorf("standing: %+v", all)
		}
		if all, err := s.AllStanding(ctx, nil); len(all) != 0 || err != nil {
			t.Errorf("of none: %v, %v", all, err)
		}
		more, err := s.Sweep(ctx, t0.Add(time.Hour), t0, 10)
		if must(t, err); more {
			t.Error("there is more to sweep")
		}
		want(t, failed(s.Standing(ctx, ended)), ErrNotFound) // until it would have expired
		must(t, failed(s.Sweep(ctx, t0.Add(time.Hour+time.Millisecond), t0, 10)))
		must(t, failed(s.Standing(ctx, ended)))
	})
}

// What is refused puts nothing on record.
func TestRefusedAdmissionsEndNothingElsewhere(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		people(t, s, "ada")
		before := standsElsewhere("before")
		on := Admission{Session: standsElsewhere("on"), Before: before.Hash, Held: true, SignIn: proven("u1", t0, SignedIn)}
		on.Identity = &Identity{Issuer: "https://gone.example", Subject: "x", UserID: "u1", UsedAt: t0}
		want(t, s.AdmitElsewhere(ctx, on, []Session{before}, t0, none), ErrSpent)
		over := standsElsewhere("over")
		over.Era = 1
		want(t, s.StartElsewhere(ctx, over, []Session{before}), ErrSpent)
		must(t, failed(s.Standing(ctx, before)))
		on.Identity = nil
		for _, wrong := range [][]Session{nil, {standsElsewhere("another")}, {{Hash: before.Hash, UserID: "u2"}}, {{Hash: before.Hash, UserID: "u1", Era: 1}}} {
			want(t, s.AdmitElsewhere(ctx, on, wrong, t0, none), ErrSpent)
		}
		must(t, s.AdmitElsewhere(ctx, on, []Session{before}, t0, none))
		want(t, s.AdmitElsewhere(ctx, on, []Session{before}, t0, none), ErrSpent)
		want(t, failed(s.Standing(ctx, before)), ErrNotFound)
	})
}
