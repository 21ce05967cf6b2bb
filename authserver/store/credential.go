package store

import (
	"context"
	"database/sql"
	"time"
)

// Code finds an authorization code, used or not, expired or not.
func (s *DB) Code(ctx context.Context, h Hash) (Code, error) {
	var expires int64
	c := Code{Hash: h}
	err := s.read.QueryRowContext(ctx,
		"SELECT grant_id, redirect_uri, challenge, thumbprint, nonce, expires_at FROM codes WHERE hash = $1", h[:]).
		Scan(&c.GrantID, &c.RedirectURI, &c.Challenge, &c.Thumbprint, &c.Nonce, &expires)
	if err != nil {
		return Code{}, found(err)
	}
	c.ExpiresAt = moment(expires)
	return c, nil
}

// Redeem uses a code once: the first call keeps its first refresh token (nil
// for none), the access token, and the grant until the given time; every other
// gets ErrSpent.
func (s *DB) Redeem(ctx context.Context, c Code, first *RefreshToken, t AccessToken, now, keep time.Time) (place uint64, err error) {
	return s.redeem(ctx, first, t, keep, func(tx *sql.Tx) error {
		return exactlyOne(ctx, tx, ErrSpent, "UPDATE codes SET used_at = $1 WHERE hash = $2 AND used_at = 0", millis(now), c.Hash[:])
	})
}

// RedeemNewCode is Redeem of a code that the database need not know before: from
// now on it knows that this one was used.
func (s *DB) RedeemNewCode(ctx context.Context, c Code, first *RefreshToken, t AccessToken, now, keep time.Time) (place uint64, err error) {
	return s.redeem(ctx, first, t, keep, func(tx *sql.Tx) error {
		return exactlyOne(ctx, tx, ErrSpent,
			`INSERT INTO codes (hash, grant_id, redirect_uri, challenge, thumbprint, nonce, expires_at, used_at)
			 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			 ON CONFLICT (hash) DO UPDATE SET used_at = excluded.used_at WHERE codes.used_at = 0`,
			c.Hash[:], c.GrantID, c.RedirectURI, c.Challenge, c.Thumbprint, c.Nonce, millis(c.ExpiresAt), millis(now))
	})
}

// redeem keeps the first tokens of a grant, once something is spent for them.
func (s *DB) redeem(ctx context.Context, first *RefreshToken, t AccessToken, keep time.Time, spend func(*sql.Tx) error) (place uint64, err error) {
	return s.issuing(ctx, t, func(tx *sql.Tx) error {
		if err := spend(tx); err != nil {
			return err
		}
		if first != nil {
			if err := insertRefresh(ctx, tx, *first); err != nil {
				return err
			}
		}
		return keepGrant(ctx, tx, t.GrantID, keep)
	})
}

// Refresh finds a refresh token, used or not, expired or not.
func (s *DB) Refresh(ctx context.Context, h Hash) (RefreshToken, error) {
	var expires, used int64
	t := RefreshToken{Hash: h}
	err := s.read.QueryRowContext(ctx,
		"SELECT grant_id, thumbprint, expires_at, used_at, successor FROM refresh_tokens WHERE hash = $1", h[:]).
		Scan(&t.GrantID, &t.Thumbprint, &expires, &used, &t.Successor)
	if err != nil {
		return RefreshToken{}, found(err)
	}
	t.ExpiresAt, t.UsedAt = moment(expires), moment(used)
	return t, nil
}

// Rotate replaces a refresh token by the next, once, and keeps the access
// token: ErrSpent when another call did.
func (s *DB) Rotate(ctx context.Context, old Hash, sealed []byte, next RefreshToken, t AccessToken, now, keep time.Time) (place uint64, err error) {
	return s.issuing(ctx, t, func(tx *sql.Tx) error {
		err := exactlyOne(ctx, tx, ErrSpent, "UPDATE refresh_tokens SET used_at = $1, successor = $2 WHERE hash = $3 AND used_at = 0",
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
func (s *DB) Extend(ctx context.Context, r RefreshToken, t AccessToken, keep time.Time) (place uint64, err error) {
	return s.issuing(ctx, t, func(tx *sql.Tx) error {
		err := exactlyOne(ctx, tx, ErrNotFound, "UPDATE refresh_tokens SET expires_at = $1 WHERE hash = $2", millis(r.ExpiresAt), r.Hash[:])
		if err != nil {
			return err
		}
		return keepGrant(ctx, tx, r.GrantID, keep)
	})
}

func insertRefresh(ctx context.Context, tx *sql.Tx, t RefreshToken) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO refresh_tokens (hash, grant_id, thumbprint, expires_at) VALUES ($1, $2, $3, $4)",
		t.Hash[:], t.GrantID, t.Thumbprint, millis(t.ExpiresAt))
	return err
}

// keepGrant: a revoked grant hands out nothing more, even when the revocation
// came between the caller's look and this write.
func keepGrant(ctx context.Context, tx *sql.Tx, id string, keep time.Time) error {
	return exactlyOne(ctx, tx, ErrNotFound,
		"UPDATE grants SET expires_at = CASE WHEN expires_at < $1 THEN $1 ELSE expires_at END WHERE id = $2 AND revoked_at = 0", millis(keep), id)
}
