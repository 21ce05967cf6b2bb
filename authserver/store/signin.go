package store

import (
	"context"
	"database/sql"
	"strings"
	"time"
)

// SignIn is one attempt to sign in that was decided.
type SignIn struct {
	Number   int64 // given when it is recorded: the later, the higher
	UserID   string
	At       time.Time
	Outcome  string // a word of whoever decides; SignedIn is the one that is known here
	Reasons  []string
	Address  string
	Network  string // that the address is counted by
	Agent    string
	Browser  string // names one the person had signed in at before, or ""
	ClientID string
	Methods  []string  // what was proven; none when nothing was
	SeenAt   time.Time // when the person was shown it; never, when zero
	Weak     bool      // the person has a second factor and did not show it: no pair becomes known by it
}

// SignedIn is the outcome of a sign-in that came to its end.
const SignedIn = "allow"

// KnownContext is a pair of network and browser that a person signed in from.
type KnownContext struct {
	Network, Agent string
	FirstAt, Last  time.Time
}

// SignInHistory is what the next sign-in of a person is judged by.
type SignInHistory struct {
	Before   bool // the person has signed in before
	Contexts []KnownContext
	SignIns  []SignIn // that came to their end, the latest first
	Failures []SignIn // where nothing was proven, the latest first
}

// What is kept of one person. Whoever proves nothing cannot make more than so
// many writes in an hour, nor push out what was proven.
const (
	keptProven    = 300
	keptUnproven  = 200
	keptContexts  = 100
	hourlyOfUser  = 30 // unproven
	hourlyOfPlace = 10 // unproven, from one network
)

// RecordSignIn keeps an attempt of a person and returns its number, 0 when it
// is not kept: nothing was proven and there were many in this hour, or there is
// no such person. One that has a number replaces the attempt of that number
// that waited for its end; one that does not come to its end either replaces
// the same of the hour before. With SignedIn the pair of network and agent
// becomes known.
func (s *DB) RecordSignIn(ctx context.Context, of SignIn) (number int64, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		number, err = recordSignIn(ctx, tx, of)
		return err
	})
	return number, err
}

func recordSignIn(ctx context.Context, tx *sql.Tx, v SignIn) (number int64, err error) {
	due, err := worthKeeping(ctx, tx, v)
	if err != nil || !due {
		return 0, err
	}
	if v.Number, err = sameBefore(ctx, tx, v); err != nil {
		return 0, err
	}
	if number, err = putSignIn(ctx, tx, v); err != nil {
		return 0, err
	}
	if err := trimSignIns(ctx, tx, v); err != nil || v.Outcome != SignedIn {
		return number, err
	}
	return number, knowContext(ctx, tx, v)
}

func worthKeeping(ctx context.Context, tx *sql.Tx, v SignIn) (bool, error) {
	var one int
	err := tx.QueryRowContext(ctx, "SELECT 1 FROM users WHERE id = $1", v.UserID).Scan(&one)
	if found(err) == ErrNotFound {
		return false, nil
	}
	if err != nil || len(v.Methods) > 0 {
		return err == nil, err
	}
	var all, here int
	err = tx.QueryRowContext(ctx,
		`SELECT count(*), coalesce(sum(CASE WHEN network = $1 THEN 1 ELSE 0 END), 0) FROM sign_ins
		 WHERE user_id = $2 AND amr = '' AND at > $3`, v.Network, v.UserID, millis(v.At.Add(-time.Hour))).Scan(&all, &here)
	return all < hourlyOfUser && here < hourlyOfPlace, err
}

// sameBefore is the number of the attempt that v takes the place of, 0 for none:
// whoever knows a password, and no more, does not push out what happened before.
func sameBefore(ctx context.Context, tx *sql.Tx, v SignIn) (number int64, err error) {
	if v.Number != 0 || v.Outcome == SignedIn || len(v.Methods) == 0 {
		return v.Number, nil
	}
	err = tx.QueryRowContext(ctx,
		`SELECT number FROM sign_ins WHERE user_id = $1 AND outcome = $2 AND network = $3 AND agent = $4 AND at > $5 AND amr <> ''
		 ORDER BY number DESC LIMIT 1`, v.UserID, v.Outcome, v.Network, v.Agent, millis(v.At.Add(-time.Hour))).Scan(&number)
	if found(err) == ErrNotFound {
		return 0, nil
	}
	return number, err
}

// putSignIn adds v, in place of the one that has its number and did not come to its end.
func putSignIn(ctx context.Context, tx *sql.Tx, v SignIn) (number int64, err error) {
	_, err = tx.ExecContext(ctx, "DELETE FROM sign_ins WHERE number = $1 AND user_id = $2 AND outcome <> $3", v.Number, v.UserID, SignedIn)
	if err != nil {
		return 0, err
	}
	err = tx.QueryRowContext(ctx,
		`INSERT INTO sign_ins (user_id, at, outcome, reasons, address, network, agent, browser, client_id, amr, seen_at)
		 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING number`,
		v.UserID, millis(v.At), v.Outcome, strings.Join(v.Reasons, " "), v.Address, v.Network, v.Agent, v.Browser, v.ClientID,
		strings.Join(v.Methods, " "), millis(v.SeenAt)).Scan(&number)
	return number, err
}

const (
	trimProven = `DELETE FROM sign_ins WHERE user_id = $1 AND amr <> '' AND number <=
		(SELECT number FROM sign_ins WHERE user_id = $1 AND amr <> '' ORDER BY number DESC LIMIT 1 OFFSET $2)`
	trimUnproven = `DELETE FROM sign_ins WHERE user_id = $1 AND amr = '' AND number <=
		(SELECT number FROM sign_ins WHERE user_id = $1 AND amr = '' ORDER BY number DESC LIMIT 1 OFFSET $2)`
	trimContexts = `DELETE FROM known_contexts WHERE user_id = $1 AND last_at <
		(SELECT last_at FROM known_contexts WHERE user_id = $1 ORDER BY last_at DESC LIMIT 1 OFFSET $2)`
)

func trimSignIns(ctx context.Context, tx *sql.Tx, v SignIn) error {
	query, kept := trimProven, keptProven
	if len(v.Methods) == 0 {
		query, kept = trimUnproven, keptUnproven
	}
	_, err := tx.ExecContext(ctx, query, v.UserID, kept)
	return err
}

func knowContext(ctx context.Context, tx *sql.Tx, v SignIn) error {
	if v.Weak {
		return useContext(ctx, tx, v)
	}
	for _, q := range []struct {
		query string
		args  []any
	}{
		{`INSERT INTO known_contexts (user_id, network, agent, first_at, last_at) VALUES ($1, $2, $3, $4, $4)
		  ON CONFLICT (user_id, network, agent) DO UPDATE SET last_at = excluded.last_at`,
			[]any{v.UserID, v.Network, v.Agent, millis(v.At)}},
		{trimContexts, []any{v.UserID, keptContexts - 1}},
		{"UPDATE users SET signed_in_at = $1 WHERE id = $2", []any{millis(v.At), v.UserID}},
	} {
		if _, err := tx.ExecContext(ctx, q.query, q.args...); err != nil {
			return err
		}
	}
	return nil
}

// useContext notes that a pair was used, where it is known.
func useContext(ctx context.Context, tx *sql.Tx, v SignIn) error {
	_, err := tx.ExecContext(ctx, "UPDATE known_contexts SET last_at = $1 WHERE user_id = $2 AND network = $3 AND agent = $4",
		millis(v.At), v.UserID, v.Network, v.Agent)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "UPDATE users SET signed_in_at = $1 WHERE id = $2", millis(v.At), v.UserID)
	return err
}

// SignInHistory is what is known of a person; of nobody, nothing. Sign-ins are
// as many as limit at most, failures those since a time.
func (s *DB) SignInHistory(ctx context.Context, user string, limit int, since time.Time) (SignInHistory, error) {
	var h SignInHistory
	err := s.read.QueryRowContext(ctx, "SELECT signed_in_at > 0 FROM users WHERE id = $1", user).Scan(&h.Before)
	if err != nil {
		if found(err) == ErrNotFound {
			err = nil
		}
		return SignInHistory{}, err
	}
	if h.Contexts, err = s.KnownContexts(ctx, user); err != nil {
		return SignInHistory{}, err
	}
	h.SignIns, err = s.signIns(ctx, "WHERE user_id = $1 AND outcome = $2 ORDER BY number DESC LIMIT $3", user, SignedIn, limit)
	if err != nil {
		return SignInHistory{}, err
	}
	h.Failures, err = s.signIns(ctx, "WHERE user_id = $1 AND amr = '' AND at >= $2 ORDER BY number DESC LIMIT $3", user, millis(since), keptUnproven)
	if err != nil {
		return SignInHistory{}, err
	}
	return h, nil
}

// KnownContexts are the pairs that a person signed in from, the last used first.
func (s *DB) KnownContexts(ctx context.Context, user string) ([]KnownContext, error) {
	rows, err := s.read.QueryContext(ctx,
		"SELECT network, agent, first_at, last_at FROM known_contexts WHERE user_id = $1 ORDER BY last_at DESC LIMIT $2", user, 2*keptContexts)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []KnownContext
	for rows.Next() {
		var c KnownContext
		var first, last int64
		if err := rows.Scan(&c.Network, &c.Agent, &first, &last); err != nil {
			return nil, err
		}
		c.FirstAt, c.Last = moment(first), moment(last)
		all = append(all, c)
	}
	return all, rows.Err()
}

func (s *DB) signIns(ctx context.Context, which string, args ...any) ([]SignIn, error) {
	rows, err := s.read.QueryContext(ctx,
		"SELECT number, user_id, at, outcome, reasons, address, network, agent, browser, client_id, amr, seen_at FROM sign_ins "+which, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []SignIn
	for rows.Next() {
		var v SignIn
		var reasons, methods string
		var at, seen int64
		err := rows.Scan(&v.Number, &v.UserID, &at, &v.Outcome, &reasons, &v.Address, &v.Network, &v.Agent, &v.Browser, &v.ClientID, &methods, &seen)
		if err != nil {
			return nil, err
		}
		v.At, v.SeenAt = moment(at), moment(seen)
		v.Reasons, v.Methods = strings.Fields(reasons), strings.Fields(methods)
		all = append(all, v)
	}
	return all, rows.Err()
}

// UnseenSignIns are those that the person has not been shown, the latest first.
func (s *DB) UnseenSignIns(ctx context.Context, user string, limit int) ([]SignIn, error) {
	return s.signIns(ctx, "WHERE user_id = $1 AND seen_at = 0 ORDER BY number DESC LIMIT $2", user, limit)
}

// SeeSignIns notes that the person was shown all up to a time.
func (s *DB) SeeSignIns(ctx context.Context, user string, upTo, now time.Time) error {
	_, err := s.write.ExecContext(ctx, "UPDATE sign_ins SET seen_at = $1 WHERE user_id = $2 AND at <= $3 AND seen_at = 0", millis(now), user, millis(upTo))
	return err
}

const (
	sweepSignIns  = "DELETE FROM sign_ins WHERE number IN (SELECT number FROM sign_ins WHERE at < $1 LIMIT $2)"
	sweepContexts = `DELETE FROM known_contexts WHERE (user_id, network, agent) IN
		(SELECT user_id, network, agent FROM known_contexts WHERE last_at < $1 LIMIT $2)`
)

// SweepSignIns deletes sign-ins and known pairs that are older, at most batch
// of each, and says whether there may be more.
func (s *DB) SweepSignIns(ctx context.Context, signIns, contexts time.Time, batch int) (more bool, err error) {
	of, err := s.sweepOne(ctx, sweepSignIns, signIns, batch)
	if err != nil {
		return false, err
	}
	pairs, err := s.sweepOne(ctx, sweepContexts, contexts, batch)
	return of || pairs, err
}
