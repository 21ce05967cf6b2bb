package authserver

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/queue"
)

// loginForm is a fresh sign-in page and the form to send.
func (g *rig) loginForm(b *http.Client, name, password string) url.Values {
	g.t.Helper()
	page := g.get(b, "/authorize?"+authorization(g.publicClient()).Encode())
	return url.Values{"request": {formRequest(g.t, page.body)}, "username": {name}, "password": {password}}
}

func TestWrongPassword(t *testing.T) {
	g := newRig(t)
	b := newBrowser(t)
	form := g.loginForm(b, testUser, "wrong")
	var pages []string
	for _, row := range []struct{ name, user, password string }{
		{"wrong password", testUser, "wrong"}, {"unknown user", "nobody", testPassword}, {"no password", testUser, ""},
		{"no user", "", testPassword}, {"a very long password", testUser, strings.Repeat("x", maxPassword+1)},
	} {
		a := g.submit(b, "/login", with(form, "username", row.user, "password", row.password))
		if a.status != 403 || !strings.Contains(a.body, "The name or the password is wrong") || len(a.header.Values("Set-Cookie")) != 0 {
			t.Errorf("%s: got %d %s", row.name, a.status, a.body)
		}
		pages = append(pages, strings.Replace(hidden.ReplaceAllString(a.body, ""), `value="`+row.user+`"`, "", 1))
	}
	g.submit(b, "/login", with(form, "username", "hunter2-in-the-wrong-field"))
	if strings.Contains(g.log.String(), "hunter2") {
		t.Error("the log holds what was typed as a name")
	}
	if pages[0] != pages[1] {
		t.Error("the page tells an unknown name from a wrong password")
	}
	if a := g.submit(b, "/login", with(form, "password", testPassword)); a.status != 303 {
		t.Errorf("right password: %d", a.status)
	}
}

func TestGuessingIsSlowedByAccountAndByAddress(t *testing.T) {
	g := newRig(t)
	b := newBrowser(t)
	form := g.loginForm(b, testUser, "wrong")
	for range 10 {
		g.submit(b, "/login", form)
	}
	a := g.submit(b, "/login", with(form, "password", testPassword))
	if a.status != 429 || a.header.Get("Retry-After") != "15" {
		t.Errorf("account: got %d %q", a.status, a.header.Get("Retry-After"))
	}
	for range 10 {
		g.submit(b, "/login", with(form, "username", "somebody else"))
	}
	a = g.submit(b, "/login", with(form, "username", "a third one"))
	if a.status != 429 || a.header.Get("Retry-After") != "5" {
		t.Errorf("address: got %d %q", a.status, a.header.Get("Retry-After"))
	}
	g.clock.forward(16 * time.Second)
	if a := g.submit(b, "/login", with(form, "password", testPassword)); a.status != 303 {
		t.Errorf("after the wait: %d", a.status)
	}
}

func TestTooManyHashesAtOnce(t *testing.T) {
	g := newRig(t)
	b := newBrowser(t)
	form := g.loginForm(b, testUser, testPassword)
	empty := g.fillTurns()
	a := g.submit(b, "/login", form)
	if a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("got %d", a.status)
	}
	empty()
	if a := g.submit(b, "/login", form); a.status != 303 {
		t.Errorf("got %d", a.status)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := g.s.passwords
	if _, err := p.matches(ctx, queue.Caller{Shares: []string{"x"}}, p.decoy, "x"); reasonOf(err) != Busy || p.turns.Waiting() != 0 {
		t.Errorf("a caller who left: %v", err)
	}
}

// Whoever holds a place and closes before their turn comes has tried; who finds no
// place, or signs in, has not.
func TestLeavingWhileWaitingCostsATry(t *testing.T) {
	g := newSeats(t)
	all := g.seat(cafe, "").guesses()
	here := g.seat(office, "").request()
	rest := g.work()
	const left = 3
	for range left {
		ctx, leave := context.WithCancel(t.Context())
		gone := make(chan error)
		go func() {
			_, err := g.s.signIn(here.WithContext(ctx), testUser, testPassword)
			gone <- err
		}()
		eventually(t, func() error {
			if g.s.passwords.turns.Waiting() == 0 {
				return errors.New("nobody waits")
			}
			return nil
		})
		leave()
		if err := <-gone; reasonOf(err) != Busy {
			t.Errorf("got %v", err)
		}
	}
	rest()
	if _, err := g.s.signIn(here, testUser, testPassword); err != nil {
		t.Errorf("got %v", err)
	}
	empty := g.fillTurns()
	if _, err := g.s.signIn(here, testUser, testPassword); reasonOf(err) != Busy {
		t.Errorf("got %v", err)
	}
	empty()
	if n := g.seat(office, "").guesses(); n != all-left {
		t.Errorf("%d tries are left of %d", n, all)
	}
}

func TestSignInForms(t *testing.T) {
	g := newRig(t)
	b := newBrowser(t)
	form := g.loginForm(b, testUser, testPassword)
	for _, row := range []struct {
		name   string
		by     *http.Client
		form   url.Values
		edits  []edit
		status int
		reason Reason
	}{
		{"another browser", newBrowser(t), form, nil, 400, NoCookie},
		{"another site", b, form, []edit{header("Sec-Fetch-Site", "cross-site")}, 403, CrossSite},
		{"no request", b, with(form, "request", "-"), nil, 400, BadRequestState},
		{"a changed request", b, with(form, "request", flip(form.Get("request"))), nil, 400, BadRequestState},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := g.submit(row.by, "/login", row.form, row.edits...)
			if a.status != row.status || len(a.header.Values("Set-Cookie")) != 0 {
				t.Errorf("got %d", a.status)
			}
			g.expectReason(row.reason)
		})
	}
}

func TestSessionCookieIsNewAtEverySignIn(t *testing.T) {
	g := newRig(t)
	b := newBrowser(t)
	form := g.loginForm(b, testUser, testPassword)
	session := func(a answerOf) *http.Cookie {
		for _, c := range (&http.Response{Header: a.header}).Cookies() {
			if c.Name == "postern-session" {
				return c
			}
		}
		t.Fatal("no session cookie")
		return nil
	}
	first, second := session(g.submit(b, "/login", form)), session(g.submit(b, "/login", form))
	if first.Value == second.Value || !first.HttpOnly || first.SameSite != http.SameSiteLaxMode || first.Path != "/" || first.Domain != "" {
		t.Errorf("got %v, %v", first, second)
	}
	stale := newBrowser(t)
	req := g.request("GET", "/authorize?"+authorization(g.publicClient()).Encode(), "", "", func(r *http.Request) { r.AddCookie(first) })
	if page := g.do(stale, req); !strings.Contains(page.body, `name="password"`) {
		t.Error("the session of before the last sign-in still lives")
	}
	if g.s.site.cookie("session") != "postern-session" || newSite("https://a.example").cookie("session") != "__Host-postern-session" {
		t.Error("cookie names")
	}
}

func TestUsers(t *testing.T) {
	g := newRig(t)
	for name, row := range map[string]struct{ user, password string }{
		"taken": {testUser, testPassword}, "empty": {"", testPassword}, "short password": {"bob", "short"}, "common password": {"bob", "Password123"}, "own name": {"theophrastus", "theophrastus1"},
		"control character": {"bob\x00", testPassword}, "space at the end": {"bob ", testPassword}, "direction override": {"b\u202eob", testPassword},
	} {
		if err := g.s.CreateUser(t.Context(), row.user, row.password); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// A form's address that is opened again is a page that leads on.
func TestOpenedFormLeadsOn(t *testing.T) {
	g := newRig(t)
	for _, path := range []string{"/login", "/login/second"} {
		a := g.get(newBrowser(t), path)
		if a.status != 405 || strings.Contains(a.words(), "endpoint") || !strings.Contains(a.body, `href="/account">Sign in`) {
			t.Errorf("%s: %d %s", path, a.status, a.words())
		}
	}
}
