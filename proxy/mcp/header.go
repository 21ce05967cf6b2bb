package mcp

import (
	"encoding/base64"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"
)

// CheckContent accepts one Content-Type application/json (charset utf-8 at
// most) and no Content-Encoding but identity (P6). The error is an *Error.
func CheckContent(h http.Header) error {
	types := h["Content-Type"]
	if len(types) != 1 {
		return wrong("content_type")
	}
	kind, params, err := mime.ParseMediaType(types[0])
	if err != nil || kind != "application/json" {
		return wrong("content_type")
	}
	for name, value := range params {
		if name != "charset" || !strings.EqualFold(value, "utf-8") {
			return wrong("content_type")
		}
	}
	encodings := h["Content-Encoding"]
	if len(encodings) > 1 || len(encodings) == 1 && !strings.EqualFold(encodings[0], "identity") {
		return wrong("content_encoding")
	}
	return nil
}

// stateless is the first protocol version that mirrors the body in headers.
const stateless = "2026-07-28"

// modern holds for that version and everything that is not an older one.
func modern(version string) bool { return version >= stateless }

// The mirrored headers, as net/http spells them.
const (
	headerVersion = "Mcp-Protocol-Version"
	headerMethod  = "Mcp-Method"
	headerName    = "Mcp-Name"
)

// CheckMirrors compares MCP-Protocol-Version, Mcp-Method and Mcp-Name with
// the body (P9, P10; MCP 2026-07-28 streamable HTTP, Request Metadata). The
// headers confirm, they never decide: a header that is present must agree
// under every version; a missing one is refused when the message or the
// header says 2026-07-28 or something newer. The error is an *Error.
//
// It does not look at Mcp-Param-* headers.
func CheckMirrors(h http.Header, m Message) error {
	version, err := single(h, headerVersion, m.ID)
	if err != nil {
		return err
	}
	if strings.Contains(version, ",") { // P9: two values joined on the way
		return wrongFor(m.ID, "header_repeated")
	}
	method, err := single(h, headerMethod, m.ID)
	if err != nil {
		return err
	}
	name, err := single(h, headerName, m.ID)
	if err != nil {
		return err
	}
	strict := modern(version) || modern(m.Protocol)
	if strict && m.Kind == ResponseMessage {
		return wrongFor(m.ID, "message_kind")
	}
	// MCP 2026-07-28 basic, "_meta": a request without its protocol version is
	// -32602, not a mismatch.
	if modern(version) && m.Kind == RequestMessage && m.Protocol == "" {
		return wrongFor(m.ID, "params_version")
	}
	if strict {
		if err := checkPresent(h, m); err != nil {
			return err
		}
	}
	return checkAgree(h, m, version, method, name)
}

// single is the one value of a header, or "" when it is absent.
func single(h http.Header, header string, id []byte) (string, error) {
	values := h[header]
	if len(values) > 1 {
		return "", wrongFor(id, "header_repeated")
	}
	if len(values) == 0 {
		return "", nil
	}
	// RFC 9110 §5.5: visible ASCII, space and tab.
	if strings.ContainsFunc(values[0], func(r rune) bool { return r != '\t' && (r < 0x20 || r > 0x7e) }) {
		return "", wrongFor(id, "header_invalid")
	}
	return values[0], nil
}

func checkPresent(h http.Header, m Message) error {
	// "Every POST request to the MCP endpoint MUST include an MCP-Protocol-Version header."
	if len(h[headerVersion]) == 0 {
		return wrongFor(m.ID, "header_missing")
	}
	// "header requirements for notification POSTs are not defined by this revision"
	if m.Kind != RequestMessage {
		return nil
	}
	// "Mcp-Method … All requests"
	if len(h[headerMethod]) == 0 {
		return wrongFor(m.ID, "header_missing")
	}
	// "Mcp-Name … tools/call, resources/read, prompts/get requests"
	named := m.Method == "tools/call" || m.Method == "resources/read" || m.Method == "prompts/get"
	if named && len(h[headerName]) == 0 {
		return wrongFor(m.ID, "header_missing")
	}
	return nil
}

func checkAgree(h http.Header, m Message, version, method, name string) error {
	if len(h[headerVersion]) > 0 && !versionAgrees(version, m) {
		return wrongFor(m.ID, "header_mismatch")
	}
	if len(h[headerMethod]) > 0 && method != m.Method {
		return wrongFor(m.ID, "header_mismatch")
	}
	if len(h[headerName]) == 0 {
		return nil
	}
	decoded, ok := decodeName(name)
	if !ok {
		return wrongFor(m.ID, "header_invalid")
	}
	if decoded != m.mirror || decoded == "" {
		return wrongFor(m.ID, "header_mismatch")
	}
	return nil
}

// versionAgrees: bodies before 2026-07-28 carry no version, and neither do
// notifications have to.
func versionAgrees(header string, m Message) bool {
	if m.Protocol == "" {
		return header != ""
	}
	return header == m.Protocol
}

// The sentinel of MCP 2026-07-28 Value Encoding, case-sensitive.
const (
	sentinelOpen  = "=?base64?"
	sentinelClose = "?="
)

// decodeName undoes the sentinel encoding of a Mcp-Name value.
func decodeName(value string) (string, bool) {
	if !looksEncoded(value) {
		return value, true
	}
	encoded := value[len(sentinelOpen) : len(value)-len(sentinelClose)]
	decoded, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || !utf8.Valid(decoded) {
		return "", false
	}
	// P10: one spelling only.
	if base64.StdEncoding.EncodeToString(decoded) != encoded {
		return "", false
	}
	return string(decoded), true
}

func looksEncoded(value string) bool {
	return len(value) >= len(sentinelOpen)+len(sentinelClose) &&
		strings.HasPrefix(value, sentinelOpen) && strings.HasSuffix(value, sentinelClose)
}

// encodeName is the Mcp-Name value for name. What some server might take for
// a sentinel in any case of letters is encoded too (P10).
func encodeName(name string) string {
	plain := name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r < 0x20 || r > 0x7e }) &&
		strings.Trim(name, " ") == name && !strings.HasPrefix(strings.ToLower(name), sentinelOpen)
	if plain {
		return name
	}
	return sentinelOpen + base64.StdEncoding.EncodeToString([]byte(name)) + sentinelClose
}

// MirrorHeaders are the values to send upstream for m, re-encoded by us (P10):
// what of Mcp-Protocol-Version, Mcp-Method and Mcp-Name the body itself says.
func MirrorHeaders(m Message) map[string]string {
	headers := map[string]string{}
	if m.Protocol != "" {
		headers[headerVersion] = m.Protocol
	}
	if m.Method != "" {
		headers[headerMethod] = m.Method
	}
	if m.mirror != "" {
		headers[headerName] = encodeName(m.mirror)
	}
	return headers
}
