package store

import (
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

// decidedWork is what happens to codes and devices that waited elsewhere.
func decidedWork(t *testing.T, s *DB) []error {
	t.Helper()
	a := request("elsewhere", "", false)
	device := func(name string) DeviceRequest {
		return DeviceRequest{Hash: h("device " + name), UserCode: h("code " + name), ClientID: "c1", Resource: "r", ExpiresAt: t0.Add(time.Minute)}
	}
	return []error{
		s.ApproveWithoutCode(t.Context(), a), failed(s.RedeemNewCode(t.Context(), a.Code, nil, ofGrant(a, h("elsewhere")), t0, t0)),
		s.AllowNewDevice(t.Context(), device("elsewhere"), deviceGrant("elsewhere"), ""), s.DenyNewDevice(t.Context(), device("denied"), t0),
	}
}
