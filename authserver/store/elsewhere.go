package store

import (
	"context"
	"database/sql"
	"slices"
	"time"
)

// Sessions may be kept elsewhere, where one that was ended can come back. Then
// this database has the last word: an era that is over ends those of a person,
// and each that is ended by itself is on record until it would have expired.

// Standing is a session that is kept elsewhere, with the name of its person:
// ErrNotFound when it has ended, its era is over, or the person is disabled.
// It does not look at when the session expires.
func (s *DB) Standing(ctx context.Context, v Session) (Session, error) {
	err := s.read.QueryRowContext(ctx, `SELECT name FROM users WHERE id = $1 AND era = $2 AND disabled_at = 0
		AND NOT EXISTS (SELECT 1 FROM ended_sessions WHERE hash = $3)`, v.UserID, v.Era, v.Hash[:]).Scan(&v.UserName)
	if err != nil {
		return Session{}, found(err)
	}
	return v, nil
}

// AllStanding are those of several for which Standing says yes, in their order.
func (s *DB) AllStanding(ctx context.Context, all []Session) ([]Session, error) {
	people, err := s.peopleOf(ctx, all)
	if err != nil {
		return nil, err
	}
	ended, err := s.endedAmong(ctx, all)
	if err != nil {
		return nil, err
	}
	var standing []Session
	for _, v := range all {
		u, there := people[v.UserID]
		if !there || u.Era != v.Era || ended[v.Hash] {
			continue
		}
		v.UserName = u.Name
		standing = append(standing, v)
	}
	return standing, nil
}

// peopleOf are whose sessions these are, unless they are disabled, with name and era.
func (s *DB) peopleOf(ctx context.Context, all []Session) (map[string]User, error) {
	var ids []string
	for _, v := range all {
		ids = append(ids, v.UserID)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	found, err := list(ctx, s.read, func(row scanner) (u User, err error) { return u, row.Scan(&u.ID, &u.Name, &u.Era) },
		"SELECT id, name, era FROM users WHERE disabled_at = 0 AND id "+oneOf(1, len(ids)), anys(ids)...)
	people := map[string]User{}
	for _, u := range found {
		people[u.ID] = u
	}
	return people, err
}

func (s *DB) endedAmong(ctx context.Context, all []Session) (map[Hash]bool, error) {
	var hashes []any
	for _, v := range all {
		hashes = append(hashes, v.Hash[:])
	}
	if len(hashes) == 0 {
		return nil, nil
	}
	found, err := list(ctx, s.read, func(row scanner) (hash []byte, err error) { return hash, row.Scan(&hash) },
		"SELECT hash FROM ended_sessions WHERE hash "+oneOf(1, len(hashes)), hashes...)
	ended := map[Hash]bool{}
	for _, hash := range found {
		ended[Hash(hash)] = true
	}
	return ended, err
}

// RecordEnded puts on record that a session that is kept elsewhere has ended;
// once more is no error.
func (s *DB) RecordEnded(ctx context.Context, v Session) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		_, err := recordEnded(ctx, tx, v)
		return err
	})
}

func recordEnded(ctx context.Context, tx *sql.Tx, v Session) (first bool, err error) {
	r, err := tx.ExecContext(ctx, "INSERT INTO ended_sessions (hash, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING", v.Hash[:], millis(v.ExpiresAt))
	if err != nil {
		return false, err
	}
	n, err := r.RowsAffected()
	return n == 1, err
}

// StartElsewhere is StartSession for a session that is kept elsewhere, and ends
// others that are.
func (s *DB) StartElsewhere(ctx context.Context, v Session, ends []Session) error {
	return s.ending(ctx, func(tx ending) error {
		if err := tx.inEra(ctx, v.UserID, v.Era); err != nil {
			return err
		}
		return recordAllEnded(ctx, tx.Tx, ends)
	})
}

func recordAllEnded(ctx context.Context, tx *sql.Tx, ends []Session) error {
	for _, v := range ends {
		if _, err := recordEnded(ctx, tx, v); err != nil {
			return err
		}
	}
	return nil
}

// AdmitElsewhere is Admit with a session that is kept elsewhere, and ends others
// that are. One that must be held is among these, or it is spent.
func (s *DB) AdmitElsewhere(ctx context.Context, a Admission, ends []Session, now time.Time, wider Wider) error {
	return s.admit(ctx, a, now, wider, func(tx *sql.Tx) error {
		if a.Held {
			i := slices.IndexFunc(ends, func(v Session) bool {
				return v.Hash == a.Before && v.UserID == a.Session.UserID && v.Era == a.Session.Era
			})
			if i < 0 {
				return ErrSpent
			}
			if first, err := recordEnded(ctx, tx, ends[i]); !first || err != nil {
				return spentOr(err)
			}
		}
		return recordAllEnded(ctx, tx, ends)
	})
}

func spentOr(err error) error {
	if err == nil {
		return ErrSpent
	}
	return err
}
