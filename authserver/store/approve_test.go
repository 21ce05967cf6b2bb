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

// request is an approval of ada and c1 that nobody has written yet.
func request(name, version string, remembered bool) Approval {
	return Approval{
		Request: h("request " + name), RequestUntil: t0.Add(time.Minute), Version: version, Remembered: remembered,
		Consent: Consent{UserID: "u1", ClientID: "c1", RedirectHost: "host", Resource: "r", Scope: []string{"a"}},
		Grant:   Grant{ID: "grant " + name, ClientID: "c1", UserID: "u1", Resource: "r", Scope: []string{"a"}, CreatedAt: t0, ExpiresAt: t0.Add(time.Minute)},
		Code:    Code{Hash: h("code " + name), GrantID: "grant " + name, ExpiresAt: t0.Add(time.Minute)},
	}
}

func registered(t *testing.T, s *DB) (version string) {
	t.Helper()
	must(t, s.AddUser(t.Context(), User{ID: "u1", Name: "ada"}, t0))
	must(t, s.AddClient(t.Context(), Client{ID: "c1", Name: "old", CreatedAt: t0}, 10))
	c, err := s.Client(t.Context(), "c1")
	must(t, err)
	return c.Version
}

// A client that is replaced beside approvals: no consent to what it was is left,
// and no grant of one who proved itself otherwise.
func TestReplacementBesideApprovals(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		version := registered(t, s)
		var all sync.WaitGroup
		for i := range 16 {
			all.Go(func() {
				err := s.Approve(context.Background(), request(fmt.Sprint(i), version, false))
				if err != nil && !errors.Is(err, ErrChanged) {
					t.Error(err)
				}
			})
		}
		all.Go(func() {
			if err := s.ReplaceClient(context.Background(), Client{ID: "c1", Name: "new"}, true); err != nil {
				t.Error(err)
			}
		})
		all.Wait()
		var consents, grants int
		must(t, s.read.QueryRow("SELECT (SELECT count(*) FROM consents), (SELECT count(*) FROM grants)").Scan(&consents, &grants))
		if consents != 0 || grants != 0 {
			t.Errorf("%d consents and %d grants are left", consents, grants)
		}
	})
}

// One person, many windows: each answer counts, and the consent is of all.
func TestManyApprovalsAtOnce(t *testing.T) {
	for kind, address := range map[string]string{"sqlite": newFile(t), "postgres": newDatabase(t) + "&pool_max_conns=80"} {
		s := openURL(t, address)
		version := registered(t, s)
		var all sync.WaitGroup
		for i := range 120 {
			all.Go(func() {
				a := request(fmt.Sprint(i), version, false)
				a.Consent.Scope = []string{"a", fmt.Sprint("s", i%7)}
				if err := s.Approve(context.Background(), a); err != nil {
					t.Errorf("%s: %v", kind, err)
				}
			})
		}
		all.Wait()
		held, err := s.Consent(t.Context(), request("", "", false).Consent)
		if err != nil || !slices.Equal(held, []string{"a", "s0", "s1", "s2", "s3", "s4", "s5", "s6"}) {
			t.Errorf("%s: consent to %q, %v", kind, held, err)
		}
	}
}
