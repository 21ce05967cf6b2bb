package store

import (
	"context"
	"database/sql"

	"github.com/go-json-experiment/json"
)

// DeleteUser removes a person by name with sessions, consents, grants and the
// links they made, and revokes all tokens of them. ErrNotFound when there is none.
func (s *DB) DeleteUser(ctx context.Context, name string) error {
	return s.ending(ctx, func(tx ending) error {
		var id string
		if err := tx.QueryRowContext(ctx, "SELECT id FROM users WHERE name = $1"+s.dialect.ended, name).Scan(&id); err != nil {
			return found(err)
		}
		if err := tx.lock(ctx, "SELECT 1 FROM grants WHERE user_id = $1", id); err != nil {
			return err
		}
		return tx.endPerson(ctx, id)
	})
}

// endPerson deletes a person whose grants are locked, with everything of theirs:
// sign-ins have no key to the person, who may have been nobody.
func (e ending) endPerson(ctx context.Context, id string) error {
	if err := e.end(ctx, endSubject, id); err != nil {
		return err
	}
	for _, query := range []string{"DELETE FROM sign_ins WHERE user_id = $1", "DELETE FROM tickets WHERE user_id = $1"} {
		if _, err := e.ExecContext(ctx, query, id); err != nil {
			return err
		}
	}
	if err := dropMade(ctx, e.Tx, KindPerson, id); err != nil {
		return err
	}
	return exactlyOne(ctx, e.Tx, ErrNotFound, "DELETE FROM users WHERE id = $1", id)
}

// DeleteClient removes a client with the consents and grants it was given, and
// revokes all tokens of them and of its own. A client known by its metadata
// document has no row of its own, but consents and grants all the same.
// ErrNotFound when there is nothing.
func (s *DB) DeleteClient(ctx context.Context, id string) error {
	return s.ending(ctx, func(tx ending) error {
		if err := tx.lock(ctx, "SELECT 1 FROM clients WHERE id = $1", id); err != nil {
			return err
		}
		if err := tx.lock(ctx, "SELECT 1 FROM grants WHERE client_id = $1", id); err != nil {
			return err
		}
		if err := tx.end(ctx, endClient, id); err != nil {
			return err
		}
		if err := dropMade(ctx, tx.Tx, KindClient, id); err != nil {
			return err
		}
		return deleteClient(ctx, tx.Tx, id)
	})
}

func deleteClient(ctx context.Context, tx *sql.Tx, id string) error {
	var gone int64
	for _, query := range []string{
		"DELETE FROM clients WHERE id = $1",
		"DELETE FROM consents WHERE client_id = $1",
		"DELETE FROM grants WHERE client_id = $1",
		"DELETE FROM client_roles WHERE client_id = $1",
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
}

// Account is a user or a client as a list shows it.
type Account struct {
	ID        string
	Name      string
	Dynamic   bool  // a client that registered itself
	CreatedAt int64 // milliseconds since the epoch
}

// Users lists everybody who can sign in, by name.
func (s *DB) Users(ctx context.Context) ([]Account, error) {
	return s.accounts(ctx, "SELECT id, name, 0, created_at FROM users ORDER BY name")
}

// Clients lists the clients that are stored, the oldest first.
func (s *DB) Clients(ctx context.Context) ([]Account, error) {
	all, err := s.accounts(ctx, "SELECT id, metadata, dynamic, created_at FROM clients ORDER BY created_at, id")
	for i := range all {
		if all[i].Name, err = clientName(all[i].Name); err != nil {
			return nil, err
		}
	}
	return all, err
}

// clientName is the name in a client's metadata as they are kept.
func clientName(metadata string) (string, error) {
	var c Client
	err := json.Unmarshal([]byte(metadata), &c)
	return c.Name, err
}

func (s *DB) accounts(ctx context.Context, query string) ([]Account, error) {
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
