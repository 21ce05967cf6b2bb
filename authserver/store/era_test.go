package store

import "testing"

// Eras do not come again when a database is put back to what it was, and say
// whether another one was between.
func TestErasComeOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s, ctx := open(t), t.Context()
		must(t, s.AddUser(ctx, User{ID: "u1", Name: "ada"}, t0))
		seen := map[int64]bool{0: true}
		for _, from := range []int64{0, 0, 1, 1<<counted - 1, 1<<63 - 1} {
			_, err := s.write.Exec("UPDATE users SET era = $1 WHERE id = 'u1'", from)
			must(t, err)
			must(t, failed(s.EndSessions(ctx, "u1", Hash{})))
			next := s.eraOf(t, "u1")
			must(t, failed(s.EndSessions(ctx, "u1", Hash{})))
			last := s.eraOf(t, "u1")
			for _, era := range []int64{next, last} {
				if seen[era] || era < 0 {
					t.Errorf("after %d: %d", from, era)
				}
				seen[era] = true
			}
			if !Follows(next, from) || !Follows(last, next) || Follows(last, from) || Follows(from, next) || Follows(from, from) {
				t.Errorf("%d, %d and %d do not follow each other alone", from, next, last)
			}
			over := standsElsewhere("over")
			over.Era = next
			want(t, failed(s.Standing(ctx, over)), ErrNotFound)
		}
	})
}
