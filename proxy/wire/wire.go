// Package wire stands in front of net/http and refuses HTTP/1 requests whose
// framing two parsers could read differently: both Content-Length and
// Transfer-Encoding, repeated or odd lengths, folded header lines, bare line
// feeds, white space before a colon, chunk extensions, trailers.
package wire

import "net"

// Listener returns ln with every connection guarded. A refused request gets
// 400 and the end of the connection; no byte of it reaches the server.
func Listener(ln net.Listener, maxHeader int) net.Listener { panic("unwritten") }
