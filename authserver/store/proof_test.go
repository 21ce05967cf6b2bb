package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// lasting is what an administrator does that outlives their session. Each is done
// by u1, to others.
var lasting = map[string]func(context.Context, *DB) error{
	"an invitation": func(ctx context.Context, s *DB) error {
		v := invitation("i", "admin")
		v.CreatedBy = MadeBy(KindPerson, "u1")
		return s.AddTicket(ctx, v)
	},
	"a link for a password": func(ctx context.Context, s *DB) error {
		return s.AddReset(ctx, Ticket{Hash: h("p"), Purpose: PasswordReset, UserID: "u2", CreatedBy: MadeBy(KindPerson, "u1"), ExpiresAt: t0.Add(time.Hour)}, agree)
	},
	"a person": func(ctx context.Context, s *DB) error {
		return s.AddPerson(ctx, User{ID: "u3", Name: "mallory", PasswordHash: "x"}, []string{"admin"}, t0)
	},
	"a password": func(ctx context.Context, s *DB) error {
		return s.ChangePerson(ctx, "u2", t0, func(p Person) (User, error) { p.PasswordHash = "y"; return p.User, nil })
	},
	"roles": func(ctx context.Context, s *DB) error {
		return s.GiveRoles(ctx, "u2", []string{"admin"}, t0, agree, none)
	},
	"factors":       func(ctx context.Context, s *DB) error { return s.RemoveFactors(ctx, "u2", "all", agree) },
	"a person gone": func(ctx context.Context, s *DB) error { return s.DeletePerson(ctx, "u2", agree) },
	"a client": func(ctx context.Context, s *DB) error {
		return s.AddStored(ctx, Client{ID: "s2", CreatedAt: t0}, []string{"admin"})
	},
	"a secret": func(ctx context.Context, s *DB) error {
		return s.ChangeClient(ctx, "s1", t0, func(was Stored) (ClientChange, error) {
			was.SecretHash = []byte("y")
			return ClientChange{Client: was.Client, Roles: was.Roles}, nil
		})
	},
	"a client gone": func(ctx context.Context, s *DB) error { return s.DeleteClient(ctx, "s1") },
	"a signing key": func(ctx context.Context, s *DB) error {
		return s.AddSigningKey(ctx, SigningKey{ID: "k2", Number: 2, Sealed: []byte{1}, CreatedAt: t0})
	},
	"a key hastened":                 func(ctx context.Context, s *DB) error { return s.HastenSigningKey(ctx, "k1", t0) },
	"sessions":                       func(ctx context.Context, s *DB) error { return failed(s.EndSessions(ctx, "u2", Hash{})) },
	"a session":                      func(ctx context.Context, s *DB) error { return s.EndSession(ctx, h("hers"), time.Time{}) },
	"a token":                        func(ctx context.Context, s *DB) error { return s.RevokeToken(ctx, "hers") },
	"a grant":                        func(ctx context.Context, s *DB) error { return s.RevokeGrant(ctx, "hers", t0) },
	"their own sessions but another": func(ctx context.Context, s *DB) error { return failed(s.EndOthers(ctx, "u1", h("thief"), Place{})) },
}

// staff are ada, who administers, with two access tokens, and whom that is about.
func staff(t *testing.T, s *DB) {
	t.Helper()
	ctx := t.Context()
	a := approve(t, s, "1", "a")
	must(t, s.AddPerson(ctx, User{ID: "u2", Name: "eve", PasswordHash: "x"}, nil, t0))
	must(t, s.AddStored(ctx, Client{ID: "s1", Name: "robot", CreatedAt: t0, SecretHash: []byte("x")}, nil))
	must(t, s.AddSigningKey(ctx, SigningKey{ID: "k1", Number: 1, Sealed: []byte{1}, CreatedAt: t0, SignsFrom: t0.Add(time.Hour)}))
	must(t, s.StartSession(ctx, Session{Hash: h("hers"), UserID: "u2", CreatedAt: t0, ExpiresAt: t0.Add(time.Hour)}, Hash{}))
	for _, id := range []string{"held", "of an ended grant"} {
		must(t, failed(s.Issue(ctx, AccessToken{ID: id, GrantID: a.Grant.ID, ClientID: "c1", Subject: "u1", ExpiresAt: t0.Add(time.Hour)})))
	}
}

// everything is what all of it changes.
func (s *DB) everything(t *testing.T) string {
	t.Helper()
	var all []string
	for _, query := range []string{
		"SELECT name || password_hash || era FROM users WHERE id <> 'u1'", "SELECT user_id || role FROM user_roles", "SELECT purpose || user_id FROM tickets",
		"SELECT id || CAST(length(secret_hash) AS TEXT) FROM clients", "SELECT client_id || role FROM client_roles", "SELECT id || signs_from FROM signing_keys",
		"SELECT user_id FROM sessions", "SELECT CAST(place AS TEXT) FROM revocations", "SELECT value FROM endings",
	} {
		found, err := s.words(t.Context(), query)
		must(t, err)
		slices.Sort(found)
		all = append(all, fmt.Sprint(found))
	}
	return fmt.Sprint(all)
}

// What an administrator asks for is not done any more once what they showed has
// ended, though it was good when they were let in.
func TestNothingIsWrittenOnAProofThatEnded(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		for name, do := range lasting {
			s := open(t)
			staff(t, s)
			must(t, s.RevokeToken(t.Context(), "of an ended grant"))
			before, era := s.everything(t), s.eraOf(t, "u1")
			for what, p := range map[string]Proof{
				"of another era": {User: "u1", Era: era + 1}, "of nobody": {User: "u9"}, "a token that is revoked": {User: "u1", Era: era, Token: "of an ended grant"},
				"a token of nobody": {Token: "none"},
			} {
				want(t, do(On(t.Context(), p), s), ErrSpent)
				if after := s.everything(t); after != before {
					t.Errorf("%s, by a proof %s: was %s, is %s", name, what, before, after)
				}
			}
			must(t, do(On(t.Context(), Proof{User: "u1", Era: era, Token: "held"}), s))
		}
	})
}

// Of all ways in which what somebody proved ends, none lets them go on.
func TestProofsEnd(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		for name, end := range ended {
			s := open(t)
			staff(t, s)
			then := On(t.Context(), Proof{User: "u1"})
			must(t, lasting["a person"](then, s))
			must(t, end(t, s))
			if err := s.AddTicket(then, invitation("late", "admin")); !errors.Is(err, ErrSpent) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// Of links that a thief makes while the owner signs them out, none is left.
func TestLinksRaceTheEndOfTheirMaker(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		staff(t, s)
		for round := range 10 {
			then := On(ctx, Proof{User: "u1", Era: s.eraOf(t, "u1")})
			var all sync.WaitGroup
			for i := range 6 {
				link := invitation(fmt.Sprint(round, " ", i), "admin")
				link.CreatedBy = MadeBy(KindPerson, "u1")
				all.Go(func() { _ = s.AddTicket(then, link) })
				reset := link
				reset.Hash, reset.Purpose, reset.UserID = h(fmt.Sprint("r ", round, " ", i)), PasswordReset, "u2"
				all.Go(func() { _ = s.AddReset(then, reset, agree) })
			}
			all.Go(func() { must(t, failed(s.EndOthers(ctx, "u1", h("owner"), Place{}))) })
			all.Wait()
			for _, p := range []Purpose{Invitation, PasswordReset} {
				if left, err := s.Tickets(ctx, p, t0); len(left) > 0 || err != nil {
					t.Fatalf("left: %d, %v", len(left), err)
				}
			}
		}
	})
}
