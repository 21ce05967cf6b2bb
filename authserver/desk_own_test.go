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
	return admin.Actor{Kind: admin.KindPerson, ID: g.idOf(name), Scopes: scopes}
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
