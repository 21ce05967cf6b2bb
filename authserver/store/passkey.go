package store

import (
	"context"
	"database/sql"
	"time"
)

// Passkey is one passkey of a person.
type Passkey struct {
	ID         []byte
	UserID     string
	Era        int64 // of the session it is added in; Passkeys does not say it
	Name       string
	Credential string // JSON, the caller's
	Counter    uint32
	CreatedAt  time.Time
	UsedAt     time.Time
	ClonedAt   time.Time // when a copy of it was noticed, after which it opens nothing; zero: never
}

// Passkeys are those of a person, the oldest first.
func (s *DB) Passkeys(ctx context.Context, user string) ([]Passkey, error) {
	rows, err := s.read.QueryContext(ctx,
		`SELECT id, name, credential, counter, created_at, used_at, cloned_at FROM passkeys WHERE user_id = $1 ORDER BY created_at, id`, user)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Passkey
	for rows.Next() {
		k := Passkey{UserID: user}
		var created, used, cloned int64
		if err := rows.Scan(&k.ID, &k.Name, &k.Credential, &k.Counter, &created, &used, &cloned); err != nil {
			return nil, err
		}
		k.CreatedAt, k.UsedAt, k.ClonedAt = moment(created), moment(used), moment(cloned)
		all = append(all, k)
	}
	return all, rows.Err()
}

// AddPasskey adds one, and ends what SetGenerator does: ErrExists when it is
// registered, by whomever, and ErrSpent when its era is over.
func (s *DB) AddPasskey(ctx context.Context, k Passkey, alone *Alone) (ended int64, err error) {
	err = s.provenTx(ctx, k.UserID, k.Era, func(tx *sql.Tx) error {
		err := exactlyOne(ctx, tx, ErrExists,
			`INSERT INTO passkeys (id, user_id, name, credential, counter, created_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
			k.ID, k.UserID, k.Name, k.Credential, int64(k.Counter), millis(k.CreatedAt))
		if err != nil {
			return err
		}
		ended, err = alone.end(ctx, tx, k.UserID)
		return err
	})
	return ended, err
}

// UsePasskey notes that a passkey answered, with the credential and the counter
// it has now: ErrSpent when it opens nothing, or its counter is no later than
// the one of another answer.
func (s *DB) UsePasskey(ctx context.Context, k Passkey, now time.Time) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		return exactlyOne(ctx, tx, ErrSpent,
			`UPDATE passkeys SET credential = $1, counter = $2, used_at = $3
			 WHERE id = $4 AND user_id = $5 AND cloned_at = 0 AND (counter < $2 OR (counter = 0 AND $2 = 0))`,
			k.Credential, int64(k.Counter), millis(now), k.ID, k.UserID)
	})
}

// MarkCloned: from now on the passkey opens nothing.
func (s *DB) MarkCloned(ctx context.Context, user string, id []byte, now time.Time) error {
	_, err := s.write.ExecContext(ctx, "UPDATE passkeys SET cloned_at = $1 WHERE id = $2 AND user_id = $3 AND cloned_at = 0", millis(now), id, user)
	return err
}

// RenamePasskey gives a passkey another name: ErrNotFound when it is not this
// person's, and ErrSpent when the era is over in which they asked for it.
func (s *DB) RenamePasskey(ctx context.Context, user string, era int64, id []byte, name string) error {
	return s.provenTx(ctx, user, era, func(tx *sql.Tx) error {
		return exactlyOne(ctx, tx, ErrNotFound, "UPDATE passkeys SET name = $1 WHERE id = $2 AND user_id = $3", name, id, user)
	})
}

// RemovePasskey takes a passkey away: ErrNotFound when it is not this person's,
// and ErrLastWay when they have no password, no other passkey, and no identity
// of the issuers at which people sign in; ErrSpent when the era is over in which
// they asked for it.
func (s *DB) RemovePasskey(ctx context.Context, user string, era int64, id []byte, issuers []string) error {
	return s.provenTx(ctx, user, era, func(tx *sql.Tx) error {
		err := exactlyOne(ctx, tx, ErrNotFound, "DELETE FROM passkeys WHERE id = $1 AND user_id = $2", id, user)
		if err != nil {
			return err
		}
		return someWay(ctx, tx, user, issuers)
	})
}
