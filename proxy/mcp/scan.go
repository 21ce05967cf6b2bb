package mcp

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// scanner walks one JSON text once, token by token, and holds it to the
// limits on the way. The decoder underneath refuses duplicate keys at every
// level (compared after unescaping) and lone surrogates.
type scanner struct {
	body    []byte
	source  bytes.Buffer
	decoder *jsontext.Decoder
	limits  Limits
	keys    int
	start   int // of the last token
	end     int
}

var scanners = sync.Pool{New: func() any {
	s := &scanner{}
	s.decoder = jsontext.NewDecoder(&s.source)
	return s
}}

// scan opens body, which must be one object within limits. The caller
// releases the scanner.
func scan(body []byte, limits Limits) (*scanner, error) {
	if limits.Bytes <= 0 || limits.Depth <= 0 || limits.Keys <= 0 || limits.Number <= 0 {
		return nil, wrong("limits_unset")
	}
	if len(body) > limits.Bytes {
		return nil, wrong("body_too_large")
	}
	if bytes.HasPrefix(body, []byte("\xef\xbb\xbf")) {
		return nil, wrong("body_bom")
	}
	if !utf8.Valid(body) {
		return nil, wrong("body_not_utf8")
	}
	switch first := bytes.TrimLeft(body, " \t\r\n"); {
	case len(first) == 0:
		return nil, wrong("body_empty")
	case first[0] == '[':
		return nil, wrong("body_batch")
	}
	s := scanners.Get().(*scanner)
	s.body, s.limits, s.keys, s.start, s.end = body, limits, 0, 0, 0
	s.source = *bytes.NewBuffer(body)
	s.decoder.Reset(&s.source)
	return s, nil
}

func (s *scanner) release() {
	s.body = nil
	s.source = bytes.Buffer{}
	s.decoder.Reset(&s.source)
	scanners.Put(s)
}

// next reads one token. It is valid until the next call.
func (s *scanner) next() (jsontext.Token, error) {
	token, err := s.decoder.ReadToken()
	if err != nil {
		return jsontext.Token{}, scanError(err)
	}
	s.start = s.skipDelimiters()
	s.end = int(s.decoder.InputOffset())
	switch token.Kind() {
	case '{', '[':
		if s.decoder.StackDepth() > s.limits.Depth {
			return jsontext.Token{}, wrong("body_depth")
		}
	case '0':
		if s.end-s.start > s.limits.Number {
			return jsontext.Token{}, wrong("body_number")
		}
	case '"':
		if err := s.checkName(token); err != nil {
			return jsontext.Token{}, err
		}
	}
	return token, nil
}

func (s *scanner) skipDelimiters() int {
	at := s.end
	for at < len(s.body) && bytes.IndexByte([]byte(" \t\r\n:,"), s.body[at]) >= 0 {
		at++
	}
	return at
}

// checkName counts a string that is a member's name and refuses NUL in it:
// some parsers end the name there.
func (s *scanner) checkName(token jsontext.Token) error {
	kind, length := s.decoder.StackIndex(s.decoder.StackDepth())
	if kind != '{' || length%2 == 0 {
		return nil
	}
	if s.keys++; s.keys > s.limits.Keys {
		return wrong("body_keys")
	}
	if bytes.IndexByte(s.raw(), '\\') >= 0 && bytes.IndexByte([]byte(token.String()), 0) >= 0 {
		return wrong("body_key_nul")
	}
	return nil
}

// raw is the last token as it stands in the body.
func (s *scanner) raw() []byte { return s.body[s.start:s.end:s.end] }

// text is the last token, a string, without quotes and escapes. It is valid
// until the next token.
func (s *scanner) text(token jsontext.Token) []byte {
	if raw := s.raw(); bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1]
	}
	return []byte(token.String())
}

// value is one JSON value: its kind, where it stands, and its text when it is a string.
type value struct {
	kind jsontext.Kind
	at   int // offset of raw in the body
	raw  []byte
	text string
}

// isObject also holds for a value that is absent.
func (v value) isObject() bool { return v.kind == '{' || v.absent() }
func (v value) absent() bool   { return v.kind == 0 }

// read takes the next value whatever it is, and keeps the text of a string.
func (s *scanner) read() (value, error) {
	token, err := s.next()
	if err != nil {
		return value{}, err
	}
	v := value{kind: token.Kind()}
	if v.kind == '"' {
		v.text = string(s.text(token))
	}
	start := s.start
	if v.kind == '{' || v.kind == '[' {
		err = s.leave()
	}
	v.at, v.raw = start, s.body[start:s.end:s.end]
	return v, err
}

// skip passes over the next value.
func (s *scanner) skip() error {
	token, err := s.next()
	if err == nil && (token.Kind() == '{' || token.Kind() == '[') {
		err = s.leave()
	}
	return err
}

// leave reads to the end of the innermost open object or array.
func (s *scanner) leave() error {
	for depth := s.decoder.StackDepth(); s.decoder.StackDepth() >= depth; {
		if _, err := s.next(); err != nil {
			return err
		}
	}
	return nil
}

// object hands visit the name of each member of the next value; visit takes
// the member's value. A name that is a known one but for upper and lower case
// is refused, Unicode folding included (P2). A value that is no object is skipped.
func (s *scanner) object(known [][]byte, visit func(name []byte) error) (value, error) {
	if kind := s.decoder.PeekKind(); kind != '{' {
		return value{kind: kind}, s.skip()
	}
	if _, err := s.next(); err != nil {
		return value{}, err
	}
	start := s.start
	for s.decoder.PeekKind() != '}' {
		token, err := s.next()
		if err != nil {
			return value{}, err
		}
		name := s.text(token)
		if foldsOnto(name, known) {
			return value{}, wrong("body_key_case")
		}
		if err := visit(name); err != nil {
			return value{}, err
		}
	}
	_, err := s.next()
	return value{kind: '{', at: start, raw: s.body[start:s.end:s.end]}, err
}

// array calls visit before each element of the next value; visit takes the
// element. A value that is no array is skipped.
func (s *scanner) array(visit func() error) (value, error) {
	if kind := s.decoder.PeekKind(); kind != '[' {
		return value{kind: kind}, s.skip()
	}
	if _, err := s.next(); err != nil {
		return value{}, err
	}
	start := s.start
	for s.decoder.PeekKind() != ']' {
		if err := visit(); err != nil {
			return value{}, err
		}
	}
	_, err := s.next()
	return value{kind: '[', at: start, raw: s.body[start:s.end:s.end]}, err
}

// finish checks that nothing follows.
func (s *scanner) finish() error {
	_, err := s.decoder.ReadToken()
	if errors.Is(err, io.EOF) {
		return nil
	}
	return wrong("body_trailing")
}

func foldsOnto(name []byte, known [][]byte) bool {
	folds := false
	for _, k := range known {
		if bytes.Equal(name, k) {
			return false
		}
		folds = folds || bytes.EqualFold(name, k)
	}
	return folds
}

func names(list ...string) [][]byte {
	out := make([][]byte, len(list))
	for i, name := range list {
		out[i] = []byte(name)
	}
	return out
}

func scanError(err error) *Error {
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return wrong("body_duplicate_key")
	}
	return wrong("body_syntax")
}
