package proxy

import (
	"io"
	"net/http"
	"strings"
	"time"
)

const eventStream = "text/event-stream"

// mediaType is the type of an answer without its parameters.
func mediaType(resp *http.Response) string {
	kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(kind))
}

// openStream takes one of the subject's places for streams.
func (p *Proxy) openStream(t *trip) bool {
	s := subjectOf(t.errand.permit.call.caller)
	if !p.streams.enter(s) {
		return false
	}
	t.closed = func() { p.streams.leave(s) }
	return true
}

func (t *trip) close() {
	if t.closed != nil {
		t.closed()
	}
}

// hold bounds an answer by what it is. One that became a stream takes a place
// among its subject's, but is not refused when there is none: the call has
// been made. Any other has to go on.
func (p *Proxy) hold(resp *http.Response, t *trip) {
	if mediaType(resp) != eventStream {
		resp.Body = newSteady(resp.Body, p.bounds.AnswerTime, func() { t.end(refused(stageForward, reasonUpstreamSlow, nil)) })
		return
	}
	if t.closed == nil {
		s := subjectOf(t.errand.permit.call.caller)
		p.streams.add(s)
		t.closed = func() { p.streams.leave(s) }
	}
}

// steady is a body that must not pause for too long.
type steady struct {
	io.ReadCloser
	limit time.Duration
	timer *time.Timer
}

func newSteady(body io.ReadCloser, limit time.Duration, stalled func()) *steady {
	return &steady{ReadCloser: body, limit: limit, timer: time.AfterFunc(limit, stalled)}
}

// Read starts the time again for each piece, and stops it while the piece is
// passed on: the caller has a time of its own.
func (s *steady) Read(p []byte) (int, error) {
	s.timer.Reset(s.limit)
	n, err := s.ReadCloser.Read(p)
	s.timer.Stop()
	return n, err
}

func (s *steady) Close() error {
	s.timer.Stop()
	return s.ReadCloser.Close()
}
