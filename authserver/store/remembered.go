package store

import (
	"context"
	"database/sql"
	"time"
)

// Browser is one where a person is not asked for a second factor until it expires.
type Browser struct {
	Hash      Hash
	UserID    string
	Agent     string // what it said it was
	CreatedAt time.Time
	ExpiresAt time.Time
	Era       int64 // the person's, when they proved what it stands in for
}

// RememberBrowser remembers one: ErrSpent when the era is over.
func (s *DB) RememberBrowser(ctx context.Context, b Browser) error {
	return s.ending(ctx, func(tx ending) error {
		if err := tx.inEra(ctx, b.UserID, b.Era); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx,
			"INSERT INTO remembered_browsers (hash, user_id, agent, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
			b.Hash[:], b.UserID, b.Agent, millis(b.CreatedAt), millis(b.ExpiresAt))
		return err
	})
}

// Browsers are the remembered ones of a person, the latest first.
func (s *DB) Browsers(ctx context.Context, user string, now time.Time) ([]Browser, error) {
	rows, err := s.read.QueryContext(ctx,
		`SELECT hash, agent, created_at, expires_at FROM remembered_browsers WHERE user_id = $1 AND expires_at > $2
		 ORDER BY created_at DESC, hash LIMIT 1000`, user, millis(now))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Browser
	for rows.Next() {
		b := Browser{UserID: user}
		var hash []byte
		var created, expires int64
		if err := rows.Scan(&hash, &b.Agent, &created, &expires); err != nil {
			return nil, err
		}
		copy(b.Hash[:], hash)
		b.CreatedAt, b.ExpiresAt = moment(created), moment(expires)
		all = append(all, b)
	}
	return all, rows.Err()
}

// ForgetBrowsers forgets one remembered browser of a person, or with the zero
// hash all of them. ErrSpent when the era is over in which they asked for it.
func (s *DB) ForgetBrowsers(ctx context.Context, user string, era int64, one Hash) error {
	query, arguments := "DELETE FROM remembered_browsers WHERE user_id = $1 AND hash = $2", []any{user, one[:]}
	if one == (Hash{}) {
		query, arguments = "DELETE FROM remembered_browsers WHERE user_id = $1", arguments[:1]
	}
	return s.provenTx(ctx, user, era, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, query, arguments...)
		return err
	})
}
