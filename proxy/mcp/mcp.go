// Package mcp reads MCP messages on the wire with one meaning only: what it
// accepts, every JSON parser reads the same way.
//
// Laws: nothing is repaired, what is not certain is refused; the bytes that
// were judged are the bytes that are passed on; headers confirm the body and
// decide nothing.
package mcp

import "github.com/postern-mcp/postern/policy"

// Limits bound one message. Zero fields are an error in Parse: start from DefaultLimits.
type Limits struct {
	Bytes  int // whole body
	Depth  int // nesting, 1 being the message itself
	Keys   int // object members in all
	Number int // bytes of one number
}

// DefaultLimits: 4 MiB, depth 64, 20,000 keys, 1,000 bytes a number.
func DefaultLimits() Limits {
	return Limits{Bytes: 4 << 20, Depth: 64, Keys: 20_000, Number: 1000}
}

// MessageKind tells requests, notifications and responses apart.
type MessageKind int

const (
	RequestMessage MessageKind = iota + 1
	NotificationMessage
	ResponseMessage // a client's answer to a server's request (2025-11-25 and before)
)

// Message is one accepted JSON-RPC object. Raw is exactly what was received;
// ID and Args are parts of it.
type Message struct {
	Kind     MessageKind
	ID       []byte      // as sent (string or integer token), nil unless a request or response
	Method   string      // visible ASCII; "" for a response
	Guards   policy.Kind // what policy must decide about: Tool, Resource, Prompt, or "" when a valid token is enough
	Name     string      // what Guards is about: a tool, a prompt, or a resource URI; "", which no policy allows, when there are Several
	Several  []string    // all resource URIs of a subscriptions/listen that names more than one: each needs its own decision
	Args     []byte      // params.arguments of tools/call and prompts/get as sent, or nil
	Protocol string      // params._meta["io.modelcontextprotocol/protocolVersion"], or ""
	Raw      []byte

	mirror string // what Mcp-Name confirms, or ""
}
