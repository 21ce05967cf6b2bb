package store

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"
)

func proven(user string, at time.Time, outcome string, reasons ...string) SignIn {
	return SignIn{UserID: user, At: at, Outcome: outcome, Reasons: reasons, Address: "203.0.113.7", Network: "203.0.113.0/24",
		Agent: "Firefox on Linux", ClientID: "c1", Methods: []string{"pwd"}}
}

func unproven(user string, at time.Time, network string) SignIn {
	return SignIn{UserID: user, At: at, Outcome: "failed", Address: "192.0.2.1", Network: network, Agent: "curl", Browser: "b"}
}

func record(t *testing.T, s *DB, v SignIn) int64 {
	t.Helper()
	n, err := s.RecordSignIn(t.Context(), v)
	must(t, err)
	return n
}

// lately are the last sign-ins of a person, the latest first.
func lately(t *testing.T, s *DB, user string, limit int) ([]SignIn, error) {
	t.Helper()
	return s.signIns(t.Context(), "WHERE user_id = $1 ORDER BY number DESC LIMIT $2", user, limit)
}

func people(t *testing.T, s *DB, names ...string) {
	t.Helper()
	for i, name := range names {
		must(t, s.AddUser(t.Context(), User{ID: fmt.Sprint("u", i+1), Name: name, PasswordHash: "x"}, t0))
	}
}

func history(t *testing.T, s *DB, user string) SignInHistory {
	t.Helper()
	v, err := s.SignInHistory(t.Context(), user, 100, t0)
	must(t, err)
	return v
}

func TestSignIns(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		people(t, s, "ada", "eve")
		if got := history(t, s, "u1"); !reflect.DeepEqual(got, SignInHistory{}) {
			t.Errorf("at first: %+v", got)
		}
		first := proven("u1", t0, SignedIn, "first_sign_in", "no_second_factor")
		first.Browser, first.Methods, first.SeenAt = "b", []string{"pwd", "otp", "mfa"}, t0
		first.Number = record(t, s, first)
		failure := unproven("u1", t0.Add(time.Second), "192.0.2.0/24")
		failure.Number = record(t, s, failure)
		record(t, s, proven("u2", t0, SignedIn))

		all, err := lately(t, s, "u1", 10)
		must(t, err)
		// Nothing was proven: nil, as it is read.
		if failure.Reasons, failure.Methods = []string{}, []string{}; !reflect.DeepEqual(all, []SignIn{failure, first}) {
			t.Errorf("got  %+v\nwant %+v", all, []SignIn{failure, first})
		}
		if all, err := lately(t, s, "u1", 1); err != nil || len(all) != 1 || all[0].Number != failure.Number {
			t.Errorf("the latest: %+v, %v", all, err)
		}
		got := history(t, s, "u1")
		want := SignInHistory{Before: true, SignIns: []SignIn{first}, Failures: []SignIn{failure},
			Contexts: []KnownContext{{first.Network, first.Agent, t0, t0}}}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
		if n := record(t, s, proven("u3", t0, SignedIn)); n != 0 {
			t.Error("somebody who is not there signed in")
		}
		if got := history(t, s, "u3"); !reflect.DeepEqual(got, SignInHistory{}) {
			t.Errorf("of nobody: %+v", got)
		}
	})
}

// A sign-in that waits for a second factor is one line, whatever becomes of it.
func TestSignInThatWaited(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		people(t, s, "ada", "eve")
		waits := record(t, s, proven("u1", t0, "step_up", "new_network"))
		if got := history(t, s, "u1"); got.Before || len(got.Contexts) != 0 || len(got.SignIns) != 0 {
			t.Errorf("while it waits: %+v", got)
		}
		others := proven("u2", t0, SignedIn)
		others.Number = waits
		record(t, s, others)
		if all, err := lately(t, s, "u1", 10); err != nil || len(all) != 1 {
			t.Errorf("another person's attempt was replaced: %v, %v", all, err)
		}
		done := proven("u1", t0.Add(time.Minute), SignedIn, "new_network")
		done.Number, done.Methods = waits, []string{"pwd", "otp", "mfa"}
		done.Number = record(t, s, done)
		if done.Number <= waits {
			t.Errorf("number %d after %d", done.Number, waits)
		}
		record(t, s, done)
		all, err := lately(t, s, "u1", 10)
		must(t, err)
		if len(all) != 2 || all[1].Number != done.Number || all[1].Outcome != SignedIn || len(all[1].Methods) != 3 {
			t.Errorf("%+v", all)
		}
		if got := history(t, s, "u1"); !got.Before || len(got.Contexts) != 1 || !got.Contexts[0].Last.Equal(done.At) {
			t.Errorf("afterwards: %+v", got)
		}
	})
}

// Whoever knows a password alone tries again and again, and it is one line an hour.
func TestSignInsThatNeverEnd(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		people(t, s, "ada")
		elsewhere := proven("u1", t0, "step_up", "new_network")
		elsewhere.Network = "198.51.100.0/24"
		otherwise := proven("u1", t0, "step_up", "new_network")
		otherwise.Agent = "curl"
		for _, v := range []SignIn{proven("u1", t0, "step_up", "new_network"), proven("u1", t0, "refuse", "new_network"), elsewhere, otherwise} {
			record(t, s, v)
		}
		left := func(want int) int64 {
			t.Helper()
			all, err := lately(t, s, "u1", 10)
			must(t, err)
			if len(all) != want {
				t.Errorf("%d lines, want %d", len(all), want)
			}
			return all[0].Number
		}
		before := left(4)
		for minute := range 5 {
			again := record(t, s, proven("u1", t0.Add(time.Duration(minute)*time.Minute), "step_up", "new_network", "pace"))
			if left(4) != again || again <= before {
				t.Errorf("the latest is not on top: %d after %d", again, before)
			}
		}
		record(t, s, proven("u1", t0.Add(4*time.Minute+time.Hour), "step_up", "new_network"))
		left(5)
	})
}

func TestWhoIsNotProvenCannotFillTheTable(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		people(t, s, "ada", "eve")
		own := record(t, s, proven("u1", t0, SignedIn))
		kept := func(network string, times int, at time.Time) (n int) {
			for range times {
				if record(t, s, unproven("u1", at, network)) != 0 {
					n++
				}
			}
			return n
		}
		for _, row := range []struct {
			network string
			at      time.Time
			want    int
		}{
			{"a", t0, 10}, {"a", t0, 0}, {"b", t0, 10}, {"c", t0, 10}, {"d", t0, 0},
			{"a", t0.Add(time.Hour - 1), 0}, {"a", t0.Add(time.Hour), 10},
		} {
			if n := kept(row.network, 11, row.at); n != row.want {
				t.Errorf("from %s at %s: %d kept, want %d", row.network, row.at, n, row.want)
			}
		}
		if record(t, s, unproven("u2", t0, "a")) == 0 {
			t.Error("another person's failure is not kept")
		}
		for hour := range 30 {
			kept("x", 10, t0.Add(time.Duration(hour+2)*time.Hour))
		}
		all, err := lately(t, s, "u1", 1000)
		must(t, err)
		if len(all) != keptUnproven+1 || all[len(all)-1].Number != own {
			t.Errorf("%d kept, the oldest %+v", len(all), all[len(all)-1])
		}
		if n := record(t, s, proven("u1", t0, "step_up")); n == 0 {
			t.Error("what was proven is not kept")
		}
	})
}

func TestWhoIsProvenIsBounded(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		people(t, s, "ada")
		failure := record(t, s, unproven("u1", t0, "a"))
		for i := range keptProven + 5 {
			v := proven("u1", t0.Add(time.Duration(i)*time.Second), SignedIn)
			v.Network = fmt.Sprint(i)
			record(t, s, v)
		}
		all, err := lately(t, s, "u1", 1000)
		must(t, err)
		if len(all) != keptProven+1 || all[len(all)-1].Number != failure {
			t.Errorf("%d kept", len(all))
		}
		known, err := s.KnownContexts(ctx, "u1")
		must(t, err)
		if len(known) != keptContexts || known[0].Network != fmt.Sprint(keptProven+4) {
			t.Errorf("%d pairs, the last %+v", len(known), known[0])
		}
	})
}

func TestSignInsAreShownOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		people(t, s, "ada", "eve")
		usual := proven("u1", t0, SignedIn)
		usual.SeenAt = t0
		record(t, s, usual)
		record(t, s, proven("u1", t0, SignedIn, "new_network"))
		record(t, s, proven("u1", t0.Add(time.Second), "refuse", "new_network"))
		record(t, s, proven("u2", t0, SignedIn, "new_network"))
		count := func(want int) {
			t.Helper()
			if unseen, err := s.UnseenSignIns(ctx, "u1", 10); err != nil || len(unseen) != want {
				t.Errorf("%v unseen, %v; want %d", unseen, err, want)
			}
		}
		count(2)
		must(t, s.SeeSignIns(ctx, "u2", t0.Add(time.Hour), t0))
		must(t, s.SeeSignIns(ctx, "u1", t0, t0.Add(time.Minute)))
		count(1)
		must(t, s.SeeSignIns(ctx, "u1", t0.Add(time.Second), t0.Add(time.Hour)))
		count(0)
		all, err := lately(t, s, "u1", 10)
		must(t, err)
		if !all[1].SeenAt.Equal(t0.Add(time.Minute)) {
			t.Errorf("seen at %s", all[1].SeenAt)
		}
	})
}

func TestSignInsAreSwept(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		people(t, s, "ada")
		for i := range 5 {
			v := proven("u1", t0.Add(time.Duration(i)*time.Hour), SignedIn)
			v.Network = fmt.Sprint(i)
			record(t, s, v)
		}
		for _, more := range []bool{true, false} {
			if got, err := s.SweepSignIns(ctx, t0.Add(3*time.Hour), t0.Add(time.Hour), 2); err != nil || got != more {
				t.Errorf("more %t, %v; want %t", got, err, more)
			}
		}
		all, err := lately(t, s, "u1", 10)
		must(t, err)
		if len(all) != 2 {
			t.Errorf("%d sign-ins left", len(all))
		}
		known, err := s.KnownContexts(ctx, "u1")
		must(t, err)
		if len(known) != 4 || known[3].Network != "1" {
			t.Errorf("pairs left: %+v", known)
		}
		if !history(t, s, "u1").Before {
			t.Error("it is forgotten that there was a sign-in")
		}
	})
}

func TestSignInsGoWithTheirPerson(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		people(t, s, "ada", "eve", "bob")
		for _, user := range []string{"u1", "u2", "u3"} {
			record(t, s, proven(user, t0, SignedIn))
		}
		must(t, s.DeleteUser(ctx, "ada"))
		must(t, s.DeletePerson(ctx, "u3", agree))
		for user, want := range map[string]int{"u1": 0, "u2": 1, "u3": 0} {
			all, err := lately(t, s, user, 10)
			must(t, err)
			known, err := s.KnownContexts(ctx, user)
			must(t, err)
			if len(all) != want || len(known) != want {
				t.Errorf("%s: %d sign-ins, %d pairs", user, len(all), len(known))
			}
		}
	})
}

// Many at once lose nothing, and make one pair.
func TestSignInsAtOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		people(t, s, "ada")
		var all sync.WaitGroup
		numbers := make([]int64, 8)
		for i := range numbers {
			all.Go(func() {
				var err error
				if numbers[i], err = s.RecordSignIn(ctx, proven("u1", t0, SignedIn)); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		slices.Sort(numbers)
		if len(slices.Compact(numbers)) != 8 || numbers[0] == 0 {
			t.Errorf("numbers %v", numbers)
		}
		if got := history(t, s, "u1"); len(got.Contexts) != 1 || len(got.SignIns) != 8 {
			t.Errorf("%+v", got)
		}
	})
}

func TestContextsAreForgotten(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		people(t, s, "ada", "eve")
		from := func(user, network string, weak bool) {
			_, err := s.RecordSignIn(t.Context(), SignIn{UserID: user, At: t0, Outcome: SignedIn, Network: network, Agent: "a", Methods: []string{"pwd"}, Weak: weak})
			must(t, err)
		}
		known := func(user string) string {
			all, err := s.KnownContexts(t.Context(), user)
			must(t, err)
			var names string
			for _, c := range all {
				names += c.Network + " "
			}
			return names
		}
		from("u1", "here", false)
		from("u1", "weak", true)
		from("u1", "here", true)
		if got := known("u1"); got != "here " {
			t.Errorf("known: %q", got)
		}
		from("u1", "there", false)
		from("u2", "there", false)
		_, err := s.EndOthers(t.Context(), "u1", Hash{}, Place{"here", "a"})
		must(t, err)
		if got := known("u1") + known("u2"); got != "here there " {
			t.Errorf("left: %q", got)
		}
	})
}
