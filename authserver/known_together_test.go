package authserver

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
)

// knownAt signs ada in at a new browser, and gives a request with what it was
// made known by.
func (g *rig) knownAt() *http.Request {
	g.t.Helper()
	b := newBrowser(g.t)
	a := g.submit(b, "/login", g.loginForm(b, testUser, testPassword))
	r := g.request("POST", "/login", "", "")
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == "postern-known" {
			r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
		}
	}
	if g.s.known(r, testUser) == "" {
		g.t.Fatalf("not known: %d", a.status)
	}
	return r
}

// Whoever has the password and makes many browsers known has no more tries than
// a few browsers have.
func TestKnownBrowsersShareTheirTries(t *testing.T) {
	g := newRig(t)
	e := entry{UserID: g.userID(), UserName: testUser}
	passwords, codes := 0, 0
	var last *http.Request
	for range 6 {
		last = g.knownAt()
		for range 12 {
			if _, err := g.s.mayGuess(last, testUser); err == nil {
				passwords++
			}
			if _, err := g.s.mayTry(last, e); err == nil {
				codes++
			}
		}
	}
	if passwords != 30 || codes != 10 {
		t.Errorf("%d passwords, %d codes", passwords, codes)
	}
	if _, err := g.s.mayGuess(last, testUser); reasonOf(err) != TooMany {
		t.Errorf("got %v", err)
	}
	if _, err := g.s.mayGuess(g.request("POST", "/login", "", ""), testUser); err != nil {
		t.Errorf("a stranger pays for known browsers: %v", err)
	}
}

func TestKnownBrowsersEndWithPasswordAndFactors(t *testing.T) {
	g := newRig(t)
	r := g.knownAt()
	if err := g.s.store.SetGenerator(t.Context(), store.Generator{UserID: g.userID(), Sealed: []byte("x"), CreatedAt: g.clock.Now()}); err != nil {
		t.Fatal(err)
	}
	if g.s.known(r, testUser) != "" {
		t.Error("known after a factor was set up")
	}
	if err := g.s.store.RemoveGenerator(t.Context(), g.userID()); err != nil {
		t.Fatal(err)
	}
	r = g.knownAt()
	user, err := g.s.store.User(t.Context(), testUser)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.s.store.ChangePassword(t.Context(), user, g.s.passwords.decoy, store.Hash{}, g.clock.Now()); err != nil {
		t.Fatal(err)
	}
	if g.s.known(r, testUser) != "" {
		t.Error("known after the password was changed")
	}
}

// Codes that a thief guesses leave the owner's passkey open.
func TestGuessedCodesLeavePasskeysOpen(t *testing.T) {
	g := newRig(t, named, asking)
	d := g.enrol(newBrowser(t), "laptop")
	id := g.publicClient()
	thief := newBrowser(t)
	entry := g.halfway(thief, authorization(id))
	for range 5 {
		g.second(thief, entry, "code", "123456")
	}
	if a := g.second(thief, entry, "code", "123456"); a.status != 429 {
		t.Fatalf("not limited: %d", a.status)
	}
	b := newBrowser(t)
	page := g.get(b, "/authorize?"+authorization(id).Encode())
	a := g.submit(b, "/login", url.Values{"request": {formRequest(t, page.body)}, "username": {testUser}, "password": {testPassword}})
	options, state := ask(t, a.body)
	if a := g.second(b, value(t, a.body, "entry"), "state", state, "answer", sent(d.Get(options))); !in(a) {
		t.Errorf("the owner: %d %s", a.status, a.body)
	}
}

// Whoever has the password and a copy of the only passkey is not let in by the
// password, once the copy is noticed.
func TestClonedPasskeyIsAskedForAllTheSame(t *testing.T) {
	g := newRig(t, named, asking)
	d := g.enrol(newBrowser(t), "laptop")
	thief := d.Copy()
	id := g.publicClient()
	if a := g.byPasskey(newBrowser(t), d, authorization(id)); !in(a) {
		t.Fatalf("the owner: %d", a.status)
	}
	if a := g.byPasskey(newBrowser(t), thief, authorization(id)); in(a) {
		t.Fatalf("the copy: %d", a.status)
	}
	g.clock.forward(time.Minute)
	b := newBrowser(t)
	page := g.get(b, "/authorize?"+authorization(id).Encode())
	a := g.submit(b, "/login", url.Values{"request": {formRequest(t, page.body)}, "username": {testUser}, "password": {testPassword}})
	if in(a) || a.status != 200 || !strings.Contains(a.body, "One more step") || !strings.Contains(a.body, "has a copy") || strings.Contains(a.body, "data-options") {
		t.Errorf("by the password: %d %s", a.status, a.body)
	}
}
