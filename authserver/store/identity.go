package store

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"time"
)

// Identity is who a person is at another provider: Issuer and Subject name
// them there, whatever else changes.
type Identity struct {
	Issuer, Subject string
	Provider        string // its name in the configuration, when it was linked
	UserID          string
	Era             int64  // of the session it is linked in; Identity does not say it
	Email           string // as the provider said last, or ""
	LinkedAt        time.Time
	UsedAt          time.Time // zero: never
}

// ErrLastWay says that a person could not sign in any more.
var ErrLastWay = errors.New("the last way in")

const identityQuery = "SELECT issuer, subject, provider, user_id, email, linked_at, used_at FROM identities "

// Identity finds whose an identity is.
func (s *DB) Identity(ctx context.Context, issuer, subject string) (Identity, error) {
	return identity(s.read.QueryRowContext(ctx, identityQuery+"WHERE issuer = $1 AND subject = $2", issuer, subject))
}

// Identities are those of a person, the oldest first.
func (s *DB) Identities(ctx context.Context, user string) ([]Identity, error) {
	rows, err := s.read.QueryContext(ctx, identityQuery+"WHERE user_id = $1 ORDER BY linked_at, issuer, subject", user)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Identity
	for rows.Next() {
		v, err := identity(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

func identity(row scanner) (Identity, error) {
	var v Identity
	var linked, used int64
	err := row.Scan(&v.Issuer, &v.Subject, &v.Provider, &v.UserID, &v.Email, &linked, &used)
	if err != nil {
		return Identity{}, found(err)
	}
	v.LinkedAt, v.UsedAt = moment(linked), moment(used)
	return v, nil
}

// Link makes an identity a person's: ErrExists when it is somebody's already,
// or the person has another of that issuer: whose claims would count? ErrSpent
// when its era is over.
func (s *DB) Link(ctx context.Context, v Identity) error {
	return s.ending(ctx, func(tx ending) error {
		if err := tx.inEra(ctx, v.UserID, v.Era); err != nil {
			return err
		}
		return link(ctx, tx.Tx, v)
	})
}

func link(ctx context.Context, tx *sql.Tx, v Identity) error {
	var others int
	err := tx.QueryRowContext(ctx, "SELECT count(*) FROM identities WHERE user_id = $1 AND issuer = $2", v.UserID, v.Issuer).Scan(&others)
	if err != nil {
		return err
	}
	if others > 0 {
		return ErrExists
	}
	return exactlyOne(ctx, tx, ErrExists,
		`INSERT INTO identities (issuer, subject, provider, user_id, email, linked_at, used_at)
		 VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
		v.Issuer, v.Subject, v.Provider, v.UserID, v.Email, millis(v.LinkedAt), millis(v.UsedAt))
}

// Unlink takes an identity from a person: ErrNotFound when it is not theirs,
// and ErrLastWay when they have no password, no passkey, and no other identity
// of the issuers at which people sign in; ErrSpent when the era is over in which
// they asked for it.
func (s *DB) Unlink(ctx context.Context, user string, era int64, issuer, subject string, issuers []string) error {
	return s.provenTx(ctx, user, era, func(tx *sql.Tx) error {
		err := exactlyOne(ctx, tx, ErrNotFound,
			"DELETE FROM identities WHERE user_id = $1 AND issuer = $2 AND subject = $3", user, issuer, subject)
		if err != nil {
			return err
		}
		return someWay(ctx, tx, user, issuers)
	})
}

// someWay is ErrLastWay when a person has no password, no passkey, and no
// identity of these issuers.
func someWay(ctx context.Context, tx *sql.Tx, user string, issuers []string) error {
	var ways int
	err := tx.QueryRowContext(ctx,
		`SELECT (SELECT count(*) FROM users WHERE id = $1 AND password_hash <> '')
		      + (SELECT count(*) FROM passkeys WHERE user_id = $1 AND cloned_at = 0)
		      + (SELECT count(*) FROM identities WHERE user_id = $1 AND issuer `+oneOf(2, len(issuers))+`)`,
		append([]any{user}, anys(issuers)...)...).Scan(&ways)
	if err != nil {
		return err
	}
	if ways == 0 {
		return ErrLastWay
	}
	return nil
}

// UserByAddress finds the one person whose verified address this is:
// ErrNotFound when it is nobody's.
func (s *DB) UserByAddress(ctx context.Context, email string) (User, error) {
	if email == "" {
		return User{}, ErrNotFound
	}
	return user(s.read.QueryRowContext(ctx, userQuery+"WHERE email = $1 AND email_verified = 1", addressForm(email)))
}

// Depart keeps what somebody will need who was sent to another provider.
func (s *DB) Depart(ctx context.Context, h Hash, sealed []byte, expires time.Time) error {
	_, err := s.write.ExecContext(ctx, "INSERT INTO departures (hash, sealed, expires_at) VALUES ($1, $2, $3)", h[:], sealed, millis(expires))
	return err
}

// Return gives what Depart kept, once: ErrNotFound ever after, and when it is
// too late.
func (s *DB) Return(ctx context.Context, h Hash, now time.Time) (sealed []byte, err error) {
	err = s.write.QueryRowContext(ctx, "DELETE FROM departures WHERE hash = $1 AND expires_at > $2 RETURNING sealed", h[:], millis(now)).Scan(&sealed)
	return sealed, found(err)
}

// KeepGiven leaves of the roles that providers gave those that they may still
// give, by provider, and says whose there were more of. Assigned ones stay. What
// is wider then ends as with SetRoles.
func (s *DB) KeepGiven(ctx context.Context, may map[string][]string, now time.Time, wider Wider) (users []string, err error) {
	err = s.ending(ctx, func(tx ending) error {
		if users, err = takeGiven(ctx, tx.Tx, may); err != nil {
			return err
		}
		for _, id := range users {
			if err := tx.narrow(ctx, id, now, wider); err != nil {
				return err
			}
		}
		return nil
	})
	return users, err
}

func takeGiven(ctx context.Context, tx *sql.Tx, may map[string][]string) (users []string, err error) {
	sources := append(slices.Sorted(maps.Keys(may)), Assigned)
	gone, err := taken(ctx, tx, "NOT source "+oneOf(1, len(sources)), sources)
	if err != nil {
		return nil, err
	}
	for source, roles := range may {
		more, err := taken(ctx, tx, "source = $1"+except(2, len(roles)), append([]string{source}, roles...))
		if err != nil {
			return nil, err
		}
		gone = append(gone, more...)
	}
	slices.Sort(gone)
	return slices.Compact(gone), nil
}

// taken deletes the roles of a condition and says whose they were.
func taken(ctx context.Context, tx *sql.Tx, condition string, arguments []string) ([]string, error) {
	return words(tx.QueryContext(ctx, "DELETE FROM user_roles WHERE "+condition+" RETURNING user_id", anys(arguments)...))
}
