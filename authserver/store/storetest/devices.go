package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
)

// Devices is the suite of devices that wait for a person's answer.
func Devices(t *testing.T, open Opener) {
	t.Run("kept whole", func(t *testing.T) { deviceIsKeptWhole(t, open(t)) })
	t.Run("answered once", func(t *testing.T) { deviceIsAnsweredOnce(t, open(t)) })
	t.Run("pace", func(t *testing.T) { devicePace(t, open(t)) })
	t.Run("allowed and redeemed once", func(t *testing.T) { DeviceOnce(t, "1", 6, open(t)) })
	t.Run("of an ended grant", func(t *testing.T) { deviceOfAnEndedGrant(t, open(t)) })
	t.Run("of a client that changed", func(t *testing.T) { deviceOfAClientThatChanged(t, open(t)) })
}

// Waiting adds a device that waits for person u1, who may be there already.
func Waiting(t *testing.T, s Store, name string) store.DeviceRequest {
	t.Helper()
	_ = s.AddUser(t.Context(), store.User{ID: "u1", Name: "ada", PasswordHash: "x"}, Now)
	d := store.DeviceRequest{Hash: Named("device " + name), UserCode: Named("code " + name), ClientID: "c1", Resource: "r", Scope: []string{"b", "a"},
		Details: "[]", Thumbprint: "jkt", ExpiresAt: Now.Add(time.Minute), Pace: 5 * time.Second}
	must(t, s.AddDeviceRequest(t.Context(), d))
	return d
}

// DeviceGrant is one of person u1 to client c1 that answers a device.
func DeviceGrant(name string) store.Grant {
	return store.Grant{ID: "device grant " + name, ClientID: "c1", UserID: "u1", Resource: "r", Scope: []string{"a"}, AuthTime: Now, CreatedAt: Now,
		ExpiresAt: Now.Add(time.Minute)}
}

// expectDevice finds a request by both of its hashes.
func expectDevice(t *testing.T, s Store, d store.DeviceRequest) {
	t.Helper()
	for what, find := range map[string]func() (store.DeviceRequest, error){
		"device code": func() (store.DeviceRequest, error) { return s.DeviceRequest(t.Context(), d.Hash) },
		"user code":   func() (store.DeviceRequest, error) { return s.DeviceRequestOf(t.Context(), d.UserCode) },
	} {
		got, err := find()
		if err != nil || !slices.Equal(got.Scope, d.Scope) {
			t.Errorf("by %s: %+v, %v", what, got, err)
		}
		if got.Scope = d.Scope; fmt.Sprint(got) != fmt.Sprint(d) {
			t.Errorf("by %s: %+v, want %+v", what, got, d)
		}
	}
}

func deviceIsKeptWhole(t *testing.T, s Store) {
	d := Waiting(t, s, "1")
	expectDevice(t, s, d)
	_, err := s.DeviceRequest(t.Context(), Named("another"))
	want(t, err, store.ErrNotFound)
	_, err = s.DeviceRequestOf(t.Context(), Named("another"))
	want(t, err, store.ErrNotFound)
	again := d
	again.Hash = Named("device 2")
	want(t, s.AddDeviceRequest(t.Context(), again), store.ErrExists)
	must(t, s.AllowDevice(t.Context(), d.Hash, DeviceGrant("1"), ""))
	d.GrantID = "device grant 1"
	expectDevice(t, s, d)
	want(t, s.AddDeviceRequest(t.Context(), again), store.ErrExists)
	n := Waiting(t, s, "3")
	must(t, s.DenyDevice(t.Context(), n.Hash, Now))
	n.Denied = true
	expectDevice(t, s, n)
}

func deviceIsAnsweredOnce(t *testing.T, s Store) {
	ctx := t.Context()
	d := Waiting(t, s, "1")
	must(t, s.AllowDevice(ctx, d.Hash, DeviceGrant("1"), ""))
	want(t, s.AllowDevice(ctx, d.Hash, DeviceGrant("2"), ""), store.ErrSpent)
	want(t, s.DenyDevice(ctx, d.Hash, Now), store.ErrSpent)
	_, err := s.Grant(ctx, "device grant 2")
	want(t, err, store.ErrNotFound)
	if got, err := s.DeviceRequest(ctx, d.Hash); err != nil || got.GrantID != "device grant 1" {
		t.Errorf("got %+v, %v", got, err)
	}
	n := Waiting(t, s, "2")
	must(t, s.DenyDevice(ctx, n.Hash, Now))
	want(t, s.AllowDevice(ctx, n.Hash, DeviceGrant("3"), ""), store.ErrSpent)
	if got, err := s.DeviceRequest(ctx, n.Hash); err != nil || !got.Denied {
		t.Errorf("got %+v, %v", got, err)
	}
	want(t, s.AllowDevice(ctx, Named("nobody"), DeviceGrant("4"), ""), store.ErrSpent)
	want(t, s.DenyDevice(ctx, Named("nobody"), Now), store.ErrSpent)
	_, err = s.Grant(ctx, "device grant 4")
	want(t, err, store.ErrNotFound)
}

// Every question asked too soon makes the pace slower, and starts the wait anew.
func devicePace(t *testing.T, s Store) {
	d := Waiting(t, s, "1")
	for i, row := range []struct {
		after time.Duration
		err   error
	}{{0, nil}, {4999 * time.Millisecond, store.ErrTooSoon}, {9 * time.Second, store.ErrTooSoon}, {24*time.Second - time.Millisecond, store.ErrTooSoon},
		{44*time.Second - time.Millisecond, nil}} {
		if err := s.PollDevice(t.Context(), d.Hash, Now.Add(row.after)); !errors.Is(err, row.err) {
			t.Errorf("question %d: %v, want %v", i, err, row.err)
		}
	}
	if got, _ := s.DeviceRequest(t.Context(), d.Hash); got.Pace != 20*time.Second {
		t.Errorf("pace %v", got.Pace)
	}
	want(t, s.PollDevice(t.Context(), Named("nobody"), Now), store.ErrNotFound)
}

// once runs f many times at once, at each of some stores, and says how often it
// did what it does: otherwise it was spent.
func once(t *testing.T, times int, at []Store, f func(i int, s Store) error) (done int) {
	t.Helper()
	var did atomic.Int32
	var all sync.WaitGroup
	for i := range times {
		all.Go(func() {
			err := f(i, at[i%len(at)])
			if err == nil {
				did.Add(1)
			} else if !errors.Is(err, store.ErrSpent) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	return int(did.Load())
}

// DeviceOnce answers a device of this name many times at once, at each of some stores of one
// place, and redeems what it got likewise: each happens once.
func DeviceOnce(t *testing.T, name string, times int, at ...Store) {
	t.Helper()
	ctx := context.Background()
	d := Waiting(t, at[0], name)
	if n := once(t, times, at, func(i int, s Store) error { return s.AllowDevice(ctx, d.Hash, DeviceGrant(fmt.Sprint(name, i)), "") }); n != 1 {
		t.Errorf("allowed %d times", n)
	}
	grants := 0
	for i := range times {
		if _, err := at[0].Grant(ctx, DeviceGrant(fmt.Sprint(name, i)).ID); err == nil {
			grants++
		}
	}
	d, err := at[0].DeviceRequest(ctx, d.Hash)
	must(t, err)
	if n := once(t, times, at, func(i int, s Store) error {
		first := store.RefreshToken{Hash: Named(fmt.Sprint("of a device ", name, i)), GrantID: d.GrantID, ExpiresAt: Now.Add(time.Hour)}
		_, err := s.RedeemDevice(ctx, d, &first, token(fmt.Sprint("of a device ", name, i), d.GrantID), Now, Now.Add(time.Hour))
		return err
	}); n != 1 || grants != 1 {
		t.Errorf("redeemed %d times, of %d grants", n, grants)
	}
	if g, err := at[0].Grant(ctx, d.GrantID); err != nil || !g.ExpiresAt.Equal(Now.Add(time.Hour)) {
		t.Errorf("grant %+v, %v", g, err)
	}
}

// A grant that ended before the device came for it gives nothing.
func deviceOfAnEndedGrant(t *testing.T, s Store) {
	for name, end := range map[string]func(string) error{
		"revoked": func(id string) error { return s.RevokeGrant(t.Context(), id, Now) },
		"deleted": func(string) error { return s.DeleteUser(t.Context(), "ada") },
	} {
		d := Waiting(t, s, name)
		g := DeviceGrant(name)
		must(t, s.AllowDevice(t.Context(), d.Hash, g, ""))
		must(t, end(g.ID))
		d.GrantID = g.ID
		_, err := s.RedeemDevice(t.Context(), d, nil, token("j "+name, g.ID), Now, Now)
		want(t, err, store.ErrNotFound)
	}
}

func deviceOfAClientThatChanged(t *testing.T, s Store) {
	version := registered(t, s)
	d := Waiting(t, s, "1")
	must(t, s.ReplaceClient(t.Context(), store.Client{ID: "c1", Name: "new"}, false))
	want(t, s.AllowDevice(t.Context(), d.Hash, DeviceGrant("1"), version), store.ErrChanged)
	c, err := s.Client(t.Context(), "c1")
	must(t, err)
	must(t, s.AllowDevice(t.Context(), d.Hash, DeviceGrant("1"), c.Version))
}
