package store

import (
	"context"
	"database/sql"
	"errors"
)

// What a transaction may end: the access tokens of a grant, of a person or
// machine, or of a client.
const (
	endGrant   = "grant"
	endSubject = "subject"
	endClient  = "client"
)

// endedTokens is which access tokens each is about, by its value ($1).
var endedTokens = map[string]string{
	endGrant:   "grant_id = $1",
	endSubject: "subject = $1",
	endClient:  "client_id = $1",
}

// isEnded is a condition on a token t: something ended it, whether or not it is
// listed yet.
const isEnded = `(EXISTS (SELECT 1 FROM revocations r WHERE r.place = t.place) OR EXISTS (
	SELECT 1 FROM endings e WHERE e.value IN (t.grant_id, t.subject, t.client_id) AND t.place <= e.through AND
	(e.kind = 'grant' AND e.value = t.grant_id OR e.kind = 'subject' AND e.value = t.subject OR
	 e.kind = 'client' AND e.value = t.client_id)))`

const (
	endingBatch   = 1000 // tokens that are listed in one transaction
	batchesAtOnce = 10   // of one ending, before its caller has an answer
	endingsAtOnce = 100
)

// ending is a transaction that revokes tokens. It first locks what they stand
// on, and then knows every token that was issued on it.
type ending struct {
	*sql.Tx
	dialect dialect
	begun   *[]int64
}

// ending commits that tokens are revoked, which counts from then on, and lists
// them afterwards: those there are many of go on in ListEnded.
func (s *DB) ending(ctx context.Context, f func(ending) error) error {
	var begun []int64
	err := s.transact(ctx, s.dialect.locking, func(tx *sql.Tx) error {
		begun = nil
		return f(ending{Tx: tx, dialect: s.dialect, begun: &begun})
	})
	if err != nil {
		return err
	}
	for _, number := range begun {
		if s.listSome(since(ctx), number) != nil {
			return nil // it is ended; ListEnded tries again, and says why it cannot
		}
	}
	return nil
}

func (s *DB) listSome(ctx context.Context, number int64) error {
	for range batchesAtOnce {
		more, err := s.listBatch(ctx, number)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// lock keeps the rows of a SELECT from everybody until the transaction ends.
func (e ending) lock(ctx context.Context, query, arg string) error {
	_, err := e.ExecContext(ctx, query+e.dialect.ended, arg)
	return err
}

// end revokes the access tokens of what is named that were issued until now.
func (e ending) end(ctx context.Context, kind, value string) error {
	var number int64
	err := e.QueryRowContext(ctx, "INSERT INTO endings (kind, value, through) SELECT $1, $2, last FROM ("+e.dialect.lastPlace+
		") AS given RETURNING number", kind, value).Scan(&number)
	if err != nil {
		return err
	}
	*e.begun = append(*e.begun, number)
	return nil
}

// ListEnded goes on with listing as revoked what was ended, a batch of each,
// and says whether there may be more. Whoever else waits to revoke comes in
// between.
func (s *DB) ListEnded(ctx context.Context) (more bool, err error) {
	numbers, err := list(ctx, s.read, func(row scanner) (n int64, err error) { return n, row.Scan(&n) },
		"SELECT number FROM endings ORDER BY number LIMIT $1", endingsAtOnce)
	if err != nil {
		return false, err
	}
	more = len(numbers) == endingsAtOnce
	for _, number := range numbers {
		unfinished, err := s.listBatch(ctx, number)
		if err != nil {
			return false, err
		}
		more = more || unfinished
	}
	return more, nil
}

// batch is where the listing of an ending is.
type batch struct {
	number          int64
	kind, value     string
	listed, through int64
}

// listBatch lists the next tokens of an ending. One that is done is gone.
func (s *DB) listBatch(ctx context.Context, number int64) (more bool, err error) {
	err = s.transact(ctx, s.dialect.locking, func(tx *sql.Tx) error {
		b := batch{number: number}
		err := tx.QueryRowContext(ctx, "SELECT kind, value, listed, through FROM endings WHERE number = $1"+s.dialect.ended, number).
			Scan(&b.kind, &b.value, &b.listed, &b.through)
		if errors.Is(err, sql.ErrNoRows) {
			more = false
			return nil
		}
		if err != nil {
			return err
		}
		more, err = s.listOne(ctx, tx, b)
		return err
	})
	return more, err
}

func (s *DB) listOne(ctx context.Context, tx *sql.Tx, b batch) (more bool, err error) {
	tokens := "SELECT place FROM access_tokens WHERE " + endedTokens[b.kind] + " AND place > $2 AND place <= $3 ORDER BY place"
	var n, last int64
	err = tx.QueryRowContext(ctx, "SELECT count(*), coalesce(max(place), 0) FROM ("+tokens+" LIMIT $4) AS batch",
		b.value, b.listed, b.through, endingBatch).Scan(&n, &last)
	if err != nil {
		return false, err
	}
	if n > 0 {
		if err := s.revoke(ctx, tx, tokens, b.value, b.listed, last); err != nil {
			return false, err
		}
	}
	if n < endingBatch {
		_, err = tx.ExecContext(ctx, "DELETE FROM endings WHERE number = $1", b.number)
		return false, err
	}
	_, err = tx.ExecContext(ctx, "UPDATE endings SET listed = $1 WHERE number = $2", last, b.number)
	return true, err
}

// revoke lists the places that a SELECT gives. Whoever reads up to a number
// later reads only higher ones, so numbers must become visible in their order:
// one transaction at a time gives any, until it has ended.
func (s *DB) revoke(ctx context.Context, tx *sql.Tx, places string, args ...any) error {
	if s.dialect.inOrder != "" {
		if _, err := tx.ExecContext(ctx, s.dialect.inOrder); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO revocations (place) "+places+" ON CONFLICT DO NOTHING", args...)
	return err
}
