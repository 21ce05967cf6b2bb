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

// An approval is for what the person saw, and what is remembered must be there.
func TestApprovalOfWhatChanged(t *testing.T) {
	for name, row := range map[string]struct {
		remembered bool
		before     func(context.Context, *DB) error
		want       error
	}{
		"as it was": {false, func(context.Context, *DB) error { return nil }, nil},
		"replaced": {false, func(ctx context.Context, s *DB) error {
			return s.ReplaceClient(ctx, Client{ID: "c1", Name: "new"}, false)
		}, ErrChanged},
		"replaced by same": {false, func(ctx context.Context, s *DB) error {
			return s.ReplaceClient(ctx, Client{ID: "c1", Name: "old"}, true)
		}, nil},
		"client gone":   {false, func(ctx context.Context, s *DB) error { return s.DeleteClient(ctx, "c1") }, ErrChanged},
		"person gone":   {false, func(ctx context.Context, s *DB) error { return s.DeleteUser(ctx, "ada") }, ErrNotFound},
		"never allowed": {true, func(context.Context, *DB) error { return nil }, ErrChanged},
		"remembered":    {true, func(ctx context.Context, s *DB) error { return s.Approve(ctx, request("before", "", false)) }, nil},
		"for another scope": {true, func(ctx context.Context, s *DB) error {
			a := request("before", "", false)
			a.Consent.Scope = []string{"b"}
			return s.Approve(ctx, a)
		}, ErrChanged},
		"taken back": {true, func(ctx context.Context, s *DB) error {
			return errors.Join(s.Approve(ctx, request("before", "", false)), s.Forget(ctx, "u1", "c1", t0))
		}, ErrChanged},
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, open opener) {
				s := open(t)
				a := request("1", registered(t, s), row.remembered)
				must(t, row.before(t.Context(), s))
				want(t, s.Approve(t.Context(), a), row.want)
				if _, err := s.Grant(t.Context(), a.Grant.ID); (err == nil) != (row.want == nil) {
					t.Errorf("grant: %v", err)
				}
				if err := s.Spend(t.Context(), a.Request, t0); (err == nil) != (row.want != nil) {
					t.Errorf("the request was spent: %v", err)
				}
			})
		})
	}
}

func TestDeviceOfAClientThatChanged(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		version := registered(t, s)
		d := waiting(t, s, "1")
		must(t, s.ReplaceClient(t.Context(), Client{ID: "c1", Name: "new"}, false))
		want(t, s.AllowDevice(t.Context(), d.Hash, deviceGrant("1"), version), ErrChanged)
		c, err := s.Client(t.Context(), "c1")
		must(t, err)
		must(t, s.AllowDevice(t.Context(), d.Hash, deviceGrant("1"), c.Version))
	})
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
