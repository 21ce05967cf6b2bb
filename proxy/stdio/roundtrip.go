package stdio

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/postern-mcp/postern/proxy"
)

// RoundTrip answers one request of streamable HTTP. Its errors are
// proxy.ErrStarting, proxy.ErrBusy, a timeout, the context's, or that of a
// child that ended.
func (c *Child) RoundTrip(req *http.Request) (*http.Response, error) {
	raw, err := body(req)
	if err != nil {
		return nil, err
	}
	l, err := c.alive()
	if err != nil {
		return nil, err
	}
	id := req.Header.Get("Mcp-Session-Id")
	s := l.session(id)
	if id != "" && s == nil {
		return noSession(req), nil
	}
	switch req.Method {
	case http.MethodGet:
		return l.stream(req, s), nil
	case http.MethodDelete:
		return l.leave(req, s), nil
	}
	m, err := read(raw)
	if err != nil {
		return respondError(req, http.StatusBadRequest, []byte("null"), -32600, "Send one JSON-RPC message."), nil
	}
	if m.isRequest() {
		return l.call(req, s, m)
	}
	if m.method == "notifications/cancelled" {
		l.cancel(s, m)
	}
	return respond(req, http.StatusAccepted), nil
}

func body(req *http.Request) ([]byte, error) {
	if req.Body == nil {
		return nil, nil
	}
	defer req.Body.Close()
	return io.ReadAll(req.Body)
}

// call finds out who answers a request: the bridge or the child.
func (l *life) call(req *http.Request, s *session, m *message) (*http.Response, error) {
	id := m.of(m.id)
	if m.folds {
		return respondError(req, http.StatusBadRequest, id, -32602, "A key of _meta differs from progressToken only in upper and lower case."), nil
	}
	modern := m.protocol >= stateless
	if modern && !l.modern {
		return l.unsupported(req, m), nil
	}
	switch m.method { // what would change the child for all callers never reaches it
	case "initialize":
		if modern || l.welcome == nil {
			return unknownMethod(req, id, modern, "Method not found."), nil
		}
		return l.enter(req, m), nil
	case "logging/setLevel": // and nobody gets the messages
		return unknownMethod(req, id, modern, "Method not found: log messages of this server reach no caller."), nil
	}
	if modern || l.welcome == nil { // the child itself says what else it does not know
		return l.exchange(req, nil, m, nil)
	}
	switch m.method {
	case "resources/subscribe":
		return l.subscribe(req, s, m)
	case "resources/unsubscribe":
		return l.unsubscribe(req, s, m)
	}
	return l.exchange(req, s, m, nil)
}

// unsupported is UnsupportedProtocolVersionError with what is supported (MCP 2026-07-28).
func (l *life) unsupported(req *http.Request, m *message) *http.Response {
	rest := fmt.Sprintf(`"error":{"code":-32022,"message":"Unsupported protocol version","data":{"supported":[%s],"requested":%s}}`,
		quoted(l.version), quoted(m.protocol))
	return respondJSON(req, http.StatusBadRequest, answerOf(m.of(m.id), rest))
}

// unknownMethod has another HTTP status since 2026-07-28.
func unknownMethod(req *http.Request, id []byte, modern bool, public string) *http.Response {
	status := http.StatusOK
	if modern {
		status = http.StatusNotFound
	}
	return respondError(req, status, id, -32601, public)
}

// exchange passes a request to the child and brings back what it answers: as
// JSON when the answer comes first, as events when notifications do.
func (l *life) exchange(req *http.Request, s *session, m *message, settled func(failed bool)) (*http.Response, error) {
	e := &exchange{
		id: m.of(m.id), modern: m.protocol >= stateless, listens: m.method == "subscriptions/listen",
		quiet: !accepts(req, "text/event-stream"), settled: settled,
	}
	if !m.token.absent() {
		e.token = m.of(m.token)
	}
	if err := l.occupy(e); err != nil {
		return nil, err
	}
	l.open(e)
	leave := l.enrol(s, e)
	end := func() { l.abandon(e); leave() }
	if err := l.send(req.Context(), m.edited(change{m.id, e.name}, change{m.token, e.name})); err != nil {
		end()
		return nil, err
	}
	first, err := l.next(req.Context(), e)
	if err != nil {
		end()
		return nil, err
	}
	if first.last && first.text != nil && (e.quiet || accepts(req, "application/json")) {
		end()
		return respondJSON(req, first.status, first.text), nil
	}
	return respondEvents(req, &events{
		next: func() (piece, error) { return l.next(req.Context(), e) }, end: end, ready: frame(first.text), done: first.last,
	}), nil
}

// occupy takes a slot of the child.
func (l *life) occupy(e *exchange) error {
	e.slots = l.child.calls
	if e.listens {
		e.slots = l.child.listens
	}
	select {
	case e.slots <- struct{}{}:
		return nil
	default:
		return fmt.Errorf("%w: server %s", proxy.ErrBusy, l.child.conf.Name)
	}
}

// enrol lets the session cancel the exchange until leave.
func (l *life) enrol(s *session, e *exchange) (leave func()) {
	if s == nil {
		return func() {}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.calls[string(e.id)] = e
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if s.calls[string(e.id)] == e {
			delete(s.calls, string(e.id))
		}
	}
}

// next is the next message for the caller. What only listens may wait for
// ever, with a sign of life now and then.
func (l *life) next(ctx context.Context, e *exchange) (piece, error) {
	patience := l.child.conf.Timeout
	if e.listens {
		patience = signs
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case p := <-e.messages:
		return p, nil
	case <-ctx.Done():
		return piece{}, ctx.Err()
	case <-l.gone:
		return l.rest(e)
	case <-timer.C:
	}
	if e.listens {
		return piece{}, nil
	}
	return piece{}, os.ErrDeadlineExceeded
}

// rest is what the child said before it ended.
func (l *life) rest(e *exchange) (piece, error) {
	select {
	case p := <-e.messages:
		return p, nil
	default:
		return piece{}, errGone
	}
}

// accepts reads Accept; a caller that sends none takes JSON.
func accepts(req *http.Request, kind string) bool {
	for _, value := range req.Header.Values("Accept") {
		for option := range strings.SplitSeq(value, ",") {
			name, _, _ := strings.Cut(option, ";")
			name = strings.ToLower(strings.TrimSpace(name))
			if name == kind || name == "*/*" && kind == "application/json" {
				return true
			}
		}
	}
	return kind == "application/json" && len(req.Header.Values("Accept")) == 0
}
