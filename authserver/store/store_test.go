package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var t0 = time.UnixMilli(1_800_000_000_123).UTC()

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("got %v, want %v", err, target)
	}
}

func h(s string) Hash {
	var v Hash
	copy(v[:], s)
	return v
}

// approve writes a whole approval of user u1 and client c1.
func approve(t *testing.T, s *DB, name string, scope ...string) Approval {
	t.Helper()
	_ = s.AddUser(t.Context(), User{ID: "u1", Name: "ada", PasswordHash: "x"}, t0)
	a := Approval{
		Request: h("request " + name), RequestUntil: t0.Add(time.Minute),
		Consent: Consent{UserID: "u1", ClientID: "c1", RedirectHost: "host", Resource: "r", Scope: scope},
		Grant:   Grant{ID: "grant " + name, ClientID: "c1", UserID: "u1", Resource: "r", Scope: scope, AuthTime: t0, CreatedAt: t0, ExpiresAt: t0.Add(time.Minute)},
		Code:    Code{Hash: h("code " + name), GrantID: "grant " + name, RedirectURI: "https://a/", Challenge: "ch", Thumbprint: "jkt", ExpiresAt: t0.Add(time.Minute)},
	}
	must(t, s.Approve(t.Context(), a))
	return a
}

func (s *DB) eraOf(t *testing.T, id string) int64 {
	t.Helper()
	u, err := s.UserByID(t.Context(), id)
	must(t, err)
	return u.Era
}

func TestOpen(t *testing.T) {
	for _, u := range []string{"", "sqlite:", "mysql://localhost/x", "file:x", "sqlite:/nowhere/at/all/x.db"} {
		if _, err := Open(t.Context(), u); err == nil {
			t.Errorf("%q: opened", u)
		}
	}
	path := filepath.Join(t.TempDir(), "x.db")
	must(t, os.WriteFile(path, []byte(strings.Repeat("not a database ", 100)), 0o600))
	if _, err := Open(t.Context(), "sqlite:"+path); err == nil {
		t.Error("opened a file that is no database")
	}
}

func TestTwoProcessesOpenOneFile(t *testing.T) {
	path := "sqlite:" + filepath.Join(t.TempDir(), "x.db")
	var all sync.WaitGroup
	var first atomic.Int32
	for i := range 4 {
		all.Go(func() {
			s, err := Open(context.Background(), path)
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			if err := s.AddSigningKey(context.Background(), someKey(string(rune('a'+i)), 1)); err == nil {
				first.Add(1)
			} else if !errors.Is(err, ErrExists) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if first.Load() != 1 {
		t.Errorf("%d first keys", first.Load())
	}
}

func TestPragmasHold(t *testing.T) {
	s := openFile(t)
	for pragma, want := range map[string]string{"journal_mode": "wal", "foreign_keys": "1", "synchronous": "2", "busy_timeout": "5000"} {
		var r, w string
		must(t, s.read.QueryRow("PRAGMA "+pragma).Scan(&r))
		must(t, s.write.QueryRow("PRAGMA "+pragma).Scan(&w))
		if r != want || w != want {
			t.Errorf("%s: %s, %s", pragma, r, w)
		}
	}
}

func TestClients(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		c := Client{ID: "c1", SecretHash: []byte("hash"), Name: "n", AuthMethod: "none", Redirects: []string{"https://a/"}, Grants: []string{"g"},
			Scope: []string{"a"}, Bounded: true, Resources: []string{"r"}, DPoPBound: true, Type: "web", URI: "https://a/", CreatedAt: t0}
		must(t, s.AddClient(t.Context(), c, 10))
		want(t, s.AddClient(t.Context(), c, 10), ErrExists)
		got, err := s.Client(t.Context(), "c1")
		must(t, err)
		if got.Name != "n" || string(got.SecretHash) != "hash" || !got.Bounded || !got.DPoPBound || got.Dynamic || !got.CreatedAt.Equal(t0) || len(got.Redirects) != 1 || got.Resources[0] != "r" {
			t.Errorf("got %+v", got)
		}
		_, err = s.Client(t.Context(), "C1")
		want(t, err, ErrNotFound)
	})
}

func TestPeople(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		u := User{ID: "u1", Name: "ada", PasswordHash: "x", FullName: "Ada L.", Email: "ada@example.com", EmailVerified: true}
		must(t, s.AddUser(t.Context(), u, t0))
		u.CreatedAt, u.PasswordAt = t0, t0
		for _, find := range []func() (User, error){
			func() (User, error) { return s.User(t.Context(), "ada") },
			func() (User, error) { return s.UserByID(t.Context(), "u1") },
		} {
			if got, err := find(); err != nil || got != u {
				t.Errorf("got %+v, %v, want %+v", got, err, u)
			}
		}
		_, err := s.UserByID(t.Context(), "u2")
		want(t, err, ErrNotFound)
	})
}

func TestConsentGrows(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		approve(t, s, "1", "a", "b")
		a := approve(t, s, "2", "b", "c")
		if held, _ := s.Consent(t.Context(), a.Consent); strings.Join(held, " ") != "a b c" {
			t.Errorf("held %v", held)
		}
		none := approve(t, s, "3")
		none.Consent.ClientID = "c9"
		none.Grant.ID, none.Request, none.Code.Hash = "grant 9", h("request 9"), h("code 9")
		must(t, s.Approve(t.Context(), none))
		if held, _ := s.Consent(t.Context(), none.Consent); held == nil || len(held) != 0 {
			t.Errorf("a consent to no scope is %v", held)
		}
	})
}

func TestRotateOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		a := approve(t, s, "1", "a")
		first := RefreshToken{Hash: h("r1"), GrantID: a.Grant.ID, Thumbprint: "k", ExpiresAt: t0.Add(time.Hour)}
		must(t, placed(s.Redeem(t.Context(), a.Code, &first, ofGrant(a, first.Hash), t0, t0)))
		second := RefreshToken{Hash: h("r2"), GrantID: a.Grant.ID, ExpiresAt: t0.Add(time.Hour)}
		must(t, placed(s.Rotate(t.Context(), first.Hash, []byte("sealed"), second, ofGrant(a, second.Hash), t0, t0.Add(time.Hour))))
		want(t, placed(s.Rotate(t.Context(), first.Hash, nil, RefreshToken{Hash: h("r3"), GrantID: a.Grant.ID}, ofGrant(a, h("r3")), t0, t0)), ErrSpent)
		got, err := s.Refresh(t.Context(), first.Hash)
		if err != nil || !got.UsedAt.Equal(t0) || string(got.Successor) != "sealed" || got.Thumbprint != "k" {
			t.Errorf("got %+v, %v", got, err)
		}
		_, err = s.Refresh(t.Context(), h("r3"))
		want(t, err, ErrNotFound)
		second.ExpiresAt = t0.Add(2 * time.Hour)
		must(t, placed(s.Extend(t.Context(), second, ofGrant(a, h("again")), t0.Add(3*time.Hour))))
		if got, _ := s.Refresh(t.Context(), second.Hash); !got.ExpiresAt.Equal(second.ExpiresAt) {
			t.Errorf("got %+v", got)
		}
		if g, _ := s.Grant(t.Context(), a.Grant.ID); !g.ExpiresAt.Equal(t0.Add(3 * time.Hour)) {
			t.Errorf("got %+v", g)
		}
	})
}

// A revocation that comes between look and write wins.
func TestRevokedGrantHandsOutNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		a := approve(t, s, "1", "a")
		first := RefreshToken{Hash: h("r1"), GrantID: a.Grant.ID, ExpiresAt: t0.Add(time.Hour)}
		must(t, placed(s.Redeem(t.Context(), a.Code, &first, ofGrant(a, first.Hash), t0, t0)))
		b := approve(t, s, "2", "a")
		must(t, s.RevokeGrant(t.Context(), a.Grant.ID, t0))
		must(t, s.RevokeGrant(t.Context(), b.Grant.ID, t0))
		want(t, placed(s.Rotate(t.Context(), first.Hash, nil, RefreshToken{Hash: h("r2"), GrantID: a.Grant.ID}, ofGrant(a, h("r2")), t0, t0)), ErrNotFound)
		want(t, placed(s.Extend(t.Context(), first, ofGrant(a, h("r2")), t0)), ErrNotFound)
		want(t, placed(s.Issue(t.Context(), ofGrant(a, h("r2")))), ErrNotFound)
		want(t, placed(s.Redeem(t.Context(), b.Code, nil, ofGrant(b, h("r2")), t0, t0)), ErrNotFound)
		if g, err := s.Grant(t.Context(), a.Grant.ID); err != nil || !g.Revoked {
			t.Errorf("got %+v, %v", g, err)
		}
	})
}

func TestSweep(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		a := approve(t, s, "1", "a")
		must(t, placed(s.Redeem(t.Context(), a.Code, &RefreshToken{Hash: h("r1"), GrantID: a.Grant.ID}, ofGrant(a, h("r1")), t0, t0.Add(time.Minute))))
		for i := range 5 {
			must(t, placed(s.Issue(t.Context(), ofGrant(a, h(string(rune('a'+i)))))))
			must(t, s.AddClient(t.Context(), Client{ID: string(rune('a' + i)), Dynamic: true, CreatedAt: t0}, 100))
		}
		must(t, s.StartSession(t.Context(), Session{Hash: h("s"), UserID: "u1", ExpiresAt: t0.Add(time.Minute)}, Hash{}))
		count := func() (n int) {
			for _, table := range []string{"sessions", "spent_requests", "access_tokens", "revocations", "grants", "codes", "refresh_tokens", "clients"} {
				var k int
				must(t, s.read.QueryRow("SELECT count(*) FROM "+table).Scan(&k))
				n += k
			}
			return n
		}
		must(t, s.RevokeGrant(t.Context(), a.Grant.ID, t0))
		before := count()
		if more, err := s.Sweep(t.Context(), t0, t0, 2); more || err != nil || count() != before {
			t.Errorf("before anything is due: %v %v, %d of %d rows left", more, err, count(), before)
		}
		rounds := 1
		for ; ; rounds++ {
			more, err := s.Sweep(t.Context(), t0.Add(time.Hour), t0.Add(time.Hour), 2)
			must(t, err)
			if !more {
				break
			}
		}
		if rounds != 4 || count() != 0 {
			t.Errorf("%d rounds, %d rows left", rounds, count())
		}
		if held, err := s.Consent(t.Context(), a.Consent); err != nil || held == nil {
			t.Errorf("the consent is gone: %v", err)
		}
	})
}

func TestFailuresAreErrors(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		must(t, s.Ping(t.Context()))
		must(t, s.Close())
		if s.Ping(t.Context()) == nil {
			t.Error("a closed store answers")
		}
		if _, err := s.AccessToken(t.Context(), "x"); err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("a closed store says of a token %v", err)
		}
		if _, err := s.RevokedPlaces(t.Context(), 0, 10); err == nil {
			t.Error("a closed store says what is revoked")
		}
		if err := s.RevokeToken(t.Context(), "x"); err == nil {
			t.Error("a closed store has revoked")
		}
		if held, err := s.Consent(t.Context(), Consent{}); err == nil || held != nil {
			t.Error("a closed store knows a consent")
		}
		if _, err := s.Client(t.Context(), "x"); err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("a closed store says %v", err)
		}
	})
}

func TestRelativePath(t *testing.T) {
	t.Chdir(t.TempDir())
	must(t, os.Mkdir("state", 0o700))
	s, err := Open(t.Context(), "sqlite:./state/auth.db")
	must(t, err)
	must(t, s.AddSigningKey(t.Context(), someKey("k", 1)))
	must(t, s.Close())
	again, err := Open(t.Context(), "sqlite:state/auth.db")
	must(t, err)
	defer again.Close()
	if keys, err := again.SigningKeys(t.Context()); err != nil || len(keys) != 1 {
		t.Errorf("got %v, %v", keys, err)
	}
	if info, err := os.Stat("state/auth.db"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info, err)
	}
}
