package store

import (
	"context"
	"database/sql"
	"time"
)

// Each statement deletes at most one batch of rows past their time (the
// first parameter) and takes what hangs on them along.
var sweeps = []string{
	"DELETE FROM sessions WHERE hash IN (SELECT hash FROM sessions WHERE expires_at < $1 LIMIT $2)",
	"DELETE FROM ended_sessions WHERE hash IN (SELECT hash FROM ended_sessions WHERE expires_at < $1 LIMIT $2)",
	"DELETE FROM spent_requests WHERE hash IN (SELECT hash FROM spent_requests WHERE expires_at < $1 LIMIT $2)",
	"DELETE FROM device_requests WHERE hash IN (SELECT hash FROM device_requests WHERE expires_at < $1 LIMIT $2)",
	"DELETE FROM departures WHERE hash IN (SELECT hash FROM departures WHERE expires_at < $1 LIMIT $2)",
	"DELETE FROM remembered_browsers WHERE hash IN (SELECT hash FROM remembered_browsers WHERE expires_at < $1 LIMIT $2)",
	"DELETE FROM tickets WHERE hash IN (SELECT hash FROM tickets WHERE expires_at < $1 LIMIT $2)",
	"DELETE FROM access_tokens WHERE place IN (SELECT place FROM access_tokens WHERE expires_at < $1 LIMIT $2)",
	"DELETE FROM grants WHERE id IN (SELECT id FROM grants WHERE expires_at < $1 LIMIT $2)",
}

const sweepClients = `DELETE FROM clients WHERE id IN (
	SELECT id FROM clients WHERE dynamic = 1 AND used_at = 0 AND created_at < $1 LIMIT $2)`

// Sweep deletes expired rows, at most batch of each kind, and dynamic clients
// that were registered before unusedSince and never used. It says whether any
// kind may have more.
func (s *DB) Sweep(ctx context.Context, now, unusedSince time.Time, batch int) (more bool, err error) {
	for _, q := range sweeps {
		full, err := s.sweepOne(ctx, q, now, batch)
		if err != nil {
			return false, err
		}
		more = more || full
	}
	full, err := s.sweepOne(ctx, sweepClients, unusedSince, batch)
	return more || full, err
}

func (s *DB) sweepOne(ctx context.Context, query string, before time.Time, batch int) (full bool, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, query, millis(before), batch)
		if err != nil {
			return err
		}
		n, err := r.RowsAffected()
		full = n >= int64(batch)
		return err
	})
	return full, err
}
