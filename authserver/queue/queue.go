// Package queue gives turns at work of which little can be done at once, so that
// whoever brings much of it waits for themselves.
//
// Laws: turns go round among shares, and within a share among those that it
// holds. So many callers may wait; when they do, the largest share gives one
// place up to a share that would be no larger with it. The few places of one
// account go from share to share in the same way, by who waits for that account.
// Known callers have as many places again, which strangers cannot take, and every
// second turn. Whoever leaves gives up their place, whether they waited or worked.
// Nothing is kept of who is not here.
package queue

import (
	"context"
	"errors"
	"sync"
)

// ErrBusy says that there is no place to wait, or that it went to a smaller share.
var ErrBusy = errors.New("queue: no place to wait")

// Caller is who wants a turn.
type Caller struct {
	Known   bool
	Shares  []string // that they lie in, the widest first: at least one
	Account string   // "": none. Of one only Bounds.OfAccount wait at a time, whatever their shares
}

// Bounds are how many callers may be here; each at least one.
type Bounds struct {
	AtOnce    int // working
	Waiting   int // of strangers, and as many of those who are known
	OfAccount int // of one account, among strangers, and as many among those who are known
}

// Queue is for callers of one kind of work.
type Queue struct {
	most Bounds

	mu      sync.Mutex
	working int
	lines   [2]line // strangers, and those who are known
	last    int     // the line that had the last turn
}

// New is a queue that nobody is in.
func New(most Bounds) *Queue {
	return &Queue{most: most, lines: [2]line{newLine(), newLine()}}
}

// Waiting is how many callers wait.
func (q *Queue) Waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lines[0].all.size + q.lines[1].all.size
}

// Enter waits for a turn, which lasts until leave is called, once. ErrBusy when
// there is no place to wait; the error of ctx when that ends before.
func (q *Queue) Enter(ctx context.Context, c Caller) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	place, err := q.join(c)
	if err != nil {
		return nil, err
	}
	select {
	case err = <-place.turn:
	case <-ctx.Done():
		q.giveUp(place)
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	return q.leave, nil
}

// join is a place to wait at; the turn may have come already.
func (q *Queue) join(c Caller) (*share, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	place, line := newPlace(c), q.line(c)
	if q.working < q.most.AtOnce {
		q.working++
		place.turn <- nil
		return place, nil
	}
	if !line.makeRoom(c, q.most) {
		return nil, ErrBusy
	}
	line.add(place)
	return place, nil
}

func (q *Queue) line(c Caller) *line {
	if c.Known {
		return &q.lines[1]
	}
	return &q.lines[0]
}

// giveUp takes a place back whose caller is gone, and the turn when it had come.
func (q *Queue) giveUp(place *share) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.line(place.caller).remove(place) {
		return
	}
	if err := <-place.turn; err == nil {
		q.end()
	}
}

func (q *Queue) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.end()
}

// end ends a turn, and gives it to the next.
func (q *Queue) end() {
	next := 1 - q.last
	if q.lines[next].all.size == 0 {
		next = q.last
	}
	if q.lines[next].all.size == 0 {
		q.working--
		return
	}
	q.last = next
	q.lines[next].next().turn <- nil
}
