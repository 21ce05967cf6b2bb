package clientdoc

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	maxAtOnce  = 64
	maxOfHost  = 4 // of these, from one host
	maxOfFrom  = 4 // of these, for one caller
	maxWaiting = 256
	waitTime   = 2 * time.Second // until there is a place
)

// Caller is for whom a fetch is made.
type Caller struct {
	From string       // what it is counted as among fetches that go on at once; required
	Pay  func() error // asked before a fetch; its error is the answer then
}

// places bounds how many fetches go on at once: all together, from one host,
// and for one caller, so that who has slow documents keeps nobody else waiting.
type places struct {
	wait time.Duration

	mu      sync.Mutex
	all     int
	waiting int
	taken   map[place]int
	left    chan struct{} // closed when somebody leaves
}

// place is a host, or a caller.
type place struct{ host, from string }

func newPlaces() *places {
	return &places{wait: waitTime, taken: map[place]int{}, left: make(chan struct{})}
}

// enter waits a little for a place: ErrBusy when there is none.
func (p *places) enter(ctx context.Context, host, from string) (leave func(), err error) {
	given, left := p.take(host, from)
	if !given && !p.queue() {
		return nil, fmt.Errorf("%w at once", ErrBusy)
	}
	if !given {
		defer p.unqueue()
	}
	end := time.NewTimer(p.wait)
	defer end.Stop()
	for !given {
		select {
		case <-left:
			given, left = p.take(host, from)
		case <-end.C:
			return nil, fmt.Errorf("%w at once", ErrBusy)
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ErrUnreachable, ctx.Err())
		}
	}
	return func() { p.leave(host, from) }, nil
}

// take takes a place, or says how to hear that one was left.
func (p *places) take(host, from string) (given bool, left <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	theirs, its := place{from: from}, place{host: host}
	if p.all >= maxAtOnce || p.taken[theirs] >= maxOfFrom || p.taken[its] >= maxOfHost {
		return false, p.left
	}
	p.all++
	p.taken[theirs]++
	p.taken[its]++
	return true, nil
}

func (p *places) leave(host, from string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all--
	for _, one := range []place{{from: from}, {host: host}} {
		if p.taken[one]--; p.taken[one] == 0 {
			delete(p.taken, one)
		}
	}
	close(p.left)
	p.left = make(chan struct{})
}

func (p *places) queue() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting >= maxWaiting {
		return false
	}
	p.waiting++
	return true
}

func (p *places) unqueue() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting--
}
