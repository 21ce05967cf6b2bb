package authserver

import (
	"context"
	"sync"
	"time"

	"github.com/postern-mcp/postern/authserver/pace"
)

// returns are charges on their way back to where all instances count: an honest
// caller need not wait until they have arrived. Until then nobody has more tries
// than without.
type returns struct {
	to     Buckets
	now    func() time.Time
	queue  chan pace.Charge
	outage *outage
}

const (
	waitingReturns = 4096
	mostReturned   = 64 // at a time
)

func newReturns(to Buckets, now func() time.Time, o *outage) *returns {
	return &returns{to: to, now: now, queue: make(chan pace.Charge, waitingReturns), outage: o}
}

// later has a charge given back once. When too many wait it stays paid, and time
// gives it back.
func (r *returns) later(c pace.Charge) (giveBack func()) {
	return sync.OnceFunc(func() {
		select {
		case r.queue <- c:
		default:
		}
	})
}

// until gives back what waits, many at a time, and the rest at the end.
func (r *returns) until(ctx context.Context) {
	for {
		select {
		case first := <-r.queue:
			r.giveBack(context.WithoutCancel(ctx), first)
		case <-ctx.Done():
			r.theLast()
			return
		}
	}
}

// theLast of a Redis that is away is let be: pace bounds how long one call takes.
func (r *returns) theLast() {
	for len(r.queue) > 0 && !r.outage.on.Load() {
		r.giveBack(context.Background(), <-r.queue)
	}
}

func (r *returns) giveBack(ctx context.Context, first pace.Charge) {
	charges := []pace.Charge{first}
	for len(charges) < mostReturned && len(r.queue) > 0 {
		charges = append(charges, <-r.queue)
	}
	if err := r.to.GiveBack(ctx, r.now(), charges); err != nil {
		r.outage.note(err)
	}
}
