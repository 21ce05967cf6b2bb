package store

import (
	"context"
	"database/sql"
)

// DeleteUser removes a person by name with sessions, consents and grants, and
// revokes all tokens of them. ErrNotFound when there is none.
func (s *SQLite) DeleteUser(ctx context.Context, name string) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := revoke(ctx, tx, tokensOf+"subject = (SELECT id FROM users WHERE name = ?)", name); err != nil {
			return err
		}
		return exactlyOne(ctx, tx, ErrNotFound, "DELETE FROM users WHERE name = ?", name)
	})
}

// DeleteClient removes a client with the consents and grants it was given, and
// revokes all tokens of them and of its own. A client known by its metadata
// document has no row of its own, but consents and grants all the same.
// ErrNotFound when there is nothing.
func (s *SQLite) DeleteClient(ctx context.Context, id string) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := revoke(ctx, tx, tokensOf+"client_id = ?", id); err != nil {
			return err
		}
		var gone int64
		for _, query := range []string{
			"DELETE FROM clients WHERE id = ?",
			"DELETE FROM consents WHERE client_id = ?",
			"DELETE FROM grants WHERE client_id = ?",
		} {
			r, err := tx.ExecContext(ctx, query, id)
			if err != nil {
				return err
			}
			n, err := r.RowsAffected()
			if err != nil {
				return err
			}
			gone += n
		}
		if gone == 0 {
			return ErrNotFound
		}
		return nil
	})
}

// Account is a user or a client as a list shows it.
type Account struct {
	ID        string
	Name      string
	Dynamic   bool  // a client that registered itself
	CreatedAt int64 // milliseconds since the epoch
}

// Users lists everybody who can sign in, by name.
func (s *SQLite) Users(ctx context.Context) ([]Account, error) {
	return s.accounts(ctx, "SELECT id, name, 0, created_at FROM users ORDER BY name")
}

// Clients lists the clients that are stored, the oldest first.
func (s *SQLite) Clients(ctx context.Context) ([]Account, error) {
	return s.accounts(ctx, "SELECT id, metadata ->> 'name', dynamic, created_at FROM clients ORDER BY created_at, id")
}

func (s *SQLite) accounts(ctx context.Context, query string) ([]Account, error) {
	rows, err := s.read.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Account
	for rows.Next() {
		var a Account
		if err := rows.Scan(&a.ID, &a.Name, &a.Dynamic, &a.CreatedAt); err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, rows.Err()
}
