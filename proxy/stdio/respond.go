package stdio

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"time"
)

// signs is the time between two signs of life on a stream that only listens.
const signs = 30 * time.Second

func respond(req *http.Request, status int) *http.Response {
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: http.NoBody, Request: req,
	}
}

func respondJSON(req *http.Request, status int, text []byte) *http.Response {
	resp := respond(req, status)
	resp.Header.Set("Content-Type", "application/json")
	resp.ContentLength = int64(len(text))
	resp.Body = io.NopCloser(bytes.NewReader(text))
	return resp
}

func respondError(req *http.Request, status int, id []byte, code int, public string) *http.Response {
	return respondJSON(req, status, answerOf(id, fmt.Sprintf(`"error":{"code":%d,"message":%s}`, code, quoted(public))))
}

// noSession sends the client back to initialize (MCP 2025-11-25 streamable
// HTTP, Session Management).
func noSession(req *http.Request) *http.Response {
	status := http.StatusNotFound
	if req.Header.Get("Mcp-Session-Id") == "" {
		status = http.StatusBadRequest
	}
	const problem = `"error":{"code":-32001,"message":"Session not found: start one with initialize.","data":{"reason":"session_unknown"}}`
	return respondJSON(req, status, answerOf([]byte("null"), problem))
}

func respondEvents(req *http.Request, e *events) *http.Response {
	resp := respond(req, http.StatusOK)
	resp.Header.Set("Content-Type", "text/event-stream")
	resp.Header.Set("X-Accel-Buffering", "no")
	resp.ContentLength = -1
	resp.Body = e
	return resp
}

// events is a body of server-sent events, made while it is read.
type events struct {
	next  func() (piece, error)
	end   func()
	ready []byte
	done  bool
}

func (e *events) Read(p []byte) (int, error) {
	if len(e.ready) == 0 {
		if e.done {
			return 0, io.EOF
		}
		next, err := e.next()
		if err != nil {
			return 0, err
		}
		e.done = next.last
		if e.ready = frame(next.text); next.last && next.text == nil {
			return 0, io.EOF
		}
	}
	n := copy(p, e.ready)
	e.ready = e.ready[n:]
	return n, nil
}

func (e *events) Close() error {
	e.end()
	return nil
}

// frame is a message as an event, or a comment as a sign of life. A carriage
// return would end the line of the event; in JSON it is white space.
func frame(text []byte) []byte {
	if text == nil {
		return []byte(":\n\n")
	}
	out := make([]byte, 0, len(text)+8)
	out = append(append(append(out, "data: "...), text...), "\n\n"...)
	return append(out[:0:0], bytes.ReplaceAll(out, []byte{'\r'}, []byte{' '})...)
}

// stream is GET: what concerns the session without being an answer.
func (l *life) stream(req *http.Request, s *session) *http.Response {
	if l.welcome == nil {
		return respondError(req, http.StatusMethodNotAllowed, []byte("null"), -32601, "Method not found: listen with subscriptions/listen.")
	}
	if s == nil {
		return noSession(req)
	}
	messages := make(chan piece, notesKept)
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.stream != nil {
		return respondError(req, http.StatusConflict, []byte("null"), -32600, "This session has a stream already: end it first.")
	}
	s.stream = messages
	return respondEvents(req, &events{
		ready: frame(nil),
		next:  func() (piece, error) { return l.heard(req, messages) },
		end: func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			if s.stream == messages {
				s.stream = nil
			}
		},
	})
}

// heard is the next message of a stream; the stream ends with its session.
func (l *life) heard(req *http.Request, messages chan piece) (piece, error) {
	timer := time.NewTimer(signs)
	defer timer.Stop()
	select {
	case p, open := <-messages:
		return piece{text: p.text, last: !open}, nil
	case <-timer.C:
		return piece{}, nil
	case <-l.gone:
		return piece{last: true}, nil
	case <-req.Context().Done():
		return piece{}, req.Context().Err()
	}
}
