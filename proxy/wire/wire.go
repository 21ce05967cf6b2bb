// Package wire stands in front of net/http and refuses HTTP/1 requests whose
// framing two parsers could read differently: both Content-Length and
// Transfer-Encoding, repeated or odd lengths, folded header lines, bare line
// feeds, white space before a colon, chunk extensions, trailers.
//
// Laws: no byte of a refused header reaches the server; a message that is
// passed on is passed on unchanged; the guard knows where every message ends,
// so what follows on the same connection is judged too.
//
// It does not judge what header fields mean beyond framing, and it knows
// HTTP/1 only: TLS has to be taken off before it.
package wire

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// ErrFraming is what reading a request body ends in when its chunks are not
// framed as they must be; behind the last chunk net/http puts an error of its
// own in its place. The rest of the connection is not read.
var ErrFraming = errors.New("wire: the body is not framed as RFC 9112 demands")

// Listener returns ln with every connection guarded. A refused request gets
// 400 and the end of the connection; no byte of it reaches the server.
// maxHeader bounds request line and header section together, in bytes.
func Listener(ln net.Listener, maxHeader int) net.Listener {
	return Guard{MaxHeader: maxHeader}.Listener(ln)
}

// Guard is how connections are guarded.
type Guard struct {
	MaxHeader int                                // bytes of request line and header section
	WriteTime time.Duration                      // until the client has taken one piece of an answer; 0 waits for ever
	Refused   func(peer net.Addr, reason string) // told of every refusal, for audit and metrics; may be nil
}

// Listener returns ln with every connection guarded.
func (g Guard) Listener(ln net.Listener) net.Listener { return listener{ln, g} }

// Conn guards one connection. One that comes out of a TLS handshake keeps its
// ConnectionState, which net/http shows as Request.TLS.
func (g Guard) Conn(c net.Conn) net.Conn {
	guarded := &conn{Conn: c, guard: g}
	if secure, ok := c.(*tls.Conn); ok {
		return secureConn{guarded, secure}
	}
	return guarded
}

// secureConn is a guarded connection within TLS.
type secureConn struct {
	*conn
	secure *tls.Conn
}

// ConnectionState is that of the TLS connection underneath.
func (c secureConn) ConnectionState() tls.ConnectionState { return c.secure.ConnectionState() }

type listener struct {
	net.Listener
	guard Guard
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.guard.Conn(c), nil
}

// conn hands on what has been judged. Reads differ from the connection
// underneath; each write has its time.
type conn struct {
	net.Conn
	guard Guard

	buffer  []byte // received and not handed on
	judged  int    // how much of buffer may be handed on
	scanned int    // how much of what follows is known to hold no end of header
	body    body   // what is left of the message being read; the zero value expects a header
	end     error  // what Read ends in once all judged bytes are handed on
	refused atomic.Bool
}

// malformed stands in for a refused header: the server answers it with 400
// after the responses that are still due, and closes.
const malformed = "\r\n\r\n"

func (c *conn) Read(p []byte) (int, error) {
	for len(p) > 0 {
		if c.judged > 0 {
			return c.deliver(p), nil
		}
		if c.end != nil {
			return 0, c.end
		}
		if c.body.kind == lengthBody && len(c.buffer) == 0 {
			return c.readBody(p)
		}
		if n, err := c.fill(p); n > 0 || err != nil {
			return n, err
		}
	}
	return 0, nil
}

// Write gives up on a client that does not take what it asked for.
func (c *conn) Write(p []byte) (int, error) {
	if c.guard.WriteTime > 0 {
		if err := c.Conn.SetWriteDeadline(time.Now().Add(c.guard.WriteTime)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(p)
}

func (c *conn) deliver(p []byte) int {
	n := copy(p, c.buffer[:c.judged])
	c.buffer = c.buffer[n:]
	c.judged -= n
	if len(c.buffer) == 0 {
		c.buffer = nil // an idle connection holds no memory
	}
	return n
}

// readBody passes a body of known length without copying it.
func (c *conn) readBody(p []byte) (int, error) {
	n, err := c.Conn.Read(p[:min(int64(len(p)), c.body.left)])
	c.body.consume(int64(n))
	return n, err
}

// fill receives once and judges. What is good all through stays in p, and n
// says how much it is: neither a quick request nor waiting costs a buffer.
func (c *conn) fill(p []byte) (n int, err error) {
	const enough = 512
	space := p
	if len(c.buffer) > 0 && len(p) < enough { // net/http waits for more with one byte
		space = make([]byte, 8*enough)
	}
	n, err = c.Conn.Read(space)
	if n == 0 && err == nil {
		err = io.ErrNoProgress
	}
	if n == 0 {
		return 0, err
	}
	if len(c.buffer) > 0 {
		c.buffer = append(c.buffer, space[:n]...)
		c.judge()
		return 0, nil
	}
	c.buffer = p[:n:n]
	c.judge()
	if c.judged == n && c.end == nil {
		c.buffer, c.judged = nil, 0
		return n, nil
	}
	c.buffer = bytes.Clone(c.buffer)
	return 0, nil
}

// judge moves the border between judged and unjudged bytes as far as it goes.
func (c *conn) judge() {
	for c.end == nil && c.judged < len(c.buffer) {
		rest := c.buffer[c.judged:]
		if c.body.kind == noBody {
			if !c.judgeHeader(rest) {
				return
			}
			continue
		}
		n, reason := c.body.advance(rest)
		c.judged += n
		if reason != "" {
			c.refuse(reason, ErrFraming)
		}
	}
}

// judgeHeader reports whether the header is complete and good.
func (c *conn) judgeHeader(rest []byte) bool {
	within := rest[:min(len(rest), c.guard.MaxHeader)]
	end, reason := headerEnd(within, c.scanned)
	if reason == "" && end == 0 && len(rest) > len(within) {
		reason = "header_too_large"
	}
	if reason == "" && end == 0 {
		c.scanned = len(within)
		return false
	}
	c.scanned = 0
	var next body
	if reason == "" {
		next, reason = framing(rest[:end])
	}
	if reason != "" {
		c.buffer = append(c.buffer[:c.judged:c.judged], malformed...)
		c.judged = len(c.buffer)
		c.refuse(reason, io.EOF)
		return false
	}
	c.judged += end
	c.body = next
	return true
}

func (c *conn) refuse(reason string, end error) {
	c.buffer = c.buffer[:c.judged]
	c.end = end
	c.refused.Store(true)
	if c.guard.Refused != nil {
		c.guard.Refused(c.RemoteAddr(), reason)
	}
}

// Close lets a refused client read its answer: closing with bytes unread
// would make TCP throw the answer away.
func (c *conn) Close() error {
	if c.refused.Load() && c.CloseWrite() == nil {
		const lingerBytes, lingerTime = 64 << 10, 250 * time.Millisecond
		_ = c.SetReadDeadline(time.Now().Add(lingerTime))
		_, _ = io.CopyN(io.Discard, c.Conn, lingerBytes)
	}
	return c.Conn.Close()
}

// CloseWrite shuts the sending side, as net/http does before it closes.
func (c *conn) CloseWrite() error { return closeWrite(c.Conn) }

func closeWrite(c net.Conn) error {
	half, ok := c.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

// NetConn is the connection underneath.
func (c *conn) NetConn() net.Conn { return c.Conn }
