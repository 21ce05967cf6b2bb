package store

import (
	"context"
	"database/sql"
	"time"
)

// Generator is a person's generator of codes (RFC 6238).
type Generator struct {
	UserID    string
	Era       int64  // of the session it is set in; Generator does not say it
	Sealed    []byte // its secret, sealed by the caller
	Step      int64  // of the last code that was taken: none of it or before is taken again
	CreatedAt time.Time
}

// Generator finds the generator of a person.
func (s *DB) Generator(ctx context.Context, user string) (Generator, error) {
	g := Generator{UserID: user}
	var created int64
	err := s.read.QueryRowContext(ctx, "SELECT sealed, step, created_at FROM code_generators WHERE user_id = $1 AND confirmed_at > 0", user).
		Scan(&g.Sealed, &g.Step, &created)
	if err != nil {
		return Generator{}, found(err)
	}
	g.CreatedAt = moment(created)
	return g, nil
}

// Alone is the session in which a factor is set up that ends all others, and
// from where: the one place that stays known.
type Alone struct {
	But  Hash
	Here Place
}

// end ends all others, and says how many those were; nobody's for nil.
func (a *Alone) end(ctx context.Context, tx *sql.Tx, user string) (ended int64, err error) {
	if a == nil {
		return 0, nil
	}
	if ended, err = endProofs(ctx, tx, user, a.But); err != nil {
		return 0, err
	}
	return ended, forgetContexts(ctx, tx, user, a.Here)
}

// SetGenerator gives a person a generator that has shown a code, instead of
// the one there was, and does what EndOthers does in the same step, where there
// is an alone: no session of before goes on without it. ErrSpent when its era is
// over.
func (s *DB) SetGenerator(ctx context.Context, g Generator, alone *Alone) (ended int64, err error) {
	err = s.provenTx(ctx, g.UserID, g.Era, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx,
			`INSERT INTO code_generators (user_id, sealed, step, created_at, confirmed_at) VALUES ($1, $2, $3, $4, $4)
			 ON CONFLICT (user_id) DO UPDATE SET sealed = excluded.sealed, step = excluded.step,
			 created_at = excluded.created_at, confirmed_at = excluded.confirmed_at`,
			g.UserID, g.Sealed, g.Step, millis(g.CreatedAt))
		if err != nil {
			return err
		}
		ended, err = alone.end(ctx, tx, g.UserID)
		return err
	})
	return ended, err
}

// TakeStep takes the code of a step, once: ErrSpent when that step or a later
// one was taken, or there is no generator.
func (s *DB) TakeStep(ctx context.Context, user string, step int64) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		return exactlyOne(ctx, tx, ErrSpent, "UPDATE code_generators SET step = $1 WHERE user_id = $2 AND step < $1", step, user)
	})
}

// RecoveryCodes says how many recovery codes of a person are left.
func (s *DB) RecoveryCodes(ctx context.Context, user string) (left int, err error) {
	err = s.read.QueryRowContext(ctx, "SELECT count(*) FROM recovery_codes WHERE user_id = $1 AND used_at = 0", user).Scan(&left)
	return left, err
}

// SetRecoveryCodes gives a person these recovery codes; the ones before are
// worth nothing any more. ErrSpent when the era is over in which they asked for it.
func (s *DB) SetRecoveryCodes(ctx context.Context, user string, era int64, codes []Hash) error {
	return s.provenTx(ctx, user, era, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM recovery_codes WHERE user_id = $1", user); err != nil {
			return err
		}
		for _, h := range codes {
			if _, err := tx.ExecContext(ctx, "INSERT INTO recovery_codes (user_id, hash) VALUES ($1, $2)", user, h[:]); err != nil {
				return err
			}
		}
		return nil
	})
}

// UseRecoveryCode uses a recovery code, once: ErrSpent when it was used, or is none.
func (s *DB) UseRecoveryCode(ctx context.Context, user string, code Hash, now time.Time) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		return exactlyOne(ctx, tx, ErrSpent,
			"UPDATE recovery_codes SET used_at = $1 WHERE user_id = $2 AND hash = $3 AND used_at = 0", millis(now), user, code[:])
	})
}

// RemoveGenerator takes the generator of a person away; none is no error, and
// ErrSpent says that the era is over in which they asked for it.
func (s *DB) RemoveGenerator(ctx context.Context, user string, era int64) error {
	return s.provenTx(ctx, user, era, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM code_generators WHERE user_id = $1", user)
		return err
	})
}
