package store

import (
	"slices"
	"testing"
	"time"
)

func TestForgetTakesEverythingBack(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		a := approve(t, s, "1", "x", "y")
		second := a
		second.Request, second.Consent.RedirectHost, second.Grant.ID = h("request 2"), "other", "grant 2"
		second.Code.Hash, second.Code.GrantID = h("code 2"), "grant 2"
		must(t, s.Approve(t.Context(), second))
		other := a
		other.Request, other.Consent.ClientID, other.Grant.ID, other.Grant.ClientID = h("request 3"), "c2", "grant 3", "c2"
		other.Code.Hash, other.Code.GrantID = h("code 3"), "grant 3"
		must(t, s.Approve(t.Context(), other))
		for i, of := range []Approval{a, second, other} {
			_, err := s.Issue(t.Context(), ofGrant(of, h(string(rune('a'+i)))))
			must(t, err)
		}
		all, err := s.ConsentsOf(t.Context(), "u1")
		if err != nil || len(all) != 3 || all[0].ClientID != "c1" || !slices.Equal(all[0].Scope, []string{"x", "y"}) || !all[0].At.Equal(t0) {
			t.Fatalf("%v %+v", err, all)
		}
		must(t, s.Forget(t.Context(), "u1", "c1", t0.Add(time.Second)))
		must(t, s.Forget(t.Context(), "u1", "nobody", t0))
		all, err = s.ConsentsOf(t.Context(), "u1")
		if err != nil || len(all) != 1 || all[0].ClientID != "c2" {
			t.Errorf("left: %v %+v", err, all)
		}
		for id, revoked := range map[string]bool{"grant 1": true, "grant 2": true, "grant 3": false} {
			if g, err := s.Grant(t.Context(), id); err != nil || g.Revoked != revoked {
				t.Errorf("%s: revoked %v, %v", id, g.Revoked, err)
			}
		}
		if got := s.revokedIDs(t); len(got) != 2 {
			t.Errorf("revoked tokens: %v", got)
		}
	})
}
