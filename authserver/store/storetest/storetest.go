// Package storetest is the one suite for whatever keeps what is used once, or
// waits: the database, and Redis over it.
package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
)

// Store is what the suite needs of a store.
type Store interface {
	people
	clients
	approvals
	codes
	devices
	waiting
}

// Opener opens an empty store for the length of a test. Its time is Now.
type Opener func(*testing.T) Store

type people interface {
	AddUser(ctx context.Context, u store.User, now time.Time, roles ...string) error
	DeleteUser(ctx context.Context, name string) error
}

type clients interface {
	Client(ctx context.Context, id string) (store.Client, error)
	AddClient(ctx context.Context, c store.Client, limit int) error
	ReplaceClient(ctx context.Context, c store.Client, anew bool) error
	DeleteClient(ctx context.Context, id string) error
}

type approvals interface {
	Approve(ctx context.Context, a store.Approval) error
	Consent(ctx context.Context, c store.Consent) ([]string, error)
	Spend(ctx context.Context, request store.Hash, until time.Time) error
	Forget(ctx context.Context, user, client string, now time.Time) error
	Grant(ctx context.Context, id string) (store.Grant, error)
	RevokeGrant(ctx context.Context, id string, now time.Time) error
}

type codes interface {
	Code(ctx context.Context, h store.Hash) (store.Code, error)
	Redeem(ctx context.Context, c store.Code, first *store.RefreshToken, t store.AccessToken, now, keep time.Time) (place uint64, err error)
	Refresh(ctx context.Context, h store.Hash) (store.RefreshToken, error)
	AccessToken(ctx context.Context, id string) (store.AccessToken, error)
}

type devices interface {
	AddDeviceRequest(ctx context.Context, d store.DeviceRequest) error
	DeviceRequest(ctx context.Context, h store.Hash) (store.DeviceRequest, error)
	DeviceRequestOf(ctx context.Context, userCode store.Hash) (store.DeviceRequest, error)
	PollDevice(ctx context.Context, h store.Hash, now time.Time) error
}

type waiting interface {
	AllowDevice(ctx context.Context, h store.Hash, g store.Grant, version string) error
	DenyDevice(ctx context.Context, h store.Hash, now time.Time) error
	RedeemDevice(ctx context.Context, d store.DeviceRequest, first *store.RefreshToken, t store.AccessToken, now, keep time.Time) (place uint64, err error)
}

// Now is when everything in the suite happens.
var Now = time.UnixMilli(1_800_000_000_123).UTC()

// Named is a hash with a name in it.
func Named(name string) store.Hash {
	var v store.Hash
	copy(v[:], name)
	return v
}

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
