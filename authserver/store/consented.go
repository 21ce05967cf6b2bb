package store

import (
	"context"
	"database/sql"
	"strings"
	"time"
)

// Consented is what is remembered of a yes, and when it last grew.
type Consented struct {
	Consent
	At time.Time
}

// maxConsented is how many a person is shown.
const maxConsented = 1000

// ConsentsOf are those of a person, by client.
func (s *DB) ConsentsOf(ctx context.Context, user string) ([]Consented, error) {
	return list(ctx, s.read, func(row scanner) (Consented, error) {
		c := Consented{Consent: Consent{UserID: user}}
		var scope string
		var at int64
		err := row.Scan(&c.ClientID, &c.RedirectHost, &c.Resource, &scope, &at)
		c.Scope, c.At = strings.Fields(scope), moment(at)
		return c, err
	}, `SELECT client_id, redirect_host, resource, scope, updated_at FROM consents WHERE user_id = $1
		ORDER BY client_id, resource, redirect_host LIMIT $2`, user, maxConsented)
}

// Forget takes back all that a person allowed a client: what is remembered of
// it, its grants, and every token of those. What is not there needs no forgetting.
func (s *DB) Forget(ctx context.Context, user, client string, now time.Time) error {
	return s.ending(ctx, func(tx ending) error {
		if err := tx.lock(ctx, "SELECT 1 FROM users WHERE id = $1", user); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM consents WHERE user_id = $1 AND client_id = $2", user, client); err != nil {
			return err
		}
		grants, err := endGrantsOf(ctx, tx.Tx, user, client, now)
		if err != nil {
			return err
		}
		for _, id := range grants {
			if err := tx.end(ctx, endGrant, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// endGrantsOf ends the grants of a person to a client, and says which those were.
func endGrantsOf(ctx context.Context, tx *sql.Tx, user, client string, now time.Time) ([]string, error) {
	return list(ctx, tx, func(row scanner) (id string, err error) { return id, row.Scan(&id) },
		"UPDATE grants SET revoked_at = $1 WHERE user_id = $2 AND client_id = $3 AND revoked_at = 0 RETURNING id", millis(now), user, client)
}
