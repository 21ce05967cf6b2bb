package authserver

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/postern-mcp/postern/authserver/legible"
	"github.com/postern-mcp/postern/authserver/pages"
	"github.com/postern-mcp/postern/authserver/role"
)

const goodPassword = "yellow tractor sings"

func (g *rig) invite(i Invitation) (path string) {
	g.t.Helper()
	i.Operator, i.By = true, cmp.Or(i.By, "operator")
	link, err := g.s.Invite(context.Background(), i)
	if err != nil {
		g.t.Fatal(err)
	}
	return strings.TrimPrefix(link, g.url)
}

func (g *rig) resetLink() (path string) {
	g.t.Helper()
	link, err := g.s.ResetLink(context.Background(), testUser, "operator")
	if err != nil {
		g.t.Fatal(err)
	}
	return strings.TrimPrefix(link, g.url)
}

// newcomer is the form of the sign-up page at a path, filled in.
func (g *rig) newcomer(b *http.Client, path string) url.Values {
	g.t.Helper()
	page := g.get(b, path)
	if page.status != 200 {
		g.t.Fatalf("sign-up: %d %s", page.status, page.body)
	}
	return url.Values{"ticket": {value(g.t, page.body, "ticket")}, "request": {value(g.t, page.body, "request")}, "username": {"grace"}, "full_name": {"Grace  Hopper"},
		"new_password": {goodPassword}, "repeat_password": {goodPassword}}
}

func TestInvitedPersonCreatesAnAccount(t *testing.T) {
	g := newRig(t)
	path := g.invite(Invitation{Email: "grace@example.com", Roles: []string{"admin"}, By: "operator"})
	b := newBrowser(t)
	form := g.newcomer(b, path)
	a := g.submit(b, "/sign-up", form)
	if a.status != 303 || a.header.Get("Location") != "/account/security?done=joined" || !in(a) {
		t.Fatalf("got %d %q %s", a.status, a.header.Get("Location"), a.body)
	}
	says(t, g.get(b, g.local(a)), "Your account is made, and you are signed in. This is its Security page. Now set up a second factor below: an authenticator app.", "this is where you come back to: "+g.url+"/account")
	u, err := g.s.store.User(t.Context(), "grace")
	if err != nil || u.FullName != "Grace Hopper" || u.Email != "grace@example.com" || u.EmailVerified {
		t.Errorf("got %+v, %v", u, err)
	}
	if roles, err := g.s.heldRoles(t.Context(), u.ID); err != nil || len(roles) != 1 || roles[0] != "admin" {
		t.Errorf("roles %v, %v", roles, err)
	}
	for name, a := range map[string]answerOf{"the link again": g.get(newBrowser(t), path), "the form again": g.submit(b, "/sign-up", with(form, "username", "eve"))} {
		if a.status != 400 || !strings.Contains(a.body, "used before") {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	if strings.Contains(g.log.String(), form.Get("ticket")) || strings.Contains(g.log.String(), goodPassword) {
		t.Error("the log holds a secret")
	}
}

func TestSignUpSaysWhatIsMissing(t *testing.T) {
	g := newRig(t)
	b := newBrowser(t)
	form := g.newcomer(b, g.invite(Invitation{}))
	for _, row := range []struct {
		name   string
		pairs  []string
		status int
		says   string
	}{
		{"a name that is taken", []string{"username", testUser}, 400, "Somebody has this user name"},
		{"no name", []string{"username", ""}, 400, "A user name has"},
		{"a name that shows nothing", []string{"username", "a\u202eb"}, 400, "A user name has"},
		{"two passwords", []string{"repeat_password", "something else"}, 400, "not the same"},
		{"a short one", []string{"new_password", "short", "repeat_password", "short"}, 400, "at least 8 characters"},
		{"a common one", []string{"new_password", "Password1", "repeat_password", "Password1"}, 400, "one of the most used passwords"},
		{"their own name", []string{"new_password", "grace1906", "repeat_password", "grace1906"}, 400, "your own name"},
		{"their full name", []string{"full_name", "Zibaldone", "new_password", "Zibaldone1906", "repeat_password", "Zibaldone1906"}, 400, "your own name"},
		{"another ticket", []string{"ticket", "x"}, 400, `href="/account">Already done? Sign in`},
		{"no ticket", []string{"ticket", ""}, 403, "without an invitation"},
	} {
		a := g.submit(b, "/sign-up", with(form, row.pairs...))
		if a.status != row.status || !strings.Contains(a.body, row.says) || in(a) {
			t.Errorf("%s: %d %s", row.name, a.status, a.body)
		}
		if strings.Contains(a.body, goodPassword) {
			t.Errorf("%s: the page holds the password", row.name)
		}
	}
	if a := g.submit(b, "/sign-up", form, header("Sec-Fetch-Site", "cross-site")); a.status != 403 {
		t.Errorf("from another site: %d", a.status)
	}
	if a := g.submit(b, "/sign-up", form); !in(a) {
		t.Errorf("at last: %d %s", a.status, a.body)
	}
}

// Whoever is invited reads where to, by whom, what they get, and what comes next.
func TestInvitationSaysWhatItIs(t *testing.T) {
	g := newRig(t, func(c *Config) {
		c.Roles = []role.Role{{Name: "guard", Description: "Opens the gate", Factor: true}, {Name: "guest", Description: "Looks at the gate", Everyone: true},
			{Name: "host", Scopes: []string{"postern:*"}}}
	})
	g.give("host")
	robot, _ := g.machine("postern:users")
	ada, err := g.s.store.User(t.Context(), testUser)
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		of    Invitation
		says  []string
		never string
	}{
		"by a person":    {Invitation{Email: "grace@example.com", Roles: []string{"guard"}, By: "person " + ada.ID}, []string{"ada invites you", g.s.site.name(), "grace@example.com", "guard Opens the gate", "set up a second factor", pages.WhenOf(g.clock.Now().Add(InvitationLife), g.clock.Now()).Exact}, "Whoever runs"},
		"by an operator": {Invitation{Roles: []string{"guest"}, By: "operator"}, []string{"Whoever runs", g.s.site.name(), "guest Looks at the gate", "you are signed in."}, "second factor"},
		"by a program":   {Invitation{By: "client " + robot}, []string{"Whoever runs"}, robot},
	} {
		words := g.get(newBrowser(t), g.invite(row.of)).words()
		for _, want := range row.says {
			if !strings.Contains(words, want) {
				t.Errorf("%s: %q is not in: %s", name, want, words)
			}
		}
		if want := "your account is at " + strings.TrimPrefix(g.url, "http://") + "/account"; !strings.Contains(words, want) {
			t.Errorf("%s: %q is not in: %s", name, want, words)
		}
		if strings.Contains(words, row.never) {
			t.Errorf("%s: %q is in: %s", name, row.never, words)
		}
	}
}

// What went wrong stands beside its field, and what was right stays.
func TestSignUpNamesTheField(t *testing.T) {
	g := newRig(t)
	b := newBrowser(t)
	form := g.newcomer(b, g.invite(Invitation{}))
	for field, pairs := range map[string][]string{
		"username": {"username", testUser}, "new_password": {"new_password", "Password1", "repeat_password", "Password1"}, "repeat_password": {"repeat_password", "else"},
	} {
		a := g.submit(b, "/sign-up", with(form, pairs...))
		_, after, _ := strings.Cut(a.body, `<input id="`+field+`"`)
		input, after, _ := strings.Cut(after, ">")
		if !strings.Contains(input, `aria-invalid="true"`) || !strings.HasPrefix(strings.TrimSpace(after), `<span class="fault" id="fault"`) {
			t.Errorf("%s: %s", field, a.body)
		}
		if strings.Count(a.body, `aria-invalid`) != 1 || !strings.Contains(a.body, `value="Grace  Hopper"`) {
			t.Errorf("%s: another field is blamed, or the name is gone", field)
		}
	}
}

// Whoever sends passwords all at once waits for each other, on every form that
// takes one, and nothing is used up by a refusal.
func TestPasswordStormsAreBounded(t *testing.T) {
	g := newRig(t)
	home, guest := newBrowser(t), newBrowser(t)
	page := g.visit(home, "/account/security/password")
	change := url.Values{"token": {value(t, page.body, "token")}, "password": {testPassword}, "new_password": {goodPassword}, "repeat_password": {goodPassword}}
	join := g.newcomer(guest, g.invite(Invitation{}))
	page = g.get(guest, g.resetLink())
	reset := url.Values{"ticket": {value(t, page.body, "ticket")}, "new_password": {goodPassword}, "repeat_password": {goodPassword}}
	empty := g.fillTurns()
	for name, a := range map[string]answerOf{
		"sign-up": g.submit(guest, "/sign-up", join), "reset": g.submit(guest, "/reset", reset), "change": g.submit(home, "/account/security/password", change),
	} {
		if a.status != 503 || a.header.Get("Retry-After") == "" || !strings.Contains(a.words(), "Too much to do right now") {
			t.Errorf("%s: %d %s", name, a.status, a.words())
		}
	}
	empty()
	if a := g.submit(home, "/account/security/password", change); a.status != 303 {
		t.Errorf("change, later: %d %s", a.status, a.words())
	}
	if a := g.submit(guest, "/sign-up", join); !in(a) {
		t.Errorf("sign-up, later: %d %s", a.status, a.words())
	}
}

func TestWhoMaySignUp(t *testing.T) {
	for mode, open := range map[SignUp]bool{"": false, SignUpClosed: false, SignUpInvitation: false, SignUpOpen: true} {
		t.Run(string("mode "+mode), func(t *testing.T) {
			g := newRig(t, func(c *Config) { c.SignUp = mode })
			if a := g.get(newBrowser(t), "/sign-up"); (a.status == 200) != open {
				t.Errorf("without an invitation: %d", a.status)
			}
			b := newBrowser(t)
			page := g.get(b, "/authorize?"+authorization(g.publicClient()).Encode())
			if strings.Contains(page.body, "/sign-up") != open {
				t.Error("the sign-in page offers what is not there, or not what is")
			}
			if !open {
				return
			}
			form := g.newcomer(b, member(t, page.body, `href="(/sign-up\?request=[^"]+)"`))
			a := g.submit(b, "/sign-up", form)
			if !in(a) || !strings.HasPrefix(a.header.Get("Location"), "/consent?request=") {
				t.Errorf("who came for an application goes on to it: %d %q", a.status, a.header.Get("Location"))
			}
		})
	}
	c := baseConfig("http://127.0.0.1:1", &clock{}, &logbook{})
	c.SignUp = "everyone"
	if c.validate() == nil {
		t.Error("a mode there is not")
	}
}

func TestInvitationsEnd(t *testing.T) {
	g := newRig(t)
	path := g.invite(Invitation{})
	g.clock.forward(InvitationLife)
	if a := g.get(newBrowser(t), path); a.status != 400 {
		t.Errorf("too late: %d", a.status)
	}
	if a := g.get(newBrowser(t), strings.Replace(path, signUpPath, resetPath, 1)); a.status != 400 {
		t.Errorf("as a password reset: %d", a.status)
	}
	for name, i := range map[string]Invitation{"a role there is not": {Roles: []string{"king"}, Operator: true}, "no address": {Email: "nobody", Operator: true}, "where sign-up is closed": {}} {
		if link, err := g.s.Invite(t.Context(), i); err == nil {
			t.Errorf("%s: %s", name, link)
		}
	}
}

func TestInvitationsAreListedAndCanceled(t *testing.T) {
	g := newRig(t, func(c *Config) { c.SignUp = SignUpInvitation })
	link, err := g.s.Invite(t.Context(), Invitation{Email: "a@example.com", Roles: []string{"admin"}, By: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	all, err := g.s.Invitations(t.Context())
	if err != nil || len(all) != 1 || all[0].Email != "a@example.com" || all[0].By != "ada" || all[0].Roles[0] != "admin" || !all[0].Until.Equal(g.clock.Now().Add(InvitationLife)) {
		t.Fatalf("got %+v, %v", all, err)
	}
	if strings.Contains(link, all[0].ID) {
		t.Error("the list holds what opens")
	}
	if err := g.s.CancelInvitation(t.Context(), all[0].ID); err != nil {
		t.Error(err)
	}
	for _, id := range []string{all[0].ID, "", "x"} {
		if err := g.s.CancelInvitation(t.Context(), id); !errors.Is(err, ErrUnknown) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if a := g.get(newBrowser(t), strings.TrimPrefix(link, g.url)); a.status != 400 {
		t.Errorf("it still works: %d", a.status)
	}
}

// Links cannot be guessed, and whoever tries is slowed.
func TestLinksAreNotGuessed(t *testing.T) {
	g := newRig(t)
	b := newBrowser(t)
	for range 20 {
		if a := g.get(b, "/reset?ticket=guess"); a.status != 400 {
			t.Fatalf("got %d", a.status)
		}
	}
	if a := g.get(b, "/reset?ticket=guess"); a.status != 429 || a.header.Get("Retry-After") == "" {
		t.Errorf("got %d", a.status)
	}
}

func TestPasswordIsReset(t *testing.T) {
	g := newRig(t, asking)
	there := newBrowser(t)
	made := g.setUpCodes(there)
	first, path := g.resetLink(), g.resetLink()
	b := newBrowser(t)
	if a := g.get(b, first); a.status != 400 {
		t.Errorf("an earlier link: %d", a.status)
	}
	page := g.get(b, path)
	form := url.Values{"ticket": {value(t, page.body, "ticket")}, "new_password": {goodPassword}, "repeat_password": {goodPassword}}
	if a := g.submit(b, "/reset", with(form, "new_password", "12345678", "repeat_password", "12345678")); a.status != 400 || !strings.Contains(a.body, "most used") {
		t.Errorf("a common one: %d", a.status)
	}
	if a := g.submit(b, "/reset", with(form, "new_password", testPassword, "repeat_password", testPassword)); a.status != 400 || !strings.Contains(a.body, "the password the account has now") {
		t.Errorf("the same one: %d %s", a.status, a.words())
	}
	done := g.submit(b, "/reset", form)
	if done.status != 200 || in(done) || !strings.Contains(done.words(), "Your new password is set") || !strings.Contains(done.body, `name="username" type="text" value="ada"`) {
		t.Fatalf("got %d, signed in %v: %s", done.status, in(done), done.body)
	}
	if a := g.submit(b, "/reset", form); a.status != 400 {
		t.Errorf("again: %d", a.status)
	}
	if page := g.get(there, "/account"); !strings.Contains(page.body, `action="/login"`) {
		t.Error("what was signed in with the old password still is")
	}
	if a := g.submit(b, "/login", g.loginForm(b, testUser, testPassword)); a.status != 403 {
		t.Errorf("the old password: %d", a.status)
	}
	a := g.submit(b, "/login", g.loginForm(b, testUser, goodPassword))
	if !strings.Contains(a.body, "One more step") {
		t.Errorf("the second factor is gone with the password: %d", a.status)
	}
	if a := g.second(b, value(t, a.body, "entry"), "code", made.Code(g.clock.Now())); !in(a) {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if _, err := g.s.ResetLink(t.Context(), "nobody", "operator"); !errors.Is(err, ErrUnknown) {
		t.Errorf("for nobody: %v", err)
	}
}

func TestPasswordIsChanged(t *testing.T) {
	g := newRig(t)
	b, there := newBrowser(t), newBrowser(t)
	g.visit(there, "/account")
	page := g.visit(b, "/account/security/password")
	form := url.Values{"token": {value(t, page.body, "token")}, "password": {testPassword}, "new_password": {goodPassword}, "repeat_password": {goodPassword}}
	for name, row := range map[string]struct {
		pairs []string
		says  string
	}{
		"another old one": {[]string{"password", "wrong"}, "This is not your password"}, "no old one": {[]string{"password", ""}, "This is not your password"},
		"two new ones": {[]string{"repeat_password", "x"}, "not the same"}, "the same again": {[]string{"new_password", testPassword, "repeat_password", testPassword}, "the password the account has now"}, "a weak one": {[]string{"new_password", "qwertyuiop", "repeat_password", "qwertyuiop"}, "most used"},
	} {
		if a := g.submit(b, "/account/security/password", with(form, row.pairs...)); a.status < 400 || !strings.Contains(a.body, row.says) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := g.submit(b, "/account/security/password", form); a.status != 303 {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	if a := g.get(b, "/account/security"); a.status != 200 || strings.Contains(a.body, `action="/login"`) {
		t.Error("the browser it was changed at is signed out")
	}
	if a := g.get(there, "/account"); !strings.Contains(a.body, `action="/login"`) {
		t.Error("the other one is not")
	}
	g.clock.forward(time.Minute)
	other := newBrowser(t)
	if a := g.submit(other, "/login", g.loginForm(other, testUser, goodPassword)); !in(a) {
		t.Errorf("the new password: %d", a.status)
	}
}

// An administrator who was invited sets up a second factor before the role counts.
func TestInvitedAdministratorNeedsAFactor(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Roles = role.Default() })
	b := newBrowser(t)
	g.submit(b, "/sign-up", g.newcomer(b, g.invite(Invitation{Roles: []string{"admin"}})))
	bound, err := g.s.personBound(t.Context(), g.named("grace"), []string{amrPassword})
	if err != nil || bound.Allows("postern:users") {
		t.Errorf("with a password alone: %v, %v", bound, err)
	}
}

func (g *rig) named(user string) string {
	g.t.Helper()
	u, err := g.s.store.User(context.Background(), user)
	if err != nil {
		g.t.Fatal(err)
	}
	return u.ID
}

// What people call themselves, and what administrators call them, is legible in
// all of Unicode: at sign-up a space stands for the rest, elsewhere it is refused.
func TestFullNamesAreLegible(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		name, want := "a"+string(r)+"b", "a b"
		if legible.Shows(r) {
			want = name
		}
		if got := oneLine(name); got != want {
			t.Errorf("U+%04X: sign-up has %q", r, got)
		}
		if legible.Shows(r) != (checkShown("full_name", name) == nil) || legible.Shows(r) != (profileProblem(pages.Profile{FullName: name}) == "") {
			t.Errorf("U+%04X: the API or the profile takes another", r)
		}
		if address := legible.Shows(r) && r != ' ' && r != '@'; address != (checkEmail(name+"@b.example") == nil) {
			t.Errorf("U+%04X: in an address", r)
		}
	}
	g := newRig(t, func(c *Config) { c.SignUp = SignUpOpen })
	b := newBrowser(t)
	g.submit(b, "/sign-up", with(g.newcomer(b, "/sign-up"), "full_name", "Grace\u3164 \u2800H\u034fopper\ufe0f"))
	if u, err := g.s.store.User(t.Context(), "grace"); err != nil || u.FullName != "Grace H opper" {
		t.Errorf("%q, %v", u.FullName, err)
	}
}
