package e2e

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// frames is one HTTP/2 connection nobody's client library touched.
type frames struct {
	*http2.Framer
	t      *testing.T
	buffer bytes.Buffer
	encode *hpack.Encoder
	stream uint32 // the last one opened
}

func (s *secured) frames(t *testing.T) *frames {
	t.Helper()
	conn := s.dial(t, "h2")
	f := &frames{Framer: http2.NewFramer(conn, conn), t: t, stream: ^uint32(0)}
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	f.encode = hpack.NewEncoder(&f.buffer)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := f.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return f
}

// field is one header field, sent as it is.
type field struct{ name, value string }

// head opens a stream with these fields.
func (f *frames) head(end bool, fields ...field) {
	f.t.Helper()
	f.stream += 2
	f.buffer.Reset()
	for _, each := range fields {
		if err := f.encode.WriteField(hpack.HeaderField{Name: each.name, Value: each.value}); err != nil {
			f.t.Fatal(err)
		}
	}
	const most = 16 << 10 // of a frame
	piece, rest := cut(f.buffer.Bytes(), most)
	err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: f.stream, BlockFragment: piece, EndStream: end, EndHeaders: len(rest) == 0})
	for err == nil && len(rest) > 0 {
		piece, rest = cut(rest, most)
		err = f.WriteContinuation(f.stream, len(rest) == 0, piece)
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

func cut(b []byte, most int) (piece, rest []byte) {
	n := min(len(b), most)
	return b[:n], b[n:]
}

// data goes on with the last stream.
func (f *frames) data(end bool, text string) {
	f.t.Helper()
	if err := f.WriteData(f.stream, end, []byte(text)); err != nil {
		f.t.Fatal(err)
	}
}

// outcome is the status of the last stream, or "reset" when there is none.
func (f *frames) outcome() string {
	f.t.Helper()
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return "gone: " + err.Error()
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			if frame.StreamID == f.stream {
				return frame.PseudoValue("status")
			}
		case *http2.RSTStreamFrame:
			if frame.StreamID == f.stream {
				return "reset"
			}
		case *http2.GoAwayFrame:
			if frame.ErrCode != http2.ErrCodeNo {
				return "goaway " + frame.ErrCode.String()
			}
		}
	}
}

// never is what net/http says to a message that is none.
const never = "reset or goaway PROTOCOL_ERROR"

// fields is a call that is good, in HTTP/2.
func (s *secured) fields() []field {
	return []field{
		{":method", "POST"}, {":scheme", "https"}, {":path", "/recorder/mcp"}, {":authority", s.address},
		{"authorization", "Bearer " + s.issuer.token("ada", s.resource, "use", nil)},
		{"content-type", "application/json"}, {"accept", "application/json, text/event-stream"},
		{"mcp-protocol-version", modern}, {"mcp-method", "tools/call"}, {"mcp-name", "echo"},
	}
}

// replaced is the call with other fields of one name, before all others.
func replaced(call []field, name string, by ...field) []field {
	rest := slices.DeleteFunc(slices.Clone(call), func(f field) bool { return f.name == name })
	return append(by, rest...)
}

// http2Attack is a call with something wrong.
type http2Attack struct {
	name   string
	fields []field
	want   string // one of these outcomes
}

func (s *secured) http2Attacks(body string) []http2Attack {
	length, good := strconv.Itoa(len(body)), s.fields()
	with := func(more ...field) []field { return slices.Concat(good, more) }
	without := func(name string, more ...field) []field { return replaced(good, name, more...) }
	return []http2Attack{
		{"a host that is not :authority", with(field{"host", "evil.example"}), "403"},
		{"two hosts", with(field{"host", s.address}, field{"host", s.address}), "403"},
		{"a foreign :authority", without(":authority", field{":authority", "evil.example"}), "403"},
		{"a foreign :authority and our host", append(without(":authority", field{":authority", "evil.example"}), field{"host", s.address}), "403"},
		{"no host at all", without(":authority"), "403"},
		{"a user in :authority", without(":authority", field{":authority", "a@" + s.address}), never},
		{"two :paths", without(":path", field{":path", "/recorder/mcp"}, field{":path", "/other"}), never},
		{"a whole URL as :path", without(":path", field{":path", s.resource}), "400"},
		{"a path with dots", without(":path", field{":path", "/x/../recorder/mcp"}), "400"},
		{"an encoded path", without(":path", field{":path", "/recorder%2Fmcp"}), "400"},
		{"a token in the query", without(":path", field{":path", "/recorder/mcp?access_token=x"}), "400"},
		{"two tokens", with(field{"authorization", "Bearer x"}), "400"},
		{"a foreign origin", with(field{"origin", "https://evil.example"}), "403"},
		{"two origins", with(field{"origin", "https://" + s.address}, field{"origin", "https://evil.example"}), "403"},
		{"two names", with(field{"mcp-name", "risky"}), "400"},
		{"two lengths", with(field{"content-length", length}, field{"content-length", length}), "400"},
		{"two different lengths", with(field{"content-length", length}, field{"content-length", "3"}), "400"},
		{"a length that is no number", with(field{"content-length", "x"}), "400 or " + never},
		{"a signed length", with(field{"content-length", "+" + length}), "400 or " + never},
		{"a length that is too small", with(field{"content-length", "3"}), "400 or " + never},
		{"a length that is too large", with(field{"content-length", "30000"}), "400 or " + never},
		{"connection", with(field{"connection", "authorization"}), "400"},
		{"transfer-encoding", with(field{"transfer-encoding", "chunked"}), "400"},
		{"upgrade", with(field{"upgrade", "websocket"}), "400"},
		{"upper-case names", with(field{"X-Upper", "x"}), never},
		{"a line break in a value", with(field{"x-break", "a\r\nAuthorization: Bearer x"}), never},
		{"CONNECT", without(":path", field{":protocol", "websocket"}), never},
		{"a header of 40 KiB", with(slices.Repeat([]field{{"x-long", strings.Repeat("a", 4<<10)}}, 10)...), "431"},
		{"a field of 100 KiB", with(field{"x-long", strings.Repeat("a", 100<<10)}), "goaway COMPRESSION_ERROR"},
	}
}

// TestAttacksOverHTTP2: what is refused in HTTP/1.1 is refused in HTTP/2, or
// cannot be said in it; a refused message never reaches the upstream.
func TestAttacksOverHTTP2(t *testing.T) {
	s, body := startSecured(t, echo, ""), modernCall("echo", `{}`).body
	for _, row := range s.http2Attacks(body) {
		t.Run(row.name, func(t *testing.T) {
			f := s.frames(t)
			f.head(false, row.fields...)
			f.data(true, body)
			if got := f.outcome(); !strings.Contains(row.want, got) {
				t.Errorf("%s, want %s", got, row.want)
			}
		})
	}
	if got := s.upstream.all(); len(got) != 0 {
		t.Errorf("the upstream got %d requests: %q", len(got), got)
	}
}

// TestTrailersOverHTTP2 are refused when they are announced, and stay behind
// when they are not.
func TestTrailersOverHTTP2(t *testing.T) {
	s, body := startSecured(t, echo, ""), modernCall("echo", `{}`).body
	for want, fields := range map[string][]field{
		"400": append(s.fields(), field{"trailer", "x-late"}),
		"200": s.fields(),
	} {
		f := s.frames(t)
		f.head(false, fields...)
		f.data(false, body)
		f.stream -= 2
		f.head(true, field{"x-late", "from-the-trailer"})
		if got := f.outcome(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := s.upstream.only(t); strings.Contains(strings.Join(got.header, " ")+got.body, "from-the-trailer") {
		t.Errorf("the upstream got %q", got)
	}
}

// TestBodyInPiecesOverHTTP2: without a length it arrives whole.
func TestBodyInPiecesOverHTTP2(t *testing.T) {
	s, body := startSecured(t, echo, ""), modernCall("echo", `{}`).body
	f := s.frames(t)
	f.head(false, s.fields()...)
	f.data(false, body[:20])
	f.data(true, body[20:])
	if got := f.outcome(); got != "200" {
		t.Error(got)
	}
	if got := s.upstream.only(t); got.body != body {
		t.Errorf("the upstream got %q", got.body)
	}
}

// TestHTTP2FloodsHoldNothing: streams reset as soon as they are opened, and a
// header that never ends. Others go on, and nothing stays in flight.
func TestHTTP2FloodsHoldNothing(t *testing.T) {
	s := startSecured(t, gatekeeper{make(chan struct{})}.handle, "")
	token := s.issuer.token("ada", s.resource, "use", nil)
	open := []field{
		{":method", "GET"}, {":scheme", "https"}, {":path", "/recorder/mcp"}, {":authority", s.address},
		{"authorization", "Bearer " + token}, {"accept", "text/event-stream"},
	}
	for name, flood := range map[string]func(f *frames, i int) error{
		"rapid reset": func(f *frames, _ int) error {
			f.head(true, open...)
			return f.WriteRSTStream(f.stream, http2.ErrCodeCancel)
		},
		"header without end": func(f *frames, i int) error {
			if i == 0 {
				f.stream += 2
				return f.WriteHeaders(http2.HeadersFrameParam{StreamID: f.stream, BlockFragment: []byte{0x82}})
			}
			return f.WriteContinuation(f.stream, false, bytes.Repeat([]byte{0x82}, 16<<10))
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := s.frames(t)
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				for {
					var fatal http2.ConnectionError
					if _, err := f.ReadFrame(); err != nil && !errors.As(err, &fatal) {
						return
					}
				}
			}()
			for i := 0; i < 5000 && !closed(gone) && flood(f, i) == nil; i++ {
			}
			s.caller(t, true).send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
		})
	}
	eventually(t, func() error { return s.says("postern_requests_in_flight 0") })
}

func closed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
