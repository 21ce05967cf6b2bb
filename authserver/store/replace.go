package store

import (
	"context"

	"github.com/go-json-experiment/json"
)

// ReplaceClient writes a client anew: ErrNotFound when it is gone. What people
// allowed it is forgotten, for they allowed it to what it was; with anew, its
// grants end too, and every token it has is revoked.
func (s *DB) ReplaceClient(ctx context.Context, c Client, anew bool) error {
	doc, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return s.ending(ctx, func(tx ending) error {
		if err := tx.lock(ctx, "SELECT 1 FROM clients WHERE id = $1", c.ID); err != nil {
			return err
		}
		err := exactlyOne(ctx, tx.Tx, ErrNotFound, "UPDATE clients SET metadata = $1, secret_hash = $2 WHERE id = $3", string(doc), c.SecretHash, c.ID)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM consents WHERE client_id = $1", c.ID); err != nil || !anew {
			return err
		}
		if err := tx.lock(ctx, "SELECT 1 FROM grants WHERE client_id = $1", c.ID); err != nil {
			return err
		}
		if err := tx.end(ctx, endClient, c.ID); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM grants WHERE client_id = $1", c.ID)
		return err
	})
}
