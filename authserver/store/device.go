package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"
)

// ErrTooSoon says that a device asked again before its pace lets it.
var ErrTooSoon = errors.New("asked too soon")

// Slower is added to a device's pace each time it asks too soon (RFC 8628 §3.5).
const Slower = 5 * time.Second

// DeviceRequest is a device that waits for a person's answer (RFC 8628).
type DeviceRequest struct {
	Hash       Hash // of the device code
	UserCode   Hash // of the code that people type
	ClientID   string
	Resource   string
	Scope      []string
	Details    string // authorization details, or ""
	Thumbprint string // key of the first request's proof, or ""
	ExpiresAt  time.Time
	Pace       time.Duration // between two questions, at least
	GrantID    string        // "" until a person allowed it
	Denied     bool
}

// AddDeviceRequest keeps a new one: ErrExists when its user code is taken.
func (s *DB) AddDeviceRequest(ctx context.Context, d DeviceRequest) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		return exactlyOne(ctx, tx, ErrExists,
			`INSERT INTO device_requests (hash, user_code, client_id, resource, scope, thumbprint, expires_at, pace, details)
			 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING`,
			d.Hash[:], d.UserCode[:], d.ClientID, d.Resource, strings.Join(d.Scope, " "), d.Thumbprint,
			millis(d.ExpiresAt), d.Pace.Milliseconds(), d.Details)
	})
}

// DeviceRequest finds one by the hash of its device code, expired or not.
func (s *DB) DeviceRequest(ctx context.Context, h Hash) (DeviceRequest, error) {
	return deviceRequest(s.read.QueryRowContext(ctx, deviceQuery+"WHERE hash = $1", h[:]))
}

// DeviceRequestOf finds one by the hash of its user code, expired or not.
func (s *DB) DeviceRequestOf(ctx context.Context, userCode Hash) (DeviceRequest, error) {
	return deviceRequest(s.read.QueryRowContext(ctx, deviceQuery+"WHERE user_code = $1", userCode[:]))
}

const deviceQuery = `SELECT hash, user_code, client_id, resource, scope, thumbprint, expires_at, pace, coalesce(grant_id, ''), denied_at, details
	FROM device_requests `

func deviceRequest(row *sql.Row) (DeviceRequest, error) {
	var (
		d                     DeviceRequest
		hash, code            []byte
		scope                 string
		expires, pace, denied int64
	)
	err := row.Scan(&hash, &code, &d.ClientID, &d.Resource, &scope, &d.Thumbprint, &expires, &pace, &d.GrantID, &denied, &d.Details)
	if err != nil {
		return DeviceRequest{}, found(err)
	}
	copy(d.Hash[:], hash)
	copy(d.UserCode[:], code)
	d.Scope, d.ExpiresAt = strings.Fields(scope), moment(expires)
	d.Pace, d.Denied = time.Duration(pace)*time.Millisecond, denied != 0
	return d, nil
}

// AllowDevice answers a device's request with a grant, once: ErrSpent when it
// was answered before, ErrChanged when the client, of this version ("" for one
// that is not stored), is not what it was, ErrNotFound as Approve says it.
func (s *DB) AllowDevice(ctx context.Context, h Hash, g Grant, version string) error {
	return s.allow(ctx, g, version, func(tx *sql.Tx) error {
		return exactlyOne(ctx, tx, ErrSpent,
			"UPDATE device_requests SET grant_id = $1 WHERE hash = $2 AND grant_id IS NULL AND denied_at = 0", g.ID, h[:])
	})
}

// AllowNewDevice is AllowDevice for a request that waits elsewhere: from now on
// the database knows it, as answered.
func (s *DB) AllowNewDevice(ctx context.Context, d DeviceRequest, g Grant, version string) error {
	return s.allow(ctx, g, version, func(tx *sql.Tx) error { return insertAnswered(ctx, tx, d, g.ID, time.Time{}) })
}

func (s *DB) allow(ctx context.Context, g Grant, version string, answer func(*sql.Tx) error) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := s.stillIn(ctx, tx, g); err != nil {
			return err
		}
		if err := useClient(ctx, tx, g.ClientID, g.CreatedAt); err != nil {
			return err
		}
		if err := s.sameClient(ctx, tx, g.ClientID, version); err != nil {
			return err
		}
		if err := insertGrant(ctx, tx, g); err != nil {
			return err
		}
		return answer(tx)
	})
}

// DenyDevice answers with a no, once: ErrSpent when it was answered before.
func (s *DB) DenyDevice(ctx context.Context, h Hash, now time.Time) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		return exactlyOne(ctx, tx, ErrSpent,
			"UPDATE device_requests SET denied_at = $1 WHERE hash = $2 AND grant_id IS NULL AND denied_at = 0", millis(now), h[:])
	})
}

// DenyNewDevice is DenyDevice as AllowNewDevice is AllowDevice.
func (s *DB) DenyNewDevice(ctx context.Context, d DeviceRequest, now time.Time) error {
	return s.tx(ctx, func(tx *sql.Tx) error { return insertAnswered(ctx, tx, d, nil, now) })
}

func insertAnswered(ctx context.Context, tx *sql.Tx, d DeviceRequest, grant any, denied time.Time) error {
	return exactlyOne(ctx, tx, ErrSpent,
		`INSERT INTO device_requests (hash, user_code, client_id, resource, scope, thumbprint, expires_at, pace, details, grant_id, denied_at)
		 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING`,
		d.Hash[:], d.UserCode[:], d.ClientID, d.Resource, strings.Join(d.Scope, " "), d.Thumbprint,
		millis(d.ExpiresAt), d.Pace.Milliseconds(), d.Details, grant, millis(denied))
}

// PollDevice notes that a device asked: ErrTooSoon, and a slower pace from now
// on, when its last question is less than its pace ago.
func (s *DB) PollDevice(ctx context.Context, h Hash, now time.Time) error {
	early := false
	err := s.tx(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, "UPDATE device_requests SET polled_at = $1 WHERE hash = $2 AND polled_at + pace <= $1", millis(now), h[:])
		if err != nil {
			return err
		}
		n, err := r.RowsAffected()
		early = n == 0
		if err != nil || !early {
			return err
		}
		return exactlyOne(ctx, tx, ErrNotFound, "UPDATE device_requests SET polled_at = $1, pace = pace + $2 WHERE hash = $3",
			millis(now), Slower.Milliseconds(), h[:])
	})
	if err == nil && early {
		return ErrTooSoon
	}
	return err
}

// RedeemDevice uses an allowed request once: the first call keeps its first
// refresh token (nil for none), the access token, and the grant until the
// given time; every other gets ErrSpent.
func (s *DB) RedeemDevice(ctx context.Context, d DeviceRequest, first *RefreshToken, t AccessToken, now, keep time.Time) (place uint64, err error) {
	return s.redeem(ctx, first, t, keep, func(tx *sql.Tx) error {
		return exactlyOne(ctx, tx, ErrSpent, "UPDATE device_requests SET used_at = $1 WHERE hash = $2 AND used_at = 0", millis(now), d.Hash[:])
	})
}
