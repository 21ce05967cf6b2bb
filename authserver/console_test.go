package authserver

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/console"
	"github.com/postern-mcp/postern/authserver/role"
	"github.com/postern-mcp/postern/authserver/store"
)

// seated is a browser with a session of somebody, however they got it.
func (g *rig) seated(name string, methods ...string) *http.Client {
	g.t.Helper()
	u, err := g.s.store.User(g.t.Context(), name)
	if err != nil {
		g.t.Fatal(err)
	}
	id, now := newSecret(""), g.clock.Now()
	v := store.Session{Hash: hashOf(id), UserID: u.ID, Methods: methods, AuthTime: now, CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(sessionLife), Era: u.Era}
	if err := g.s.store.StartSession(g.t.Context(), v, store.Hash{}); err != nil {
		g.t.Fatal(err)
	}
	b := newBrowser(g.t)
	at, err := url.Parse(g.url)
	if err != nil {
		g.t.Fatal(err)
	}
	b.Jar.SetCookies(at, []*http.Cookie{{Name: g.s.site.cookie(sessionCookie), Value: id, Path: "/"}})
	return b
}

const adminPassword = "the password of an administrator"

// administrator is a browser in which "root" is signed in with two factors.
func (g *rig) administrator(roles ...string) *http.Client {
	g.t.Helper()
	if err := g.s.CreateUser(g.t.Context(), "root", adminPassword, roles...); err != nil {
		g.t.Fatal(err)
	}
	return g.seated("root", amrPassword, amrCode, amrMultiple)
}

func readers(c *Config) {
	c.Roles = append(slices.Clone(role.Default()), role.Role{Name: "auditor", Scopes: []string{admin.ScopeRead}})
}

// all lists the pages and the forms of the administration.
func (g *rig) all() (looks, asks, forms []string) {
	for path, to := range g.s.console().Pages() {
		if to.Get != nil {
			looks = append(looks, console.Path+path)
		}
		if to.Get != nil && to.Post != nil && path != "/risk" && path != "/invitations" {
			asks = append(asks, console.Path+path)
		}
		if to.Post != nil && path != "/risk" {
			forms = append(forms, console.Path+path)
		}
	}
	return looks, asks, forms
}

func TestWhoMayAdminister(t *testing.T) {
	g := newRig(t, readers)
	g.administrator("admin")
	for name, roles := range map[string][]string{"auditor": {"auditor"}} {
		if err := g.s.CreateUser(t.Context(), name, "a long password of somebody", roles...); err != nil {
			t.Fatal(err)
		}
	}
	looks, asks, forms := g.all()
	if len(looks) < 20 || len(forms) < 15 {
		t.Fatalf("%d pages, %d forms", len(looks), len(forms))
	}
	two := []string{amrPassword, amrCode, amrMultiple}
	refused := func(b *http.Client, path string) bool {
		a := g.get(b, path)
		return a.status == 403 && strings.Contains(a.words(), "Your account is not for administration")
	}
	person, weak, auditor, root := g.seated(testUser, two...), g.seated("root", amrPassword), g.seated("auditor", two...), g.seated("root", two...)
	for _, path := range looks {
		if a := g.get(newBrowser(t), path); !strings.Contains(a.body, `name="password"`) {
			t.Errorf("%s for nobody: %d", path, a.status)
		}
		if !refused(person, path) {
			t.Errorf("%s is open to everybody", path)
		}
		if a := g.get(weak, path); a.status == 200 && strings.Contains(a.body, `aria-label="Administration"`) {
			t.Errorf("%s is open after a password alone", path)
		}
		if got := refused(auditor, path); got != slices.Contains(asks, path) {
			t.Errorf("%s for who may only look: refused %v", path, got)
		}
		if a := g.get(root, path); a.status != 200 && a.status != 404 {
			t.Errorf("%s for an administrator: %d", path, a.status)
		}
	}
	page := g.get(auditor, "/account/profile")
	for _, path := range forms {
		if a := g.submit(auditor, path, url.Values{"token": {tokenOf(t, page)}, "id": {"x"}}); a.status != 403 || !strings.Contains(a.words(), "not for administration") {
			t.Errorf("%s by who may only look: %d %s", path, a.status, a.words())
		}
		if a := g.submit(root, path, url.Values{"token": {tokenOf(t, page)}, "id": {"x"}}); a.status != 400 {
			t.Errorf("%s with a token of somebody else: %d", path, a.status)
		}
		if a := g.submit(root, path, url.Values{"token": {tokenOf(t, g.get(root, "/account/profile"))}}, header("Origin", "https://evil.example")); a.status != 403 {
			t.Errorf("%s from another site: %d", path, a.status)
		}
	}
}

// Whoever has no role for it is told so at once: before they are asked for a
// second factor, or to sign in once more.
func TestNobodySetsUpAFactorInVain(t *testing.T) {
	g := newRig(t)
	b := g.seated(testUser, amrPassword)
	g.clock.forward(freshFor + time.Second)
	for name, a := range map[string]answerOf{
		"to look": g.get(b, "/admin"), "to change": g.get(b, "/admin/users/new"), "from the sign-in": g.enter(newBrowser(t), "/admin", testUser, testPassword),
		"a form": g.submit(b, "/admin/keys/rotate", url.Values{"token": {tokenOf(t, g.get(b, "/account/profile"))}}),
	} {
		if a.status != 403 || !strings.Contains(a.words(), "Your account is not for administration") {
			t.Errorf("%s: %d %s", name, a.status, a.words())
		}
	}
	g.administrator("admin")
	b = newBrowser(t)
	a := g.enter(b, "/admin", "root", adminPassword)
	if a.status != 303 || !strings.HasPrefix(g.local(a), "/account/security?then=") {
		t.Fatalf("whoever has one is not led to set up a factor: %d %s", a.status, a.words())
	}
	if page := g.get(b, g.local(a)); !strings.Contains(page.words(), "Your role “admin” counts only when you sign in with a second factor") {
		t.Errorf("the page does not say why: %s", page.words())
	}
	if page := g.get(g.visitor(), "/account/security"); strings.Contains(page.words(), "Your role") {
		t.Errorf("somebody without such a role: %s", page.words())
	}
}

// What was proven half an hour ago is enough to look, and for nothing else.
func TestChangesNeedAFreshSignIn(t *testing.T) {
	g := newRig(t)
	b := g.administrator("admin")
	page := g.get(b, "/admin/keys/rotate")
	g.clock.forward(freshFor + time.Second)
	if a := g.get(b, "/admin/keys"); a.status != 200 || !strings.Contains(a.words(), "Signs from") {
		t.Errorf("looking: %d %s", a.status, a.words())
	}
	_, asks, _ := g.all()
	for _, path := range asks {
		if a := g.get(b, path); !strings.Contains(a.words(), "Sign in once more") {
			t.Errorf("%s: %d %s", path, a.status, a.words())
		}
	}
	before := len(g.signingKeys())
	if a := g.submit(b, "/admin/keys/rotate", formAt(t, page, "/admin/keys/rotate")); !strings.Contains(a.words(), "Sign in once more") {
		t.Errorf("the form of before: %d", a.status)
	}
	if after := len(g.signingKeys()); after != before {
		t.Error("the key was rotated")
	}
}

// secretOf is what a page shows once.
func secretOf(t *testing.T, a answerOf) string {
	t.Helper()
	m := regexp.MustCompile(`class="secret"[^>]*>([^<]+)<`).FindStringSubmatch(a.body)
	if m == nil {
		t.Fatalf("no secret: %d %s", a.status, a.words())
	}
	return m[1]
}

func TestAdministratorsLookAfterPeople(t *testing.T) {
	g := newRig(t)
	b := g.administrator("admin")
	form := g.get(b, "/admin/users/new")
	if a := g.press(b, form, "/admin/users/new", "name", testUser); a.status != 422 || !strings.Contains(a.words(), "choose another name") {
		t.Errorf("a name that is taken: %d %s", a.status, a.words())
	}
	made := g.press(b, form, "/admin/users/new", "name", "grace", "full_name", "Grace Hopper", "email", "grace@example.com", "email_verified", "yes")
	password := secretOf(t, made)
	g.enter(newBrowser(t), "/account", "grace", password)
	grace, err := g.s.store.User(t.Context(), "grace")
	if err != nil || grace.FullName != "Grace Hopper" || !grace.EmailVerified {
		t.Fatalf("%+v %v", grace, err)
	}
	list := g.get(b, "/admin/users?q=gr")
	if !strings.Contains(list.words(), "grace@example.com") || strings.Contains(list.body, ">"+testUser+"<") {
		t.Errorf("the list: %s", list.words())
	}
	at := "/admin/user?id=" + grace.ID
	page := g.get(b, at)
	for _, words := range []string{"Grace Hopper", "password", "signed in", "None: the password alone lets this person in."} {
		if !strings.Contains(page.words(), words) {
			t.Errorf("the page does not say %q: %s", words, page.words())
		}
	}
	changed := g.press(b, page, "/admin/user/roles", "role.admin", "yes")
	if !strings.Contains(changed.words(), "Saved.") {
		t.Errorf("roles: %d %s", changed.status, changed.words())
	}
	if held, err := g.s.heldRoles(t.Context(), grace.ID); err != nil || !slices.Equal(held, []string{"admin"}) {
		t.Errorf("roles %v %v", held, err)
	}
	if a := g.press(b, page, "/admin/user/roles"); a.status != 409 || !strings.Contains(a.words(), "Somebody else changed it") {
		t.Errorf("the page of before: %d %s", a.status, a.words())
	}
	g.press(b, g.get(b, "/admin/user?id="+grace.ID), "/admin/user/roles")
	edit := g.get(b, "/admin/user/edit?id="+grace.ID)
	if a := g.press(b, edit, "/admin/user/edit", "email", "none", "full_name", "G"); a.status != 422 {
		t.Errorf("no address: %d", a.status)
	}
	if a := g.press(b, edit, "/admin/user/edit", "email", "hopper@example.com", "full_name", "Rear Admiral", "email_verified", "-"); !strings.Contains(a.words(), "hopper@example.com not verified") {
		t.Errorf("edited: %d %s", a.status, a.words())
	}
	g.disableAndDelete(b, grace.ID)
	for _, event := range []string{"user.created", "user.roles", "user.changed", "user.password", "session.ended", "user.deleted"} {
		if !regexp.MustCompile(`"msg":"` + event + `".*"actor":"` + g.idOf("root") + `"`).MatchString(g.log.String()) {
			t.Errorf("the log does not say who did %s", event)
		}
	}
}

// disableAndDelete takes grace through a new password, the end of her account,
// its return, the end of her session, and the end of everything.
func (g *rig) disableAndDelete(b *http.Client, id string) {
	g.t.Helper()
	reset := g.press(b, g.get(b, "/admin/user/password?id="+id), "/admin/user/password")
	again := secretOf(g.t, reset)
	visitor := newBrowser(g.t)
	g.enter(visitor, "/account", "grace", again)
	if a := g.press(b, g.get(b, "/admin/user/disable?id="+id), "/admin/user/disable"); !strings.Contains(a.words(), "The account is disabled.") {
		g.t.Errorf("disable: %s", a.words())
	}
	if a := g.get(visitor, "/account"); !strings.Contains(a.body, `name="password"`) {
		g.t.Error("a disabled account goes on")
	}
	if a := g.press(b, g.get(b, "/admin/user/enable?id="+id), "/admin/user/enable"); !strings.Contains(a.words(), "The account is enabled again.") {
		g.t.Errorf("enable: %s", a.words())
	}
	g.enter(visitor, "/account", "grace", again)
	if a := g.press(b, g.get(b, "/admin/user?id="+id), "/admin/user/session"); !strings.Contains(a.words(), "Signed out there.") {
		g.t.Errorf("session: %s", a.words())
	}
	if a := g.press(b, g.get(b, "/admin/user/delete?id="+id), "/admin/user/delete"); !strings.Contains(a.words(), "Deleted.") {
		g.t.Errorf("delete: %s", a.words())
	}
	if a := g.get(b, "/admin/user?id="+id); a.status != 404 || !strings.Contains(a.words(), "Go to the administration") {
		g.t.Errorf("after: %d %s", a.status, a.words())
	}
}

func (g *rig) idOf(name string) string {
	g.t.Helper()
	u, err := g.s.store.User(g.t.Context(), name)
	if err != nil {
		g.t.Fatal(err)
	}
	return u.ID
}

func TestAdministratorsInvite(t *testing.T) {
	shut := newRig(t)
	if a := shut.get(shut.administrator("admin"), "/admin/invitations"); !strings.Contains(a.words(), "Sign-up is closed") || strings.Contains(a.words(), "Make an invitation link") {
		t.Errorf("closed: %s", a.words())
	}
	g := newRig(t, func(c *Config) { c.SignUp = SignUpInvitation })
	b := g.administrator("admin")
	page := g.get(b, "/admin/invitations")
	if a := g.press(b, page, "/admin/invitations", "email", "no address"); a.status != 422 || !strings.Contains(a.words(), "email is no address") {
		t.Errorf("no address: %d %s", a.status, a.words())
	}
	made := g.press(b, page, "/admin/invitations", "email", "grace@example.com", "role.admin", "yes")
	link := html.UnescapeString(secretOf(t, made))
	if a := g.get(newBrowser(t), strings.TrimPrefix(link, g.url)); a.status != 200 || !strings.Contains(a.words(), "Create your account") {
		t.Errorf("the link: %d %s", a.status, a.words())
	}
	list := g.get(b, "/admin/invitations")
	if !strings.Contains(list.words(), "grace@example.com") || !regexp.MustCompile(`data-label="Made by"><div><bdi>root<`).MatchString(list.body) {
		t.Errorf("the list: %s", list.words())
	}
	if a := g.press(b, list, "/admin/invitations/cancel"); !strings.Contains(a.words(), "The invitation is canceled.") {
		t.Errorf("cancel: %d %s", a.status, a.words())
	}
	if a := g.get(newBrowser(t), strings.TrimPrefix(link, g.url)); a.status == 200 {
		t.Error("the link works on")
	}
	reset := g.press(b, g.get(b, "/admin/user/reset?id="+g.idOf(testUser)), "/admin/user/reset")
	link = html.UnescapeString(secretOf(t, reset))
	if a := g.get(newBrowser(t), strings.TrimPrefix(link, g.url)); a.status != 200 || !strings.Contains(a.words(), "Choose a new password") {
		t.Errorf("the link for a password: %d %s", a.status, a.words())
	}
}

func TestNobodyClosesTheirOwnAccount(t *testing.T) {
	g := newRig(t)
	b := g.administrator("admin")
	for _, step := range []string{"disable", "delete"} {
		page := g.get(b, "/admin/user/"+step+"?id="+g.idOf("root"))
		if a := g.press(b, page, "/admin/user/"+step); a.status != 403 || !strings.Contains(a.words(), "your own account") {
			t.Errorf("%s: %d %s", step, a.status, a.words())
		}
	}
	if page := g.get(b, "/admin/user?id="+g.idOf("root")); strings.Contains(page.body, "/admin/user/delete") || !strings.Contains(page.words(), "This is you") {
		t.Errorf("the page offers it: %s", page.words())
	}
}

// Whoever may look after people gives nobody more than they have themselves.
func TestPagesGiveNoMoreThanTheGiverHas(t *testing.T) {
	g := newRig(t, func(c *Config) {
		c.Roles = append(slices.Clone(role.Default()), role.Role{Name: "desk", Scopes: []string{admin.ScopeRead, admin.ScopeUsers}})
	})
	b := g.administrator("desk")
	page := g.get(b, "/admin/user?id="+g.idOf(testUser))
	if a := g.press(b, page, "/admin/user/roles", "role.admin", "yes"); a.status != 403 || !strings.Contains(a.words(), "more than you have") {
		t.Errorf("got %d %s", a.status, a.words())
	}
	if held, err := g.s.heldRoles(t.Context(), g.idOf(testUser)); err != nil || len(held) != 0 {
		t.Errorf("roles %v %v", held, err)
	}
}

func TestAdministratorsAskWhatASignInWouldGet(t *testing.T) {
	g := newRig(t)
	b := g.administrator("admin")
	page := g.get(b, "/admin/risk")
	if a := g.press(b, page, "/admin/risk", "user", testUser, "address", "198.51.100.7", "agent", "curl/8"); a.status != 200 || !strings.Contains(a.words(), "first sign-in") {
		t.Errorf("got %d %s", a.status, a.words())
	}
	if a := g.press(b, page, "/admin/risk", "user", testUser, "address", "here"); a.status != 422 || !strings.Contains(a.words(), "no IP address") {
		t.Errorf("got %d %s", a.status, a.words())
	}
	if a := g.press(b, page, "/admin/risk", "user", "nobody", "address", "198.51.100.7"); a.status != 422 || !strings.Contains(a.words(), "Nobody has this user name") {
		t.Errorf("got %d %s", a.status, a.words())
	}
}

func TestAdministratorsReadOn(t *testing.T) {
	g := newRig(t)
	b := g.administrator("admin")
	g.visitor()
	for path, words := range map[string]string{
		"/admin": "Signing key", "/admin/roles": "admin", "/admin/role?name=admin": "root", "/admin/role?name=user": "Everybody who can sign in has it",
		"/admin/sign-ins": testUser, "/admin/sign-ins?q=" + testUser: "signed in", "/admin/sign-ins?q=nobody": "Nobody has signed in yet",
	} {
		if a := g.get(b, path); a.status != 200 || !strings.Contains(a.words(), words) {
			t.Errorf("%s: %d, no %q in %s", path, a.status, words, a.words())
		}
	}
	for _, path := range []string{"/admin/role?name=none", "/admin/user?id=none", "/admin/client?id=none", "/admin/keys/revoke", "/admin/user/factor?id=" + g.idOf(testUser) + "&factor=x"} {
		if a := g.get(b, path); a.status != 404 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	for n := range 60 {
		name := "person-" + string(rune('a'+n/10)) + string(rune('0'+n%10))
		if err := g.s.store.AddUser(t.Context(), store.User{ID: name, Name: name}, g.clock.Now()); err != nil {
			t.Fatal(err)
		}
	}
	first := g.get(b, "/admin/users?q=person-")
	m := regexp.MustCompile(`href="(/admin/users\?after=[^"]*)"`).FindStringSubmatch(first.body)
	if m == nil {
		t.Fatalf("one page: %s", first.words())
	}
	second := g.get(b, strings.ReplaceAll(m[1], "&amp;", "&"))
	if !strings.Contains(second.words(), "person-f9") || strings.Contains(second.words(), "person-a0") || !strings.Contains(second.body, `href="/admin/users?q=person-"`) {
		t.Errorf("the second page: %s", second.words())
	}
	if a := g.get(b, "/admin/users?after=%21"); a.status != 422 {
		t.Errorf("a place that is none: %d", a.status)
	}
}
