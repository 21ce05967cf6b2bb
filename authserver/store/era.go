package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
)

// The lower bits of an era count on from the one before. The higher ones are
// random, so that no era comes twice: neither does what was proved in one that
// was over, when the database is put back to what it was before.
const (
	counted = 20
	nextEra = "UPDATE users SET era = (((era & 1048575) + 1) & 1048575) + $2 WHERE id = $1"
)

func newEra() int64 {
	var raw [8]byte
	_, _ = rand.Read(raw[:]) // never fails
	return int64(binary.BigEndian.Uint64(raw[:])>>(1+counted)) << counted
}

// Follows says whether one end alone is between two eras of a person.
func Follows(later, earlier int64) bool {
	const mask = 1<<counted - 1
	return later&mask == (earlier+1)&mask
}

// Place is where somebody signs in from, as known pairs are kept.
type Place struct{ Network, Agent string }

// EndSessions ends the sessions of a person but one (the zero hash for none),
// and says how many those were. Remembered browsers end with them, and sign-ins
// that were begun before.
func (s *DB) EndSessions(ctx context.Context, user string, but Hash) (ended int64, err error) {
	err = s.transact(ctx, s.dialect.locking, func(tx *sql.Tx) error {
		ended, err = endProofs(ctx, tx, user, but)
		return err
	})
	return ended, err
}

// EndOthers is EndSessions for whoever suspects somebody else: the pairs of
// network and agent that the person signed in from are forgotten but this one.
func (s *DB) EndOthers(ctx context.Context, user string, but Hash, here Place) (ended int64, err error) {
	err = s.transact(ctx, s.dialect.locking, func(tx *sql.Tx) error {
		if ended, err = endProofs(ctx, tx, user, but); err != nil {
			return err
		}
		return forgetContexts(ctx, tx, user, here)
	})
	return ended, err
}

// endProofs begins another era of a person. Whoever is letting them in has the
// row before, and is ended here, or comes after and is too late. Links that they
// made in the one that is over end too: somebody else may have made them.
func endProofs(ctx context.Context, tx *sql.Tx, user string, but Hash) (ended int64, err error) {
	if _, err := tx.ExecContext(ctx, nextEra, user, newEra()); err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM remembered_browsers WHERE user_id = $1", user); err != nil {
		return 0, err
	}
	if err := dropMade(ctx, tx, KindPerson, user); err != nil {
		return 0, err
	}
	r, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE user_id = $1 AND hash <> $2", user, but[:])
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func forgetContexts(ctx context.Context, tx *sql.Tx, user string, but Place) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM known_contexts WHERE user_id = $1 AND NOT (network = $2 AND agent = $3)", user, but.Network, but.Agent)
	return err
}
