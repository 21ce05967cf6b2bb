package credential

import (
	"errors"
	"sync"
	"time"
)

const (
	shortestRest = time.Second
	longestRest  = 30 * time.Second
)

var errResting = errors.New("the issuer failed a moment ago and is not asked again yet")

// rest lets nobody ask for a while after a failure, twice as long after each
// further one, and then one at a time until somebody succeeds.
type rest struct {
	mu      sync.Mutex
	pause   time.Duration // 0 while all is well
	until   time.Time
	probing bool // one was let in after the rest and has not come back
}

// enter fails while resting. After the rest, it lets one in.
func (r *rest) enter(now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pause == 0 {
		return nil
	}
	if now.Before(r.until) {
		return errResting
	}
	r.until, r.probing = now.Add(askTimeout), true
	return nil
}

// resting says what enter would, and lets nobody in.
func (r *rest) resting(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pause > 0 && now.Before(r.until)
}

func (r *rest) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pause, r.probing = 0, false
}

// fail begins a rest. Those who asked together make it longer only once.
func (r *rest) fail(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pause > 0 && !r.probing {
		return
	}
	r.probing = false
	r.pause = min(max(shortestRest, 2*r.pause), longestRest)
	r.until = now.Add(r.pause)
}
