package store

import (
	"context"
	"database/sql"
	"time"
)

// Keys are all signing keys, newest first.
func (s *DB) Keys(ctx context.Context) ([]SealedKey, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT id, sealed FROM signing_keys ORDER BY created_at DESC, id")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var keys []SealedKey
	for rows.Next() {
		var k SealedKey
		if err := rows.Scan(&k.ID, &k.Sealed); err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, rows.Err()
}

// AddFirstKey adds a key when there is none; ErrExists when another process was quicker.
func (s *DB) AddFirstKey(ctx context.Context, k SealedKey, now time.Time) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		return exactlyOne(ctx, tx, ErrExists,
			`INSERT INTO signing_keys (id, sealed, created_at)
			 SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT 1 FROM signing_keys)`, k.ID, k.Sealed, millis(now))
	})
}
