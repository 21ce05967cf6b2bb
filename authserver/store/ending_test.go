package store

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// manyTokens gives a grant n access tokens at once, with jtis from name and 1 on.
func manyTokens(t *testing.T, s *DB, a Approval, name string, n int) {
	t.Helper()
	_, err := s.write.Exec(`INSERT INTO access_tokens (id, grant_id, client_id, subject, expires_at)
		WITH RECURSIVE counted (i) AS (SELECT CAST(1 AS INTEGER) UNION ALL SELECT i + 1 FROM counted WHERE i < CAST($1 AS INTEGER))
		SELECT $2 || ' ' || i, $3, $4, $5, CAST($6 AS BIGINT) FROM counted`,
		n, name, a.Grant.ID, a.Grant.ClientID, a.Grant.UserID, millis(t0.Add(time.Hour)))
	must(t, err)
}

func (s *DB) revokedOf(t *testing.T, id string) bool {
	t.Helper()
	got, err := s.AccessToken(t.Context(), id)
	must(t, err)
	return got.Revoked
}

// counts are how many tokens are listed as revoked, and how many endings go on.
func (s *DB) counts(t *testing.T) (listed, endings int) {
	t.Helper()
	must(t, s.read.QueryRow("SELECT (SELECT count(*) FROM revocations), (SELECT count(*) FROM endings)").Scan(&listed, &endings))
	return listed, endings
}

// More tokens than are listed at once are all revoked at once, and listed in
// the end, also by another process than the one that ended them.
func TestManyTokensEnd(t *testing.T) {
	const many = endingBatch*batchesAtOnce + endingBatch + 1
	for name, revoke := range map[string]func(*testing.T, *DB) error{
		"a grant":           func(t *testing.T, s *DB) error { return s.RevokeGrant(t.Context(), "grant 1", t0) },
		"tokens of a grant": func(t *testing.T, s *DB) error { return narrow(t, s, "grant 1") },
		"a user":            func(t *testing.T, s *DB) error { return s.DeleteUser(t.Context(), "ada") },
		"a person":          func(t *testing.T, s *DB) error { return s.DeletePerson(t.Context(), "u1", agree) },
		"a client":          func(t *testing.T, s *DB) error { return s.DeleteClient(t.Context(), "c1") },
		"a client, anew":    func(t *testing.T, s *DB) error { return s.ReplaceClient(t.Context(), Client{ID: "c1"}, true) },
		"who is switched off": func(t *testing.T, s *DB) error {
			return s.ChangePerson(t.Context(), "u1", t0, func(p Person) (User, error) { p.DisabledAt = t0; return p.User, nil })
		},
	} {
		t.Run(name, func(t *testing.T) {
			for kind, address := range map[string]string{"sqlite": newFile(t), "postgres": newDatabase(t)} {
				s := openURL(t, address)
				must(t, s.AddClient(t.Context(), Client{ID: "c1", CreatedAt: t0}, 10))
				manyTokens(t, s, approve(t, s, "1", "a"), "j", many)
				other := approve(t, s, "2", "a")
				other.Grant.UserID, other.Grant.ClientID = "u2", "c2"
				manyTokens(t, s, other, "k", 2)
				last := fmt.Sprint("j ", many)
				must(t, revoke(t, s))
				if listed, endings := s.counts(t); listed != endingBatch*batchesAtOnce || endings != 1 {
					t.Errorf("%s: %d listed at first, %d endings", kind, listed, endings)
				}
				if !s.revokedOf(t, "j 1") || !s.revokedOf(t, last) || s.revokedOf(t, "k 1") {
					t.Errorf("%s: the first, the last and another's: %v, %v, %v", kind, s.revokedOf(t, "j 1"), s.revokedOf(t, last), s.revokedOf(t, "k 1"))
				}
				must(t, s.Close())
				again := openURL(t, address)
				for more := true; more; {
					var err error
					more, err = again.ListEnded(t.Context())
					must(t, err)
				}
				if listed, endings := again.counts(t); listed != many || endings != 0 {
					t.Errorf("%s: %d listed in the end, %d endings", kind, listed, endings)
				}
				if !again.revokedOf(t, last) || again.revokedOf(t, "k 1") {
					t.Errorf("%s: the last and another's: %v, %v", kind, again.revokedOf(t, last), again.revokedOf(t, "k 1"))
				}
			}
		})
	}
}

// What is issued after its grant, or its client, was narrowed is not revoked.
func TestEndingEndsWithItself(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		a := approve(t, s, "1", "a")
		manyTokens(t, s, a, "j", endingBatch*batchesAtOnce+1)
		machineToken(t, s, "m1", "before")
		must(t, narrow(t, s, a.Grant.ID))
		must(t, assign(t, s, "m1", "agent"))
		manyTokens(t, s, a, "later", 1)
		machineToken(t, s, "m1", "after")
		more, err := s.ListEnded(t.Context())
		must(t, err)
		if more || s.revokedOf(t, "later 1") || s.revokedOf(t, "after") || !s.revokedOf(t, "before") {
			t.Errorf("more %v, later %v, after %v, before %v", more, s.revokedOf(t, "later 1"), s.revokedOf(t, "after"), s.revokedOf(t, "before"))
		}
	})
}

// Who cannot list, because somebody else does, has revoked all the same.
func TestEndingDoesNotWaitForListing(t *testing.T) {
	address := newDatabase(t)
	s := openURL(t, address+"&lock_timeout=50")
	a := approve(t, s, "1", "a")
	must(t, placed(s.Issue(t.Context(), ofGrant(a, h("x")))))
	hold, err := s.write.Begin()
	must(t, err)
	defer hold.Rollback()
	_, err = hold.Exec(s.dialect.inOrder)
	must(t, err)
	must(t, s.RevokeGrant(t.Context(), a.Grant.ID, t0))
	id := ofGrant(a, h("x")).ID
	if g, err := s.Grant(t.Context(), a.Grant.ID); err != nil || !g.Revoked || !s.revokedOf(t, id) {
		t.Errorf("grant %+v, %v, token revoked: %v", g, err, s.revokedOf(t, id))
	}
	if _, err := s.ListEnded(t.Context()); err == nil {
		t.Error("nobody says that nothing can be listed")
	}
	must(t, hold.Rollback())
	_, err = s.ListEnded(t.Context())
	must(t, err)
	if listed, endings := s.counts(t); listed != 1 || endings != 0 {
		t.Errorf("%d listed, %d endings", listed, endings)
	}
}

// Several processes list together what is many, beside others who revoke.
func TestListingTogether(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		a := approve(t, s, "1", "a")
		const many, single = endingBatch*batchesAtOnce + 5*endingBatch, 20
		manyTokens(t, s, a, "j", many)
		for i := range single {
			machineToken(t, s, "m1", fmt.Sprint("m", i))
		}
		must(t, s.RevokeGrant(t.Context(), a.Grant.ID, t0))
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				for more := true; more; {
					var err error
					if more, err = s.ListEnded(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Go(func() {
			for i := range single {
				if err := s.RevokeToken(t.Context(), fmt.Sprint("m", i)); err != nil {
					t.Error(err)
				}
			}
		})
		all.Wait()
		if listed, endings := s.counts(t); listed != many+single || endings != 0 {
			t.Errorf("%d listed, %d endings", listed, endings)
		}
	})
}

func TestTokensOfAGrantAreBounded(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		a, b := approve(t, s, "1", "a"), approve(t, s, "2", "a")
		manyTokens(t, s, a, "j", mostTokens-1)
		short := ofGrant(a, h("last"))
		short.ExpiresAt = t0.Add(time.Second)
		must(t, placed(s.Issue(t.Context(), short)))
		want(t, placed(s.Issue(t.Context(), ofGrant(a, h("one more")))), ErrFull)
		must(t, placed(s.Issue(t.Context(), ofGrant(b, h("another's")))))
		_, err := s.Sweep(t.Context(), t0.Add(2*time.Second), t0, 10)
		must(t, err)
		must(t, placed(s.Issue(t.Context(), ofGrant(a, h("one more")))))
	})
}
