package store

import (
	"context"
	"database/sql"
)

// Issue keeps an access token and gives it its place. ErrNotFound when the
// grant it comes from is revoked or, for a machine's own, the client is gone.
func (s *SQLite) Issue(ctx context.Context, t AccessToken) (place uint64, err error) {
	return s.issuing(ctx, t, func(*sql.Tx) error { return nil })
}

// issuing keeps an access token with what else f writes: all of it, or nothing.
func (s *SQLite) issuing(ctx context.Context, t AccessToken, f func(*sql.Tx) error) (place uint64, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
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

// The token's row is written only beside what it stands on, so that whoever
// revokes that finds the row.
const (
	insertOfGrant = `INSERT INTO access_tokens (id, grant_id, client_id, subject, expires_at)
		SELECT ?, ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM grants WHERE id = ? AND revoked_at = 0) RETURNING place`
	insertOfClient = `INSERT INTO access_tokens (id, grant_id, client_id, subject, expires_at)
		SELECT ?, ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM clients WHERE id = ?) RETURNING place`
)

func insertAccess(ctx context.Context, tx *sql.Tx, t AccessToken) (place uint64, err error) {
	query, from := insertOfGrant, t.GrantID
	if t.GrantID == "" {
		query, from = insertOfClient, t.ClientID
	}
	err = tx.QueryRowContext(ctx, query, t.ID, t.GrantID, t.ClientID, t.Subject, millis(t.ExpiresAt), from).Scan(&place)
	return place, found(err)
}

// AccessToken finds an access token by its jti, revoked or not, until it is swept.
func (s *SQLite) AccessToken(ctx context.Context, id string) (AccessToken, error) {
	var expires int64
	t := AccessToken{ID: id}
	err := s.read.QueryRowContext(ctx,
		`SELECT t.place, t.grant_id, t.client_id, t.subject, t.expires_at, r.place IS NOT NULL
		 FROM access_tokens t LEFT JOIN revocations r ON r.place = t.place WHERE t.id = ?`, id).
		Scan(&t.Place, &t.GrantID, &t.ClientID, &t.Subject, &expires, &t.Revoked)
	if err != nil {
		return AccessToken{}, found(err)
	}
	t.ExpiresAt = moment(expires)
	return t, nil
}

// RevokeToken revokes one access token by its jti. One that is not there, or
// was revoked before, is no error.
func (s *SQLite) RevokeToken(ctx context.Context, id string) error {
	return s.tx(ctx, func(tx *sql.Tx) error { return revoke(ctx, tx, tokensOf+"id = ?", id) })
}

const tokensOf = "INSERT INTO revocations (place) SELECT place FROM access_tokens WHERE "

// revoke revokes the access tokens that a statement beginning with tokensOf chooses.
func revoke(ctx context.Context, tx *sql.Tx, statement string, arg string) error {
	_, err := tx.ExecContext(ctx, statement+" ORDER BY place ON CONFLICT DO NOTHING", arg)
	return err
}

// Places are the lowest place of a kept access token and the highest that was
// ever given: the same when none is kept, 0 before the first.
func (s *SQLite) Places(ctx context.Context) (first, last uint64, err error) {
	err = s.read.QueryRowContext(ctx,
		`WITH given AS (SELECT coalesce(max(seq), 0) AS last FROM sqlite_sequence WHERE name = 'access_tokens')
		 SELECT coalesce((SELECT min(place) FROM access_tokens), last), last FROM given`).
		Scan(&first, &last)
	return first, last, err
}

// RevokedPlaces are the places of revoked access tokens in [from, to).
func (s *SQLite) RevokedPlaces(ctx context.Context, from, to uint64) ([]uint64, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT place FROM revocations WHERE place >= ? AND place < ?", from, to)
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
func (s *SQLite) Revocations(ctx context.Context, after uint64, limit int) ([]Revocation, error) {
	rows, err := s.read.QueryContext(ctx,
		`SELECT r.number, t.id, t.expires_at FROM revocations r JOIN access_tokens t ON t.place = r.place
		 WHERE r.number > ? ORDER BY r.number LIMIT ?`, after, limit)
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
