package authserver

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
)

// guesses is how often somebody may fail at ada from here, at a new browser.
func (at seat) guesses() int {
	at.g.t.Helper()
	return tries(func() error {
		_, err := at.g.s.mayGuess(at.request(), testUser, familiar{})
		return err
	})
}

// codes is the same for second factors.
func (at seat) codes() int {
	at.g.t.Helper()
	e := entry{UserID: at.g.userID(), UserName: testUser}
	return tries(func() error {
		_, err := at.g.s.mayTry(at.request(), e)
		return err
	})
}

func (at seat) request() *http.Request {
	r := at.g.request("POST", "/login", "", "", at.edits()...)
	r.RemoteAddr = "127.0.0.1:9" // the proxy in front
	return r
}

const (
	office = "198.51.100.7"
	nearby = "198.51.100.8" // in the same network as the office
	cafe   = "192.0.2.7"
	agent  = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
)

// failFromEverywhere has strangers fail at ada, each from another network, until they cannot.
func (g *rig) failFromEverywhere() {
	g.t.Helper()
	for i := range 12 {
		g.seat(fmt.Sprintf("203.%d.113.1", i), "").guesses()
	}
	if n := g.seat("203.200.113.1", "").guesses(); n != 0 {
		g.t.Fatalf("%d tries are left", n)
	}
}

// Strangers in one network fail at a name all day: its owner signs in from
// another, at a browser where they never were.
func TestFailingInOneNetworkKeepsNobodyElseOut(t *testing.T) {
	for _, row := range []struct{ name, one, another, outside string }{
		{"IPv4", "203.0.113.1", "203.0.113.2", office},
		{"IPv6", "2001:db8:1:1::1", "2001:db8:1:2::1", "2001:db8:2:1::1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := newSeats(t)
			thieves := []seat{g.seat(row.one, agent), g.seat(row.another, agent)}
			for range 24 * 60 {
				for _, at := range thieves {
					at.guesses()
				}
				g.clock.forward(time.Minute)
			}
			if n := thieves[0].guesses(); n > 4 {
				t.Errorf("%d tries after a minute", n)
			}
			owner := g.seat(row.outside, agent)
			if a := owner.signIn(testPassword); a.status != 303 {
				t.Errorf("the owner: %d %s", a.status, a.words())
			}
			if n := g.seat(cafe, agent).guesses(); n != 10 {
				t.Errorf("%d tries of somebody who mistypes", n)
			}
		})
	}
}

// Many networks fail at a name: its owner signs in where they did before, at a
// new browser, waits elsewhere, and is told for how long.
func TestOwnerSignsInAtHomeWhateverOthersDo(t *testing.T) {
	g := newSeats(t)
	if a := g.seat(office, agent).signIn(testPassword); a.status != 303 {
		t.Fatalf("the first sign-in: %d", a.status)
	}
	g.failFromEverywhere()
	a := g.seat(cafe, agent).signIn(testPassword)
	if a.status != 429 || a.header.Get("Retry-After") == "" {
		t.Errorf("from somewhere new: %d %q", a.status, a.header.Get("Retry-After"))
	}
	home := g.seat(nearby, agent)
	if a := home.signIn(testPassword); a.status != 303 {
		t.Errorf("at home: %d %s", a.status, a.words())
	}
	if n := home.guesses(); n != 10 {
		t.Errorf("%d tries at home", n)
	}
	if n := g.seat(office, agent).guesses(); n != 0 {
		t.Errorf("%d more tries for a neighbour there", n)
	}
	if n := g.seat(cafe, agent).guesses(); n > 1 {
		t.Errorf("%d tries elsewhere", n)
	}
	// A link for a new password opens from anywhere.
	lost := g.seat(cafe, agent)
	page := g.do(lost.b, g.request("GET", g.resetLink(), "", "", lost.edits()...))
	form := url.Values{"ticket": {value(t, page.body, "ticket")}, "new_password": {goodPassword}, "repeat_password": {goodPassword}}
	if a := g.submit(lost.b, "/reset", form, lost.edits()...); a.status != 200 {
		t.Fatalf("reset: %d %s", a.status, a.words())
	}
	if a := lost.signIn(goodPassword); a.status != 303 {
		t.Errorf("after a reset: %d %s", a.status, a.words())
	}
	// Whoever nobody is waits everywhere.
	for i := range 12 {
		r := g.seat(fmt.Sprintf("203.%d.113.1", i), "").request()
		tries(func() error { _, err := g.s.mayGuess(r, "nobody", familiar{}); return err })
	}
	if _, err := g.s.mayGuess(home.request(), "nobody", familiar{}); reasonOf(err) != TooMany {
		t.Errorf("nobody is at home: %v", err)
	}
}

// However many networks strangers have, a day has so many tries of one name.
func TestTriesOfADayAreBounded(t *testing.T) {
	g := newSeats(t)
	passed := 0
	for i := range 24 * 60 * 60 / 8 {
		r := g.seat(fmt.Sprintf("10.%d.%d.1", 67+i/250%100, i%250), "").request()
		if giveBack, err := g.s.mayGuessAt(r, testUser); err == nil && giveBack != nil {
			passed++
		}
		g.clock.forward(8 * time.Second)
	}
	if most := 100 + 24*60*60/10; passed > most || passed < most-100 {
		t.Errorf("%d tries in a day, want %d", passed, most)
	}
}

func TestHomesAreTheLastFewNetworks(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	var pairs []store.KnownContext
	for i, n := range []string{"a", "a", "b", "c", "b", "d", "e"} {
		pairs = append(pairs, store.KnownContext{Network: n, Last: now.Add(-time.Duration(i) * time.Hour)})
	}
	for name, row := range map[string]struct {
		since time.Time
		want  string
	}{
		"all": {now.Add(-24 * time.Hour), "[a b c d]"}, "of two hours": {now.Add(-2 * time.Hour), "[a b]"}, "of none": {now.Add(time.Second), "[]"},
	} {
		if got := fmt.Sprint(homes(pairs, row.since)); got != row.want {
			t.Errorf("%s: %s, want %s", name, got, row.want)
		}
	}
}

// Whoever has the password uses up the codes of an account, but not where its
// owner signed in before; and whoever comes from there has five, as everywhere.
func TestGuessedCodesLeaveTheOwnersNetworkAlone(t *testing.T) {
	g := newSeats(t)
	if a := g.seat(office, agent).signIn(testPassword); a.status != 303 {
		t.Fatalf("the first sign-in: %d", a.status)
	}
	for i, want := range []int{5, 0, 0} {
		if n := g.seat(fmt.Sprintf("203.%d.113.1", i), agent).codes(); n != want {
			t.Errorf("network %d has %d codes, want %d", i, n, want)
		}
	}
	if n := g.seat(nearby, agent).codes(); n != 5 {
		t.Errorf("%d codes at home", n)
	}
	if n := g.seat(office, agent).codes(); n != 0 {
		t.Errorf("%d more codes for a neighbour there", n)
	}
	g.clock.forward(g.s.config.SignIn.Remember + time.Second)
	if n := g.seat(office, agent).codes() + g.seat(cafe, agent).codes(); n != 5 {
		t.Errorf("%d codes where the owner was long ago, and elsewhere", n)
	}
}

// Right passwords are work, too: a name has so many from one address, a known
// browser of its own, and whoever fails takes none of them.
func TestRightPasswordsAreCounted(t *testing.T) {
	g := newSeats(t)
	at := g.seat(office, agent)
	right := func(at seat, own familiar) int {
		n := 0
		for ; n < 100; n++ {
			if _, err := g.s.maySignIn(at.request(), testUser, own); err != nil {
				break
			}
		}
		return n
	}
	if a := at.signIn("wrong"); a.status != 403 {
		t.Fatalf("wrong: %d", a.status)
	}
	if n := right(at, familiar{}); n != 60 {
		t.Errorf("%d right ones from one address", n)
	}
	a := g.seat(office, agent).signIn(testPassword)
	if a.status != 303 { // a second went by
		a = g.seat(office, agent).signIn(testPassword)
	}
	if a.status != 303 {
		t.Errorf("one is not given back by time: %d", a.status)
	}
	if a := g.seat(office, agent).signIn(testPassword); a.status != 429 || a.header.Get("Retry-After") == "" {
		t.Errorf("right ones without end: %d", a.status)
	}
	if n := right(g.seat(cafe, agent), familiar{}); n != 60 {
		t.Errorf("%d from elsewhere", n)
	}
	if n := right(at, familiar{id: "a browser"}); n != 60 {
		t.Errorf("%d at a known browser", n)
	}
	if n := right(g.seat(cafe, agent), familiar{id: "a browser", password: "x"}); n != 0 {
		t.Errorf("%d more at the same browser elsewhere", n)
	}
}
