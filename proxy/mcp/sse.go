package mcp

import (
	"bytes"
	"errors"
	"io"
)

// SSE rewrites an event stream as it passes: events that hold a list are
// filtered as by JSON, all others go through unchanged and at once. An event
// that cannot be read ends the stream with an *Error before any byte of it
// has passed. limits.Bytes bounds one event.
func (f Filter) SSE(body io.ReadCloser, limits Limits) io.ReadCloser {
	return &stream{filter: f, limits: limits, source: body, first: true, chunk: make([]byte, 16<<10)}
}

// stream reads the grammar of "Server-sent events" (WHATWG HTML §9.2.5): lines
// end in LF, CR or CRLF; a blank line ends an event.
type stream struct {
	filter Filter
	limits Limits
	source io.ReadCloser

	chunk   []byte // what one read from source fills
	unread  []byte // received, not yet a whole line
	scanned int    // how much of unread is known to hold no end of line
	event   []line // lines of the event that is not complete yet
	size    int    // bytes of event
	ready   []byte // to hand on
	first   bool   // the next line is the first one and may begin with a BOM
	afterCR bool   // the last line ended in CR: an LF now belongs to it
	err     error
}

// line is one line and the bytes that ended it.
type line struct {
	text []byte
	end  []byte
}

func (s *stream) Close() error { return s.source.Close() }

func (s *stream) Read(p []byte) (int, error) {
	for len(s.ready) == 0 {
		if s.err != nil {
			return 0, s.err
		}
		s.fill()
	}
	n := copy(p, s.ready)
	s.ready = s.ready[n:]
	return n, nil
}

// fill reads once from the source and takes in all lines that are complete.
func (s *stream) fill() {
	n, err := s.source.Read(s.chunk)
	s.unread = append(s.unread, s.chunk[:n]...)
	failed := s.take()
	switch {
	case failed != nil:
		err = failed
	case errors.Is(err, io.EOF):
		if failed := s.drain(); failed != nil {
			err = failed
		}
	}
	s.err = err
}

// take moves whole lines from unread into the event and finishes events.
func (s *stream) take() error {
	for len(s.unread) > 0 {
		if s.afterCR && s.unread[0] == '\n' {
			s.endCRLF()
			continue
		}
		s.afterCR = false
		at := bytes.IndexAny(s.unread[s.scanned:], "\r\n")
		if at < 0 {
			s.scanned = len(s.unread)
			break
		}
		at += s.scanned
		s.scanned = 0
		next := line{text: s.unread[:at:at], end: s.unread[at : at+1 : at+1]}
		s.afterCR = s.unread[at] == '\r'
		s.unread = s.unread[at+1:]
		if err := s.line(next); err != nil {
			return err
		}
	}
	if s.size+len(s.unread) > s.limits.Bytes {
		return wrong("response_too_large")
	}
	return nil
}

// endCRLF gives an LF after CR to the line it belongs to.
func (s *stream) endCRLF() {
	s.afterCR = false
	s.unread = s.unread[1:]
	if len(s.event) == 0 {
		s.ready = append(s.ready, '\n')
		return
	}
	s.size++
	last := &s.event[len(s.event)-1]
	last.end = append(last.end, '\n')
}

func (s *stream) line(next line) error {
	text := next.text
	if s.first {
		text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	}
	s.first = false
	blank := len(text) == 0
	length := len(next.text) + len(next.end)
	if s.size+length > s.limits.Bytes {
		return wrong("response_too_large")
	}
	// A comment between events is a sign of life: hand it on now.
	if len(s.event) == 0 && (blank || text[0] == ':') {
		s.ready = append(append(s.ready, next.text...), next.end...)
		return nil
	}
	s.size += length
	s.event = append(s.event, next)
	if !blank {
		return nil
	}
	return s.dispatch()
}

// drain treats the end of the stream as the end of the event: some clients do.
func (s *stream) drain() error {
	if len(s.unread) > 0 {
		last := line{text: s.unread}
		s.unread = nil
		if err := s.line(last); err != nil {
			return err
		}
	}
	return s.dispatch()
}

// dispatch hands the event on, filtered.
func (s *stream) dispatch() error {
	lines := s.event
	s.event, s.size = nil, 0
	kind, message := content(lines)
	if len(bytes.TrimSpace(message)) == 0 {
		s.pass(lines)
		return nil
	}
	filtered, err := s.filter.event(message, s.limits)
	// Clients ignore events of other types; they need not be JSON.
	if err != nil && kind != "" && kind != "message" && !mayBeJSON(message) {
		s.pass(lines)
		return nil
	}
	if err != nil {
		return err
	}
	if filtered == nil { // nobody here may know of it
		s.without(lines)
		return nil
	}
	if bytes.Equal(filtered, message) {
		s.pass(lines)
		return nil
	}
	s.replace(lines, filtered)
	return nil
}

func mayBeJSON(message []byte) bool {
	start := bytes.TrimLeft(message, " \t\r\n\xef\xbb\xbf")
	return len(start) > 0 && (start[0] == '{' || start[0] == '[')
}

func (s *stream) pass(lines []line) {
	for _, l := range lines {
		s.ready = append(append(s.ready, l.text...), l.end...)
	}
}

// without hands the event on without its data: clients dispatch nothing, and
// still know after which event to resume.
func (s *stream) without(lines []line) {
	for _, l := range lines {
		if name, _ := field(l.text); name != "data" {
			s.ready = append(append(s.ready, l.text...), l.end...)
		}
	}
}

// replace hands the event on with other data, in the place of the first data line.
func (s *stream) replace(lines []line, message []byte) {
	written := false
	for _, l := range lines {
		if name, _ := field(l.text); name != "data" {
			s.ready = append(append(s.ready, l.text...), l.end...)
			continue
		}
		if written {
			continue
		}
		written = true
		for part := range bytes.SplitSeq(message, []byte{'\n'}) {
			s.ready = append(append(append(s.ready, "data: "...), part...), '\n')
		}
	}
}

// content is the type of an event and its data, the data lines joined by LF.
func content(lines []line) (kind string, message []byte) {
	var data [][]byte
	for _, l := range lines {
		switch name, value := field(l.text); name {
		case "event":
			kind = string(value)
		case "data":
			data = append(data, value)
		}
	}
	return kind, bytes.Join(data, []byte{'\n'})
}

// field splits a line at its colon and takes one space off the value.
func field(text []byte) (name string, value []byte) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	before, after, _ := bytes.Cut(text, []byte{':'})
	return string(before), bytes.TrimPrefix(after, []byte{' '})
}
