package authserver

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
)

// enter signs a browser in at a page of ours, as somebody, and gives the page.
func (g *rig) enter(b *http.Client, path, name, password string) answerOf {
	g.t.Helper()
	page := g.get(b, path)
	if page.status != 200 || !strings.Contains(page.body, `name="password"`) {
		g.t.Fatalf("no sign-in: %d %s", page.status, page.body)
	}
	done := g.submit(b, "/login", url.Values{"request": {formRequest(g.t, page.body)}, "username": {name}, "password": {password}})
	if done.status != 303 {
		g.t.Fatalf("sign-in: %d %s", done.status, done.body)
	}
	return g.get(b, g.local(done))
}

// local is where an answer leads, without the issuer.
func (g *rig) local(a answerOf) string {
	at := a.header.Get("Location")
	return strings.TrimPrefix(strings.TrimPrefix(at, g.url), g.s.site.path)
}

// visitor is a browser in which the test's person is signed in.
func (g *rig) visitor() *http.Client {
	g.t.Helper()
	b := newBrowser(g.t)
	g.enter(b, "/account", testUser, testPassword)
	return b
}

var tokenField = regexp.MustCompile(`name="token" value="([^"]*)"`)

func tokenOf(t *testing.T, page answerOf) string {
	t.Helper()
	m := tokenField.FindStringSubmatch(page.body)
	if m == nil {
		t.Fatalf("no form with a token in: %d %s", page.status, page.body)
	}
	return m[1]
}

var (
	inputTag   = regexp.MustCompile(`<input [^>]*>`)
	inputField = regexp.MustCompile(`name="([^"]+)".* value="([^"]*)"`)
)

// formAt are the fields of the first form of a page that goes to path.
func formAt(t *testing.T, page answerOf, path string) url.Values {
	t.Helper()
	_, rest, ok := strings.Cut(page.body, `action="`+path+`"`)
	if !ok {
		t.Fatalf("no form to %s in: %d %s", path, page.status, page.body)
	}
	form, _, _ := strings.Cut(rest, "</form>")
	fields := url.Values{}
	for _, tag := range inputTag.FindAllString(form, -1) {
		m := inputField.FindStringSubmatch(tag)
		if m != nil && (!strings.Contains(tag, `type="checkbox"`) || strings.Contains(tag, " checked")) {
			fields.Set(m[1], html.UnescapeString(m[2]))
		}
	}
	return fields
}

// press sends the first form of a page that goes to path, and follows.
func (g *rig) press(b *http.Client, page answerOf, path string, pairs ...string) answerOf {
	g.t.Helper()
	a := g.submit(b, path, with(formAt(g.t, page, path), pairs...))
	if a.status != 303 {
		return a
	}
	return g.get(b, g.local(a))
}

func TestAccountPagesAskWhoItIs(t *testing.T) {
	g := newRig(t)
	for _, path := range []string{"/account", "/account/profile", "/account/sessions", "/account/applications", "/account/activity?before=9", "/account/sessions/end-others"} {
		page := g.enter(newBrowser(t), path, testUser, testPassword)
		checkPageHeaders(t, page.header)
		if page.status != 200 || !strings.Contains(page.body, "Sign out") {
			t.Errorf("%s: %d %s", path, page.status, page.words())
		}
	}
}

func TestOverviewGreets(t *testing.T) {
	g := newRig(t)
	page := g.get(g.visitor(), "/account").words()
	for _, words := range []string{"Hello, " + testUser, "Signed in atthis browser only", "Applications you let innone", "only your password protects you"} {
		if !strings.Contains(page, words) {
			t.Errorf("the page does not say %q: %s", words, page)
		}
	}
	if strings.Contains(page, "Administration") {
		t.Error("everybody is led to the administration")
	}
}

// Forms of the account, without what makes them the person's own.
func TestAccountFormsAreThePersonsOwn(t *testing.T) {
	g := newRig(t)
	b, other := g.visitor(), g.visitor()
	mine, theirs := g.get(b, "/account/profile"), g.get(other, "/account/profile")
	good := url.Values{"full_name": {"Mallory"}, "email": {"m@example.com"}, "token": {tokenOf(t, mine)}}
	for _, row := range []struct {
		name   string
		form   url.Values
		edits  []edit
		reason Reason
	}{
		{"no token", with(good, "token", "-"), nil, StaleForm},
		{"a token that is none", with(good, "token", "x!"), nil, StaleForm},
		{"a token of another session", with(good, "token", tokenOf(t, theirs)), nil, StaleForm},
		{"another site", good, []edit{header("Sec-Fetch-Site", "cross-site")}, CrossSite},
		{"another origin", good, []edit{header("Origin", "https://evil.example")}, CrossSite},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := g.submit(b, "/account/profile", row.form, row.edits...)
			if a.status < 400 || !strings.Contains(a.words(), "Go to your account") {
				t.Errorf("got %d %s", a.status, a.words())
			}
			g.expectReason(row.reason)
		})
	}
	if a := g.submit(newBrowser(t), "/account/profile", good); !strings.Contains(a.body, `name="password"`) {
		t.Errorf("nobody is signed in: %d", a.status)
	}
	u, err := g.s.store.User(t.Context(), testUser)
	if err != nil || u.FullName != "" || u.Email != "" {
		t.Errorf("changed: %+v %v", u, err)
	}
	if a := g.submit(b, "/account/profile", good); a.status != 303 {
		t.Errorf("the person's own form: %d %s", a.status, a.words())
	}
}

func TestProfileIsChanged(t *testing.T) {
	g := newRig(t)
	b := g.visitor()
	err := g.s.store.ChangePerson(t.Context(), g.userID(), g.clock.Now(), func(p store.Person) (store.User, error) {
		p.Email, p.EmailVerified = "ada@example.com", true
		return p.User, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	page := g.get(b, "/account/profile")
	for _, wrong := range []string{"no address", "a@b@c", "a\u200bb@example.com", strings.Repeat("a", 250) + "@example.com"} {
		if a := g.press(b, page, "/account/profile", "email", wrong); a.status != 422 || !strings.Contains(a.body, "aria-invalid") {
			t.Errorf("%q: %d", wrong, a.status)
		}
	}
	a := g.press(b, page, "/account/profile", "full_name", " Ada Lovelace ", "email", "ada@example.com")
	if a.status != 200 || !strings.Contains(a.words(), "ada@example.com verified") {
		t.Errorf("the same address: %s", a.words())
	}
	a = g.press(b, page, "/account/profile", "full_name", "Ada Lovelace", "email", "other@example.com")
	if !strings.Contains(a.words(), "other@example.com not verifiedNobody has confirmed that it is yours. An administrator of this server can confirm it.") {
		t.Errorf("another address: %s", a.words())
	}
	if u, err := g.s.store.User(t.Context(), testUser); err != nil || u.FullName != "Ada Lovelace" || u.EmailVerified {
		t.Errorf("%+v %v", u, err)
	}
}

func TestSessionsAreEndedByTheirOwner(t *testing.T) {
	g := newRig(t)
	here, there, further := g.visitor(), g.visitor(), g.visitor()
	page := g.get(here, "/account/sessions")
	if n := strings.Count(page.body, `value="session_`); n != 3 || strings.Count(page.body, "this browser") != 1 {
		t.Fatalf("%d sessions: %s", n, page.words())
	}
	if err := g.s.CreateUser(t.Context(), "eve", "a stranger with a long password"); err != nil {
		t.Fatal(err)
	}
	eve := newBrowser(t)
	theirs := g.enter(eve, "/account/sessions", "eve", "a stranger with a long password")
	stolen := with(formAt(t, theirs, "/account/sessions/end"), "session", formAt(t, page, "/account/sessions/end").Get("session"))
	if a := g.submit(eve, "/account/sessions/end", stolen); a.status != 303 {
		t.Errorf("eve hears whether it is there: %d", a.status)
	}
	for name, b := range map[string]*http.Client{"here": here, "there": there, "further": further} {
		if a := g.get(b, "/account"); strings.Contains(a.body, `name="password"`) {
			t.Errorf("eve ended %s", name)
		}
	}
	_, rest, _ := strings.Cut(page.body, `name="session"`)
	if strings.Contains(rest[:40], "this browser") {
		t.Fatal("unexpected order")
	}
	confirm := g.get(here, "/account/sessions/end-others")
	if a := g.press(here, confirm, "/account/sessions/end-others"); !strings.Contains(a.words(), "Signed out everywhere else.") {
		t.Errorf("got %d %s", a.status, a.words())
	}
	for name, b := range map[string]*http.Client{"there": there, "further": further} {
		if a := g.get(b, "/account"); !strings.Contains(a.body, `name="password"`) {
			t.Errorf("%s goes on", name)
		}
	}
	last := g.get(here, "/account/sessions")
	if a := g.press(here, last, "/account/sessions/end"); a.status != 200 || !strings.Contains(a.words(), "You are signed out") {
		t.Errorf("the own session: %d %s", a.status, a.words())
	}
	if a := g.get(here, "/account"); !strings.Contains(a.body, `name="password"`) {
		t.Error("the own session goes on")
	}
}

func TestActivityTellsWhatHappened(t *testing.T) {
	g := newRig(t)
	b := g.visitor()
	stranger := newBrowser(t)
	login := g.get(stranger, "/account")
	g.submit(stranger, "/login", url.Values{"request": {formRequest(t, login.body)}, "username": {testUser}, "password": {"wrong"}}, header("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0"))
	page := ""
	for range 200 { // failures are recorded beside the request
		if page = g.get(b, "/account/activity").words(); strings.Contains(page, "did not get in") {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	for _, words := range []string{"signed in", "did not get in", "Firefox on Linux", "127.0.0.1"} {
		if !strings.Contains(page, words) {
			t.Errorf("the page does not say %q: %s", words, page)
		}
	}
	for _, f := range []string{"0", "-1", "x", "1e3"} {
		if a := g.get(b, "/account/activity?before="+f); a.status != 400 {
			t.Errorf("before=%s: %d", f, a.status)
		}
	}
	for n := range signInsPaged + 1 {
		_, err := g.s.store.RecordSignIn(t.Context(), store.SignIn{UserID: g.userID(), At: g.clock.Now().Add(time.Duration(n) * time.Second), Outcome: store.SignedIn, Reasons: []string{"new_network"}, Methods: []string{"pwd"}, Address: "192.0.2.1", Agent: "Safari on iOS"})
		if err != nil {
			t.Fatal(err)
		}
	}
	first := g.get(b, "/account/activity")
	_, next, ok := strings.Cut(first.body, `href="/account/activity?before=`)
	if !ok {
		t.Fatalf("one page: %s", first.words())
	}
	number, _, _ := strings.Cut(next, `"`)
	if second := g.get(b, "/account/activity?before="+number); !strings.Contains(second.words(), "did not get in") || !strings.Contains(second.words(), "Back to the first page") {
		t.Errorf("the second page: %s", second.words())
	}
	home := g.get(b, "/account")
	if !strings.Contains(home.words(), "New sign-ins to your account") || !strings.Contains(home.words(), "a network that was not used before, or not since the password last changed") {
		t.Fatalf("no news: %s", home.words())
	}
	if a := g.press(b, home, "/account/activity/seen"); strings.Contains(a.words(), "New sign-ins") || !strings.Contains(a.words(), "Nothing else to do") {
		t.Errorf("seen: %s", a.words())
	}
}

func TestPagesRepeatNothingOfTheAddress(t *testing.T) {
	g := newRig(t)
	b := g.visitor()
	if page := g.get(b, "/account?done=saved"); !strings.Contains(page.words(), "Saved.") {
		t.Errorf("got %s", page.words())
	}
	for _, path := range []string{"/account?done=evil", "/account/sessions?done=%3Cb%3Eevil", "/account/applications?done=evil&next=https://evil.example"} {
		if page := g.get(b, path); page.status != 200 || strings.Contains(page.body, "evil") {
			t.Errorf("%s: %d %s", path, page.status, page.words())
		}
	}
}

// After signing in people come back to the page they asked for, and no
// parameter leads them anywhere else.
func TestSignInLeadsNowhereElse(t *testing.T) {
	g := newRig(t)
	for _, path := range []string{"/account?next=https://evil.example/", "/account?done=x&next=//evil.example", "/account/activity?before=7&next=/logout"} {
		b := newBrowser(t)
		page := g.get(b, path)
		done := g.submit(b, "/login", url.Values{"request": {formRequest(t, page.body)}, "username": {testUser}, "password": {testPassword}, "next": {"https://evil.example/"}})
		if at := done.header.Get("Location"); at != path {
			t.Errorf("%s leads to %q", path, at)
		}
	}
	for _, path := range []string{"//evil.example/account", "/account/", "/account/..//evil.example"} {
		if a := g.get(newBrowser(t), path); a.status != 404 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}

func TestAccountUnderAPath(t *testing.T) {
	g := newRig(t, func(c *Config) { c.Issuer += "/tenant" })
	b := newBrowser(t)
	page := g.enter(b, "/account/sessions", testUser, testPassword)
	if page.status != 200 || !strings.Contains(page.body, `href="/tenant/account/applications"`) {
		t.Errorf("got %d %s", page.status, page.body)
	}
	if a := g.submit(b, "/account/sessions/end-others", url.Values{"token": {tokenOf(t, page)}}); a.header.Get("Location") != "/tenant/account/sessions?done=others" {
		t.Errorf("leads to %q", a.header.Get("Location"))
	}
}
