package store

import "testing"

// Text that no database takes is not in any.
func TestWhatIsNoTextIsNotFound(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		approve(t, s, "1", "a")
		for _, id := range []string{"a\x00b", "\xff", "\x00"} {
			want(t, failed(s.Client(ctx, id)), ErrNotFound)
			want(t, failed(s.User(ctx, id)), ErrNotFound)
			want(t, failed(s.UserByID(ctx, id)), ErrNotFound)
			want(t, failed(s.Grant(ctx, id)), ErrNotFound)
			want(t, failed(s.AccessToken(ctx, id)), ErrNotFound)
			want(t, failed(s.Person(ctx, id)), ErrNotFound)
			want(t, failed(s.StoredClient(ctx, id)), ErrNotFound)
			want(t, failed(s.Identity(ctx, id, id)), ErrNotFound)
			want(t, s.SetRoles(ctx, id, GivenRoles{Assigned, nil}, t0, none), ErrNotFound)
		}
	})
}
