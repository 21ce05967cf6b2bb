package authserver

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
)

func (g *rig) newPassword() {
	g.t.Helper()
	user, err := g.s.store.User(g.t.Context(), testUser)
	if err != nil {
		g.t.Fatal(err)
	}
	if err := g.s.store.ChangePassword(g.t.Context(), user, g.s.passwords.decoy, store.Hash{}, store.Place{}, g.clock.Now()); err != nil {
		g.t.Fatal(err)
	}
}

func TestNewPasswordEndsUnfinishedSignIns(t *testing.T) {
	g := newRig(t, asking)
	made := g.setUpCodes(newBrowser(t))
	b := newBrowser(t)
	entry := g.halfway(b, authorization(g.publicClient()))
	g.newPassword()
	if a := g.second(b, entry, "code", made.Code(g.clock.Now())); in(a) || a.status != 400 {
		t.Errorf("got %d %s", a.status, a.body)
	}
}

// Who ends what others have proved ends sign-ins that were begun with the same
// password: also those that pass the first look, and meet the end on their way in.
func TestEndedSignInsAreNotFinished(t *testing.T) {
	g := newRig(t, asking, remembering)
	made := g.setUpCodes(newBrowser(t))
	b := newBrowser(t)
	sealed := g.halfway(b, authorization(g.publicClient()))
	user, err := g.s.store.User(t.Context(), testUser)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.s.store.EndOthers(t.Context(), user.ID, store.Hash{}, store.Place{}); err != nil {
		t.Fatal(err)
	}
	if a := g.second(b, sealed, "code", made.Code(g.clock.Now()), "remember", "yes"); in(a) || a.status != 400 {
		t.Errorf("got %d %s", a.status, a.body)
	}
	e := g.s.newEntry(pending{Next: accountPath}, user, amrPassword, amrCode, amrMultiple)
	r, w := g.request("POST", "/login", "", ""), httptest.NewRecorder()
	if err := g.s.proven(w, r, e); reasonOf(err) != BadRequestState || len(w.Result().Cookies()) > 0 {
		t.Errorf("on the way in: %v, %v", err, w.Result().Cookies())
	}
	if err := g.s.trust(w, r, e); reasonOf(err) != BadRequestState {
		t.Errorf("remembered: %v", err)
	}
	if left := g.contexts(); len(left) > 0 {
		t.Errorf("known: %v", left)
	}
}

// A page for a session that is not enough is worth nothing after its end.
func TestEndedSessionsAreNotGoneOnWith(t *testing.T) {
	for name, end := range map[string]bool{"it goes on": false, "it ended": true} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			made := g.setUpCodes(newBrowser(t))
			b := newBrowser(t)
			page := g.get(b, "/authorize?"+authorization(g.publicClient()).Encode())
			if a := g.submit(b, "/login", url.Values{"request": {formRequest(t, page.body)}, "username": {testUser}, "password": {testPassword}}); !in(a) {
				t.Fatalf("by password: %d %s", a.status, a.body)
			}
			more := g.get(b, "/authorize?"+with(authorization(g.publicClient()), "acr_values", "mfa").Encode())
			if !strings.Contains(more.body, "One more step") {
				t.Fatalf("no more is asked for: %d %s", more.status, more.body)
			}
			if end {
				if _, err := g.s.store.EndSessions(t.Context(), g.userID(), store.Hash{}); err != nil {
					t.Fatal(err)
				}
			}
			if a := g.second(b, value(t, more.body, "entry"), "code", made.Code(g.clock.Now())); in(a) == end || end && a.status != 400 {
				t.Errorf("got %d %s", a.status, a.body)
			}
		})
	}
}

func (g *rig) contexts() (networks []string) {
	g.t.Helper()
	h, err := g.s.store.SignInHistory(g.t.Context(), g.userID(), 1, time.Time{})
	if err != nil {
		g.t.Fatal(err)
	}
	for _, c := range h.Contexts {
		networks = append(networks, c.Network)
	}
	return networks
}

// Where a thief came in by password alone is new again once its owner did something.
func TestContextsOfThievesAreForgotten(t *testing.T) {
	for name, change := range map[string]func(g *rig, owner seat){
		"others are signed out": func(g *rig, owner seat) {
			page := g.do(owner.b, g.request("GET", "/account/sessions/end-others", "", "", owner.edits()...))
			if a := g.submit(owner.b, "/account/sessions/end-others", url.Values{"token": {value(g.t, page.body, "token")}}, owner.edits()...); a.status != 303 {
				g.t.Fatalf("end: %d %s", a.status, a.body)
			}
		},
		"a new password": func(g *rig, owner seat) {
			page := g.do(owner.b, g.request("GET", "/account/security/password", "", "", owner.edits()...))
			form := url.Values{"token": {value(g.t, page.body, "token")}, "password": {testPassword}, "new_password": {goodPassword}, "repeat_password": {goodPassword}}
			if a := g.submit(owner.b, "/account/security/password", form, owner.edits()...); a.status != 303 {
				g.t.Fatalf("change: %d %s", a.status, a.body)
			}
		},
		"a second factor": func(g *rig, owner seat) {
			page := g.do(owner.b, g.request("GET", "/account/security/code", "", "", owner.edits()...))
			made := generatorOf(g.t, page.body)
			form := url.Values{"token": {value(g.t, page.body, "token")}, "setup": {value(g.t, page.body, "setup")}, "code": {made.Code(g.clock.Now())}}
			if a := g.submit(owner.b, "/account/security/code", form, owner.edits()...); !added(a) {
				g.t.Fatalf("set up: %d %s", a.status, a.body)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newSeats(t)
			owner := g.seat(atHome, firefox)
			for _, at := range []seat{owner, g.seat(atHotel, firefox)} {
				if a := at.signIn(testPassword); !in(a) {
					t.Fatalf("signing in: %d", a.status)
				}
			}
			if len(g.contexts()) != 2 {
				t.Fatalf("known: %v", g.contexts())
			}
			change(g, owner)
			if left := g.contexts(); len(left) != 1 || !strings.HasPrefix(left[0], "203.0.113.") {
				t.Errorf("left: %v", left)
			}
		})
	}
}
