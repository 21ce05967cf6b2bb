package stdio

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

const (
	queued    = 64       // lines that wait for the child to read them
	notesKept = 64       // notifications that wait for one caller
	nobody    = `"none"` // id of requests whose answer nobody waits for
)

var errGone = errors.New("stdio: the child process ended")

// life is the child from its start to its end, with everybody who waits for it.
type life struct {
	child *Child
	out   chan []byte   // lines for the child
	gone  chan struct{} // closed when it is over

	mu       sync.Mutex
	waiting  map[string]*exchange // by name
	sessions map[string]*session
	owned    map[string]int // sessions, by owner
	wanted   map[string]int // sessions that are subscribed, by URI
	uriBytes int            // of the URIs of all subscriptions

	// Fixed by greet, before any caller comes.
	welcome []byte // result of initialize; nil when the child knows none
	version string // of that
	modern  bool   // it serves requests of 2026-07-28
}

func newLife(c *Child) *life {
	return &life{
		child: c, out: make(chan []byte, queued), gone: make(chan struct{}),
		waiting: map[string]*exchange{}, sessions: map[string]*session{}, owned: map[string]int{}, wanted: map[string]int{},
	}
}

// exchange is one request to the child and what comes back for it.
type exchange struct {
	name     []byte // what the child gets as id and as progress token, a JSON string
	id       []byte // the caller's
	token    []byte // the caller's progress token, nil without
	modern   bool
	listens  bool       // subscriptions/listen
	quiet    bool       // the caller takes the answer only
	messages chan piece // one place more than there are notifications
	settled  func(failed bool)
	slots    chan struct{}
}

// piece is one message for a caller.
type piece struct {
	text   []byte // nil: only a sign of life, or the end of a subscription
	last   bool
	status int // HTTP, of the last one
}

// open gives an exchange a name that nobody can guess: a child that prints
// what a caller sends must not let it answer in another's place.
func (l *life) open(e *exchange) {
	e.messages = make(chan piece, notesKept+1)
	l.mu.Lock()
	defer l.mu.Unlock()
	e.name = quoted(rand.Text())
	l.waiting[string(e.name)] = e
}

// shut ends an exchange and reports whether it was still open. Callers hold mu.
func (l *life) shut(e *exchange) bool {
	if l.waiting[string(e.name)] != e {
		return false
	}
	delete(l.waiting, string(e.name))
	if e.slots != nil {
		<-e.slots
	}
	return true
}

// abandon ends an exchange nobody waits for any more and tells the child.
func (l *life) abandon(e *exchange) {
	l.mu.Lock()
	open := l.shut(e)
	l.mu.Unlock()
	if open {
		l.tell(cancellation(e.name))
	}
}

func cancellation(name []byte) []byte {
	return []byte(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":` + string(name) + `}}`)
}

// over tells everybody that the life has ended.
func (l *life) over() {
	close(l.gone)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.waiting {
		l.shut(e)
	}
}

// send hands the child a message, waiting for room.
func (l *life) send(ctx context.Context, text []byte) error {
	patience := time.NewTimer(l.child.conf.Timeout)
	defer patience.Stop()
	select {
	case l.out <- line(text):
		return nil
	case <-l.gone:
		return errGone
	case <-ctx.Done():
		return ctx.Err()
	case <-patience.C:
		return os.ErrDeadlineExceeded
	}
}

// tell is send for what may be lost: it never waits.
func (l *life) tell(text []byte) {
	select {
	case l.out <- line(text):
	default:
		l.child.drop(dropUnread)
	}
}

// write feeds the child. A child that does not read for as long as a caller
// would wait is given up.
func (l *life) write(in *os.File) error {
	for {
		select {
		case text := <-l.out:
			_ = in.SetWriteDeadline(time.Now().Add(l.child.conf.Timeout))
			if _, err := in.Write(text); err != nil {
				return fmt.Errorf("it does not read its stdin: %w", err)
			}
		case <-l.gone:
			return nil
		}
	}
}

// listen takes in what the child says until it says no more.
func (l *life) listen(out io.Reader) error {
	said := newLines(out, lineLimit)
	for {
		text, err := said.next()
		switch {
		case errors.Is(err, errLongLine):
			l.refuse(dropTooLong, nil)
		case err != nil:
			return errEnded
		case len(bytes.TrimSpace(text)) > 0:
			l.accept(text)
		}
	}
}

func (l *life) refuse(why string, text []byte) {
	l.child.drop(why)
	l.child.conf.Log.Debug("a line of the child goes to nobody", "why", why, "line", brief(text))
}

// accept finds out whom a line of the child is for.
func (l *life) accept(text []byte) {
	m, err := read(text)
	why := ""
	switch {
	case err != nil:
		why = dropMalformed
	case m.isAnswer():
		why = l.answered(m)
	case m.isRequest():
		l.asked(m)
	default:
		why = l.noted(m)
	}
	if why != "" {
		l.refuse(why, text)
	}
}

// asked answers the child's own requests: the bridge promised it no client
// capability, so there is nothing but ping to ask for.
func (l *life) asked(m *message) {
	if m.method == "ping" {
		l.tell(answerOf(m.of(m.id), `"result":{}`))
		return
	}
	l.tell(answerOf(m.of(m.id), `"error":{"code":-32601,"message":"Method not found"}`))
}

func answerOf(id []byte, rest string) []byte {
	return []byte(`{"jsonrpc":"2.0","id":` + string(id) + `,` + rest + `}`)
}

// answered gives an answer to the one exchange it names. It returns why it
// goes to nobody, or "".
func (l *life) answered(m *message) string {
	id := m.of(m.id)
	if string(id) == nobody {
		return ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.waiting[string(id)]
	if e == nil {
		return dropUnknown
	}
	changes := []change{{m.id, e.id}}
	if e.listens && bytes.Equal(m.of(m.listener), e.name) {
		changes = append(changes, change{m.listener, e.id})
	}
	if e.settled != nil {
		e.settled(!m.failed.absent())
	}
	l.shut(e)
	e.messages <- piece{text: m.edited(changes...), last: true, status: statusOf(e, m)}
	return ""
}

// statusOf is the HTTP status of an answer (MCP 2026-07-28 streamable HTTP).
// Older versions have one for all.
func statusOf(e *exchange, m *message) int {
	if !e.modern || m.failed.absent() {
		return 200
	}
	switch m.code() {
	case -32601:
		return 404
	case -32700, -32600, -32020, -32021, -32022:
		return 400
	}
	return 200
}

// push hands a notification on, unless the caller has too many to read. It
// returns why it was dropped, or "". Callers hold mu.
func push(messages chan piece, text []byte) string {
	if len(messages) >= notesKept {
		return dropOverflow
	}
	messages <- piece{text: text}
	return ""
}
