package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"
)

const userQuery = `SELECT id, name, password_hash, full_name, email, email_verified, created_at, password_at, disabled_at, era FROM users `

// UserByID finds a person by the id that tokens know them by.
func (s *DB) UserByID(ctx context.Context, id string) (User, error) {
	return user(s.read.QueryRowContext(ctx, userQuery+"WHERE id = $1", id))
}

// scanner is a row, or the current one of several.
type scanner interface{ Scan(into ...any) error }

func user(row scanner) (User, error) {
	var u User
	var created, password, disabled int64
	err := row.Scan(&u.ID, &u.Name, &u.PasswordHash, &u.FullName, &u.Email, &u.EmailVerified, &created, &password, &disabled, &u.Era)
	if err != nil {
		return User{}, found(err)
	}
	u.CreatedAt, u.PasswordAt, u.DisabledAt = moment(created), moment(password), moment(disabled)
	return u, nil
}

// AddUser adds a person with roles that an administrator gives, or ErrExists
// when the name is taken.
func (s *DB) AddUser(ctx context.Context, u User, now time.Time, roles ...string) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := addUser(ctx, tx, u, now); err != nil {
			return err
		}
		_, err := setRoles(ctx, tx, u.ID, Assigned, roles, now)
		return err
	})
}

func addUser(ctx context.Context, tx *sql.Tx, u User, now time.Time) error {
	return exactlyOne(ctx, tx, ErrExists,
		`INSERT INTO users (id, name, folded, password_hash, full_name, email, email_verified, created_at, password_at)
		 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT DO NOTHING`,
		u.ID, u.Name, Folded(u.Name), u.PasswordHash, u.FullName, addressForm(u.Email), flag(u.EmailVerified && u.Email != ""), millis(now))
}

// ErrAddressTaken says that an address is verified as somebody else's.
var ErrAddressTaken = errors.New("the address is somebody else's")

// freeAddress is ErrAddressTaken when u would share a verified address.
func freeAddress(ctx context.Context, tx *sql.Tx, u User) error {
	if !u.EmailVerified || u.Email == "" {
		return nil
	}
	err := exists(ctx, tx, "SELECT 1 FROM users WHERE email = $1 AND email_verified = 1 AND id <> $2 LIMIT 1", addressForm(u.Email), u.ID)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return ErrAddressTaken
}

// addressForm is how addresses are kept, to be found by. Other letters than
// those of ASCII stay: folding them makes two addresses one.
func addressForm(email string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, email)
}

const sessionQuery = `SELECT s.hash, s.user_id, u.name, s.amr, s.auth_time, s.created_at, s.seen_at, s.expires_at, s.address, s.agent, u.era
	FROM sessions s JOIN users u ON u.id = s.user_id `

// Session finds a session that has not expired, of a person who is not disabled.
func (s *DB) Session(ctx context.Context, h Hash, now time.Time) (Session, error) {
	return session(s.read.QueryRowContext(ctx,
		sessionQuery+"WHERE s.hash = $1 AND s.expires_at > $2 AND u.disabled_at = 0", h[:], millis(now)))
}

// Sessions are those of a person that have not expired, the latest first.
func (s *DB) Sessions(ctx context.Context, user string, now time.Time) ([]Session, error) {
	rows, err := s.read.QueryContext(ctx,
		sessionQuery+"WHERE s.user_id = $1 AND s.expires_at > $2 ORDER BY s.created_at DESC LIMIT 1000", user, millis(now))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Session
	for rows.Next() {
		v, err := session(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

func session(row scanner) (Session, error) {
	var v Session
	var hash []byte
	var methods string
	var auth, created, seen, expires int64
	err := row.Scan(&hash, &v.UserID, &v.UserName, &methods, &auth, &created, &seen, &expires, &v.Address, &v.Agent, &v.Era)
	if err != nil {
		return Session{}, found(err)
	}
	copy(v.Hash[:], hash)
	v.Methods = strings.Fields(methods)
	v.AuthTime, v.CreatedAt, v.SeenAt, v.ExpiresAt = moment(auth), moment(created), moment(seen), moment(expires)
	return v, nil
}

// keptSessions is how many sessions a person has: the oldest end for new ones.
const (
	keptSessions = 100
	trimSessions = `DELETE FROM sessions WHERE user_id = $1 AND hash <> $2 AND hash NOT IN
		(SELECT hash FROM sessions WHERE user_id = $1 AND hash <> $2 ORDER BY created_at DESC, hash LIMIT $3)`
)

// StartSession keeps a new session and, in the same step, ends the one this
// browser had before (the zero hash for none). Of many the oldest ends. ErrSpent
// when the era of the session is over.
func (s *DB) StartSession(ctx context.Context, v Session, before Hash) error {
	return s.ending(ctx, func(tx ending) error {
		if err := tx.inEra(ctx, v.UserID, v.Era); err != nil {
			return err
		}
		return startSession(ctx, tx.Tx, v, before)
	})
}

func startSession(ctx context.Context, tx *sql.Tx, v Session, before Hash) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE hash = $1", before[:]); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx,
		`INSERT INTO sessions (hash, user_id, amr, auth_time, created_at, seen_at, expires_at, address, agent)
		 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		v.Hash[:], v.UserID, strings.Join(v.Methods, " "), millis(v.AuthTime), millis(v.CreatedAt), millis(v.SeenAt),
		millis(v.ExpiresAt), v.Address, v.Agent)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, trimSessions, v.UserID, v.Hash[:], keptSessions-1)
	return err
}

// EndSession forgets a session; one that does not exist is no error. When it would
// have expired is for those who keep sessions elsewhere.
func (s *DB) EndSession(ctx context.Context, h Hash, _ time.Time) error {
	return s.transact(ctx, s.dialect.locking, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE hash = $1", h[:])
		return err
	})
}

// SeeSession notes that a session was used.
func (s *DB) SeeSession(ctx context.Context, h Hash, now time.Time) error {
	_, err := s.write.ExecContext(ctx, "UPDATE sessions SET seen_at = $1 WHERE hash = $2 AND seen_at < $1", millis(now), h[:])
	return err
}
