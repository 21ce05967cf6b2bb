package store

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// A transaction that meets others begins again, until it has luck, its caller
// leaves, or it was often enough: then the database cannot answer now.
func TestCollisionsAreTriedAgain(t *testing.T) {
	s := openFile(t)
	for name, row := range map[string]struct {
		collisions, leave int
		runs              int
	}{
		"never":         {0, 0, 1},
		"a dozen times": {12, 0, 13},
		"always":        {1000, 0, tries},
		"who leaves":    {1000, 3, 3},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			runs := 0
			err := s.transact(ctx, nil, func(*sql.Tx) error {
				runs++
				if runs == row.leave {
					cancel()
				}
				if runs <= row.collisions {
					return fmt.Errorf("met: %w", &pgconn.PgError{Code: serializationFailure})
				}
				return nil
			})
			if runs != row.runs || (err != nil) != (row.collisions >= row.runs) || err != nil && !Unavailable(err) {
				t.Errorf("%d runs, %v", runs, err)
			}
		})
	}
}
