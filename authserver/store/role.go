package store

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"time"
)

// Assigned is the source of roles that an administrator gave.
const Assigned = "assigned"

// UserRole is one role of a person.
type UserRole struct {
	Role   string
	Source string // Assigned, or the provider whose claims gave it
	At     time.Time
}

// RolesOf are the roles of a person, by name and source.
func (s *DB) RolesOf(ctx context.Context, user string) ([]UserRole, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT role, source, at FROM user_roles WHERE user_id = $1 ORDER BY role, source", user)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []UserRole
	for rows.Next() {
		var r UserRole
		var at int64
		if err := rows.Scan(&r.Role, &r.Source, &at); err != nil {
			return nil, err
		}
		r.At = moment(at)
		all = append(all, r)
	}
	return all, rows.Err()
}

// SetRoles makes these, and no others, the roles that a person has from a
// source. Links for a new password end with any role more. ErrNotFound when there is no such person.
func (s *DB) SetRoles(ctx context.Context, user, source string, roles []string, now time.Time) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := exists(ctx, tx, "SELECT 1 FROM users WHERE id = $1", user); err != nil {
			return err
		}
		return setRoles(ctx, tx, user, source, roles, now)
	})
}

// setRoles is SetRoles. A link for a new password is not good for more than it
// was made for: with any role more it ends.
func setRoles(ctx context.Context, tx *sql.Tx, user, source string, roles []string, now time.Time) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM user_roles WHERE user_id = $1 AND source = $2"+except(3, len(roles)),
		append([]any{user, source}, anys(roles)...)...)
	if err != nil {
		return err
	}
	var more int64
	for _, r := range roles {
		added, err := tx.ExecContext(ctx,
			"INSERT INTO user_roles (user_id, role, source, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING", user, r, source, millis(now))
		if err != nil {
			return err
		}
		n, err := added.RowsAffected()
		if err != nil {
			return err
		}
		more += n
	}
	if more == 0 {
		return nil
	}
	return dropResets(ctx, tx, user)
}

// ClientRoles are the roles of a client, by name.
func (s *DB) ClientRoles(ctx context.Context, client string) ([]string, error) {
	return s.words(ctx, "SELECT role FROM client_roles WHERE client_id = $1 ORDER BY role", client)
}

func setClientRoles(ctx context.Context, tx *sql.Tx, client string, roles []string, now time.Time) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM client_roles WHERE client_id = $1"+except(2, len(roles)), append([]any{client}, anys(roles)...)...)
	if err != nil {
		return err
	}
	for _, r := range roles {
		_, err := tx.ExecContext(ctx, "INSERT INTO client_roles (client_id, role, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", client, r, millis(now))
		if err != nil {
			return err
		}
	}
	return nil
}

// LiveGrants are the grants of a person that may still have tokens, the latest first.
func (s *DB) LiveGrants(ctx context.Context, user string, now time.Time) ([]Grant, error) {
	rows, err := s.read.QueryContext(ctx,
		grantQuery+"WHERE user_id = $1 AND revoked_at = 0 AND expires_at > $2 ORDER BY created_at DESC, id", user, millis(now))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Grant
	for rows.Next() {
		g, err := grant(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, g)
	}
	return all, rows.Err()
}

// RevokeTokensOf revokes the access tokens of grants, which stay: the next
// refresh of each gets what is allowed by then. All of them, or none.
func (s *DB) RevokeTokensOf(ctx context.Context, grants ...string) error {
	return s.ending(ctx, func(tx ending) error {
		for _, id := range grants {
			if err := tx.end(ctx, endGrant, id); err != nil {
				return err
			}
		}
		return nil
	})
}

func exists(ctx context.Context, tx *sql.Tx, query string, arguments ...any) error {
	var one int
	return found(tx.QueryRowContext(ctx, query, arguments...).Scan(&one))
}

// except is a condition that a role is none of n parameters from the first on.
func except(first, n int) string {
	if n == 0 {
		return ""
	}
	return " AND role NOT " + oneOf(first, n)
}

// oneOf is the end of a condition: one of n parameters from the first on.
func oneOf(first, n int) string {
	if n == 0 {
		return "IN ('')"
	}
	marks := make([]string, n)
	for i := range marks {
		marks[i] = "$" + strconv.Itoa(first+i)
	}
	return "IN (" + strings.Join(marks, ", ") + ")"
}

func anys(words []string) []any {
	all := make([]any, len(words))
	for i, w := range words {
		all[i] = w
	}
	return all
}

func (s *DB) words(ctx context.Context, query string, arguments ...any) ([]string, error) {
	return words(s.read.QueryContext(ctx, query, arguments...))
}

// words are rows of one text each.
func words(rows *sql.Rows, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var w string
		if err := rows.Scan(&w); err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	return all, rows.Err()
}
