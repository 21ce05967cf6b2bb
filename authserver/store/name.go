package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Folded is the form of a name by which people are told apart: letters of any
// size and width are the same, and characters that show nothing are not there
// (Unicode 3.13, toNFKC_Casefold, which keeps a few of category Cf). No name that
// is given has any of those, and what was folded before is found as it was.
// Letters of two scripts that look alike stay different.
func Folded(name string) string {
	shown := strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) {
			return -1
		}
		return r
	}, norm.NFKC.String(name))
	return norm.NFKC.String(cases.Fold().String(shown))
}

// User finds a person by the name they sign in with, however its letters are
// written. Somebody whose name is exactly this comes first.
func (s *DB) User(ctx context.Context, name string) (User, error) {
	return user(s.read.QueryRowContext(ctx,
		userQuery+"WHERE name = $1 OR (folded = $2 AND folded <> '') ORDER BY CASE WHEN name = $1 THEN 0 ELSE 1 END LIMIT 1", name, Folded(name)))
}

// SharedNames are the names of people whose folded form is somebody else's who
// came before: they are found only as they are written. None are made any more.
func (s *DB) SharedNames(ctx context.Context) ([]string, error) {
	return s.words(ctx, "SELECT name FROM users WHERE folded = '' ORDER BY name")
}

// foldNames fills in what a migration could not. Of people whose names fold to
// the same, the one who came first has it.
func (s *DB) foldNames(ctx context.Context) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		people, err := list(ctx, tx, func(row scanner) (u User, err error) { return u, row.Scan(&u.ID, &u.Name) },
			"SELECT id, name FROM users WHERE folded = '' ORDER BY created_at, id")
		if err != nil {
			return err
		}
		for _, u := range people {
			if err := foldName(ctx, tx, u); err != nil {
				return err
			}
		}
		return nil
	})
}

func foldName(ctx context.Context, tx *sql.Tx, u User) error {
	folded := Folded(u.Name)
	err := exists(ctx, tx, "SELECT 1 FROM users WHERE folded = $1", folded)
	if errors.Is(err, ErrNotFound) {
		_, err = tx.ExecContext(ctx, "UPDATE users SET folded = $1 WHERE id = $2", folded, u.ID)
	}
	return err
}
