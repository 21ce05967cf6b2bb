package store

import (
	"context"
	"fmt"
)

// Kind is a kind of thing that is kept under the caller's seal.
type Kind string

// Everything the caller seals and this package keeps.
const (
	SealedKeys       Kind = "signing keys"
	SealedSuccessors Kind = "successors of refresh tokens"
	SealedGenerators Kind = "generators of codes"
)

// Sealed is one sealed value. Of keys, Name is the kid; of successors, the 32
// bytes of the hash of the token they follow; of generators, whose they are.
type Sealed struct {
	Name  string
	Value []byte
}

// sealedIn says where a kind is, and whether its names are bytes there.
var sealedIn = map[Kind]struct {
	list, write string
	bytes       bool
}{
	SealedKeys: {
		list:  "SELECT id, sealed FROM signing_keys WHERE id > $1 AND revoked_at = 0 ORDER BY id LIMIT $2",
		write: "UPDATE signing_keys SET sealed = $1 WHERE id = $2 AND sealed = $3",
	},
	SealedSuccessors: {
		list:  "SELECT hash, successor FROM refresh_tokens WHERE hash > $1 AND successor IS NOT NULL ORDER BY hash LIMIT $2",
		write: "UPDATE refresh_tokens SET successor = $1 WHERE hash = $2 AND successor = $3",
		bytes: true,
	},
	SealedGenerators: {
		list:  "SELECT user_id, sealed FROM code_generators WHERE user_id > $1 ORDER BY user_id LIMIT $2",
		write: "UPDATE code_generators SET sealed = $1 WHERE user_id = $2 AND sealed = $3",
	},
}

func (k Kind) name(s string) any {
	if sealedIn[k].bytes {
		return []byte(s)
	}
	return s
}

// Sealed are at most limit values of a kind whose names come after one, in
// their order; "" is before all of them.
func (s *DB) Sealed(ctx context.Context, of Kind, after string, limit int) ([]Sealed, error) {
	at, ok := sealedIn[of]
	if !ok {
		return nil, fmt.Errorf("nothing of the kind %q is sealed", of)
	}
	rows, err := s.read.QueryContext(ctx, at.list, of.name(after), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Sealed
	for rows.Next() {
		var v Sealed
		if err := rows.Scan(&v.Name, &v.Value); err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// Reseal puts another value in the place of a sealed one, unless that has
// changed or gone.
func (s *DB) Reseal(ctx context.Context, of Kind, was Sealed, value []byte) error {
	at, ok := sealedIn[of]
	if !ok {
		return fmt.Errorf("nothing of the kind %q is sealed", of)
	}
	_, err := s.write.ExecContext(ctx, at.write, value, of.name(was.Name), was.Value)
	return err
}
