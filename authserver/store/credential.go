package store

import (
	"context"
	"database/sql"
	"time"
)

// Code finds an authorization code, used or not, expired or not.
func (s *SQLite) Code(ctx context.Context, h Hash) (Code, error) {
	var expires int64
	c := Code{Hash: h}
	err := s.read.QueryRowContext(ctx,
		"SELECT grant_id, redirect_uri, challenge, thumbprint, expires_at FROM codes WHERE hash = ?", h[:]).
		Scan(&c.GrantID, &c.RedirectURI, &c.Challenge, &c.Thumbprint, &expires)
	if err != nil {
		return Code{}, found(err)
	}
	c.ExpiresAt = moment(expires)
	return c, nil
}

// Redeem uses a code once: the first call keeps its first refresh token (nil
// for none), the access token, and the grant until the given time; every other
// gets ErrSpent.
func (s *SQLite) Redeem(ctx context.Context, c Code, first *RefreshToken, t AccessToken, now, keep time.Time) (place uint64, err error) {
	return s.issuing(ctx, t, func(tx *sql.Tx) error {
		err := exactlyOne(ctx, tx, ErrSpent, "UPDATE codes SET used_at = ? WHERE hash = ? AND used_at = 0", millis(now), c.Hash[:])
		if err != nil {
			return err
		}
		if first != nil {
			if err := insertRefresh(ctx, tx, *first); err != nil {
				return err
			}
		}
		return keepGrant(ctx, tx, c.GrantID, keep)
	})
}

// Refresh finds a refresh token, used or not, expired or not.
func (s *SQLite) Refresh(ctx context.Context, h Hash) (RefreshToken, error) {
	var expires, used int64
	t := RefreshToken{Hash: h}
	err := s.read.QueryRowContext(ctx,
		"SELECT grant_id, thumbprint, expires_at, used_at, successor FROM refresh_tokens WHERE hash = ?", h[:]).
		Scan(&t.GrantID, &t.Thumbprint, &expires, &used, &t.Successor)
	if err != nil {
		return RefreshToken{}, found(err)
	}
	t.ExpiresAt, t.UsedAt = moment(expires), moment(used)
	return t, nil
}

// Rotate replaces a refresh token by the next, once, and keeps the access
// token: ErrSpent when another call did.
func (s *SQLite) Rotate(ctx context.Context, old Hash, sealed []byte, next RefreshToken, t AccessToken, now, keep time.Time) (place uint64, err error) {
	return s.issuing(ctx, t, func(tx *sql.Tx) error {
		err := exactlyOne(ctx, tx, ErrSpent, "UPDATE refresh_tokens SET used_at = ?, successor = ? WHERE hash = ? AND used_at = 0",
			millis(now), sealed, old[:])
		if err != nil {
			return err
		}
		if err := insertRefresh(ctx, tx, next); err != nil {
			return err
		}
		return keepGrant(ctx, tx, next.GrantID, keep)
	})
}

// Extend moves the expiry of a refresh token that is not rotated, and keeps the
// access token.
func (s *SQLite) Extend(ctx context.Context, r RefreshToken, t AccessToken, keep time.Time) (place uint64, err error) {
	return s.issuing(ctx, t, func(tx *sql.Tx) error {
		err := exactlyOne(ctx, tx, ErrNotFound, "UPDATE refresh_tokens SET expires_at = ? WHERE hash = ?", millis(r.ExpiresAt), r.Hash[:])
		if err != nil {
			return err
		}
		return keepGrant(ctx, tx, r.GrantID, keep)
	})
}

func insertRefresh(ctx context.Context, tx *sql.Tx, t RefreshToken) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO refresh_tokens (hash, grant_id, thumbprint, expires_at) VALUES (?, ?, ?, ?)",
		t.Hash[:], t.GrantID, t.Thumbprint, millis(t.ExpiresAt))
	return err
}

// keepGrant: a revoked grant hands out nothing more, even when the revocation
// came between the caller's look and this write.
func keepGrant(ctx context.Context, tx *sql.Tx, id string, keep time.Time) error {
	return exactlyOne(ctx, tx, ErrNotFound,
		"UPDATE grants SET expires_at = max(expires_at, ?) WHERE id = ? AND revoked_at = 0", millis(keep), id)
}
