package authserver

import (
	"context"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/store"
)

// reading are the methods of the desk that change nothing.
var reading = strings.Fields("Users User Identities Roles Holders Clients Client Grants Tokens Sessions Keys SignIns ExplainSignIn Invitations Status")

// changes is what administrators do, by the method of the desk. Each is of an
// account that is nobody else's.
func (g *rig) changes(kid string) map[string]func(by admin.Actor) error {
	g.t.Helper()
	d, ctx := g.s.Desk(), g.t.Context()
	made, err := d.CreateUser(ctx, admin.Operator(), admin.NewUser{Name: "eve"})
	must(g.t, err)
	gone, err := d.CreateUser(ctx, admin.Operator(), admin.NewUser{Name: "gone"})
	must(g.t, err)
	link, err := d.Invite(ctx, admin.Operator(), admin.NewInvitation{})
	must(g.t, err)
	invited, err := g.s.Invitations(ctx)
	if must(g.t, err); len(invited) != 1 || link.URL == "" {
		g.t.Fatalf("%v", invited)
	}
	id, _ := g.machine("calc:basic")
	other, _ := g.machine("calc:basic")
	eve, robot, name := admin.UserRef{ID: made.User.ID}, admin.ClientRef{ID: id}, "Eve"
	return map[string]func(by admin.Actor) error{
		"CreateUser": func(by admin.Actor) error { return failed(d.CreateUser(ctx, by, admin.NewUser{Name: "new"})) },
		"UpdateUser": func(by admin.Actor) error {
			return failed(d.UpdateUser(ctx, by, admin.UserChange{UserRef: eve, FullName: &name}))
		},
		"DeleteUser": func(by admin.Actor) error { return failed(d.DeleteUser(ctx, by, admin.UserRef{ID: gone.User.ID})) },
		"SetUserRoles": func(by admin.Actor) error {
			return failed(d.SetUserRoles(ctx, by, admin.UserRoles{UserRef: eve, Roles: []string{"admin"}}))
		},
		"SetPassword": func(by admin.Actor) error { return failed(d.SetPassword(ctx, by, admin.PasswordChange{UserRef: eve})) },
		"RemoveFactor": func(by admin.Actor) error {
			return failed(d.RemoveFactor(ctx, by, admin.FactorRef{UserRef: eve, Factor: "all"}))
		},
		"CreateClient": func(by admin.Actor) error {
			return failed(d.CreateClient(ctx, by, admin.NewClient{Name: "x", Scopes: []string{"calc:basic"}}))
		},
		"RegisterClient": func(by admin.Actor) error {
			return failed(d.RegisterClient(ctx, by, admin.Registration{Metadata: []byte(`{"grant_types":["client_credentials"],"scope":"calc:basic"}`)}))
		},
		"UpdateClient": func(by admin.Actor) error {
			return failed(d.UpdateClient(ctx, by, admin.ClientChange{ClientRef: robot, Name: &name}))
		},
		"DeleteClient": func(by admin.Actor) error { return failed(d.DeleteClient(ctx, by, admin.ClientRef{ID: other})) },
		"RotateSecret": func(by admin.Actor) error {
			return failed(d.RotateSecret(ctx, by, admin.SecretRotation{ClientRef: robot}))
		},
		"SetClientRoles": func(by admin.Actor) error {
			return failed(d.SetClientRoles(ctx, by, admin.ClientRoles{ClientRef: robot, Roles: []string{"user"}}))
		},
		"RevokeGrant": func(by admin.Actor) error { return failed(d.RevokeGrant(ctx, by, admin.GrantRef{ID: "x"})) },
		"RevokeToken": func(by admin.Actor) error { return failed(d.RevokeToken(ctx, by, admin.TokenRef{ID: "x"})) },
		"EndSession": func(by admin.Actor) error {
			return failed(d.EndSession(ctx, by, admin.SessionRef{ID: sessionName(store.Hash{1})}))
		},
		"EndSessions": func(by admin.Actor) error { return failed(d.EndSessions(ctx, by, eve)) },
		"RotateKey":   func(by admin.Actor) error { return failed(d.RotateKey(ctx, by, admin.KeyRotation{})) },
		"RevokeKey":   func(by admin.Actor) error { return failed(d.RevokeKey(ctx, by, admin.KeyRef{ID: kid})) },
		"Invite":      func(by admin.Actor) error { return failed(d.Invite(ctx, by, admin.NewInvitation{})) },
		"CancelInvitation": func(by admin.Actor) error {
			return failed(d.CancelInvitation(ctx, by, admin.InvitationRef{ID: invited[0].ID}))
		},
		"ResetLink": func(by admin.Actor) error { return failed(d.ResetLink(ctx, by, eve)) },
	}
}

func failed[T any](_ T, err error) error { return err }

// Nothing that an administrator asks for is done once they are signed out, or the
// access token they showed is revoked, though it was good when they were let in.
func TestAdministratorsActsEndWithTheirSession(t *testing.T) {
	g := newRig(t, func(c *Config) { c.SignUp = SignUpInvitation })
	g.administrator("admin")
	root := g.idOf("root")
	keys, err := g.s.Desk().Keys(t.Context(), admin.Operator(), admin.None{})
	must(t, err)
	changes, ctx := g.changes(keys.Items[0].ID), t.Context()
	for m := range reflect.TypeFor[admin.Desk]().Methods() {
		_, changing := changes[m.Name]
		if reads := strings.Contains(" "+strings.Join(reading, " ")+" ", " "+m.Name+" "); reads == changing {
			t.Errorf("%s is not in one list", m.Name)
		}
	}
	must(t, failed(g.s.store.EndOthers(ctx, root, store.Hash{}, store.Place{})))
	revoked := g.claims(g.adminToken(allScopes...))
	must(t, g.s.store.RevokeToken(ctx, revoked.ID))
	u, err := g.s.store.UserByID(ctx, root)
	must(t, err)
	for name, change := range changes {
		for what, by := range map[string]admin.Actor{
			"a session that ended": {Kind: admin.KindPerson, ID: root, Scopes: allScopes}, "a token of somebody signed out": {Kind: admin.KindPerson, ID: root, Scopes: allScopes, Client: adminClient},
			"a token of theirs that is revoked": {Kind: admin.KindPerson, ID: root, Scopes: allScopes, Era: u.Era, Token: revoked.ID},
			"a machine's that is revoked":       {Kind: admin.KindClient, ID: revoked.ClientID, Scopes: allScopes, Token: revoked.ID},
		} {
			before := g.trail.String()
			if err := change(by); admin.ReasonOf(err) != admin.Conflict || !strings.Contains(err.Error(), "nothing was changed") {
				t.Errorf("%s by %s: %v", name, what, err)
			}
			for said := range strings.Lines(strings.TrimPrefix(g.trail.String(), before)) {
				if !strings.Contains(said, `"event":"key.signs"`) { // a second after the start, whatever else happens
					t.Errorf("%s by %s says: %s", name, what, said)
				}
			}
		}
	}
	for name, change := range changes {
		if err := change(admin.Actor{Kind: admin.KindPerson, ID: root, Scopes: allScopes, Era: u.Era}); err != nil {
			t.Errorf("%s of the era: %v", name, err)
		}
	}
}

// overtakenLinks is a store in which what let somebody in ends right before the
// link they asked for is written.
type overtakenLinks struct {
	Store
	end func()
}

func (s overtakenLinks) AddTicket(ctx context.Context, v store.Ticket) error {
	s.end()
	return s.Store.AddTicket(ctx, v)
}

// A page, and the API, say in which era somebody was let in, and by which token.
func TestLinksThatTheEndOvertakes(t *testing.T) {
	g := newRig(t, func(c *Config) { c.SignUp = SignUpInvitation })
	g.administrator("admin")
	must(t, failed(g.s.store.EndSessions(t.Context(), g.idOf("root"), store.Hash{}))) // the era is not the first one
	b := g.seated("root", amrPassword, amrCode, amrMultiple)
	made := func() int {
		all, err := g.s.Invitations(t.Context())
		must(t, err)
		return len(all)
	}
	page := g.get(b, "/admin/invitations")
	if a := g.press(b, page, "/admin/invitations"); a.status != http.StatusOK || made() != 1 {
		t.Fatalf("%d %s", a.status, a.words())
	}
	inner := g.s.store
	g.keepIn(overtakenLinks{inner, func() { must(t, failed(inner.EndSessions(t.Context(), g.idOf("root"), store.Hash{}))) }})
	if a := g.press(b, page, "/admin/invitations"); a.status != 422 || !strings.Contains(a.words(), "nothing was changed") || made() != 0 {
		t.Errorf("the page: %d %s, left %d", a.status, a.words(), made())
	}
	token := g.adminToken(allScopes...)
	g.keepIn(overtakenLinks{inner, func() { must(t, inner.RevokeToken(t.Context(), g.claims(token).ID)) }})
	refusedFor(t, g.caller(token), admin.Invite, admin.NewInvitation{}, admin.Conflict)
	if made() != 0 {
		t.Errorf("the API: left %d", made())
	}
}
