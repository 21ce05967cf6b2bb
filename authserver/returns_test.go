package authserver

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postern-mcp/postern/authserver/notes"
	"github.com/postern-mcp/postern/authserver/pace"
	"github.com/postern-mcp/postern/authserver/redistest"
)

// trips counts what a client waits for Redis to answer.
type trips struct{ count atomic.Int64 }

func (n *trips) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return next(ctx, network, address)
	}
}

func (n *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { n.count.Add(1); return next(ctx, cmd) }
}

func (n *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error { n.count.Add(1); return next(ctx, cmds) }
}

// slowReturns gives back only when it is let.
type slowReturns struct {
	*pace.Redis
	let chan struct{}
	got atomic.Int64
}

func (s *slowReturns) GiveBack(ctx context.Context, now time.Time, charges []pace.Charge) error {
	<-s.let
	s.got.Add(int64(len(charges)))
	return s.Redis.GiveBack(ctx, now, charges)
}

// A machine that is honest waits for what it takes, three times, and not for
// what it gets back, which arrives all the same.
func TestHonestTokenRequestsWaitForRedisSeldom(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: redistest.Start(t).Address})
	defer client.Close()
	var n trips
	client.AddHook(&n)
	tries := &slowReturns{Redis: pace.NewRedis(client, "tries:", time.Minute), let: make(chan struct{})}
	g := newRig(t, func(c *Config) {
		c.Shared = &Shared{Tries: tries, StepUps: notes.NewRedis(client, "stepup:", time.Minute)}
	})
	id, secret := g.machine("calc:basic")
	g.expect(g.post("/token", machineForm(), basic(id, secret)), 200, "") // which loads the script
	for range 3 {
		n.count.Store(0)
		g.expect(g.post("/token", machineForm(), basic(id, secret)), 200, "")
		if got := n.count.Load(); got != 3 {
			t.Errorf("%d trips, want 3", got)
		}
	}
	close(tries.let)
	if err := g.s.Close(); err != nil {
		t.Error(err)
	}
	if got := tries.got.Load(); got != 8 {
		t.Errorf("%d were given back, want 8: of the address and of the client, four times", got)
	}
}

// Given back twice is given back once, and what finds no room stays paid.
func TestReturns(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: redistest.Start(t).Address})
	defer client.Close()
	log := &logbook{}
	with := shared{tries: pace.NewRedis(client, "tries:", time.Second), outage: &outage{log: slog.New(slog.NewJSONHandler(log, nil))}}
	with.returns = newReturns(with.tries, time.Now, with.outage)
	l := newLimiter(time.Now, with, "test", time.Hour, 4)
	for range 2 {
		giveBack, err := l.try("ada")
		if err != nil {
			t.Fatal(err)
		}
		giveBack()
		giveBack()
	}
	if n := len(with.returns.queue); n != 2 {
		t.Errorf("%d wait, want 2", n)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	with.returns.until(ended)
	if n := tried(t, "ada", newLimiter(time.Now, shared{tries: with.tries, outage: with.outage}, "test", time.Hour, 4)); n != 4 {
		t.Errorf("%d are left, want all 4", n)
	}
	with.returns.queue = make(chan pace.Charge) // no room
	giveBack := with.returns.later(pace.Charge{})
	giveBack()
	_ = client.Close()
	with.returns.queue = make(chan pace.Charge, 2)
	with.returns.later(pace.NewCharge(l.rate, "x"))()
	with.returns.later(pace.NewCharge(l.rate, "y"))()
	with.returns.theLast()
	if !with.outage.on.Load() {
		t.Error(errors.New("nobody noticed that Redis is away"))
	}
}
