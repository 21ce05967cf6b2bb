package authserver

import (
	"net/http"
	"strings"
	"testing"

	"github.com/postern-mcp/postern/authserver/admin"
)

// asPerson is what a token of somebody lets them do.
func (g *rig) asPerson(name string, scopes ...string) admin.Actor {
	g.t.Helper()
	u, err := g.s.store.User(g.t.Context(), name)
	must(g.t, err)
	return admin.Actor{Kind: admin.KindPerson, ID: u.ID, Scopes: scopes, Era: u.Era}
}

// A token of the API is not the person: with it nobody gets into the account it
// is of, nor gets that account further.
func TestTokensDoNotOpenTheirOwnAccount(t *testing.T) {
	g := newRig(t)
	g.administrator("admin")
	g.give()
	d, ctx, ref := g.s.Desk(), t.Context(), admin.UserRef{ID: g.idOf("root")}
	yes, mail, name := true, "boss@corp.example", "Root"
	for _, row := range []struct {
		name string
		do   func(by admin.Actor) error
	}{
		{"password", func(by admin.Actor) error {
			_, err := d.SetPassword(ctx, by, admin.PasswordChange{UserRef: ref})
			return err
		}},
		{"link", func(by admin.Actor) error { _, err := d.ResetLink(ctx, by, ref); return err }},
		{"factors", func(by admin.Actor) error {
			_, err := d.RemoveFactor(ctx, by, admin.FactorRef{UserRef: ref, Factor: "all"})
			return err
		}},
		{"address", func(by admin.Actor) error {
			_, err := d.UpdateUser(ctx, by, admin.UserChange{UserRef: ref, Email: &mail})
			return err
		}},
		{"verified address", func(by admin.Actor) error {
			_, err := d.UpdateUser(ctx, by, admin.UserChange{UserRef: ref, Email: &mail, Verified: &yes})
			return err
		}},
		{"roles", func(by admin.Actor) error {
			_, err := d.SetUserRoles(ctx, by, admin.UserRoles{UserRef: ref, Roles: []string{"admin", "user"}})
			return err
		}},
	} {
		if err := row.do(g.asPerson("root", allScopes...)); admin.ReasonOf(err) != admin.OwnAccount || !strings.Contains(err.Error(), "/account/security") {
			t.Errorf("%s: %v", row.name, err)
		}
		less := admin.ReasonOf(row.do(g.asPerson("root", admin.ScopeUsers)))
		if less != admin.OwnAccount && less != admin.BeyondYou {
			t.Errorf("%s, by a token with less: %q", row.name, less)
		}
		if err := row.do(admin.Operator()); err != nil {
			t.Errorf("%s by the operator: %v", row.name, err)
		}
	}
	change := admin.UserChange{UserRef: ref, FullName: &name}
	if _, err := d.UpdateUser(ctx, g.asPerson("root", admin.ScopeUsers), change); admin.ReasonOf(err) != admin.BeyondYou {
		t.Errorf("a token that has less than its person: %v", err)
	}
	if _, err := d.UpdateUser(ctx, g.asPerson("root", allScopes...), change); err != nil {
		t.Errorf("a name alone: %v", err)
	}
}

// The pages of the administration ask for no password: they do not change the
// one of whoever looks at them.
func TestPagesDoNotOpenTheirOwnAccount(t *testing.T) {
	g := newRig(t)
	b := g.administrator("admin")
	for _, step := range []string{"password", "reset", "factor"} {
		page := g.get(b, "/admin/user/"+step+"?factor=totp&id="+g.idOf("root"))
		if a := g.press(b, page, "/admin/user/"+step); a.status != http.StatusForbidden || !strings.Contains(a.words(), "your own account") {
			t.Errorf("%s: %d %s", step, a.status, a.words())
		}
	}
}

// Whoever looks after people says nothing about the addresses that a provider
// decides about, and gives nobody the address of another.
func TestAddressesThatAreNotVerifiedHere(t *testing.T) {
	a := newAbroad(t, func(p *Provider) { p.Link, p.Domains = true, []string{"corp.example"} })
	a.administrator("admin")
	d, ctx, yes, boss := a.s.Desk(), t.Context(), true, "Boss@CORP.example"
	by := a.asPerson("root", allScopes...)
	mine, err := d.CreateUser(ctx, by, admin.NewUser{Name: "mine", Email: "mine@other.example", Verified: true})
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.CreateUser(ctx, by, admin.NewUser{Name: "boss", Email: boss, Verified: true})
	if admin.ReasonOf(err) != admin.Invalid || !strings.Contains(err.Error(), "given out by Corp") {
		t.Errorf("a new account: %v", err)
	}
	ref := admin.UserRef{ID: mine.User.ID}
	if _, err := d.UpdateUser(ctx, by, admin.UserChange{UserRef: ref, Email: &boss, Verified: &yes}); admin.ReasonOf(err) != admin.Invalid {
		t.Errorf("another address: %v", err)
	}
	if _, err := d.UpdateUser(ctx, by, admin.UserChange{UserRef: ref, Email: &boss}); err != nil {
		t.Errorf("not verified: %v", err)
	}
	if _, err := d.UpdateUser(ctx, by, admin.UserChange{UserRef: ref, Verified: &yes}); admin.ReasonOf(err) != admin.Invalid {
		t.Errorf("verified afterwards: %v", err)
	}
	if _, err := d.CreateUser(ctx, admin.Operator(), admin.NewUser{Name: "boss", Email: boss, Verified: true, SignIn: admin.WithNothing}); err != nil {
		t.Errorf("by the operator: %v", err)
	}
	free := "mine@other.example"
	if _, err := d.UpdateUser(ctx, by, admin.UserChange{UserRef: ref, Email: &free, Verified: &yes}); err != nil {
		t.Errorf("of another domain: %v", err)
	}
	_, err = d.CreateUser(ctx, by, admin.NewUser{Name: "twin", Email: free, Verified: true})
	if admin.ReasonOf(err) != admin.Invalid || !strings.Contains(err.Error(), "Somebody else has this address") {
		t.Errorf("somebody's address: %v", err)
	}
}

// Names are shown to others, who decide by them.
func TestNamesByTheAPIShowWhatTheyAre(t *testing.T) {
	g := newRig(t)
	c := g.caller(g.adminToken(allScopes...))
	eve := called(t, c, admin.CreateUser, admin.NewUser{Name: "eve", FullName: "Ève de l’Été"}).User
	robot := called(t, c, admin.CreateClient, admin.NewClient{Name: "Ro bot", Scopes: []string{"calc:basic"}}).Client
	for _, odd := range []string{"a\nb", "a\u202eb", "a\u2066b", "a\u200bb"} {
		mail := odd + "@example.com"
		refusedFor(t, c, admin.CreateUser, admin.NewUser{Name: "x", FullName: odd}, admin.Invalid)
		refusedFor(t, c, admin.CreateUser, admin.NewUser{Name: "x", Email: mail}, admin.Invalid)
		refusedFor(t, c, admin.UpdateUser, admin.UserChange{UserRef: admin.UserRef{ID: eve.ID}, FullName: &odd}, admin.Invalid)
		refusedFor(t, c, admin.UpdateUser, admin.UserChange{UserRef: admin.UserRef{ID: eve.ID}, Email: &mail}, admin.Invalid)
		refusedFor(t, c, admin.CreateClient, admin.NewClient{Name: odd, Scopes: []string{"calc:basic"}}, admin.Invalid)
		refusedFor(t, c, admin.UpdateClient, admin.ClientChange{ClientRef: admin.ClientRef{ID: robot.ID}, Name: &odd}, admin.Invalid)
	}
}
