package authserver

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/queue"
	"github.com/postern-mcp/postern/authserver/store"
)

// wait has callers wait for their turn at a password until the test ends it.
func (g *rig) wait(callers ...queue.Caller) (end func()) {
	g.t.Helper()
	turns := g.s.passwords.turns
	ctx, cancel := context.WithCancel(g.t.Context())
	var group sync.WaitGroup
	before := turns.Waiting()
	for _, c := range callers {
		group.Go(func() {
			if leave, err := turns.Enter(ctx, c); err == nil {
				leave()
			}
		})
	}
	eventually(g.t, func() error {
		if n := turns.Waiting() - before; n != len(callers) {
			return fmt.Errorf("%d wait", n)
		}
		return nil
	})
	return func() { cancel(); group.Wait() }
}

// work takes all turns there are at once.
func (g *rig) work() (end func()) {
	g.t.Helper()
	var all []func()
	for i := range max(2, runtime.NumCPU()) {
		leave, err := g.s.passwords.turns.Enter(g.t.Context(), queue.Caller{Shares: []string{fmt.Sprint("works ", i)}})
		if err != nil {
			g.t.Fatal(err)
		}
		all = append(all, leave)
	}
	return func() {
		for _, leave := range all {
			leave()
		}
	}
}

// fillTurns takes all turns and all places to wait, each for somebody else.
func (g *rig) fillTurns() (empty func()) {
	g.t.Helper()
	var crowd []queue.Caller
	for i := range waitingHashes {
		crowd = append(crowd, queue.Caller{Shares: []string{fmt.Sprint(i)}}, queue.Caller{Known: true, Shares: []string{fmt.Sprint(i)}})
	}
	rest := g.work()
	leave := g.wait(crowd...)
	return func() { leave(); rest() }
}

// Whoever has right passwords of a few accounts, and as many networks as there
// are places, leaves places to a stranger; whoever has few networks gives way.
// Nobody takes those of known browsers, of administrators or of links.
func TestWhoWaitsForAPassword(t *testing.T) {
	g := newSeats(t)
	turn := func(address, name string) queue.Caller {
		return g.s.signInTurn(g.seat(address, "").request(), name, familiar{})
	}
	for name, storm := range map[string]func(i int) queue.Caller{
		"one account, many networks": func(i int) queue.Caller { return turn(fmt.Sprintf("10.%d.0.1", i), "eve") },
		"ten accounts, many networks": func(i int) queue.Caller {
			return turn(fmt.Sprintf("10.%d.0.1", i), fmt.Sprint("eve", i%10))
		},
		"one site of IPv6, names without end": func(i int) queue.Caller { return turn(fmt.Sprintf("2001:db8:1:%x::1", i), fmt.Sprint(i)) },
		"one network of IPv4":                 func(i int) queue.Caller { return turn(fmt.Sprintf("10.1.1.%d", i), fmt.Sprint(i)) },
	} {
		t.Run(name, func(t *testing.T) {
			rest := g.work()
			turns := g.s.passwords.turns
			enter := func(c queue.Caller) error {
				leave, err := turns.Enter(t.Context(), c)
				if err == nil {
					leave()
				}
				return err
			}
			var group sync.WaitGroup
			var refused atomic.Int64
			const storms = 3 * waitingHashes
			for i := range storms {
				c := storm(i)
				group.Go(func() {
					if enter(c) != nil {
						refused.Add(1)
					}
				})
			}
			eventually(t, func() error {
				if n := turns.Waiting(); n+int(refused.Load()) != storms {
					return fmt.Errorf("%d wait", n)
				}
				return nil
			})
			var crowd sync.WaitGroup
			for who, c := range map[string]queue.Caller{
				"a stranger": turn("192.0.2.7", testUser), "a known browser": ownersTurn(testUser, "x"), "an administrator": actorsTurn(admin.Operator()),
			} {
				crowd.Go(func() {
					if err := enter(c); err != nil {
						t.Errorf("%s: %v", who, err)
					}
				})
			}
			eventually(t, func() error {
				if n := turns.Waiting(); n+int(refused.Load()) != storms+3 {
					return fmt.Errorf("%d wait", n)
				}
				return nil
			})
			rest()
			crowd.Wait()
			group.Wait()
		})
	}
}

func TestWhoseTurnItIs(t *testing.T) {
	g := newSeats(t)
	r, six := g.seat("192.0.2.7", "").request(), g.seat("2001:db8:1:2::7", "").request()
	invitation := store.Ticket{Purpose: store.Invitation, Hash: store.Hash{1}}
	for name, row := range map[string]struct {
		is   queue.Caller
		want string
	}{
		"a stranger":               {g.s.signInTurn(r, "ADA", familiar{}), "{false [192.0.0.0/16 192.0.2.0/24 192.0.2.7 ada] ada}"},
		"a stranger by IPv6":       {g.s.signInTurn(six, "ada", familiar{}), "{false [2001:db8::/32 2001:db8:1::/48 2001:db8:1:2::/64 ada] ada}"},
		"a known browser":          {g.s.signInTurn(r, "ADA", familiar{id: "x"}), "{true [account ada x] }"},
		"a new account":            {g.s.signUpTurn(r, store.Ticket{}), "{false [192.0.0.0/16 192.0.2.0/24 192.0.2.7 ] }"},
		"an account by invitation": {g.s.signUpTurn(r, invitation), fmt.Sprintf("{true [invitation %s] }", invitation.Hash[:])},
		"an administrator":         {actorsTurn(admin.Actor{Kind: admin.KindPerson, ID: "user_1"}), "{true [administration person user_1] }"},
	} {
		if got := fmt.Sprint(row.is); got != row.want {
			t.Errorf("%s: %s, want %s", name, got, row.want)
		}
	}
}
