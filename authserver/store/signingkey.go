package store

import (
	"context"
	"database/sql"
	"time"
)

// SigningKey is a key that signs, will sign or has signed.
type SigningKey struct {
	ID        string // kid
	Number    int64  // from 1; no two keys have the same
	Sealed    []byte // under the caller's seal; nil once revoked
	CreatedAt time.Time
	SignsFrom time.Time
	RevokedAt time.Time // zero for a good key
}

// SigningKeys are all keys that were not dropped, by number.
func (s *DB) SigningKeys(ctx context.Context) ([]SigningKey, error) {
	rows, err := s.read.QueryContext(ctx,
		"SELECT id, number, sealed, created_at, signs_from, revoked_at FROM signing_keys ORDER BY number")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var keys []SigningKey
	for rows.Next() {
		var k SigningKey
		var created, signs, revoked int64
		if err := rows.Scan(&k.ID, &k.Number, &k.Sealed, &created, &signs, &revoked); err != nil {
			return nil, err
		}
		k.CreatedAt, k.SignsFrom, k.RevokedAt = moment(created), moment(signs), moment(revoked)
		keys = append(keys, k)
	}
	return keys, rows.Err()
}

// AddSigningKey adds a key: ErrExists when another process took its number.
func (s *DB) AddSigningKey(ctx context.Context, k SigningKey) error {
	return s.tx(ctx, func(tx *sql.Tx) error { return insertKey(ctx, tx, k) })
}

func insertKey(ctx context.Context, tx *sql.Tx, k SigningKey) error {
	return exactlyOne(ctx, tx, ErrExists,
		`INSERT INTO signing_keys (id, number, sealed, created_at, signs_from) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
		k.ID, k.Number, k.Sealed, millis(k.CreatedAt), millis(k.SignsFrom))
}

// HastenSigningKey lets a key sign from an earlier moment on. One that signs
// before that already, or was revoked, stays as it is.
func (s *DB) HastenSigningKey(ctx context.Context, id string, from time.Time) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx,
			"UPDATE signing_keys SET signs_from = $1 WHERE id = $2 AND signs_from > $1 AND revoked_at = 0", millis(from), id)
		return err
	})
}

// ReplaceSigningKey revokes a key, forgets its secret, and adds the key that
// takes its place, as one: ErrNotFound when there is no such key that is good,
// ErrExists when another process took the number.
func (s *DB) ReplaceSigningKey(ctx context.Context, id string, by SigningKey) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		err := exactlyOne(ctx, tx, ErrNotFound,
			"UPDATE signing_keys SET revoked_at = $1, sealed = $2 WHERE id = $3 AND revoked_at = 0", millis(by.CreatedAt), []byte{}, id)
		if err != nil {
			return err
		}
		return insertKey(ctx, tx, by)
	})
}

// DropSigningKey forgets a key. The newest stays, so that its number is not
// given again.
func (s *DB) DropSigningKey(ctx context.Context, id string) error {
	_, err := s.write.ExecContext(ctx,
		"DELETE FROM signing_keys WHERE id = $1 AND number < (SELECT max(number) FROM signing_keys)", id)
	return err
}
