package authserver

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/role"
	"github.com/postern-mcp/postern/authserver/store"
)

// ranks are three roles: what everyone may do, more, and more with a second factor.
func ranks(c *Config) {
	c.Roles = []role.Role{
		{Name: "guest", Scopes: []string{"calc:basic"}, Everyone: true},
		{Name: "user", Scopes: []string{"calc:*", "db:read"}},
		{Name: "chief", Scopes: []string{"*"}, Factor: true},
		{Name: "agent", Scopes: []string{"db:read"}},
	}
}

func (g *rig) give(roles ...string) {
	g.t.Helper()
	_, err := g.s.Desk().SetUserRoles(context.Background(), admin.Operator(), admin.UserRoles{UserRef: admin.UserRef{ID: g.idOf(testUser)}, Roles: roles})
	if err != nil {
		g.t.Fatal(err)
	}
}

func TestPeopleGetWhatTheirRolesGive(t *testing.T) {
	for _, row := range []struct {
		name, roles, asked string
		want               string // scope, or an error
	}{
		{"everyone's", "", "calc:basic", "calc:basic"},
		{"more than everyone's", "", "calc:basic calc:power", "calc:basic"},
		{"nothing of theirs", "", "calc:power", "access_denied"},
		{"who they are", "", "openid profile", "openid profile"},
		{"who they are, and nothing else of theirs", "", "openid calc:power", "openid"},
		{"a role", "user", "calc:basic calc:power", "calc:basic calc:power"},
		{"a role of machines", "agent", "calc:power", "access_denied"},
		{"one that does not is enough", "chief user", "calc:power", "calc:power"},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := newRig(t, ranks)
			g.give(strings.Fields(row.roles)...)
			id := g.publicClient()
			v := g.authorizeBy(newBrowser(t), with(authorization(id), "scope", row.asked))
			if v.Get("error") != "" {
				if v.Get("error") != row.want || v.Get("error_description") == "" {
					t.Errorf("got %v", v)
				}
				return
			}
			if a := g.post("/token", redemption(id, v.Get("code"))); a.str("scope") != row.want {
				t.Errorf("got %s, want %s", a.body, row.want)
			}
		})
	}
}

// A role that is taken away reaches what is out: tokens that hold more end, the
// next refresh holds what is left, and other people's go on.
func TestTakenRoleReachesTokens(t *testing.T) {
	g := newRig(t, ranks)
	g.give("user")
	id := g.publicClient()
	wide := g.post("/token", redemption(id, g.code(id, "scope", "calc:basic calc:power")))
	small := g.post("/token", redemption(id, g.code(id, "scope", "calc:basic")))
	only := g.post("/token", redemption(id, g.code(id, "scope", "calc:power")))
	code := g.code(id, "scope", "calc:basic calc:power")
	g.give()
	for name, row := range map[string]struct {
		answer answerOf
		ended  bool
	}{"more": {wide, true}, "no more than is left": {small, false}, "nothing that is left": {only, true}} {
		if g.revoked(row.answer.str("access_token")) != row.ended {
			t.Errorf("%s: ended is not %v", name, row.ended)
		}
	}
	for _, form := range []answerOf{g.post("/token", refreshing(id, wide)), g.post("/token", redemption(id, code))} {
		if g.expect(form, 200, ""); form.str("scope") != "calc:basic" {
			t.Errorf("got %s", form.body)
		}
	}
	g.expect(g.post("/token", refreshing(id, only)), 400, "invalid_grant")
	g.expectReason(NothingLeft)
	g.give("user") // and given back, the grant is what it was
	if a := g.post("/token", refreshing(id, only)); a.str("scope") != "calc:power" {
		t.Errorf("got %s", a.body)
	}
}

func TestMachinesKeepToTheirRoles(t *testing.T) {
	g := newRig(t, ranks)
	id, secret := g.machine("calc:basic", "calc:power", "db:read")
	token := func(pairs ...string) answerOf {
		return g.post("/token", with(machineGrant(), pairs...), basic(id, secret))
	}
	before := token("scope", "calc:power")
	g.expect(before, 200, "")
	set := func(id string, roles ...string) error {
		_, err := g.s.Desk().SetClientRoles(t.Context(), admin.Operator(), admin.ClientRoles{ClientRef: admin.ClientRef{ID: id}, Roles: roles})
		return err
	}
	if err := set(id, "agent"); err != nil {
		t.Fatal(err)
	}
	if !g.revoked(before.str("access_token")) {
		t.Error("a token from before the role stays")
	}
	g.expect(token("scope", "calc:power"), 400, "invalid_scope")
	if a := token("scope", "db:read", "resource", database); a.str("scope") != "db:read" {
		t.Errorf("got %s", a.body)
	}
	if err := set(id, "emperor"); err == nil || !strings.Contains(err.Error(), `no role "emperor"`) {
		t.Errorf("got %v", err)
	}
	if err := set("client_x", "agent"); err == nil {
		t.Error("a client that is not there has roles")
	}
}

// between calls something once, between the look at a refresh token and its use.
type between struct {
	Store
	once sync.Once
	call func()
}

func (b *between) Rotate(ctx context.Context, old store.Hash, sealed []byte, next store.RefreshToken, t store.AccessToken, now, keep time.Time) (uint64, error) {
	b.once.Do(b.call)
	return b.Store.Rotate(ctx, old, sealed, next, t, now, keep)
}

// A role is taken after the refresh looked at it, and before the token exists:
// the tokens that were there end, and this one is not given out.
func TestRoleTakenWhileATokenIsIssued(t *testing.T) {
	g := newRig(t, ranks)
	g.give("user")
	id := g.publicClient()
	first := g.post("/token", redemption(id, g.code(id, "scope", "calc:basic calc:power")))
	g.keepIn(&between{Store: g.s.store, call: func() { g.give() }})
	g.expect(g.post("/token", refreshing(id, first)), 400, "invalid_grant")
	g.expectReason(NothingLeft)
}

func TestRolesAreOfTheConfiguration(t *testing.T) {
	g := newRig(t)
	for name, change := range map[string]func(*Config){
		"no roles":     func(c *Config) { c.Roles = nil },
		"two the same": func(c *Config) { c.Roles = append(role.Default(), role.Default()...) },
		"a scope of the administration": func(c *Config) {
			c.Resources = []Resource{{URL: calculator, Scopes: []Scope{{Name: "postern:read"}}}}
		},
	} {
		if s, err := g.reopen(change); err == nil {
			_ = s.Close()
			t.Errorf("%s: fine", name)
		}
	}
}
