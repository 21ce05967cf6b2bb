package wire

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"
)

// headerEnd finds the end of the header that data begins with: the offset
// after its empty line, or 0 when it is not there yet. Lines that end in a
// bare line feed are refused at once, and so is what cannot become a request
// line. The first scanned bytes are known to hold no end.
func headerEnd(data []byte, scanned int) (end int, reason string) {
	// RFC 9112 §3: a request begins with a method, which is a token.
	if !isToken[data[0]] {
		return 0, "request_line"
	}
	for at := scanned; ; at++ {
		next := bytes.IndexByte(data[at:], '\n')
		if next < 0 {
			return 0, ""
		}
		at += next
		// RFC 9112 §2.2: lines end in CRLF; that a recipient MAY take a bare LF is the ambiguity.
		if data[at-1] != '\r' {
			return 0, "bare_lf"
		}
		if at >= 3 && data[at-2] == '\n' {
			return at + 1, ""
		}
	}
}

// framing judges a complete header, its empty line included, and says what
// body follows.
func framing(header []byte) (body, string) {
	line, rest := cutLine(header)
	old, reason := requestLine(line)
	if reason != "" {
		return body{}, reason
	}
	var f fields
	for {
		line, rest = cutLine(rest)
		if len(line) == 0 {
			break
		}
		if reason := f.add(line); reason != "" {
			return body{}, reason
		}
	}
	return f.body(old)
}

// cutLine splits off the first line; headerEnd has made sure that it ends in CRLF.
func cutLine(data []byte) (line, rest []byte) {
	at := bytes.IndexByte(data, '\n')
	return data[:at-1], data[at+1:]
}

// requestLine is method SP target SP version (RFC 9112 §3), single spaces.
func requestLine(line []byte) (old bool, reason string) {
	method, rest, ok := bytes.Cut(line, []byte{' '})
	if !ok || !token(method) {
		return false, "request_line"
	}
	target, version, ok := bytes.Cut(rest, []byte{' '})
	if !ok || len(target) == 0 {
		return false, "request_line"
	}
	for _, b := range target {
		if b <= ' ' || b >= 0x7f {
			return false, "request_line"
		}
	}
	switch string(version) {
	case "HTTP/1.1":
		return false, ""
	case "HTTP/1.0":
		return true, ""
	}
	return false, "version"
}

// fields are the header fields that frame the message.
type fields struct {
	hosts, lengths, encodings int
	length                    int64
}

func (f *fields) add(line []byte) string {
	// RFC 9112 §5.2: a line that begins with white space continues the last one.
	if line[0] == ' ' || line[0] == '\t' {
		return "folded_line"
	}
	name, value, ok := bytes.Cut(line, []byte{':'})
	// RFC 9112 §5.1: no white space is allowed between name and colon.
	if !ok || !token(name) {
		return "field_name"
	}
	if !text(value) {
		return "field_value"
	}
	return f.frame(name, bytes.Trim(value, " \t"))
}

func (f *fields) frame(name, value []byte) string {
	switch {
	case is(name, "host"):
		f.hosts++
	case is(name, "content-length"):
		f.lengths++
		return f.contentLength(value)
	case is(name, "transfer-encoding"):
		f.encodings++
		// RFC 9112 §6.1: chunked is the only coding that frames a request.
		if !is(value, "chunked") {
			return "transfer_encoding"
		}
	// Some servers take an underscore for a hyphen.
	case is(name, "content_length"), is(name, "transfer_encoding"):
		return "field_name"
	// RFC 9110 §6.6.2: it announces fields after the body.
	case is(name, "trailer"):
		return "trailer"
	}
	return ""
}

// contentLength takes digits only (RFC 9110 §8.6), without leading zeros.
func (f *fields) contentLength(value []byte) string {
	if len(value) == 0 || len(value) > 1 && value[0] == '0' {
		return "content_length"
	}
	for _, b := range value {
		if b < '0' || b > '9' {
			return "content_length"
		}
	}
	length, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		return "content_length"
	}
	f.length = length
	return ""
}

// body says what follows (RFC 9112 §6.3).
func (f *fields) body(old bool) (body, string) {
	switch {
	case f.hosts > 1:
		return body{}, "host"
	case f.lengths > 1:
		return body{}, "content_length"
	case f.encodings > 1:
		return body{}, "transfer_encoding"
	case f.encodings == 1 && f.lengths == 1:
		return body{}, "length_and_encoding"
	// RFC 9112 §6.1: a 1.0 message with Transfer-Encoding has faulty framing.
	case f.encodings == 1 && old:
		return body{}, "transfer_encoding"
	case f.encodings == 1:
		return body{kind: chunkedBody}, ""
	case f.length > 0:
		return body{kind: lengthBody, left: f.length}, ""
	}
	return body{}, ""
}

// is compares ASCII text, whatever its case; want is in lower case.
func is(got []byte, want string) bool {
	return len(got) == len(want) && strings.EqualFold(string(got), want)
}

// text is visible characters, obs-text, space and tab (RFC 9110 §5.5).
func text(value []byte) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	for ; len(value) >= 8; value = value[8:] {
		word := binary.LittleEndian.Uint64(value)
		deleted := word ^ 0x7f*ones
		// a byte below 0x20, or a zero where 0x7f was: maybe a false alarm, never a miss
		if ((word-0x20*ones)&^word|(deleted-ones)&^deleted)&high != 0 && !slowText(value[:8]) {
			return false
		}
	}
	return slowText(value)
}

func slowText(value []byte) bool {
	for _, b := range value {
		if b < ' ' && b != '\t' || b == 0x7f {
			return false
		}
	}
	return true
}

func token(name []byte) bool {
	for _, b := range name {
		if !isToken[b] {
			return false
		}
	}
	return len(name) > 0
}

// isToken is tchar (RFC 9110 §5.6.2).
var isToken = func() (table [256]bool) {
	for _, b := range []byte("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
		table[b] = true
	}
	return table
}()
