package authserver

import (
	"net/url"
	"strings"
	"testing"

	"github.com/postern-mcp/postern/authserver/admin"
)

// A name that somebody chooses is not taken for another, nor for an address.
func TestChosenNames(t *testing.T) {
	g := newRig(t, func(c *Config) { c.SignUp = SignUpOpen })
	b := newBrowser(t)
	form := g.newcomer(b, "/sign-up")
	for _, name := range []string{"Ada", "ADA", "\u0430da", "ad\u0430", "\uff41da", "ada\u00a0", "ada@corp.example", "admin@auth.example", "1ada", ".ada", "-ada", "_ada", "ad", "ad a", "ada!", strings.Repeat("a", 65)} {
		a := g.submit(b, "/sign-up", with(form, "username", name))
		if a.status != 400 || !strings.Contains(a.body, "A user name has 3 to 64 characters") || in(a) {
			t.Errorf("%q: %d", name, a.status)
		}
	}
	for _, name := range []string{"a-b", "a.b_c-9", strings.Repeat("a", 64)} {
		if err := checkChosenName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	if a := g.submit(b, "/sign-up", with(form, "username", "eve")); !in(a) {
		t.Errorf("at last: %d %s", a.status, a.body)
	}
}

// Administrators give other names too, but none that is somebody's in other letters.
func TestGivenNames(t *testing.T) {
	g := newRig(t)
	c := g.caller(g.adminToken(allScopes...))
	called(t, c, admin.CreateUser, admin.NewUser{Name: "Grace H@corp.example"})
	for _, name := range []string{"Ada", "ADA", "\uff41da", "grace h@CORP.example"} {
		refusedFor(t, c, admin.CreateUser, admin.NewUser{Name: name}, admin.Exists)
	}
	for _, name := range []string{"e\u200bve", "e\u00adve", "\u2060eve", "eve\u200d", "e\u202eve", "e\u034fve", "e\u3164ve", "eve\ufe0f", "e\u2800ve", "eve  h", "eve\u00a0h", "e\u2028ve", "e\u009bve"} {
		refusedFor(t, c, admin.CreateUser, admin.NewUser{Name: name}, admin.Invalid)
		if err := g.s.CreateUser(t.Context(), name, goodPassword); err == nil {
			t.Errorf("the operator called somebody %q", name)
		}
	}
	for _, name := range []string{"ada", "ADA", "aDa", "a\u200bda", "\u00adada"} {
		b := newBrowser(t)
		if a := g.submit(b, "/login", g.loginForm(b, name, testPassword)); !in(a) {
			t.Errorf("%s: %d", name, a.status)
		}
	}
}

// A link that is opened where nobody may sign in is as good as before elsewhere.
func TestDeniedNetworksUseNoLinkUp(t *testing.T) {
	g := newSeats(t)
	invitation, reset := g.invite(Invitation{}), g.resetLink()
	home := newBrowser(t)
	form := g.newcomer(home, invitation)
	page := g.get(home, reset)
	change := url.Values{"ticket": {value(t, page.body, "ticket")}, "new_password": {goodPassword}, "repeat_password": {goodPassword}}
	prison := header("X-Forwarded-For", inPrison)
	for name, a := range map[string]answerOf{
		"the invitation": g.do(home, g.request("GET", invitation, "", "", prison)),
		"its form":       g.submit(home, "/sign-up", form, prison),
		"the link":       g.do(home, g.request("GET", reset, "", "", prison)),
		"its form too":   g.submit(home, "/reset", change, prison),
	} {
		if a.status != 403 || !strings.Contains(a.body, "Nobody may sign in from the network you are on") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if _, err := g.s.store.User(t.Context(), "grace"); err == nil {
		t.Error("there is an account")
	}
	if a := g.submit(home, "/sign-up", form); !in(a) {
		t.Errorf("the invitation, elsewhere: %d %s", a.status, a.body)
	}
	if a := g.submit(newBrowser(t), "/reset", change); !strings.Contains(a.body, "Your new password is set") {
		t.Errorf("the link, elsewhere: %d %s", a.status, a.body)
	}
}
