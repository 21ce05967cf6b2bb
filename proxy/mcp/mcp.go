// Package mcp reads MCP messages on the wire with one meaning only: what it
// accepts, every JSON parser reads the same way.
package mcp

import (
	"io"
	"net/http"

	"github.com/postern-mcp/postern/policy"
)

// Limits bound one message. Zero fields are an error in Parse: start from DefaultLimits.
type Limits struct {
	Bytes  int // whole body
	Depth  int // nesting
	Keys   int // object members in all
	Number int // bytes of one number
}

// DefaultLimits: 4 MiB, depth 64, 20,000 keys, 1,000 bytes a number.
func DefaultLimits() Limits { panic("unwritten") }

// MessageKind tells requests, notifications and responses apart.
type MessageKind int

const (
	RequestMessage MessageKind = iota + 1
	NotificationMessage
	ResponseMessage // a client's answer to a server's request (2025-11-25 and before)
)

// Message is one accepted JSON-RPC object. Raw is exactly what was received.
type Message struct {
	Kind     MessageKind
	ID       []byte      // as sent (string or integer token), nil unless a request or response
	Method   string      // "" for a response
	Guards   policy.Kind // what policy must decide about: Tool, Resource, Prompt, or "" when a valid token is enough
	Name     string      // params.name of tools/call and prompts/get, params.uri of resources/read, …/subscribe, …/unsubscribe
	Args     []byte      // params.arguments as sent, or nil
	Protocol string      // params._meta["io.modelcontextprotocol/protocolVersion"], or ""
	Raw      []byte
}

// Error is a refusal on the wire: HTTP status, JSON-RPC code, and a reason for audit and metrics.
type Error struct {
	Status int    // 400, 413 or 415
	Code   int    // JSON-RPC error code: -32700, -32600, -32602, -32020 …
	Reason string // closed set, e.g. "body_duplicate_key"
	Public string // a sentence that tells an honest caller how to do it right
	ID     []byte // id of the refused message when it was readable, else nil
}

func (e *Error) Error() string { panic("unwritten") }

// Parse accepts exactly one JSON-RPC 2.0 object (P1–P3, P5, P12).
func Parse(body []byte, limits Limits) (Message, error) { panic("unwritten") }

// CheckContent accepts one Content-Type application/json (charset utf-8 at most) and no Content-Encoding (P6).
func CheckContent(h http.Header) error { panic("unwritten") }

// CheckMirrors compares MCP-Protocol-Version, Mcp-Method and Mcp-Name with
// the body (P9, P10; MCP 2026-07-28 transport). The headers confirm, they
// never decide: a header that is present must agree under every version; a
// missing one is refused when the message or the header says 2026-07-28.
func CheckMirrors(h http.Header, m Message) error { panic("unwritten") }

// MirrorHeaders are the values to send upstream for m, re-encoded by us (P10).
func MirrorHeaders(m Message) map[string]string { panic("unwritten") }

// Filter rewrites list results on the way back.
type Filter struct {
	Method string // tools/list, resources/list, resources/templates/list, prompts/list
	Keep   func(kind policy.Kind, name string) bool
}

// JSON rewrites one JSON-RPC response body: entries Keep refuses are taken
// out, the rest stays byte for byte, and cacheScope becomes "private" where
// the result has one or the protocol demands one. A body that cannot be read
// as the answer to the method is an error: the caller must refuse (502).
func (f Filter) JSON(body []byte, limits Limits) ([]byte, error) { panic("unwritten") }

// SSE rewrites an event stream as it passes: events that hold the response
// are filtered as by JSON, all others go through unchanged and at once.
func (f Filter) SSE(body io.ReadCloser, limits Limits) io.ReadCloser { panic("unwritten") }
