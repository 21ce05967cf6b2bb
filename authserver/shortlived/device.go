package shortlived

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postern-mcp/postern/authserver/store"
)

// device is what a device asks for while it waits for a person's answer.
type device struct {
	UserCode   store.Hash `json:"user_code"`
	Client     string     `json:"client"`
	Resource   string     `json:"resource"`
	Scope      []string   `json:"scope"`
	Details    string     `json:"details,omitzero"`
	Thumbprint string     `json:"thumbprint,omitzero"`
	Expires    int64      `json:"expires"` // milliseconds
}

// A device's key holds a hash: what it asks for, sealed, and in the plain its
// pace and when it asked last, in milliseconds, for the script below.
const (
	deviceAsks  = "asks"
	devicePace  = "pace"
	deviceAsked = "asked"
)

func (s *Store) deviceName(h store.Hash) string { return s.name("device", string(h[:])) }

// userCodeNames: codes that people type are short enough to be guessed.
func (s *Store) userCodeNames(h store.Hash) []string { return s.names("user_code", string(h[:])) }

// AddDeviceRequest keeps a new one: store.ErrExists when its user code is taken.
// That stays taken until the request would have expired, answered or not.
func (s *Store) AddDeviceRequest(ctx context.Context, d store.DeviceRequest) error {
	if err := s.putNew(ctx, s.userCodeNames(d.UserCode)[0], d.Hash, d.ExpiresAt); err != nil {
		return err
	}
	name := s.deviceName(d.Hash)
	asks, err := s.seal(name, device{UserCode: d.UserCode, Client: d.ClientID, Resource: d.Resource, Scope: d.Scope, Details: d.Details,
		Thumbprint: d.Thumbprint, Expires: d.ExpiresAt.UnixMilli()})
	if err != nil {
		return err
	}
	return s.redis.do(ctx, func(ctx context.Context) error {
		_, err := s.redis.client.TxPipelined(ctx, func(both redis.Pipeliner) error {
			both.HSet(ctx, name, deviceAsks, asks, devicePace, d.Pace.Milliseconds())
			both.PExpire(ctx, name, s.life(d.ExpiresAt))
			return nil
		})
		return err
	})
}

// DeviceRequest finds one by the hash of its device code, expired or not: in the
// database when it was answered, whatever Redis still has.
func (s *Store) DeviceRequest(ctx context.Context, h store.Hash) (store.DeviceRequest, error) {
	d, err := s.DB.DeviceRequest(ctx, h)
	if !errors.Is(err, store.ErrNotFound) {
		return d, err
	}
	return s.waiting(ctx, h)
}

// DeviceRequestOf finds one by the hash of its user code, likewise.
func (s *Store) DeviceRequestOf(ctx context.Context, userCode store.Hash) (store.DeviceRequest, error) {
	d, err := s.DB.DeviceRequestOf(ctx, userCode)
	if !errors.Is(err, store.ErrNotFound) {
		return d, err
	}
	for _, name := range s.userCodeNames(userCode) {
		var of store.Hash
		err := s.get(ctx, name, &of)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return store.DeviceRequest{}, err
		}
		return s.waiting(ctx, of)
	}
	return store.DeviceRequest{}, store.ErrNotFound
}

// waiting is a request that Redis has: not found for none, and for one that it
// has without what was sealed for it.
func (s *Store) waiting(ctx context.Context, h store.Hash) (store.DeviceRequest, error) {
	name := s.deviceName(h)
	var kept struct {
		Asks []byte `redis:"asks"`
		Pace int64  `redis:"pace"`
	}
	err := s.redis.do(ctx, func(ctx context.Context) error {
		return s.redis.client.HMGet(ctx, name, deviceAsks, devicePace).Scan(&kept)
	})
	if err != nil {
		return store.DeviceRequest{}, err
	}
	var d device
	if err := s.open(name, kept.Asks, &d); err != nil {
		return store.DeviceRequest{}, err
	}
	return store.DeviceRequest{Hash: h, UserCode: d.UserCode, ClientID: d.Client, Resource: d.Resource, Scope: d.Scope, Details: d.Details,
		Thumbprint: d.Thumbprint, ExpiresAt: time.UnixMilli(d.Expires).UTC(), Pace: time.Duration(kept.Pace) * time.Millisecond}, nil
}

// AllowDevice answers a device's request with a grant, once: store.ErrSpent when
// it was answered before or is unknown, store.ErrChanged when the client, of
// this version ("" for one that is not stored), is not what it was.
func (s *Store) AllowDevice(ctx context.Context, h store.Hash, g store.Grant, version string) error {
	return s.answer(ctx, h,
		func(d store.DeviceRequest) error { return s.DB.AllowNewDevice(ctx, d, g, version) },
		func() error { return s.DB.AllowDevice(ctx, h, g, version) })
}

// DenyDevice answers with a no, once: store.ErrSpent as for AllowDevice.
func (s *Store) DenyDevice(ctx context.Context, h store.Hash, now time.Time) error {
	return s.answer(ctx, h,
		func(d store.DeviceRequest) error { return s.DB.DenyNewDevice(ctx, d, now) },
		func() error { return s.DB.DenyDevice(ctx, h, now) })
}

// answer has the database write what a person said of a request that waits in
// Redis, or else of one that it has itself, from when it kept them. What then is
// left in Redis does no harm: the database is asked first.
func (s *Store) answer(ctx context.Context, h store.Hash, anew func(store.DeviceRequest) error, there func() error) error {
	d, err := s.waiting(ctx, h)
	if errors.Is(err, store.ErrNotFound) {
		return there()
	}
	if err != nil {
		return err
	}
	if err := anew(d); err != nil {
		return err
	}
	_ = s.redis.delete(ctx, s.deviceName(h)) // it goes by itself, too
	return nil
}

// poll is what PollDevice does in one step that nobody comes between: -1 where
// nobody waits, 1 for a question that comes too soon, else 0. Arguments are the
// time, and what a question too soon adds to the pace.
var poll = redis.NewScript(`
local pace = tonumber(redis.call('HGET', KEYS[1], 'pace') or '')
if not pace then return -1 end
local asked = tonumber(redis.call('HGET', KEYS[1], 'asked') or '0')
redis.call('HSET', KEYS[1], 'asked', ARGV[1])
if asked + pace <= tonumber(ARGV[1]) then return 0 end
redis.call('HINCRBY', KEYS[1], 'pace', ARGV[2])
return 1
`)

// PollDevice notes that a device asked: store.ErrTooSoon, and a slower pace from
// now on, when its last question is less than its pace ago. The database is not
// asked, unless it is the one that keeps the request.
func (s *Store) PollDevice(ctx context.Context, h store.Hash, now time.Time) error {
	var said int
	err := s.redis.do(ctx, func(ctx context.Context) (err error) {
		said, err = poll.Run(ctx, s.redis.client, []string{s.deviceName(h)},
			strconv.FormatInt(now.UnixMilli(), 10), strconv.FormatInt(store.Slower.Milliseconds(), 10)).Int()
		return err
	})
	if err != nil {
		return err
	}
	switch said {
	case -1:
		return s.DB.PollDevice(ctx, h, now)
	case 1:
		return store.ErrTooSoon
	}
	return nil
}
