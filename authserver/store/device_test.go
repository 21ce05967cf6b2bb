package store

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// waiting is a device that waits for user u1.
func waiting(t *testing.T, s *DB, name string) DeviceRequest {
	t.Helper()
	_ = s.AddUser(t.Context(), User{ID: "u1", Name: "ada", PasswordHash: "x"}, t0)
	d := DeviceRequest{Hash: h("device " + name), UserCode: h("code " + name), ClientID: "c1", Resource: "r", Scope: []string{"b", "a"},
		Thumbprint: "jkt", ExpiresAt: t0.Add(time.Minute), Pace: 5 * time.Second}
	must(t, s.AddDeviceRequest(t.Context(), d))
	return d
}

func deviceGrant(name string) Grant {
	return Grant{ID: "device grant " + name, ClientID: "c1", UserID: "u1", Resource: "r", Scope: []string{"a"}, AuthTime: t0, CreatedAt: t0, ExpiresAt: t0.Add(time.Minute)}
}

func TestDeviceRequests(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		d := waiting(t, s, "1")
		for what, find := range map[string]func() (DeviceRequest, error){
			"device code": func() (DeviceRequest, error) { return s.DeviceRequest(t.Context(), d.Hash) },
			"user code":   func() (DeviceRequest, error) { return s.DeviceRequestOf(t.Context(), d.UserCode) },
		} {
			got, err := find()
			if err != nil || got.Hash != d.Hash || got.UserCode != d.UserCode || got.ClientID != "c1" || got.Resource != "r" || len(got.Scope) != 2 ||
				got.Thumbprint != "jkt" || !got.ExpiresAt.Equal(d.ExpiresAt) || got.Pace != d.Pace || got.GrantID != "" || got.Denied {
				t.Errorf("by %s: %+v, %v", what, got, err)
			}
		}
		_, err := s.DeviceRequest(t.Context(), h("another"))
		want(t, err, ErrNotFound)
		again := d
		again.Hash = h("device 2")
		want(t, s.AddDeviceRequest(t.Context(), again), ErrExists)
	})
}

func TestDeviceIsAnsweredOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		ctx := t.Context()
		d := waiting(t, s, "1")
		must(t, s.AllowDevice(ctx, d.Hash, deviceGrant("1"), ""))
		want(t, s.AllowDevice(ctx, d.Hash, deviceGrant("2"), ""), ErrSpent)
		want(t, s.DenyDevice(ctx, d.Hash, t0), ErrSpent)
		_, err := s.Grant(ctx, "device grant 2")
		want(t, err, ErrNotFound)
		if got, err := s.DeviceRequest(ctx, d.Hash); err != nil || got.GrantID != "device grant 1" {
			t.Errorf("got %+v, %v", got, err)
		}
		n := waiting(t, s, "2")
		must(t, s.DenyDevice(ctx, n.Hash, t0))
		want(t, s.AllowDevice(ctx, n.Hash, deviceGrant("3"), ""), ErrSpent)
		if got, err := s.DeviceRequest(ctx, n.Hash); err != nil || !got.Denied {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

// Every question asked too soon makes the pace slower, and starts the wait anew.
func TestDevicePace(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		d := waiting(t, s, "1")
		for i, row := range []struct {
			after time.Duration
			err   error
		}{{0, nil}, {4999 * time.Millisecond, ErrTooSoon}, {9 * time.Second, ErrTooSoon}, {24*time.Second - time.Millisecond, ErrTooSoon}, {44 * time.Second, nil}} {
			if err := s.PollDevice(t.Context(), d.Hash, t0.Add(row.after)); !errors.Is(err, row.err) {
				t.Errorf("question %d: %v, want %v", i, err, row.err)
			}
		}
		if got, _ := s.DeviceRequest(t.Context(), d.Hash); got.Pace != 20*time.Second {
			t.Errorf("pace %v", got.Pace)
		}
		want(t, s.PollDevice(t.Context(), h("nobody"), t0), ErrNotFound)
	})
}

func TestDeviceIsRedeemedOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		d := waiting(t, s, "1")
		must(t, s.AllowDevice(t.Context(), d.Hash, deviceGrant("1"), ""))
		d, err := s.DeviceRequest(t.Context(), d.Hash)
		must(t, err)
		var redeemed atomic.Int32
		var all sync.WaitGroup
		for i := range 6 {
			all.Go(func() {
				n := string(rune('0' + i))
				token := AccessToken{ID: "j" + n, GrantID: d.GrantID, ClientID: "c1", Subject: "u1", ExpiresAt: t0}
				first := RefreshToken{Hash: h("refresh " + n), GrantID: d.GrantID, ExpiresAt: t0.Add(time.Hour)}
				_, err := s.RedeemDevice(t.Context(), d, &first, token, t0, t0.Add(time.Hour))
				if err == nil {
					redeemed.Add(1)
				} else if !errors.Is(err, ErrSpent) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if redeemed.Load() != 1 {
			t.Errorf("redeemed %d times", redeemed.Load())
		}
		if g, err := s.Grant(t.Context(), d.GrantID); err != nil || !g.ExpiresAt.Equal(t0.Add(time.Hour)) {
			t.Errorf("grant %+v, %v", g, err)
		}
	})
}

// A grant that ended before the device came for it gives nothing.
func TestDeviceOfAnEndedGrant(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		for name, end := range map[string]func(string) error{
			"revoked": func(id string) error { return s.RevokeGrant(t.Context(), id, t0) },
			"deleted": func(string) error { return s.DeleteUser(t.Context(), "ada") },
		} {
			d := waiting(t, s, name)
			g := deviceGrant(name)
			must(t, s.AllowDevice(t.Context(), d.Hash, g, ""))
			must(t, end(g.ID))
			d.GrantID = g.ID
			_, err := s.RedeemDevice(t.Context(), d, nil, AccessToken{ID: "j " + name, GrantID: g.ID, ClientID: "c1", Subject: "u1", ExpiresAt: t0}, t0, t0)
			want(t, err, ErrNotFound)
		}
	})
}

func TestSweepForgetsDevices(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		d := waiting(t, s, "1")
		_, err := s.Sweep(t.Context(), d.ExpiresAt, t0, 10)
		must(t, err)
		_, err = s.DeviceRequest(t.Context(), d.Hash)
		must(t, err)
		_, err = s.Sweep(t.Context(), d.ExpiresAt.Add(time.Millisecond), t0, 10)
		must(t, err)
		_, err = s.DeviceRequest(t.Context(), d.Hash)
		want(t, err, ErrNotFound)
	})
}
