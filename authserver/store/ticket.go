package store

import (
	"context"
	"database/sql"
	"strings"
	"time"
)

// Purpose is what a ticket is good for, and nothing else.
type Purpose string

// Every purpose there is.
const (
	Invitation    Purpose = "invitation"     // to sign up
	PasswordReset Purpose = "password_reset" // to choose a password without the old one
)

// Ticket is a link that works once.
type Ticket struct {
	Hash      Hash
	Purpose   Purpose
	UserID    string   // of a reset: whose
	Email     string   // of an invitation: to whom it goes, or ""
	Roles     []string // of an invitation: what the new person gets
	CreatedBy string   // who gave it out
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    time.Time // zero: not yet
}

const ticketQuery = "SELECT hash, purpose, user_id, email, roles, created_by, created_at, expires_at, used_at FROM tickets "

// AddTicket adds an invitation.
func (s *DB) AddTicket(ctx context.Context, t Ticket) error {
	return s.tx(ctx, func(tx *sql.Tx) error { return insertTicket(ctx, tx, t) })
}

// AddReset adds a ticket that resets the password of a person, once check has
// seen them: its error ends everything. It takes the place of those before.
// ErrNotFound when there is no such person.
func (s *DB) AddReset(ctx context.Context, t Ticket, check func(Person) error) error {
	return s.ending(ctx, func(tx ending) error {
		if err := tx.checked(ctx, t.UserID, check); err != nil {
			return err
		}
		if err := dropResets(ctx, tx.Tx, t.UserID); err != nil {
			return err
		}
		return insertTicket(ctx, tx.Tx, t)
	})
}

func insertTicket(ctx context.Context, tx *sql.Tx, t Ticket) error {
	_, err := tx.ExecContext(ctx,
		`INSERT INTO tickets (hash, purpose, user_id, email, roles, created_by, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		t.Hash[:], string(t.Purpose), t.UserID, t.Email, strings.Join(t.Roles, " "), t.CreatedBy, millis(t.CreatedAt), millis(t.ExpiresAt))
	return err
}

func dropResets(ctx context.Context, tx *sql.Tx, user string) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM tickets WHERE user_id = $1 AND purpose = $2", user, string(PasswordReset))
	return err
}

// MadeBy is who a ticket is from, as CreatedBy says it: a kind and an id.
func MadeBy(kind, id string) string { return kind + " " + id }

// Whoever makes tickets beside the operator.
const (
	KindPerson = "person"
	KindClient = "client"
)

// dropMade ends the tickets that somebody made who may less now, is gone, or may
// not have been it.
func dropMade(ctx context.Context, tx *sql.Tx, kind, id string) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM tickets WHERE created_by = $1 AND used_at = 0", MadeBy(kind, id))
	return err
}

// Ticket finds one that is still good for a purpose.
func (s *DB) Ticket(ctx context.Context, h Hash, p Purpose, now time.Time) (Ticket, error) {
	return ticket(s.read.QueryRowContext(ctx,
		ticketQuery+"WHERE hash = $1 AND purpose = $2 AND used_at = 0 AND expires_at > $3", h[:], string(p), millis(now)))
}

// Tickets are the unused ones of a purpose that have not expired, the latest first.
func (s *DB) Tickets(ctx context.Context, p Purpose, now time.Time) ([]Ticket, error) {
	rows, err := s.read.QueryContext(ctx,
		ticketQuery+"WHERE expires_at > $1 AND purpose = $2 AND used_at = 0 ORDER BY created_at DESC, hash LIMIT 1000", millis(now), string(p))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Ticket
	for rows.Next() {
		t, err := ticket(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, rows.Err()
}

func ticket(row scanner) (Ticket, error) {
	var t Ticket
	var hash []byte
	var purpose, roles string
	var created, expires, used int64
	err := row.Scan(&hash, &purpose, &t.UserID, &t.Email, &roles, &t.CreatedBy, &created, &expires, &used)
	if err != nil {
		return Ticket{}, found(err)
	}
	copy(t.Hash[:], hash)
	t.Purpose, t.Roles = Purpose(purpose), strings.Fields(roles)
	t.CreatedAt, t.ExpiresAt, t.UsedAt = moment(created), moment(expires), moment(used)
	return t, nil
}

// RemoveTicket makes a ticket worth nothing: ErrNotFound when there is none.
func (s *DB) RemoveTicket(ctx context.Context, h Hash) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		return exactlyOne(ctx, tx, ErrNotFound, "DELETE FROM tickets WHERE hash = $1", h[:])
	})
}

// useTicket uses one, once, before its end: ErrSpent otherwise.
func useTicket(ctx context.Context, tx *sql.Tx, t Ticket, now time.Time) error {
	return exactlyOne(ctx, tx, ErrSpent,
		"UPDATE tickets SET used_at = $1 WHERE hash = $2 AND purpose = $3 AND used_at = 0 AND expires_at > $1", millis(now), t.Hash[:], string(t.Purpose))
}

// SignUp adds a person by an invitation, with the roles it gives, and uses it:
// ErrSpent when it is not good any more, ErrExists when the name is taken, and
// then it still is.
func (s *DB) SignUp(ctx context.Context, t Ticket, u User, now time.Time) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := useTicket(ctx, tx, t, now); err != nil {
			return err
		}
		if err := addUser(ctx, tx, u, now); err != nil {
			return err
		}
		for _, r := range t.Roles {
			_, err := tx.ExecContext(ctx, "INSERT INTO user_roles (user_id, role, source, at) VALUES ($1, $2, $3, $4)", u.ID, r, Assigned, millis(now))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// ResetPassword sets the password of a ticket's person and uses the ticket:
// ErrSpent when it is not good any more. Sessions, remembered browsers, other
// tickets and sign-ins that were begun end, and the pairs that the person signed
// in from are forgotten but this one.
func (s *DB) ResetPassword(ctx context.Context, t Ticket, passwordHash string, here Place, now time.Time) error {
	return s.transact(ctx, s.dialect.locking, func(tx *sql.Tx) error {
		if err := useTicket(ctx, tx, t, now); err != nil {
			return err
		}
		return setPassword(ctx, tx, User{ID: t.UserID, PasswordHash: passwordHash, PasswordAt: now}, Hash{}, here)
	})
}

// ChangePassword sets a person's password, unless it was changed since was was
// read, or its era is over, or they are disabled: then ErrSpent. It ends what ResetPassword does, but one session.
func (s *DB) ChangePassword(ctx context.Context, was User, passwordHash string, but Hash, here Place, now time.Time) error {
	return s.transact(ctx, s.dialect.locking, func(tx *sql.Tx) error {
		err := exactlyOne(ctx, tx, ErrSpent, "UPDATE users SET password_at = $1 WHERE id = $2 AND password_hash = $3 AND era = $4 AND disabled_at = 0",
			millis(now), was.ID, was.PasswordHash, was.Era)
		if err != nil {
			return err
		}
		return setPassword(ctx, tx, User{ID: was.ID, PasswordHash: passwordHash, PasswordAt: now}, but, here)
	})
}

func setPassword(ctx context.Context, tx *sql.Tx, u User, but Hash, here Place) error {
	err := exactlyOne(ctx, tx, ErrSpent, "UPDATE users SET password_hash = $1, password_at = $2 WHERE id = $3", u.PasswordHash, millis(u.PasswordAt), u.ID)
	if err != nil {
		return err
	}
	if _, err := endProofs(ctx, tx, u.ID, but); err != nil {
		return err
	}
	if err := forgetContexts(ctx, tx, u.ID, here); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM tickets WHERE user_id = $1 AND purpose = $2 AND used_at = 0", u.ID, string(PasswordReset))
	return err
}
