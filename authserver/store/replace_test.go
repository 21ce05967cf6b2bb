package store

import (
	"slices"
	"testing"
)

// What a replacement of a registration ends, and what it leaves.
func TestReplaceClient(t *testing.T) {
	for _, row := range []struct {
		name    string
		anew    bool
		revoked []string
	}{
		{"in its words", false, nil},
		{"in what it proves", true, []string{"of ada", "own"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, open opener) {
				s := open(t)
				own := machineToken(t, s, "c1", "own")
				a := approve(t, s, "1", "a")
				token := ofGrant(a, Hash{})
				token.ID = "of ada"
				must(t, placed(s.Issue(t.Context(), token)))
				want(t, s.ReplaceClient(t.Context(), Client{ID: "c2"}, row.anew), ErrNotFound)
				must(t, s.ReplaceClient(t.Context(), Client{ID: own.ClientID, Name: "new", SecretHash: []byte("x")}, row.anew))
				if c, err := s.Client(t.Context(), "c1"); err != nil || c.Name != "new" || string(c.SecretHash) != "x" {
					t.Errorf("got %+v, %v", c, err)
				}
				if held, err := s.Consent(t.Context(), a.Consent); err != nil || held != nil {
					t.Errorf("consent %v, %v", held, err)
				}
				if got := s.revokedIDs(t); !slices.Equal(got, row.revoked) {
					t.Errorf("revoked %q, want %q", got, row.revoked)
				}
				if _, err := s.Grant(t.Context(), a.Grant.ID); (err == nil) == row.anew {
					t.Errorf("grant: %v", err)
				}
			})
		})
	}
}
