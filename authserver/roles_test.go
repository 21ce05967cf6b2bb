package authserver

import (
	"cmp"
	"context"
	"strings"
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

// between calls something between the look at what may be issued and the token,
// as often as there is a call, and keeps what was issued.
type between struct {
	Store
	g      *rig
	calls  []func()
	issued []string
}

func (b *between) next(t store.AccessToken) {
	b.issued = append(b.issued, t.ID)
	if len(b.calls) > 0 {
		b.calls[0]()
		b.calls = b.calls[1:]
	}
}

func (b *between) Rotate(ctx context.Context, old store.Hash, sealed []byte, next store.RefreshToken, t store.AccessToken, now, keep time.Time) (uint64, error) {
	b.next(t)
	return b.Store.Rotate(ctx, old, sealed, next, t, now, keep)
}

func (b *between) Redeem(ctx context.Context, c store.Code, next *store.RefreshToken, t store.AccessToken, now, keep time.Time) (uint64, error) {
	b.next(t)
	return b.Store.Redeem(ctx, c, next, t, now, keep)
}

func (b *between) Issue(ctx context.Context, t store.AccessToken) (uint64, error) {
	b.next(t)
	return b.Store.Issue(ctx, t)
}

// parts are a role for all of the calculator, and one for each half.
func parts(c *Config) {
	c.Roles = []role.Role{{Name: "user", Scopes: []string{"calc:*"}}, {Name: "basic", Scopes: []string{"calc:basic"}}, {Name: "power", Scopes: []string{"calc:power"}}}
}

// Roles are taken after the look at them, and before the token exists: that one
// ends, with those that were there, and what is left is issued at once. Clients
// drop a refresh token for invalid_grant, so only nothing that is left says that.
func TestRoleTakenWhileATokenIsIssued(t *testing.T) {
	const both = "calc:basic calc:power"
	for _, row := range []struct {
		name, scope string
		changes     []string // the roles, one set after the other
		status      int
		want        string // scope, or an error
		after       string // the scope of a repetition, once nothing changes
	}{
		{"some is left", both, []string{"basic"}, 200, "calc:basic", "calc:basic"},
		{"none of it is left", "calc:power", []string{"basic"}, 400, "invalid_grant", ""},
		{"nothing is left", both, []string{""}, 400, "invalid_grant", ""},
		{"some is left, and it is given back", both, []string{"basic", "user"}, 200, "calc:basic", both},
		{"something else is left", both, []string{"basic", "power"}, 200, "calc:power", "calc:power"},
		{"it goes on", both, []string{"basic", "power", "basic", "power"}, 503, "temporarily_unavailable", "calc:power"},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := newRig(t, parts)
			g.give("user")
			id := g.publicClient()
			first := g.post("/token", redemption(id, g.code(id, "scope", row.scope)))
			meddled := g.meddle(row.changes)
			a := g.post("/token", refreshing(id, first))
			if a.status != row.status || cmp.Or(a.str("error"), a.str("scope")) != row.want {
				t.Errorf("got %d %s", a.status, a.body)
			}
			if a.status == 503 && a.header.Get("Retry-After") == "" {
				t.Error("it does not say when to come again")
			}
			meddled.check(a)
			if again := g.post("/token", refreshing(id, first)); again.str("scope") != row.after {
				t.Errorf("once more: %d %s", again.status, again.body)
			}
		})
	}
}

// Codes, and machines, are answered in the same way.
func TestRoleTakenWhileAFirstTokenIsIssued(t *testing.T) {
	g := newRig(t, parts)
	g.give("user")
	id := g.publicClient()
	code := g.code(id, "scope", "calc:basic calc:power")
	meddled := g.meddle([]string{"basic"})
	a := g.post("/token", redemption(id, code))
	if a.str("scope") != "calc:basic" || a.str("refresh_token") == "" {
		t.Errorf("a code: %s", a.body)
	}
	meddled.check(a)
	machine, secret := g.machine("calc:basic", "calc:power")
	meddled = g.meddle(nil)
	meddled.calls = []func(){func() {
		if _, err := g.s.Desk().SetClientRoles(t.Context(), admin.Operator(), admin.ClientRoles{ClientRef: admin.ClientRef{ID: machine}, Roles: []string{"basic"}}); err != nil {
			t.Error(err)
		}
	}}
	a = g.post("/token", with(machineGrant(), "scope", "calc:basic calc:power"), basic(machine, secret))
	if a.str("scope") != "calc:basic" {
		t.Errorf("a machine: %s", a.body)
	}
	meddled.check(a)
}

// meddle changes ada's roles at each of the next tokens.
func (g *rig) meddle(changes []string) *between {
	b := &between{Store: g.s.store, g: g}
	for _, roles := range changes {
		b.calls = append(b.calls, func() { g.give(strings.Fields(roles)...) })
	}
	g.keepIn(b)
	return b
}

// check: of what was issued, nothing is good but what is in the answer.
func (b *between) check(a answerOf) {
	b.g.t.Helper()
	for _, id := range b.issued {
		if a.status == 200 && b.g.claims(a.str("access_token")).ID == id {
			continue
		}
		if t, err := b.Store.AccessToken(b.g.t.Context(), id); err == nil && !t.Revoked {
			b.g.t.Errorf("a token that nobody has is good")
		}
	}
	if a.status == 200 && b.g.revoked(a.str("access_token")) {
		b.g.t.Error("what was answered is revoked")
	}
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
