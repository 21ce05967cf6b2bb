package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"
)

// Consent is the scope a user has allowed already: nil when none. Only the
// key fields of c are read.
func (s *DB) Consent(ctx context.Context, c Consent) ([]string, error) {
	return consented(s.read.QueryRowContext(ctx, consentQuery, c.UserID, c.ClientID, c.RedirectHost, c.Resource))
}

const consentQuery = `SELECT scope FROM consents
	WHERE user_id = $1 AND client_id = $2 AND redirect_host = $3 AND resource = $4`

func consented(row *sql.Row) ([]string, error) {
	var scope string
	err := row.Scan(&scope)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return strings.Fields(scope), nil
}

// Approve writes an approval as one: the pending request is spent (ErrSpent
// when it was before), the consent grows, the grant and its code exist.
// ErrChanged when the client, or a consent that was remembered, is not what it
// was; ErrNotFound when the person is gone or disabled, or the era of the grant is
// over. Whoever replaces the client, takes the consent back, or ends what the
// person proved, comes before or after it.
func (s *DB) Approve(ctx context.Context, a Approval) error {
	return s.approve(ctx, a, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx,
			`INSERT INTO codes (hash, grant_id, redirect_uri, challenge, thumbprint, nonce, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			a.Code.Hash[:], a.Grant.ID, a.Code.RedirectURI, a.Code.Challenge, a.Code.Thumbprint, a.Code.Nonce, millis(a.Code.ExpiresAt))
		return err
	})
}

// ApproveWithoutCode is Approve for whoever keeps the code elsewhere until
// RedeemNewCode brings it.
func (s *DB) ApproveWithoutCode(ctx context.Context, a Approval) error {
	return s.approve(ctx, a, func(*sql.Tx) error { return nil })
}

func (s *DB) approve(ctx context.Context, a Approval, keepCode func(*sql.Tx) error) error {
	return s.transact(ctx, s.dialect.locking, func(tx *sql.Tx) error {
		if err := spend(ctx, tx, a.Request, a.RequestUntil); err != nil {
			return err
		}
		if err := s.stillIn(ctx, tx, a.Grant); err != nil {
			return err
		}
		if err := useClient(ctx, tx, a.Grant.ClientID, a.Grant.CreatedAt); err != nil {
			return err
		}
		if err := s.sameClient(ctx, tx, a.Grant.ClientID, a.Version); err != nil {
			return err
		}
		if err := s.consent(ctx, tx, a); err != nil {
			return err
		}
		if err := insertGrant(ctx, tx, a.Grant); err != nil {
			return err
		}
		return keepCode(tx)
	})
}

// consent remembers what was allowed, when it is more than what is remembered.
func (s *DB) consent(ctx context.Context, tx *sql.Tx, a Approval) error {
	c := a.Consent
	held, err := consented(tx.QueryRowContext(ctx, consentQuery, c.UserID, c.ClientID, c.RedirectHost, c.Resource))
	if err != nil {
		return err
	}
	more := held == nil || slices.ContainsFunc(c.Scope, func(n string) bool { return !slices.Contains(held, n) })
	if more && a.Remembered {
		return ErrChanged
	}
	if !more {
		return nil
	}
	return s.growConsent(ctx, tx, c, a.Grant.CreatedAt)
}

func (s *DB) growConsent(ctx context.Context, tx *sql.Tx, c Consent, now time.Time) error {
	_, err := tx.ExecContext(ctx,
		`INSERT INTO consents (user_id, client_id, redirect_host, resource, scope, updated_at) VALUES ($1, $2, $3, $4, '', $5)
		 ON CONFLICT DO NOTHING`, c.UserID, c.ClientID, c.RedirectHost, c.Resource, millis(now))
	if err != nil {
		return err
	}
	// Somebody else may have let it grow since.
	held, err := consented(tx.QueryRowContext(ctx, consentQuery+s.dialect.alone, c.UserID, c.ClientID, c.RedirectHost, c.Resource))
	if err != nil {
		return err
	}
	all := slices.Sorted(slices.Values(append(held, c.Scope...)))
	_, err = tx.ExecContext(ctx,
		`UPDATE consents SET scope = $1, updated_at = $2 WHERE user_id = $3 AND client_id = $4 AND redirect_host = $5 AND resource = $6`,
		strings.Join(slices.Compact(all), " "), millis(now), c.UserID, c.ClientID, c.RedirectHost, c.Resource)
	return err
}

// stillIn is ErrNotFound unless the person of a grant may make it: in its era,
// and not disabled. Several grants are made beside each other.
func (s *DB) stillIn(ctx context.Context, tx *sql.Tx, g Grant) error {
	return exists(ctx, tx, "SELECT 1 FROM users WHERE id = $1 AND era = $2 AND disabled_at = 0"+s.dialect.steady, g.UserID, g.Era)
}

func insertGrant(ctx context.Context, tx *sql.Tx, g Grant) error {
	_, err := tx.ExecContext(ctx,
		`INSERT INTO grants (id, client_id, user_id, resource, scope, auth_time, created_at, expires_at, details, amr)
		 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		g.ID, g.ClientID, g.UserID, g.Resource, strings.Join(g.Scope, " "),
		millis(g.AuthTime), millis(g.CreatedAt), millis(g.ExpiresAt), g.Details, strings.Join(g.Methods, " "))
	return err
}

// Spend marks a pending request as decided, or says ErrSpent.
func (s *DB) Spend(ctx context.Context, request Hash, until time.Time) error {
	return s.tx(ctx, func(tx *sql.Tx) error { return spend(ctx, tx, request, until) })
}

func spend(ctx context.Context, tx *sql.Tx, request Hash, until time.Time) error {
	return exactlyOne(ctx, tx, ErrSpent,
		"INSERT INTO spent_requests (hash, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING", request[:], millis(until))
}

// Grant finds a grant, revoked or not, by id.
func (s *DB) Grant(ctx context.Context, id string) (Grant, error) {
	return grant(s.read.QueryRowContext(ctx, grantQuery+"WHERE id = $1", id))
}

const grantQuery = `SELECT id, client_id, user_id, resource, scope, auth_time, created_at, expires_at, revoked_at, details, amr FROM grants `

func grant(row scanner) (Grant, error) {
	var (
		g                               Grant
		scope, methods                  string
		auth, created, expires, revoked int64
	)
	err := row.Scan(&g.ID, &g.ClientID, &g.UserID, &g.Resource, &scope, &auth, &created, &expires, &revoked, &g.Details, &methods)
	if err != nil {
		return Grant{}, found(err)
	}
	g.Scope, g.AuthTime, g.CreatedAt = strings.Fields(scope), moment(auth), moment(created)
	g.ExpiresAt, g.Revoked, g.Methods = moment(expires), revoked != 0, strings.Fields(methods)
	return g, nil
}

// RevokeGrant ends a grant and with it every token of its family, however many.
func (s *DB) RevokeGrant(ctx context.Context, id string, now time.Time) error {
	return s.ending(ctx, func(tx ending) error {
		_, err := tx.ExecContext(ctx, "UPDATE grants SET revoked_at = $1 WHERE id = $2 AND revoked_at = 0", millis(now), id)
		if err != nil {
			return err
		}
		return tx.end(ctx, endGrant, id)
	})
}
