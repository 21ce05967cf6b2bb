package store

import (
	"context"
	"database/sql"
)

// Proof is what somebody showed who asks for a change: it may end while they are
// served.
type Proof struct {
	User  string // a person who was let in, or ""
	Era   int64  // the person's, in which that was
	Token string // the jti of an access token, or ""
}

type proofKey struct{}

// On is a context in which nothing is written once a proof has ended: every
// transaction is ErrSpent when the era is over, the person is disabled or gone, or
// the access token is revoked. Reads are as ever.
func On(ctx context.Context, p Proof) context.Context {
	return context.WithValue(ctx, proofKey{}, p)
}

// since is a context for what follows from a change that was made.
func since(ctx context.Context) context.Context { return On(ctx, Proof{}) }

// stillProven holds the row of the person: whoever ends what they proved came
// before, or waits and finds what the transaction wrote.
func (s *DB) stillProven(ctx context.Context, tx *sql.Tx) error {
	p, _ := ctx.Value(proofKey{}).(Proof)
	if p.User != "" {
		if err := (ending{Tx: tx, dialect: s.dialect}).inEra(ctx, p.User, p.Era); err != nil {
			return err
		}
	}
	if p.Token == "" {
		return nil
	}
	return spentUnless(exists(ctx, tx, "SELECT 1 FROM access_tokens t WHERE t.id = $1 AND NOT "+isEnded, p.Token))
}

// onProof runs f unless the proof of the context has ended.
func (s *DB) onProof(ctx context.Context, tx *sql.Tx, f func(*sql.Tx) error) error {
	if err := s.stillProven(ctx, tx); err != nil {
		return err
	}
	return f(tx)
}
