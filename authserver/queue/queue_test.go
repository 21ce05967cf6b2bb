package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// room is a queue for work of one at a time, at which somebody works already.
type room struct {
	t    *testing.T
	q    *Queue
	here []*share // all who came, in their order
	at   *share   // who works
}

func newRoom(t *testing.T, most Bounds) *room {
	r := &room{t: t, q: New(most)}
	r.arrive(Caller{Shares: []string{"who works at first"}})
	r.at = r.here[0]
	return r
}

// arrive says whether there was a place.
func (r *room) arrive(c Caller) bool {
	place, err := r.q.join(c)
	if err != nil && !errors.Is(err, ErrBusy) {
		r.t.Fatal(err)
	}
	if err == nil {
		r.here = append(r.here, place)
	}
	return err == nil
}

// of is a stranger of shares such as net/host/account.
func of(shares string) Caller { return Caller{Shares: strings.Split(shares, "/")} }

func known(shares string) Caller {
	c := of(shares)
	c.Known = true
	return c
}

// turn ends the work that goes on: whose turn is it then? "" nobody's.
func (r *room) turn() string {
	r.t.Helper()
	r.q.leave()
	for _, place := range r.here {
		if place == r.at || len(place.turn) == 0 {
			continue
		}
		if err := <-place.turn; err == nil {
			r.at = place
			return strings.Join(place.caller.Shares, "/")
		}
	}
	return ""
}

// turns are those of everybody who waits.
func (r *room) turns() []string {
	r.t.Helper()
	<-r.at.turn
	var all []string
	for who := r.turn(); who != ""; who = r.turn() {
		all = append(all, who)
	}
	r.empty()
	return all
}

// empty checks that nothing is kept of anybody.
func (r *room) empty() {
	r.t.Helper()
	q := r.q
	accounts := len(q.lines[0].accounts) + len(q.lines[1].accounts)
	if q.working != 0 || accounts != 0 || q.Waiting() != 0 || len(q.lines[0].all.ring)+len(q.lines[1].all.ring) != 0 {
		r.t.Errorf("%d work, %d accounts and %d places are kept", q.working, accounts, q.Waiting())
	}
}

func TestTurnsGoRound(t *testing.T) {
	for _, row := range []struct{ name, come, turns string }{
		{"of one share, in their order", "a/1 a/1 a/2", "a/1 a/2 a/1"},
		{"one who comes to many of another", "a a a a b", "a b a a a"},
		{"one who comes to many networks", "a b c d a b c d h", "a b c d h a b c d"},
		{"at every width", "a/1/x a/1/x a/1/x a/1/y a/2/x b/1/x", "a/1/x b/1/x a/2/x a/1/y a/1/x a/1/x"},
		{"shares within another are no more turns", "a/1 a/2 a/3 a/4 b/1 b/1", "a/1 b/1 a/2 b/1 a/3 a/4"},
		{"places of two depths", "unknown a/1/x unknown a/1/x", "unknown a/1/x unknown a/1/x"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRoom(t, Bounds{AtOnce: 1, Waiting: 10, OfAccount: 1})
			for who := range strings.FieldsSeq(row.come) {
				if !r.arrive(of(who)) {
					t.Fatalf("no place for %s", who)
				}
			}
			if got := strings.Join(r.turns(), " "); got != row.turns {
				t.Errorf("turns %s, want %s", got, row.turns)
			}
		})
	}
}

// When all places are taken, the largest share gives way, never a smaller one.
func TestLargestShareGivesWay(t *testing.T) {
	for _, row := range []struct{ name, come, comes, turns string }{
		{"one share has all", "a a a a", "b", "a b a a"},
		{"two share them", "a a b b", "c", "a b c a"},
		{"each has one", "a b c d", "e", ""},
		{"the newcomer's is the largest", "a a a b", "a", ""},
		{"the newcomer's would be larger", "a a b b", "a", ""},
		{"within it there is a larger", "a/1 a/1 a/1 b/1", "a/2", "a/1 b/1 a/2 a/1"},
		{"many small in one that is large", "a/1 a/2 a/3 b/1", "b/2", "a/1 b/1 a/2 b/2"},
		{"who came last to it", "a/1 b/1 a/2 a/3", "c/1", "a/1 b/1 c/1 a/2"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRoom(t, Bounds{AtOnce: 1, Waiting: 4, OfAccount: 1})
			for who := range strings.FieldsSeq(row.come) {
				r.arrive(of(who))
			}
			if got := r.arrive(of(row.comes)); got != (row.turns != "") {
				t.Errorf("there is a place: %v", got)
			}
			if n := r.q.Waiting(); n != 4 {
				t.Errorf("%d wait", n)
			}
			turns := strings.Join(r.turns(), " ")
			if row.turns != "" && turns != row.turns {
				t.Errorf("turns %s, want %s", turns, row.turns)
			}
		})
	}
}

// Strangers without end take no place of those who are known, and no more than
// every second turn.
func TestKnownCallersWaitForNoStranger(t *testing.T) {
	r := newRoom(t, Bounds{AtOnce: 1, Waiting: 8, OfAccount: 1})
	for i := range 50 {
		r.arrive(of(fmt.Sprint(i)))
	}
	for i := range 3 {
		if !r.arrive(known("ada")) {
			t.Fatalf("known caller %d has no place", i)
		}
	}
	turns := r.turns()
	if len(turns) != 11 || turns[0] != "ada" || turns[2] != "ada" || turns[4] != "ada" {
		t.Errorf("turns %q", turns)
	}
	for i := range 50 {
		r.arrive(known(fmt.Sprint(i)))
	}
	if n := r.q.Waiting(); n > 8 {
		t.Errorf("%d of those who are known wait", n)
	}
}

// Attackers with right passwords of a few accounts, in networks without end, take
// two places for each account; those with few networks, whose share is the
// largest, give way. In both, one who is honest has a turn in the first round.
func TestHonestCallersHaveTheirTurn(t *testing.T) {
	most := Bounds{AtOnce: 1, Waiting: 32, OfAccount: 2}
	for _, row := range []struct {
		name               string
		networks, accounts int
	}{
		{"many networks, few accounts", 1000, 10},
		{"few networks, many accounts", 10, 1000},
		{"one network", 1, 1000},
		{"one account", 1000, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRoom(t, most)
			storm := func(i int) {
				c := of(fmt.Sprintf("%d/%d", i%row.networks, i%row.accounts))
				c.Account = fmt.Sprint("of eve ", i%row.accounts)
				r.arrive(c)
			}
			for i := range 5000 {
				storm(i)
			}
			honest := of("at home/ada")
			honest.Account = "ada"
			if !r.arrive(honest) {
				t.Fatal("no place")
			}
			waited := 0
			<-r.at.turn
			for r.turn() != "at home/ada" {
				if waited++; waited > min(row.networks, most.Waiting) {
					t.Fatalf("%d turns went to others", waited)
				}
				storm(waited) // they come back at once
			}
			if n := len(r.q.lines[0].accounts); n > most.Waiting {
				t.Errorf("%d accounts are kept", n)
			}
		})
	}
}

// Two wait for one account, and whoever works holds no place of it. A newcomer
// whose share is smaller has that of the larger one, at any width.
func TestAccountsHaveTheirPlaces(t *testing.T) {
	for _, row := range []struct{ name, come, comes, turns string }{
		{"there is one", "a", "a", "a a"},
		{"one network has both", "a a", "b", "a b"},
		{"the newcomer's has both", "a a", "a", ""},
		{"each has one", "a b", "c", ""},
		{"the newcomer's has one", "a b", "a", ""},
		{"within it there is a larger", "a/1 a/1", "a/2", "a/1 a/2"},
		{"within that too", "a/1/x a/1/x", "a/1/y", "a/1/x a/1/y"},
		{"the newcomer's has as many", "a/1 a/2", "a/3", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRoom(t, Bounds{AtOnce: 2, Waiting: 10, OfAccount: 2})
			ada := func(shares string) Caller {
				c := of(shares)
				c.Account = "ada"
				return c
			}
			r.arrive(ada("works too"))
			for who := range strings.FieldsSeq(row.come) {
				if !r.arrive(ada(who)) {
					t.Fatalf("no place for %s", who)
				}
			}
			if got := r.arrive(ada(row.comes)); got != (row.turns != "") {
				t.Errorf("there is a place: %v", got)
			}
			if n := r.q.Waiting(); n != 2 {
				t.Errorf("%d wait", n)
			}
			<-r.here[1].turn
			r.q.working--
			if turns := strings.Join(r.turns(), " "); turns != cmp.Or(row.turns, row.come) {
				t.Errorf("turns %s, want %s", turns, row.turns)
			}
		})
	}
}

// One network waits at made-up names without end, and for an account: whose it
// is has a place from elsewhere, and the next turn but one, however often they
// come back. Those who are known are others than strangers of the same account.
func TestOneNetworkKeepsNobodyOutOfTheirAccount(t *testing.T) {
	r := newRoom(t, Bounds{AtOnce: 1, Waiting: 32, OfAccount: 2})
	at := func(shares, account string) Caller {
		c := of(shares)
		c.Account = account
		return c
	}
	<-r.at.turn
	for i := range 20 {
		for n := range 40 {
			r.arrive(at(fmt.Sprintf("eve/%d/%d", n, i), fmt.Sprintf("made up %d %d", i, n)))
			r.arrive(at(fmt.Sprintf("eve/%d/ada", n), "ada"))
		}
		if !r.arrive(at("home/ada", "ada")) {
			t.Fatalf("no place in round %d", i)
		}
		for n := range 40 {
			if r.arrive(at(fmt.Sprintf("eve/%d/ada", n), "ada")) && n > 0 {
				t.Errorf("round %d: place %d for them", i, n)
			}
		}
		if first, second := r.turn(), r.turn(); first != "home/ada" && second != "home/ada" {
			t.Fatalf("round %d: turns %s and %s", i, first, second)
		}
	}
	own := at("ada/browser", "ada")
	own.Known = true
	if !r.arrive(own) || r.turn() != "ada/browser" {
		t.Error("strangers have the places of who is known")
	}
	for r.turn() != "" {
	}
	r.empty()
}

// Whoever leaves while they wait, or as their turn comes, costs nobody a turn.
func TestWhoLeavesGivesTheirPlaceUp(t *testing.T) {
	q := New(Bounds{AtOnce: 1, Waiting: 4, OfAccount: 2})
	leave, err := q.Enter(t.Context(), of("a"))
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := q.Enter(gone, of("a")); !errors.Is(err, context.Canceled) || q.Waiting() != 0 {
		t.Errorf("who is gone waits: %v", err)
	}
	who, stop := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := q.Enter(who, Caller{Shares: []string{"a", "b"}, Account: "ada"})
		left <- err
	}()
	for q.Waiting() == 0 && len(left) == 0 {
	}
	stop()
	if err := <-left; !errors.Is(err, context.Canceled) || q.Waiting() != 0 || len(q.lines[0].accounts) != 0 {
		t.Errorf("%v, and %d wait", err, q.Waiting())
	}
	// The turn comes to one who is just leaving.
	place, err := q.join(of("late"))
	if err != nil {
		t.Fatal(err)
	}
	next, err := q.join(of("next"))
	if err != nil {
		t.Fatal(err)
	}
	leave()
	q.giveUp(place)
	if err := <-next.turn; err != nil {
		t.Error(err)
	}
	q.leave()
	// So does the word that the place is somebody else's.
	r := newRoom(t, Bounds{AtOnce: 1, Waiting: 2, OfAccount: 2})
	for _, who := range []string{"a", "a", "b"} {
		r.arrive(of(who))
	}
	r.q.giveUp(r.here[2])
	if n := r.q.Waiting(); n != 2 {
		t.Errorf("%d wait", n)
	}
	(&room{t: t, q: q}).empty()
}

// However many come, go and lose patience: no more work at once than may, and
// in the end nothing is left of them.
func TestStorm(t *testing.T) {
	q := New(Bounds{AtOnce: 3, Waiting: 8, OfAccount: 2})
	var working, served, refused atomic.Int64
	var group sync.WaitGroup
	for i := range 40 {
		group.Go(func() {
			for n := range 50 {
				ctx, cancel := context.WithCancel(t.Context())
				if rand.IntN(3) == 0 {
					go cancel()
				}
				c := Caller{Known: i%4 == 0, Shares: []string{fmt.Sprint(i % 7), fmt.Sprint(n % 5)}}
				if i%3 == 0 {
					c.Account = fmt.Sprint(n % 6)
				}
				leave, err := q.Enter(ctx, c)
				if err != nil {
					refused.Add(1)
					cancel()
					continue
				}
				if working.Add(1) > 3 {
					t.Error("more than three work")
				}
				served.Add(1)
				working.Add(-1)
				leave()
				cancel()
			}
		})
	}
	group.Wait()
	if served.Load() == 0 || served.Load()+refused.Load() != 2000 {
		t.Errorf("%d served, %d refused", served.Load(), refused.Load())
	}
	(&room{t: t, q: q}).empty()
}

// FuzzQueue: whatever comes and goes, sizes and rings agree.
func FuzzQueue(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 200, 5, 6, 255, 7, 8})
	f.Fuzz(func(t *testing.T, steps []byte) {
		r := newRoom(t, Bounds{AtOnce: 1, Waiting: 6, OfAccount: 2})
		<-r.at.turn
		for _, b := range steps {
			switch {
			case b < 200:
				r.arrive(Caller{Known: b&1 == 1, Shares: []string{fmt.Sprint(b >> 5), fmt.Sprint(b >> 3 & 3)}, Account: []string{"", "x", "y", ""}[b>>1&3]})
			case b < 240 && len(r.here) > 0:
				i := int(b) % len(r.here)
				if place := r.here[i]; place != r.at && len(place.turn) == 0 && waits(&r.q.lines[0].all, place)+waits(&r.q.lines[1].all, place) > 0 {
					r.q.giveUp(place)
				}
			case r.turn() == "":
				r = newRoom(t, Bounds{AtOnce: 1, Waiting: 6, OfAccount: 2})
				<-r.at.turn
			}
			for i := range r.q.lines {
				if n := counted(t, &r.q.lines[i].all); n > 6 {
					t.Fatalf("%d wait", n)
				}
				for account, of := range r.q.lines[i].accounts {
					if n := counted(t, of); n == 0 || n > 2 {
						t.Fatalf("%d wait for %s", n, account)
					}
				}
			}
		}
		for r.turn() != "" {
		}
		r.empty()
	})
}

// waits counts how often a place is in a share.
func waits(s, place *share) (n int) {
	for _, one := range s.ring {
		if one == place {
			n++
		}
		n += waits(one, place)
	}
	return n
}

// counted is how many places a share has, none of its shares being empty.
func counted(t *testing.T, s *share) (n int) {
	for _, one := range s.ring {
		switch {
		case one.isPlace():
			n++
		case one.size == 0:
			t.Fatal("an empty share is kept")
		default:
			n += counted(t, one)
		}
	}
	if n != s.size {
		t.Fatalf("a share of %d places says %d", n, s.size)
	}
	if i := slices.IndexFunc(s.ring, func(one *share) bool { return !one.isPlace() && s.find(one.key) != one }); i >= 0 {
		t.Fatal("a share is there twice")
	}
	return n
}
