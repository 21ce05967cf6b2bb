package stdio

import (
	"crypto/rand"
	"net/http"
	"time"
)

const (
	sessionsKept  = 10_000
	sessionsEach  = 500      // of one subject
	subscriptions = 1000     // of one session
	uriBytesMost  = 64 << 20 // of the URIs of all subscriptions to a child
)

// session is what the bridge keeps of one caller of the handshake era. The
// child knows nothing of it.
type session struct {
	id     string
	owner  string // subject it was begun for
	used   time.Time
	stream chan piece // of its GET request, nil while there is none
	uris   map[string]bool
	calls  map[string]*exchange // running, by the caller's id
}

// session finds one by its id, or nil.
func (l *life) session(id string) *session {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sessions[id]
	if s != nil {
		s.used = time.Now()
	}
	return s
}

// enter answers initialize with what the child answered the bridge, and a
// session of the caller's own.
func (l *life) enter(req *http.Request, m *message) *http.Response {
	s := &session{id: rand.Text(), owner: l.child.subjectOf(req.Context()), used: time.Now(), uris: map[string]bool{}, calls: map[string]*exchange{}}
	l.mu.Lock()
	l.makeRoom(s.owner)
	l.sessions[s.id] = s
	l.owned[s.owner]++
	l.mu.Unlock()
	resp := respondJSON(req, http.StatusOK, answerOf(m.of(m.id), `"result":`+string(l.welcome)))
	resp.Header.Set("Mcp-Session-Id", s.id)
	return resp
}

// makeRoom ends a session when there are too many: one of the owner's when it
// has its share, so that nobody's sessions push out others'. Callers hold mu.
func (l *life) makeRoom(owner string) {
	switch {
	case l.owned[owner] >= sessionsEach:
		l.evict(func(s *session) bool { return s.owner == owner })
	case len(l.sessions) >= sessionsKept:
		l.evict(func(*session) bool { return true })
	}
}

// evict ends the session that was idle longest among some; one that listens or
// waits for an answer is not idle while there is another. Callers hold mu.
func (l *life) evict(among func(*session) bool) {
	var oldest *session
	for _, s := range l.sessions {
		if among(s) && (oldest == nil || s.idler(oldest)) {
			oldest = s
		}
	}
	l.part(oldest)
}

func (s *session) idler(than *session) bool {
	if s.busy() != than.busy() {
		return than.busy()
	}
	return s.used.Before(than.used)
}

func (s *session) busy() bool { return s.stream != nil || len(s.calls) > 0 }

// part ends a session, its stream and its subscriptions. Callers hold mu.
func (l *life) part(s *session) {
	delete(l.sessions, s.id)
	if l.owned[s.owner]--; l.owned[s.owner] == 0 {
		delete(l.owned, s.owner)
	}
	if s.stream != nil {
		close(s.stream)
		s.stream = nil
	}
	for uri := range s.uris {
		if l.unwant(s, uri) {
			l.tell(unsubscription(uri))
		}
	}
}

// leave is DELETE.
func (l *life) leave(req *http.Request, s *session) *http.Response {
	if s == nil {
		return noSession(req)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sessions[s.id] == s {
		l.part(s)
	}
	return respond(req, http.StatusNoContent)
}

// want notes that a session is subscribed to a resource, if there is room.
// Callers hold mu.
func (l *life) want(s *session, uri string) bool {
	if s.uris[uri] {
		return true
	}
	if len(s.uris) >= subscriptions || l.uriBytes+len(uri) > uriBytesMost {
		return false
	}
	s.uris[uri] = true
	l.wanted[uri]++
	l.uriBytes += len(uri)
	return true
}

// unwant says whether nobody is subscribed to the resource any more. Callers
// hold mu.
func (l *life) unwant(s *session, uri string) bool {
	if s.uris[uri] {
		delete(s.uris, uri)
		l.wanted[uri]--
		l.uriBytes -= len(uri)
	}
	if l.wanted[uri] > 0 {
		return false
	}
	delete(l.wanted, uri)
	return true
}

func unsubscription(uri string) []byte {
	return []byte(`{"jsonrpc":"2.0","id":` + nobody + `,"method":"resources/unsubscribe","params":{"uri":` + string(quoted(uri)) + `}}`)
}

// subscribe notes whom updates of the resource are for, and passes the
// request on.
func (l *life) subscribe(req *http.Request, s *session, m *message) (*http.Response, error) {
	if s == nil {
		return noSession(req), nil
	}
	l.mu.Lock()
	ended, had := l.sessions[s.id] != s, s.uris[m.uri]
	room := !ended && l.want(s, m.uri)
	l.mu.Unlock()
	if ended {
		return noSession(req), nil
	}
	if !room {
		return respondError(req, http.StatusOK, m.of(m.id), -32602, "There are too many subscriptions: end some first."), nil
	}
	undo := func(failed bool) {
		if failed && !had {
			l.unwant(s, m.uri)
		}
	}
	resp, err := l.exchange(req, s, m, undo)
	if err != nil { // the child never agreed
		l.mu.Lock()
		defer l.mu.Unlock()
		undo(true)
	}
	return resp, err
}

// unsubscribe passes the request on when nobody else is subscribed: the child
// takes all callers for one.
func (l *life) unsubscribe(req *http.Request, s *session, m *message) (*http.Response, error) {
	if s == nil {
		return noSession(req), nil
	}
	l.mu.Lock()
	last := l.unwant(s, m.uri)
	l.mu.Unlock()
	if !last {
		return respondJSON(req, http.StatusOK, answerOf(m.of(m.id), `"result":{}`)), nil
	}
	return l.exchange(req, s, m, nil)
}

// cancel ends a request of the same session, and no other.
func (l *life) cancel(s *session, m *message) {
	if s == nil || m.cancelled.absent() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e := s.calls[string(m.of(m.cancelled))]
	if e == nil || !l.shut(e) {
		return
	}
	e.messages <- piece{
		text: answerOf(e.id, `"error":{"code":-32800,"message":"The caller cancelled this request."}`),
		last: true, status: http.StatusOK,
	}
	l.tell(cancellation(e.name))
}
