// Package queue gives turns at work of which little can be done at once, so that
// whoever brings much of it waits for themselves.
//
// Laws: turns go round among shares, and within a share among those that it
// holds. So many callers may wait; when they do, the largest share gives one
// place up to a share that would still be smaller with it. Known callers have as
// many places again, which strangers cannot take, and every second turn. Whoever
// leaves gives up their place, whether they waited or worked. Nothing is kept of
// who is not here.
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
	Account string   // "": none. Of one only Bounds.OfAccount are here at a time, whatever their shares
}

// Bounds are how many callers may be here; each at least one.
type Bounds struct {
	AtOnce    int // working
	Waiting   int // of strangers, and as many of those who are known
	OfAccount int // of one account, waiting and working
}

// Queue is for callers of one kind of work.
type Queue struct {
	most Bounds

	mu       sync.Mutex
	working  int
	lines    [2]share // strangers, and those who are known
	last     int      // the line that had the last turn
	accounts map[string]int
}

// New is a queue that nobody is in.
func New(most Bounds) *Queue {
	return &Queue{most: most, accounts: map[string]int{}}
}

// Waiting is how many callers wait.
func (q *Queue) Waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lines[0].size + q.lines[1].size
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
	return func() { q.leave(c) }, nil
}

// join is a place to wait at; the turn may have come already.
func (q *Queue) join(c Caller) (*share, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if c.Account != "" && q.accounts[c.Account] >= q.most.OfAccount {
		return nil, ErrBusy
	}
	place, line := newPlace(c), q.line(c)
	if q.working >= q.most.AtOnce {
		if line.size >= q.most.Waiting && !q.makeRoom(line, c) {
			return nil, ErrBusy
		}
		line.add(c.Shares, place)
	} else {
		q.working++
		place.turn <- nil
	}
	if c.Account != "" {
		q.accounts[c.Account]++
	}
	return place, nil
}

func (q *Queue) line(c Caller) *share {
	if c.Known {
		return &q.lines[1]
	}
	return &q.lines[0]
}

// makeRoom sends somebody of a larger share away.
func (q *Queue) makeRoom(line *share, c Caller) bool {
	out := line.giveWay(c.Shares)
	if out == nil {
		return false
	}
	q.forget(out.caller)
	out.turn <- ErrBusy
	return true
}

func (q *Queue) forget(c Caller) {
	if c.Account == "" {
		return
	}
	if q.accounts[c.Account]--; q.accounts[c.Account] == 0 {
		delete(q.accounts, c.Account)
	}
}

// giveUp takes a place back whose caller is gone, and the turn when it had come.
func (q *Queue) giveUp(place *share) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.line(place.caller).remove(place.caller.Shares, place) {
		q.forget(place.caller)
		return
	}
	if err := <-place.turn; err == nil {
		q.end(place.caller)
	}
}

func (q *Queue) leave(c Caller) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.end(c)
}

// end ends a turn, and gives it to the next.
func (q *Queue) end(c Caller) {
	q.forget(c)
	next := 1 - q.last
	if q.lines[next].size == 0 {
		next = q.last
	}
	if q.lines[next].size == 0 {
		q.working--
		return
	}
	q.last = next
	q.lines[next].next().turn <- nil
}
