package proxy

import (
	"net/http"
	"sync"
)

// subject is whom requests are shared out among.
type subject struct{ issuer, name string }

func (s subject) String() string { return s.issuer + " " + s.name }

// tally counts what each subject has open at a time. Who has nothing open is
// not in it.
type tally struct {
	most int
	mu   sync.Mutex
	open map[subject]int
}

func newTally(most int) *tally { return &tally{most: most, open: map[subject]int{}} }

// enter counts one more unless the subject has its share already.
func (t *tally) enter(s subject) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open[s] >= t.most {
		return false
	}
	t.open[s]++
	return true
}

// add counts one more, whatever there is.
func (t *tally) add(s subject) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open[s]++
}

func (t *tally) leave(s subject) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open[s]--; t.open[s] == 0 {
		delete(t.open, s)
	}
}

// seated is a caller within its share of the requests in flight: only seat
// makes one.
type seated struct {
	caller caller
	leave  func()
}

func (p *Proxy) seat(c caller, event *event) (seated, error) {
	event.Stage = stageSeat
	s, here := subjectOf(c), c.visit.server.requests
	busy := func() (seated, error) {
		why := placed(refused(stageSeat, reasonSubjectBusy, nil), c.visit)
		why.scheme = c.scheme
		return seated{}, why
	}
	if !p.requests.enter(s) {
		return busy()
	}
	if here == nil {
		return seated{caller: c, leave: func() { p.requests.leave(s) }}, nil
	}
	if !here.enter(s) {
		p.requests.leave(s)
		return busy()
	}
	return seated{caller: c, leave: func() { here.leave(s); p.requests.leave(s) }}, nil
}

func subjectOf(c caller) subject {
	return subject{issuer: c.grant.claims.Issuer, name: c.grant.claims.Subject}
}

// listens says whether the call opens a stream that lasts until somebody ends it.
func (c call) listens(method string) bool {
	return method == http.MethodGet || c.message.Method == "subscriptions/listen"
}
