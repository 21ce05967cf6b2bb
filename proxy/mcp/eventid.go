package mcp

import (
	"bytes"
	"errors"
	"io"
)

// idLineLimit bounds what is held back of one id line; a longer one is no id.
const idLineLimit = 4 << 10

// EventIDs rewrites the event ids of an event stream as it passes; all else
// goes through unchanged and at once. Replace gets the value of each id line
// that is not empty and returns the one to write in its place, or nil for none, so
// that a client resumes before that event and gets it again.
func EventIDs(body io.ReadCloser, replace func(id []byte) []byte) io.ReadCloser {
	return &idStream{source: body, replace: replace, first: true, chunk: make([]byte, 4<<10)}
}

// idStream holds back no more than a line that may be an id line.
type idStream struct {
	source  io.ReadCloser
	replace func(id []byte) []byte

	chunk  []byte // what one read from source fills
	held   []byte // the beginning of a line that may be an id line
	inside bool   // in a line that is none
	long   bool   // in an id line over the limit
	first  bool   // in the first line, which may begin with a BOM
	ready  []byte // to hand on
	space  []byte // what ready is made in
	err    error
}

func (s *idStream) Close() error { return s.source.Close() }

func (s *idStream) Read(p []byte) (int, error) {
	for len(s.ready) == 0 {
		if s.err != nil {
			return 0, s.err
		}
		n, err := s.source.Read(s.chunk)
		s.ready = s.space[:0]
		for rest := s.chunk[:n]; len(rest) > 0; {
			rest = s.take(rest)
		}
		if errors.Is(err, io.EOF) { // some clients read a line that nothing ends
			s.endLine()
		}
		s.space, s.err = s.ready, err
	}
	n := copy(p, s.ready)
	s.ready = s.ready[n:]
	return n, nil
}

// take moves text on to the end of its first line, or all of it, and returns
// the rest.
func (s *idStream) take(text []byte) []byte {
	end := bytes.IndexAny(text, "\r\n")
	ended := end >= 0
	if !ended {
		end = len(text)
	}
	s.text(text[:end])
	if !ended {
		return nil
	}
	s.endLine()
	s.ready = append(s.ready, text[end])
	return text[end+1:]
}

// text takes in a part of a line.
func (s *idStream) text(part []byte) {
	if s.inside {
		s.ready = append(s.ready, part...)
		return
	}
	s.held = append(s.held, part...)
	if !s.mayBeID() {
		s.inside = true
		s.ready = append(s.ready, s.held...)
		s.held = s.held[:0]
		return
	}
	if len(s.held) > idLineLimit {
		s.long = true
		s.held = s.held[:idLineLimit]
	}
}

// line is what is held, without the BOM a stream may begin with.
func (s *idStream) line() []byte {
	if s.first {
		return bytes.TrimPrefix(s.held, []byte(bom))
	}
	return s.held
}

const bom = "\xef\xbb\xbf"

func (s *idStream) mayBeID() bool {
	line := s.line()
	if s.first && bytes.HasPrefix([]byte(bom), line) {
		return true
	}
	return bytes.HasPrefix(line, []byte("id:")) || bytes.HasPrefix([]byte("id:"), line)
}

// endLine hands on what is held of the line that ends here.
func (s *idStream) endLine() {
	name, id := field(s.line())
	switch {
	case s.inside:
	case name != "id" || len(id) == 0 && !s.long: // an empty id takes back the one before
		s.ready = append(s.ready, s.held...)
	default:
		s.ready = append(s.ready, s.rewritten(id)...)
	}
	s.held, s.inside, s.long, s.first = s.held[:0], false, false, false
}

// rewritten is the line for an id, or a comment: an empty line would end the
// event.
func (s *idStream) rewritten(id []byte) []byte {
	if s.long || bytes.IndexByte(id, 0) >= 0 { // clients ignore an id with NUL
		return []byte(":")
	}
	written := s.replace(id)
	if written == nil {
		return []byte(":")
	}
	return append([]byte("id: "), written...)
}
