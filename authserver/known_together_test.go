package authserver

import (
	"net/http"
	"net/http/httptest"
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
	r := g.shows(a)
	if g.s.known(r, testUser).id == "" {
		g.t.Fatalf("not known: %d", a.status)
	}
	return r
}

// shows is a request with what an answer made a browser known by.
func (g *rig) shows(a answerOf) *http.Request {
	g.t.Helper()
	r := g.request("POST", "/login", "", "")
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == "postern-known" {
			r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
		}
	}
	return r
}

// tries is how often somebody may go on trying.
func tries(try func() error) (n int) {
	for n < 50 && try() == nil {
		n++
	}
	return n
}

// Whoever has the password, another browser or an old cookie empties no bucket of
// the owner's browser, and gets no tries for codes by making browsers known.
func TestKnownBrowsersHaveTriesOfTheirOwn(t *testing.T) {
	g := newRig(t)
	e := entry{UserID: g.userID(), UserName: testUser}
	passwords := func(r *http.Request) int {
		return tries(func() error { _, err := g.s.mayGuess(r, testUser, g.s.known(r, testUser)); return err })
	}
	codes := func(r *http.Request) int {
		return tries(func() error { _, err := g.s.mayTry(r, e); return err })
	}
	stranger := g.request("POST", "/login", "", "")
	old, owner := g.knownAt(), g.knownAt()
	user, err := g.s.store.User(t.Context(), testUser)
	if err != nil {
		t.Fatal(err)
	}
	proved := func(r *http.Request, methods ...string) *http.Request {
		w := httptest.NewRecorder()
		if err := g.s.remember(w, r, user, methods); err != nil {
			t.Fatal(err)
		}
		return g.shows(answerOf{header: w.Header()})
	}
	owner = proved(owner, amrPassword, amrCode, amrMultiple)
	again := proved(owner, amrPassword, amrCode, amrMultiple)
	for _, row := range []struct {
		name             string
		at               *http.Request
		passwords, codes int
	}{
		{"a stranger", stranger, 10, 5},
		{"another browser, by password", old, 10, 0}, // codes are a stranger's
		{"the owner's, before the last sign-in", owner, 10, 5},
		{"a sign-in there by password alone", proved(owner, amrPassword), 10, 0},
		{"the owner", again, 10, 5},
		{"another stranger", stranger, 0, 0},
	} {
		if p, c := passwords(row.at), codes(row.at); p != row.passwords || c != row.codes {
			t.Errorf("%s: %d passwords, %d codes; want %d, %d", row.name, p, c, row.passwords, row.codes)
		}
	}
	if g.s.known(proved(again), testUser).id != g.s.known(again, testUser).id {
		t.Error("it is another browser")
	}
}

// Names that differ in their letters have no more tries than one.
func TestNamesInOtherLettersShareTheirTries(t *testing.T) {
	g := newRig(t)
	names := []string{"ada", "ADA", "Ada", "\uff41da"}
	n := tries(func() error {
		names = append(names[1:], names[0])
		_, err := g.s.mayGuess(g.request("POST", "/login", "", ""), names[0], familiar{})
		return err
	})
	if n != 10 {
		t.Errorf("%d tries", n)
	}
}

func TestKnownBrowsersEndWithPasswordAndFactors(t *testing.T) {
	g := newRig(t)
	r := g.knownAt()
	if _, err := g.s.store.SetGenerator(t.Context(), store.Generator{UserID: g.userID(), Sealed: []byte("x"), CreatedAt: g.clock.Now()}, nil); err != nil {
		t.Fatal(err)
	}
	if g.s.known(r, testUser).id != "" {
		t.Error("known after a factor was set up")
	}
	if err := g.s.store.RemoveGenerator(t.Context(), g.userID(), 0); err != nil {
		t.Fatal(err)
	}
	r = g.knownAt()
	user, err := g.s.store.User(t.Context(), testUser)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.s.store.ChangePassword(t.Context(), user, g.s.passwords.decoy, store.Hash{}, store.Place{}, g.clock.Now()); err != nil {
		t.Fatal(err)
	}
	if g.s.known(r, testUser).id != "" {
		t.Error("known after the password was changed")
	}
	r = g.knownWith(user.ID)
	if _, err := g.s.store.EndOthers(t.Context(), user.ID, store.Hash{}, store.Place{}); err != nil {
		t.Fatal(err)
	}
	if g.s.known(r, testUser).id != "" {
		t.Error("known after everything was ended")
	}
}

// knownWith makes a browser known without a sign-in.
func (g *rig) knownWith(userID string) *http.Request {
	g.t.Helper()
	w := httptest.NewRecorder()
	if err := g.s.rememberAs(w, g.request("POST", "/login", "", ""), store.Session{UserID: userID, Methods: []string{amrPassword}}); err != nil {
		g.t.Fatal(err)
	}
	r := g.shows(answerOf{header: w.Header()})
	if g.s.known(r, testUser).id == "" {
		g.t.Fatal("not known")
	}
	return r
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
