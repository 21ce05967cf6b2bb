package store

import (
	"context"
	"time"
)

// Each statement deletes at most one batch of rows past their time (the
// first parameter) and takes what hangs on them along.
var sweeps = []string{
	"DELETE FROM sessions WHERE rowid IN (SELECT rowid FROM sessions WHERE expires_at < ? LIMIT ?)",
	"DELETE FROM spent_requests WHERE rowid IN (SELECT rowid FROM spent_requests WHERE expires_at < ? LIMIT ?)",
	"DELETE FROM access_tokens WHERE place IN (SELECT place FROM access_tokens WHERE expires_at < ? LIMIT ?)",
	"DELETE FROM grants WHERE rowid IN (SELECT rowid FROM grants WHERE expires_at < ? LIMIT ?)",
}

const sweepClients = `DELETE FROM clients WHERE id IN (
	SELECT id FROM clients WHERE dynamic = 1 AND used_at = 0 AND created_at < ? LIMIT ?)`

// Sweep deletes expired rows, at most batch of each kind, and dynamic clients
// that were registered before unusedSince and never used. It says whether any
// kind may have more.
func (s *SQLite) Sweep(ctx context.Context, now, unusedSince time.Time, batch int) (more bool, err error) {
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

func (s *SQLite) sweepOne(ctx context.Context, query string, before time.Time, batch int) (full bool, err error) {
	r, err := s.write.ExecContext(ctx, query, millis(before), batch)
	if err != nil {
		return false, err
	}
	n, err := r.RowsAffected()
	return n >= int64(batch), err
}
