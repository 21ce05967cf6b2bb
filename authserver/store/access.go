package store

import (
	"context"
	"database/sql"
)

// Issue keeps an access token and gives it its place. ErrNotFound when the
// grant it comes from is revoked or, for a machine's own, the client is gone;
// ErrFull when the grant has as many tokens as it may have.
func (s *DB) Issue(ctx context.Context, t AccessToken) (place uint64, err error) {
	return s.issuing(ctx, t, func(*sql.Tx) error { return nil })
}

// issuing keeps an access token with what else f writes: all of it, or nothing.
// Whatever hangs on the token's grant is f's alone; what else f relies on it
// must lock, as an UPDATE does.
func (s *DB) issuing(ctx context.Context, t AccessToken, f func(*sql.Tx) error) (place uint64, err error) {
	err = s.transact(ctx, s.dialect.locking, func(tx *sql.Tx) error {
		if err := s.hold(ctx, tx, t); err != nil {
			return err
		}
		if err := f(tx); err != nil {
			return err
		}
		place, err = insertAccess(ctx, tx, t)
		return err
	})
	if err != nil {
		return 0, err
	}
	return place, nil
}

// hold keeps what a token stands on as it is until the transaction ends, so
// that whoever revokes it next finds the token's row. Of one grant one
// transaction issues at a time; of one client, many.
func (s *DB) hold(ctx context.Context, tx *sql.Tx, t AccessToken) error {
	query, from := "SELECT 1 FROM grants WHERE id = $1 AND revoked_at = 0"+s.dialect.alone, t.GrantID
	if t.GrantID == "" {
		query, from = "SELECT 1 FROM clients WHERE id = $1"+s.dialect.beside, t.ClientID
	}
	var one int
	if err := tx.QueryRowContext(ctx, query, from).Scan(&one); err != nil || t.GrantID == "" {
		return found(err)
	}
	return roomFor(ctx, tx, t.GrantID)
}

// mostTokens of one grant are kept: whoever refreshes without end would make its
// end long for everybody.
const mostTokens = 1000

func roomFor(ctx context.Context, tx *sql.Tx, grant string) error {
	var kept int
	err := tx.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM access_tokens WHERE grant_id = $1 LIMIT $2) AS kept", grant, mostTokens).Scan(&kept)
	if err == nil && kept >= mostTokens {
		return ErrFull
	}
	return err
}

func insertAccess(ctx context.Context, tx *sql.Tx, t AccessToken) (place uint64, err error) {
	err = tx.QueryRowContext(ctx,
		"INSERT INTO access_tokens (id, grant_id, client_id, subject, expires_at) VALUES ($1, $2, $3, $4, $5) RETURNING place",
		t.ID, t.GrantID, t.ClientID, t.Subject, millis(t.ExpiresAt)).Scan(&place)
	return place, err
}

// AccessToken finds an access token by its jti, revoked or not, until it is swept.
func (s *DB) AccessToken(ctx context.Context, id string) (AccessToken, error) {
	var expires int64
	t := AccessToken{ID: id}
	err := s.read.QueryRowContext(ctx,
		"SELECT t.place, t.grant_id, t.client_id, t.subject, t.expires_at, "+isEnded+" FROM access_tokens t WHERE t.id = $1", id).
		Scan(&t.Place, &t.GrantID, &t.ClientID, &t.Subject, &expires, &t.Revoked)
	if err != nil {
		return AccessToken{}, found(err)
	}
	t.ExpiresAt = moment(expires)
	return t, nil
}

// RevokeToken revokes one access token by its jti. One that is not there, or
// was revoked before, is no error.
func (s *DB) RevokeToken(ctx context.Context, id string) error {
	return s.transact(ctx, s.dialect.locking, func(tx *sql.Tx) error {
		return s.revoke(ctx, tx, "SELECT place FROM access_tokens WHERE id = $1", id)
	})
}

// Places are the lowest place of a kept access token and the highest that was
// ever given: the same when none is kept, 0 before the first.
func (s *DB) Places(ctx context.Context) (first, last uint64, err error) {
	err = s.read.QueryRowContext(ctx, "WITH given AS ("+s.dialect.lastPlace+
		") SELECT coalesce((SELECT min(place) FROM access_tokens), last), last FROM given").
		Scan(&first, &last)
	return first, last, err
}

// RevokedPlaces are the places of revoked access tokens in [from, to).
func (s *DB) RevokedPlaces(ctx context.Context, from, to uint64) ([]uint64, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT place FROM revocations WHERE place >= $1 AND place < $2", from, to)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var places []uint64
	for rows.Next() {
		var place uint64
		if err := rows.Scan(&place); err != nil {
			return nil, err
		}
		places = append(places, place)
	}
	return places, rows.Err()
}

// Revocations are at most limit revocations of tokens that are still kept,
// with numbers above after, in their order.
func (s *DB) Revocations(ctx context.Context, after uint64, limit int) ([]Revocation, error) {
	rows, err := s.read.QueryContext(ctx,
		`SELECT r.number, t.id, t.expires_at FROM revocations r JOIN access_tokens t ON t.place = r.place
		 WHERE r.number > $1 ORDER BY r.number LIMIT $2`, after, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Revocation
	for rows.Next() {
		var (
			r       Revocation
			expires int64
		)
		if err := rows.Scan(&r.Number, &r.TokenID, &expires); err != nil {
			return nil, err
		}
		r.ExpiresAt = moment(expires)
		all = append(all, r)
	}
	return all, rows.Err()
}
