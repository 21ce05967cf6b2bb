package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// Admission is a sign-in that has come to its end, with all that it changes.
type Admission struct {
	Session  Session
	Before   Hash        // the session that this browser had; the zero hash for none
	Held     bool        // Before must still be there: the person goes on with it
	SignIn   SignIn      // its record
	Newcomer *User       // whose account it creates
	Identity *Identity   // it was made by; its UserID is the session's
	Linked   bool        // the identity is not one of the account yet
	Given    *GivenRoles // by who vouches for the person
}

// Admit does all of it as one: ErrSpent when what the person proved was ended
// meanwhile, or they are disabled; ErrExists when the newcomer's name is taken,
// or the identity is somebody else's, or the person has another of that issuer.
// Tokens that are wider than the roles given end.
func (s *DB) Admit(ctx context.Context, a Admission, now time.Time, wider Wider) error {
	return s.admit(ctx, a, now, wider, func(tx *sql.Tx) error {
		if a.Held {
			err := exactlyOne(ctx, tx, ErrSpent, "DELETE FROM sessions WHERE hash = $1 AND user_id = $2", a.Before[:], a.Session.UserID)
			if err != nil {
				return err
			}
		}
		return startSession(ctx, tx, a.Session, a.Before)
	})
}

// admit is Admit; keep ends the session before, and begins the new one.
func (s *DB) admit(ctx context.Context, a Admission, now time.Time, wider Wider, keep func(*sql.Tx) error) error {
	return s.ending(ctx, func(tx ending) error {
		if err := tx.admitted(ctx, a, now); err != nil {
			return err
		}
		if err := keep(tx.Tx); err != nil {
			return err
		}
		if err := identified(ctx, tx.Tx, a); err != nil {
			return err
		}
		if a.Given != nil {
			if err := tx.give(ctx, a.Session.UserID, *a.Given, now, wider); err != nil {
				return err
			}
		}
		_, err := recordSignIn(ctx, tx.Tx, a.SignIn)
		return err
	})
}

// admitted holds the row of who comes in, or makes it.
func (e ending) admitted(ctx context.Context, a Admission, now time.Time) error {
	if a.Newcomer != nil {
		return addNewcomer(ctx, e.Tx, *a.Newcomer, now)
	}
	return e.inEra(ctx, a.Session.UserID, a.Session.Era)
}

// inEra is ErrSpent unless what was proved in an era still counts.
func (e ending) inEra(ctx context.Context, user string, era int64) error {
	return spentUnless(exists(ctx, e.Tx, "SELECT 1 FROM users WHERE id = $1 AND era = $2 AND disabled_at = 0"+e.dialect.alone, user, era))
}

// provenTx is tx for what somebody does who proved who they are in an era:
// ErrSpent when it is over, or they are disabled.
func (s *DB) provenTx(ctx context.Context, user string, era int64, f func(*sql.Tx) error) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := (ending{Tx: tx, dialect: s.dialect}).inEra(ctx, user, era); err != nil {
			return err
		}
		return f(tx)
	})
}

// addNewcomer: an address that is verified as somebody else's is not verified as theirs.
func addNewcomer(ctx context.Context, tx *sql.Tx, u User, now time.Time) error {
	err := freeAddress(ctx, tx, u)
	if errors.Is(err, ErrAddressTaken) {
		u.EmailVerified, err = false, nil
	}
	if err != nil {
		return err
	}
	return addUser(ctx, tx, u, now)
}

func identified(ctx context.Context, tx *sql.Tx, a Admission) error {
	if a.Identity == nil {
		return nil
	}
	if a.Linked || a.Newcomer != nil {
		return link(ctx, tx, *a.Identity)
	}
	v := a.Identity
	return exactlyOne(ctx, tx, ErrSpent, "UPDATE identities SET used_at = $1, email = $2 WHERE issuer = $3 AND subject = $4 AND user_id = $5",
		millis(v.UsedAt), v.Email, v.Issuer, v.Subject, v.UserID)
}

func spentUnless(err error) error {
	if errors.Is(err, ErrNotFound) {
		return ErrSpent
	}
	return err
}
