package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/go-json-experiment/json"
)

// AddPerson adds a person with roles that an administrator gave, as one:
// ErrExists when the name is taken, ErrAddressTaken when the address is.
func (s *DB) AddPerson(ctx context.Context, u User, roles []string, now time.Time) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := freeAddress(ctx, tx, u); err != nil {
			return err
		}
		if err := addUser(ctx, tx, u, now); err != nil {
			return err
		}
		_, err := setRoles(ctx, tx, u.ID, Assigned, roles, now)
		return err
	})
}

// ChangePerson lets change say what a person shall be, knowing what they are:
// its error ends everything, and so does ErrAddressTaken. With a password end
// sessions, remembered browsers, links for a new one, and the links they made; a
// person who is disabled loses grants and tokens, too.
func (s *DB) ChangePerson(ctx context.Context, id string, now time.Time, change func(Person) (User, error)) error {
	return s.ending(ctx, func(tx ending) error {
		if err := tx.lock(ctx, "SELECT 1 FROM users WHERE id = $1", id); err != nil {
			return err
		}
		was, err := personByID(ctx, tx, id)
		if err != nil {
			return err
		}
		u, err := change(was)
		if err != nil {
			return err
		}
		if !was.EmailVerified || addressForm(u.Email) != was.Email {
			err = freeAddress(ctx, tx.Tx, u)
		}
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx,
			`UPDATE users SET password_hash = $1, full_name = $2, email = $3, email_verified = $4, password_at = $5, disabled_at = $6 WHERE id = $7`,
			u.PasswordHash, u.FullName, addressForm(u.Email), flag(u.EmailVerified && u.Email != ""), millis(u.PasswordAt), millis(u.DisabledAt), id)
		if addressShared(err) {
			return ErrAddressTaken
		}
		if err != nil {
			return err
		}
		return tx.endWhatChanged(ctx, was.User, u, now)
	})
}

// endWhatChanged ends what does not outlive a password, or a way in at all.
func (e ending) endWhatChanged(ctx context.Context, was, u User, now time.Time) error {
	disabled := was.DisabledAt.IsZero() && !u.DisabledAt.IsZero()
	if !disabled && u.PasswordHash == was.PasswordHash {
		return nil
	}
	if _, err := endProofs(ctx, e.Tx, was.ID, Hash{}); err != nil {
		return err
	}
	if err := dropResets(ctx, e.Tx, was.ID); err != nil || !disabled {
		return err
	}
	return e.endGrants(ctx, was.ID, now)
}

// endGrants revokes every grant of a person, and what came from them.
func (e ending) endGrants(ctx context.Context, user string, now time.Time) error {
	if _, err := e.ExecContext(ctx, "UPDATE grants SET revoked_at = $1 WHERE user_id = $2 AND revoked_at = 0", millis(now), user); err != nil {
		return err
	}
	return e.end(ctx, endSubject, user)
}

// GiveRoles makes these the roles of a person that an administrator gave, once
// check has seen the person: its error ends everything. What is wider then ends
// as with SetRoles.
func (s *DB) GiveRoles(ctx context.Context, id string, roles []string, now time.Time, check func(Person) error, wider Wider) error {
	return s.ending(ctx, func(tx ending) error {
		if err := tx.checked(ctx, id, check); err != nil {
			return err
		}
		return tx.give(ctx, id, GivenRoles{Assigned, roles}, now, wider)
	})
}

// checked holds a person, and lets check see them.
func (e ending) checked(ctx context.Context, id string, check func(Person) error) error {
	if err := e.holdPerson(ctx, id); err != nil {
		return err
	}
	was, err := personByID(ctx, e, id)
	if err != nil {
		return err
	}
	return check(was)
}

// factorTables are where each kind of second factor is.
var factorTables = map[string]string{
	"totp": "code_generators", "recovery_codes": "recovery_codes", "passkey": "passkeys", "browsers": "remembered_browsers",
}

// RemoveFactors removes a kind of second factors of a person, or all, once
// check has seen the person, and ends the sessions and remembered browsers.
// Recovery codes go with the last factor they stand in for.
func (s *DB) RemoveFactors(ctx context.Context, id, kind string, check func(Person) error) error {
	return s.ending(ctx, func(tx ending) error {
		if err := tx.checked(ctx, id, check); err != nil {
			return err
		}
		for name, table := range factorTables {
			if kind != name && kind != "all" {
				continue
			}
			if _, err := tx.ExecContext(ctx, "DELETE FROM "+table+" WHERE user_id = $1", id); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, dropLoneCodes, id); err != nil {
			return err
		}
		_, err := endProofs(ctx, tx.Tx, id, Hash{})
		return err
	})
}

// dropLoneCodes takes recovery codes from a person who has no factor.
const dropLoneCodes = `DELETE FROM recovery_codes WHERE user_id = $1
	AND NOT EXISTS (SELECT 1 FROM code_generators WHERE user_id = $1 AND confirmed_at > 0)
	AND NOT EXISTS (SELECT 1 FROM passkeys WHERE user_id = $1)`

// DeletePerson is DeleteUser by id, once check has seen the person.
func (s *DB) DeletePerson(ctx context.Context, id string, check func(Person) error) error {
	return s.ending(ctx, func(tx ending) error {
		if err := tx.lock(ctx, "SELECT 1 FROM users WHERE id = $1", id); err != nil {
			return err
		}
		was, err := personByID(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := check(was); err != nil {
			return err
		}
		if err := tx.lock(ctx, "SELECT 1 FROM grants WHERE user_id = $1", id); err != nil {
			return err
		}
		return tx.endPerson(ctx, id)
	})
}

// AddStored keeps a new client with roles, as one.
func (s *DB) AddStored(ctx context.Context, c Client, roles []string) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := insertClient(ctx, tx, c); err != nil {
			return err
		}
		return setClientRoles(ctx, tx, c.ID, roles, c.CreatedAt)
	})
}

// ClientChange is what becomes of a client.
type ClientChange struct {
	Client Client
	Roles  []string
	Ends   bool // its access tokens are revoked, and the links it made; its grants stay
}

// ChangeClient lets change say what a client shall be, knowing what it is: its
// error ends everything. What people allowed it stays.
func (s *DB) ChangeClient(ctx context.Context, id string, now time.Time, change func(Stored) (ClientChange, error)) error {
	return s.ending(ctx, func(tx ending) error {
		if err := tx.lock(ctx, "SELECT 1 FROM clients WHERE id = $1", id); err != nil {
			return err
		}
		was, err := storedByID(ctx, tx, id)
		if err != nil {
			return err
		}
		c, err := change(was)
		if err != nil {
			return err
		}
		doc, err := json.Marshal(c.Client)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE clients SET metadata = $1, secret_hash = $2 WHERE id = $3", string(doc), c.Client.SecretHash, id); err != nil {
			return err
		}
		if err := setClientRoles(ctx, tx.Tx, id, c.Roles, now); err != nil || !c.Ends {
			return err
		}
		if err := dropMade(ctx, tx.Tx, KindClient, id); err != nil {
			return err
		}
		if err := tx.lock(ctx, "SELECT 1 FROM grants WHERE client_id = $1", id); err != nil {
			return err
		}
		return tx.end(ctx, endClient, id)
	})
}
