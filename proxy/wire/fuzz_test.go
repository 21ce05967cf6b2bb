package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

// source is a connection that only reads.
type source struct {
	net.Conn
	reader io.Reader
}

func (s source) Read(p []byte) (int, error) { return s.reader.Read(p) }
func (s source) RemoteAddr() net.Addr       { return nil }

// through is what a server reads of raw, and how its connection ends.
func through(raw []byte, wrap func(io.Reader) io.Reader) (string, string, error) {
	var reason string
	c := &conn{Conn: source{reader: wrap(bytes.NewReader(raw))}, guard: Guard{MaxHeader: 500, Refused: func(_ net.Addr, r string) { reason = r }}}
	out, err := io.ReadAll(iotest.OneByteReader(c))
	return string(out), reason, err
}

func plain(r io.Reader) io.Reader { return r }

// FuzzConn: what passes is a beginning of what came, however it came; a
// refused header is replaced whole; and net/http finds the same requests and
// the same ends of bodies in what passed.
func FuzzConn(f *testing.F) {
	for _, seed := range []string{
		good, good + good,
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc" + good,
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + good,
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc",
		"GET / HTTP/1.1\nHost: h\n\n", "GET / HTTP/1.0\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"GET / HTTP/1.1\r\nX: " + strings.Repeat("a", 500),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		out, reason, err := through(raw, plain)
		slowOut, slowReason, slowErr := through(raw, iotest.OneByteReader)
		if out != slowOut || reason != slowReason || !errors.Is(slowErr, err) {
			t.Fatalf("at once %q %s %v\nslowly %q %s %v", out, reason, err, slowOut, slowReason, slowErr)
		}
		passed := out
		if reason != "" && err == nil {
			passed = strings.TrimSuffix(out, malformed)
		}
		if !bytes.HasPrefix(raw, []byte(passed)) {
			t.Fatalf("%q became %q", raw, out)
		}
		checkRequests(t, passed, reason)
	})
}

// checkRequests reads what passed as net/http does.
func checkRequests(t *testing.T, passed, reason string) {
	reader := bufio.NewReader(strings.NewReader(passed))
	for {
		if _, err := reader.Peek(1); err != nil {
			return
		}
		request, err := http.ReadRequest(reader)
		if err != nil {
			return // stricter in something else: it answers 400 and closes
		}
		_, err = io.Copy(io.Discard, request.Body)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !strings.Contains(err.Error(), "unexpected EOF") {
			t.Fatalf("net/http reads %q (refused: %q) with %v", passed, reason, err)
		}
		if err != nil {
			return // the body was cut off
		}
	}
}

func BenchmarkConn(b *testing.B) {
	body := strings.Repeat("x", 300)
	raw := []byte("POST /mcp HTTP/1.1\r\nHost: mcp.example.com\r\nUser-Agent: bench\r\nContent-Length: 300\r\nAccept: application/json, text/event-stream\r\nContent-Type: application/json\r\nAuthorization: DPoP " + strings.Repeat("t", 800) + "\r\nDPoP: " + strings.Repeat("p", 500) + "\r\nMcp-Method: tools/call\r\nMcp-Name: add\r\n\r\n" + body)
	input := bytes.NewReader(nil)
	c := &conn{Conn: source{reader: input}, guard: Guard{MaxHeader: 32 << 10}}
	p := make([]byte, 4096)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		input.Reset(raw)
		for got := 0; got < len(raw); {
			n, err := c.Read(p)
			if err != nil {
				b.Fatal(err)
			}
			got += n
		}
	}
}
