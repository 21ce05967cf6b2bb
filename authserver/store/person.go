package store

import "context"

// UserName is the name that a person signs in with.
func (s *DB) UserName(ctx context.Context, id string) (string, error) {
	var name string
	err := s.read.QueryRowContext(ctx, "SELECT name FROM users WHERE id = $1", id).Scan(&name)
	return name, found(err)
}
