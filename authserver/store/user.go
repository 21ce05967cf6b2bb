package store

import (
	"context"
	"database/sql"
	"time"
)

// User finds a person by the name they sign in with.
func (s *DB) User(ctx context.Context, name string) (User, error) {
	var u User
	err := s.read.QueryRowContext(ctx, "SELECT id, name, password_hash FROM users WHERE name = $1", name).
		Scan(&u.ID, &u.Name, &u.PasswordHash)
	return u, found(err)
}

// AddUser adds a person, or ErrExists when the name is taken.
func (s *DB) AddUser(ctx context.Context, u User, now time.Time) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		return exactlyOne(ctx, tx, ErrExists,
			"INSERT INTO users (id, name, password_hash, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
			u.ID, u.Name, u.PasswordHash, millis(now))
	})
}

// Session finds a session that has not expired.
func (s *DB) Session(ctx context.Context, h Hash, now time.Time) (Session, error) {
	var auth, expires int64
	v := Session{Hash: h}
	err := s.read.QueryRowContext(ctx,
		`SELECT s.user_id, u.name, s.auth_time, s.expires_at FROM sessions s JOIN users u ON u.id = s.user_id
		 WHERE s.hash = $1 AND s.expires_at > $2`, h[:], millis(now)).
		Scan(&v.UserID, &v.UserName, &auth, &expires)
	if err != nil {
		return Session{}, found(err)
	}
	v.AuthTime, v.ExpiresAt = moment(auth), moment(expires)
	return v, nil
}

// StartSession keeps a new session and, in the same step, ends the one this
// browser had before (the zero hash for none).
func (s *DB) StartSession(ctx context.Context, v Session, before Hash) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE hash = $1", before[:]); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO sessions (hash, user_id, auth_time, expires_at) VALUES ($1, $2, $3, $4)",
			v.Hash[:], v.UserID, millis(v.AuthTime), millis(v.ExpiresAt))
		return err
	})
}

// EndSession forgets a session; one that does not exist is no error.
func (s *DB) EndSession(ctx context.Context, h Hash) error {
	_, err := s.write.ExecContext(ctx, "DELETE FROM sessions WHERE hash = $1", h[:])
	return err
}
