package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
)

// Codes is the suite of authorization codes, and of the approvals they are for.
func Codes(t *testing.T, open Opener) {
	t.Run("all or nothing", func(t *testing.T) { approvalIsAllOrNothing(t, open(t)) })
	t.Run("what changed", func(t *testing.T) { approvalOfWhatChanged(t, open) })
	t.Run("one code for two grants", func(t *testing.T) { oneCodeForTwo(t, open(t)) })
	t.Run("kept whole", func(t *testing.T) { codeIsKeptWhole(t, open(t)) })
	t.Run("redeemed once", func(t *testing.T) { RedeemOnce(t, "1", 8, open(t)) })
	t.Run("of an ended grant", func(t *testing.T) { codeOfAnEndedGrant(t, open(t)) })
}

// Approval is one of person u1 and client c1, for a minute.
func Approval(name string, scope ...string) store.Approval {
	return store.Approval{
		Request: Named("request " + name), RequestUntil: Now.Add(time.Minute),
		Consent: store.Consent{UserID: "u1", ClientID: "c1", RedirectHost: "host", Resource: "r", Scope: scope},
		Grant: store.Grant{ID: "grant " + name, ClientID: "c1", UserID: "u1", Resource: "r", Scope: scope, AuthTime: Now, CreatedAt: Now,
			ExpiresAt: Now.Add(time.Minute)},
		Code: store.Code{Hash: Named("code " + name), GrantID: "grant " + name, RedirectURI: "https://a/", Challenge: "ch", Thumbprint: "jkt",
			Nonce: "n", ExpiresAt: Now.Add(time.Minute)},
	}
}

// Approve writes such an approval, of a person who may be there already.
func Approve(t *testing.T, s Store, name string, scope ...string) store.Approval {
	t.Helper()
	_ = s.AddUser(t.Context(), store.User{ID: "u1", Name: "ada", PasswordHash: "x"}, Now)
	a := Approval(name, scope...)
	must(t, s.Approve(t.Context(), a))
	return a
}

// token is an access token of a grant.
func token(id, grant string) store.AccessToken {
	return store.AccessToken{ID: id, GrantID: grant, ClientID: "c1", Subject: "u1", ExpiresAt: Now.Add(time.Minute)}
}

func codeIsKeptWhole(t *testing.T, s Store) {
	a := Approve(t, s, "1", "a")
	if got, err := s.Code(t.Context(), a.Code.Hash); err != nil || got != a.Code {
		t.Errorf("got %+v, %v, want %+v", got, err, a.Code)
	}
	_, err := s.Code(t.Context(), Named("another"))
	want(t, err, store.ErrNotFound)
}

// RedeemOnce redeems a code of this name many times at once, at each of some stores of one
// place: it happens once, and gives one set of tokens.
func RedeemOnce(t *testing.T, name string, times int, at ...Store) {
	t.Helper()
	a := Approve(t, at[0], name, "a")
	var won atomic.Int32
	var all sync.WaitGroup
	hash := func(i int) store.Hash { return Named(fmt.Sprint("refresh ", name, i)) }
	for i := range times {
		all.Go(func() {
			s := at[i%len(at)]
			code, err := s.Code(context.Background(), a.Code.Hash)
			if err == nil {
				first := store.RefreshToken{Hash: hash(i), GrantID: a.Grant.ID, ExpiresAt: Now}
				_, err = s.Redeem(context.Background(), code, &first, token(fmt.Sprint("access ", name, i), a.Grant.ID), Now, Now.Add(time.Hour))
			}
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, store.ErrSpent) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d redemptions", won.Load())
	}
	var refreshes, accesses int
	for i := range times {
		if _, err := at[0].Refresh(t.Context(), hash(i)); err == nil {
			refreshes++
		}
		if _, err := at[0].AccessToken(t.Context(), fmt.Sprint("access ", name, i)); err == nil {
			accesses++
		}
	}
	if refreshes != 1 || accesses != 1 {
		t.Errorf("%d refresh tokens and %d access tokens", refreshes, accesses)
	}
	if got, err := at[0].Code(t.Context(), a.Code.Hash); err != nil || got != a.Code {
		t.Errorf("a spent code is %+v, %v", got, err)
	}
}

// A revocation that comes between look and write wins.
func codeOfAnEndedGrant(t *testing.T, s Store) {
	a := Approve(t, s, "1", "a")
	must(t, s.RevokeGrant(t.Context(), a.Grant.ID, Now))
	_, err := s.Redeem(t.Context(), a.Code, nil, token("j", a.Grant.ID), Now, Now)
	want(t, err, store.ErrNotFound)
	b := Approve(t, s, "2", "a")
	must(t, s.DeleteUser(t.Context(), "ada"))
	_, err = s.Redeem(t.Context(), b.Code, nil, token("k", b.Grant.ID), Now, Now)
	want(t, err, store.ErrNotFound)
}

func approvalIsAllOrNothing(t *testing.T, s Store) {
	a := Approve(t, s, "1", "b", "a")
	holds := func(wanted string) {
		t.Helper()
		if held, err := s.Consent(t.Context(), a.Consent); err != nil || strings.Join(held, " ") != wanted {
			t.Errorf("held %v, %v, want %s", held, err, wanted)
		}
	}
	holds("a b")
	again := Approval("2", "c")
	again.Request = a.Request
	want(t, s.Approve(t.Context(), again), store.ErrSpent)
	holds("a b")
	_, err := s.Grant(t.Context(), again.Grant.ID)
	want(t, err, store.ErrNotFound)
	_, err = s.Redeem(t.Context(), again.Code, nil, token("j", again.Grant.ID), Now, Now)
	want(t, err, store.ErrNotFound)
	other := a.Consent
	other.RedirectHost = "another"
	if held, err := s.Consent(t.Context(), other); err != nil || held != nil {
		t.Errorf("another host holds %v, %v", held, err)
	}
}

func oneCodeForTwo(t *testing.T, s Store) {
	a := Approve(t, s, "1", "a")
	again := Approval("2", "c")
	again.Code.Hash = a.Code.Hash
	if err := s.Approve(t.Context(), again); err == nil {
		t.Fatal("two grants with one code")
	}
	if held, _ := s.Consent(t.Context(), a.Consent); strings.Join(held, " ") != "a" {
		t.Errorf("consent grew in an approval that failed: %v", held)
	}
	_, err := s.Grant(t.Context(), again.Grant.ID)
	want(t, err, store.ErrNotFound)
	must(t, s.Spend(t.Context(), again.Request, Now)) // not spent by the failure
	want(t, s.Spend(t.Context(), again.Request, Now), store.ErrSpent)
}

// An approval is for what the person saw, and what is remembered must be there.
func approvalOfWhatChanged(t *testing.T, open Opener) {
	for name, row := range map[string]struct {
		remembered bool
		before     func(context.Context, Store) error
		want       error
	}{
		"as it was": {false, func(context.Context, Store) error { return nil }, nil},
		"replaced": {false, func(ctx context.Context, s Store) error {
			return s.ReplaceClient(ctx, store.Client{ID: "c1", Name: "new"}, false)
		}, store.ErrChanged},
		"replaced by same": {false, func(ctx context.Context, s Store) error {
			return s.ReplaceClient(ctx, store.Client{ID: "c1", Name: "old"}, true)
		}, nil},
		"client gone":   {false, func(ctx context.Context, s Store) error { return s.DeleteClient(ctx, "c1") }, store.ErrChanged},
		"person gone":   {false, func(ctx context.Context, s Store) error { return s.DeleteUser(ctx, "ada") }, store.ErrNotFound},
		"never allowed": {true, func(context.Context, Store) error { return nil }, store.ErrChanged},
		"remembered":    {true, func(ctx context.Context, s Store) error { return s.Approve(ctx, Approval("before", "a")) }, nil},
		"for another scope": {true, func(ctx context.Context, s Store) error {
			return s.Approve(ctx, Approval("before", "b"))
		}, store.ErrChanged},
		"taken back": {true, func(ctx context.Context, s Store) error {
			return errors.Join(s.Approve(ctx, Approval("before", "a")), s.Forget(ctx, "u1", "c1", Now))
		}, store.ErrChanged},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			a := Approval("1", "a")
			a.Version, a.Remembered = registered(t, s), row.remembered
			must(t, row.before(t.Context(), s))
			want(t, s.Approve(t.Context(), a), row.want)
			if _, err := s.Grant(t.Context(), a.Grant.ID); (err == nil) != (row.want == nil) {
				t.Errorf("grant: %v", err)
			}
			if err := s.Spend(t.Context(), a.Request, Now); (err == nil) != (row.want != nil) {
				t.Errorf("the request was spent: %v", err)
			}
		})
	}
}

// registered adds person u1 and client c1.
func registered(t *testing.T, s Store) (version string) {
	t.Helper()
	must(t, s.AddUser(t.Context(), store.User{ID: "u1", Name: "ada"}, Now))
	must(t, s.AddClient(t.Context(), store.Client{ID: "c1", Name: "old", CreatedAt: Now}, 10))
	c, err := s.Client(t.Context(), "c1")
	must(t, err)
	return c.Version
}
