package mcp

import (
	"strconv"
	"strings"

	"github.com/postern-mcp/postern/policy"
)

// The keys that mean something to us, by the object they stand in.
var (
	messageKeys = names("jsonrpc", "id", "method", "params", "result", "error")
	paramsKeys  = names("name", "uri", "taskId", "arguments", "_meta", "ref", "notifications")
	metaKeys    = names(protocolKey)
	refKeys     = names("type", "name", "uri")
	listenKeys  = names("resourceSubscriptions")
)

const protocolKey = "io.modelcontextprotocol/protocolVersion"

// envelope is a message as found, before it is judged.
type envelope struct {
	version, id, method    value
	params, result, failed value

	name, uri, task, args, meta, protocol value
	ref, refType, refName, refURI         value
	listen, subscriptions                 value
	subscribed                            []value
}

// Parse accepts exactly one JSON-RPC 2.0 object (P1–P3, P5, P12) in one pass.
// The error is an *Error.
//
// It does not check whether the method exists, nor params beyond what a
// policy decision needs.
func Parse(body []byte, limits Limits) (Message, error) {
	s, err := scan(body, limits)
	if err != nil {
		return Message{}, err
	}
	defer s.release()
	var e envelope
	top, err := s.object(messageKeys, func(name []byte) error { return e.member(s, name) })
	if err != nil {
		return Message{}, err
	}
	if top.kind != '{' {
		return Message{}, wrong("body_not_object")
	}
	if err := s.finish(); err != nil {
		return Message{}, err
	}
	return e.judge(body)
}

func (e *envelope) member(s *scanner, name []byte) (err error) {
	switch string(name) {
	case "jsonrpc":
		e.version, err = s.read()
	case "id":
		e.id, err = s.read()
	case "method":
		e.method, err = s.read()
	case "params":
		e.params, err = s.object(paramsKeys, func(name []byte) error { return e.param(s, name) })
	case "result":
		e.result, err = s.read()
	case "error":
		e.failed, err = s.read()
	default:
		err = s.skip()
	}
	return err
}

func (e *envelope) param(s *scanner, name []byte) (err error) {
	switch string(name) {
	case "name":
		e.name, err = s.read()
	case "uri":
		e.uri, err = s.read()
	case "taskId":
		e.task, err = s.read()
	case "arguments":
		e.args, err = s.read()
	case "_meta":
		e.meta, err = s.object(metaKeys, func(name []byte) error { return e.metaMember(s, name) })
	case "ref":
		e.ref, err = s.object(refKeys, func(name []byte) error { return e.refMember(s, name) })
	case "notifications":
		e.listen, err = s.object(listenKeys, func(name []byte) error { return e.listenMember(s, name) })
	default:
		err = s.skip()
	}
	return err
}

func (e *envelope) metaMember(s *scanner, name []byte) (err error) {
	if string(name) != protocolKey {
		return s.skip()
	}
	e.protocol, err = s.read()
	return err
}

func (e *envelope) refMember(s *scanner, name []byte) (err error) {
	switch string(name) {
	case "type":
		e.refType, err = s.read()
	case "name":
		e.refName, err = s.read()
	case "uri":
		e.refURI, err = s.read()
	default:
		err = s.skip()
	}
	return err
}

func (e *envelope) listenMember(s *scanner, name []byte) (err error) {
	if string(name) != "resourceSubscriptions" {
		return s.skip()
	}
	e.subscriptions, err = s.array(func() error {
		uri, err := s.read()
		e.subscribed = append(e.subscribed, uri)
		return err
	})
	return err
}

// judge turns what was found into a Message, or says what is wrong with it.
func (e *envelope) judge(body []byte) (Message, error) {
	id := e.id.raw
	// MCP basic §Requests: "Requests MUST include a string or integer ID", never null.
	if !e.id.absent() && !validID(e.id) {
		return Message{}, wrong("message_id")
	}
	// JSON-RPC 2.0 §4: jsonrpc MUST be exactly "2.0".
	if e.version.kind != '"' || e.version.text != "2.0" {
		return Message{}, wrongFor(id, "message_version")
	}
	kind, reason := e.kind()
	if reason != "" {
		return Message{}, wrongFor(id, reason)
	}
	m := Message{Kind: kind, ID: id, Raw: body}
	if kind == ResponseMessage {
		return m, nil
	}
	if reason := e.judgeCall(&m); reason != "" {
		return Message{}, wrongFor(id, reason)
	}
	return m, nil
}

// validID: a string, or an integer that every JSON parser holds exactly.
func validID(id value) bool {
	if id.kind == '"' {
		return true
	}
	const maxSafe = 1<<53 - 1
	n, err := strconv.ParseInt(string(id.raw), 10, 64)
	return id.kind == '0' && err == nil && n >= -maxSafe && n <= maxSafe && string(id.raw) != "-0"
}

func (e *envelope) kind() (MessageKind, string) {
	answers := !e.result.absent() || !e.failed.absent()
	switch {
	case !e.method.absent() && answers:
		return 0, "message_shape"
	case !e.method.absent() && e.id.absent():
		return NotificationMessage, ""
	case !e.method.absent():
		return RequestMessage, ""
	case !answers:
		return 0, "message_method"
	// JSON-RPC 2.0 §5: either result or error, and the id of the request.
	case !e.result.absent() && !e.failed.absent(), e.id.absent(), !e.params.absent():
		return 0, "message_shape"
	case !e.result.isObject(), !e.failed.isObject():
		return 0, "message_shape"
	}
	return ResponseMessage, ""
}

// judgeCall fills in the parts of a request or notification; it returns the
// reason why it cannot, or "".
func (e *envelope) judgeCall(m *Message) string {
	if e.method.kind != '"' || !validMethod(e.method.text) {
		return "message_method"
	}
	m.Method = e.method.text
	if !e.params.isObject() {
		return "params_type"
	}
	if !e.meta.isObject() {
		return "params_meta"
	}
	if !e.protocol.absent() && (e.protocol.kind != '"' || !visible(e.protocol.text)) {
		return "params_meta"
	}
	m.Protocol = e.protocol.text
	if reason := e.guard(m); reason != "" {
		return reason
	}
	if m.Method != "tools/call" && m.Method != "prompts/get" {
		return ""
	}
	if !e.args.isObject() {
		return "params_arguments"
	}
	m.Args = e.args.raw
	return ""
}

// guard says what policy must decide about.
func (e *envelope) guard(m *Message) string {
	switch m.Method {
	case "tools/call":
		m.mirror = e.name.text
		return m.guards(policy.Tool, e.name)
	case "prompts/get":
		m.mirror = e.name.text
		return m.guards(policy.Prompt, e.name)
	case "resources/subscribe", "resources/unsubscribe":
		if modern(m.Protocol) { // MCP 2026-07-28 has neither: SEP-2575
			return "method_removed"
		}
		m.mirror = e.uri.text
		return m.guards(policy.Resource, e.uri)
	case "resources/read":
		m.mirror = e.uri.text
		return m.guards(policy.Resource, e.uri)
	case "completion/complete":
		return e.guardRef(m)
	case "subscriptions/listen":
		return e.guardListen(m)
	}
	m.mirror = firstText(e.name, e.uri, e.task)
	return ""
}

func (m *Message) guards(kind policy.Kind, name value) string {
	if name.kind != '"' || name.text == "" {
		return "params_name"
	}
	m.Guards, m.Name = kind, name.text
	return ""
}

// guardRef: completing the arguments of a prompt or resource template needs
// what using it needs.
func (e *envelope) guardRef(m *Message) string {
	if e.ref.kind != '{' {
		return "params_ref"
	}
	switch e.refType.text {
	case "ref/prompt":
		return m.guards(policy.Prompt, e.refName)
	case "ref/resource":
		return m.guards(policy.Resource, e.refURI)
	}
	return "params_ref"
}

// guardListen: a subscription to a resource needs what reading it needs
// (MCP 2026-07-28 subscriptions/listen, resourceSubscriptions).
func (e *envelope) guardListen(m *Message) string {
	if !e.listen.isObject() {
		return "params_type"
	}
	if !e.subscriptions.absent() && e.subscriptions.kind != '[' {
		return "params_name"
	}
	for _, uri := range e.subscribed {
		if reason := m.guards(policy.Resource, uri); reason != "" {
			return reason
		}
		m.Several = append(m.Several, uri.text)
	}
	if len(m.Several) == 1 {
		m.Several = nil
		return ""
	}
	m.Name = ""
	return ""
}

func firstText(values ...value) string {
	for _, v := range values {
		if v.text != "" {
			return v.text
		}
	}
	return ""
}

// exact are the methods that are decided or whose answers are filtered.
var exact = []string{
	"tools/call", "prompts/get", "completion/complete", "subscriptions/listen",
	"resources/read", "resources/subscribe", "resources/unsubscribe",
	"tools/list", "prompts/list", "resources/list", "resources/templates/list",
}

// validMethod refuses names that a lax server could take for one of those.
func validMethod(method string) bool {
	if !visible(method) {
		return false
	}
	for _, known := range exact {
		if method != known && strings.EqualFold(method, known) {
			return false
		}
	}
	return true
}

// visible: one or more ASCII characters that can be seen, so that the text can
// stand in a header and in a log line.
func visible(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r < 0x21 || r > 0x7e })
}
