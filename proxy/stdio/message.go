package stdio

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// stateless is the first protocol version without a handshake (MCP 2026-07-28).
const stateless = "2026-07-28"

const (
	protocolKey     = "io.modelcontextprotocol/protocolVersion"
	subscriptionKey = "io.modelcontextprotocol/subscriptionId"
)

var errMalformed = errors.New("stdio: not a JSON-RPC message")

// span is where a value stands in a message; the zero span is an absent value.
type span struct{ from, to int }

func (s span) absent() bool { return s.to == 0 }

// message is one JSON-RPC object and where its parts stand.
type message struct {
	raw       []byte
	id        span
	method    string
	result    span
	failed    span
	token     span   // params._meta.progressToken of a request, params.progressToken of a notification
	cancelled span   // params.requestId
	listener  span   // params._meta or result._meta: the subscription it belongs to
	uri       string // params.uri
	protocol  string // params._meta: the version of a request of 2026-07-28 and later
	folds     bool   // a key that some servers would take for the progress token
}

func (m *message) of(s span) []byte { return m.raw[s.from:s.to] }

func (m *message) isRequest() bool { return m.method != "" && !m.id.absent() }
func (m *message) isAnswer() bool  { return m.method == "" && !m.id.absent() }

// read finds the parts of raw, which must be one JSON-RPC 2.0 object without
// duplicate keys where the bridge looks.
//
// It does not check params or results beyond what the bridge needs.
func read(raw []byte) (*message, error) {
	m := &message{raw: raw}
	var version, params span
	err := members(raw, span{0, len(raw)}, func(name string, v span) error {
		switch name {
		case "jsonrpc":
			version = v
		case "id":
			m.id = v
		case "method":
			m.method = text(m.of(v))
		case "params":
			params = v
		case "result":
			m.result = v
		case "error":
			m.failed = v
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := m.check(version); err != nil {
		return nil, err
	}
	if err := m.look(params); err != nil {
		return nil, err
	}
	return m, nil
}

// check is the grammar of JSON-RPC 2.0 §4 and §5.
func (m *message) check(version span) error {
	if version.absent() || text(m.of(version)) != "2.0" {
		return errMalformed
	}
	answers := !m.result.absent() || !m.failed.absent()
	if m.method == "" && (m.id.absent() || !answers) {
		return errMalformed
	}
	if m.method != "" && answers || !m.result.absent() && !m.failed.absent() {
		return errMalformed
	}
	return nil
}

// look finds what stands deeper: in params, or in the _meta of a result.
func (m *message) look(params span) error {
	where := params
	if m.isAnswer() {
		where = m.result
	}
	if where.absent() || m.raw[where.from] != '{' {
		return nil
	}
	var meta span
	err := members(m.raw, where, func(name string, v span) error {
		switch {
		case name == "_meta":
			meta = v
		case name == "progressToken" && !m.isRequest():
			m.token = v
		case name == "requestId":
			m.cancelled = v
		case name == "uri":
			m.uri = text(m.of(v))
		}
		return nil
	})
	if err != nil || meta.absent() || m.raw[meta.from] != '{' {
		return err
	}
	return m.lookMeta(meta)
}

func (m *message) lookMeta(meta span) error {
	return members(m.raw, meta, func(name string, v span) error {
		switch {
		case name == "progressToken" && m.isRequest():
			m.token = v
		case name == protocolKey:
			m.protocol = text(m.of(v))
		case name == subscriptionKey:
			m.listener = v
		case strings.EqualFold(name, "progressToken"):
			m.folds = true
		}
		return nil
	})
}

// members hands visit each member of the object that stands at in, which must
// not name two alike. What stands deeper is the child's business: a text that
// was cut within a character is still an answer.
func members(raw []byte, in span, visit func(name string, value span) error) error {
	d := jsontext.NewDecoder(bytes.NewBuffer(raw[in.from:in.to:in.to]), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	seen := map[string]bool{}
	if open, err := d.ReadToken(); err != nil || open.Kind() != '{' {
		return errMalformed
	}
	for d.PeekKind() != '}' {
		key, err := d.ReadToken()
		if err != nil {
			return errMalformed
		}
		name := key.String()
		if seen[name] {
			return errMalformed
		}
		seen[name] = true
		value, err := d.ReadValue()
		if err != nil {
			return errMalformed
		}
		end := in.from + int(d.InputOffset())
		if err := visit(name, span{end - len(value), end}); err != nil {
			return err
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return errMalformed
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return errMalformed
	}
	return nil
}

// text is a JSON string without quotes and escapes, "" for any other value.
func text(raw []byte) string {
	if len(raw) == 0 || raw[0] != '"' {
		return ""
	}
	plain, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return ""
	}
	return string(plain)
}

// change puts text in the place of part of a message.
type change struct {
	at   span
	text []byte
}

// edited is the message with changes, everything else byte for byte. Absent
// places change nothing.
func (m *message) edited(changes ...change) []byte {
	changes = slices.DeleteFunc(changes, func(c change) bool { return c.at.absent() })
	slices.SortFunc(changes, func(a, b change) int { return a.at.from - b.at.from })
	out := make([]byte, 0, len(m.raw)+64)
	at := 0
	for _, c := range changes {
		out = append(append(out, m.raw[at:c.at.from]...), c.text...)
		at = c.at.to
	}
	return append(out, m.raw[at:]...)
}

// line is text as one line: in JSON, ends of line are white space between
// tokens and nothing else.
func line(text []byte) []byte {
	text = bytes.ReplaceAll(bytes.ReplaceAll(text, []byte{'\n'}, []byte{' '}), []byte{'\r'}, []byte{' '})
	return append(text, '\n')
}

// code is the error code of an answer, or 0.
func (m *message) code() int {
	code := 0
	if m.failed.absent() || m.raw[m.failed.from] != '{' {
		return 0
	}
	_ = members(m.raw, m.failed, func(name string, v span) error { // read before, as part of the message
		if name == "code" {
			code, _ = strconv.Atoi(string(m.of(v))) // a fraction is no code
		}
		return nil
	})
	return code
}
