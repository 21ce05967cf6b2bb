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

// GivenRoles are the roles that a source gives somebody: these, and no others.
type GivenRoles struct {
	Source string
	Roles  []string
}

// Wider says whether a grant has more than a person may have who holds these roles.
type Wider func(held []string, g Grant) bool

// SetRoles makes these, and no others, the roles that a person has from a
// source, and revokes in the same step the access tokens of grants that are
// wider then: the grants stay, and the next refresh gets what is left. Links for
// a new password end with any role more, the links they made with any role less. ErrNotFound when there is no such person.
func (s *DB) SetRoles(ctx context.Context, user string, given GivenRoles, now time.Time, wider Wider) error {
	return s.ending(ctx, func(tx ending) error {
		if err := tx.holdPerson(ctx, user); err != nil {
			return err
		}
		return tx.give(ctx, user, given, now, wider)
	})
}

// holdPerson keeps a person as they are until the transaction ends.
func (e ending) holdPerson(ctx context.Context, user string) error {
	return exists(ctx, e.Tx, "SELECT 1 FROM users WHERE id = $1"+e.dialect.alone, user)
}

// give is SetRoles for a person who is held.
func (e ending) give(ctx context.Context, user string, given GivenRoles, now time.Time, wider Wider) error {
	fewer, err := setRoles(ctx, e.Tx, user, given.Source, given.Roles, now)
	if err != nil || !fewer {
		return err
	}
	return e.narrow(ctx, user, now, wider)
}

// narrow revokes what is wider than the roles of a person, and ends the links
// they made. Whoever issues a token of a grant meanwhile is before the locks, and
// the token is among them, or after the transaction, and finds the new roles; so
// is whoever makes a grant.
func (e ending) narrow(ctx context.Context, user string, now time.Time, wider Wider) error {
	for _, query := range []string{"SELECT 1 FROM users WHERE id = $1", "SELECT 1 FROM grants WHERE user_id = $1"} {
		if err := e.lock(ctx, query, user); err != nil {
			return err
		}
	}
	if err := dropMade(ctx, e.Tx, KindPerson, user); err != nil {
		return err
	}
	held, err := words(e.QueryContext(ctx, "SELECT DISTINCT role FROM user_roles WHERE user_id = $1 ORDER BY role", user))
	if err != nil {
		return err
	}
	grants, err := list(ctx, e.Tx, grant, liveGrants, user, millis(now))
	if err != nil {
		return err
	}
	for _, g := range grants {
		if !wider(held, g) {
			continue
		}
		if err := e.end(ctx, endGrant, g.ID); err != nil {
			return err
		}
	}
	return nil
}

// setRoles says whether the source gives fewer roles than before. A link for a
// new password is not good for more than it was made for: with any role more it
// ends.
func setRoles(ctx context.Context, tx *sql.Tx, user, source string, roles []string, now time.Time) (fewer bool, err error) {
	gone, err := tx.ExecContext(ctx, "DELETE FROM user_roles WHERE user_id = $1 AND source = $2"+except(3, len(roles)),
		append([]any{user, source}, anys(roles)...)...)
	if err != nil {
		return false, err
	}
	less, err := gone.RowsAffected()
	if err != nil {
		return false, err
	}
	var more int64
	for _, r := range roles {
		added, err := tx.ExecContext(ctx,
			"INSERT INTO user_roles (user_id, role, source, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING", user, r, source, millis(now))
		if err != nil {
			return false, err
		}
		n, err := added.RowsAffected()
		if err != nil {
			return false, err
		}
		more += n
	}
	if more == 0 {
		return less > 0, nil
	}
	return less > 0, dropResets(ctx, tx, user)
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

// liveGrants may still have tokens.
const liveGrants = grantQuery + "WHERE user_id = $1 AND revoked_at = 0 AND expires_at > $2 ORDER BY created_at DESC, id"

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
