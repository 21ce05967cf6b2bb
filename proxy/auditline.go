package proxy

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// line is the event as one JSON object and a line feed. Empty members are
// left out, but for those every line has.
func (e *event) line() []byte {
	l := line{text: append(make([]byte, 0, 768), '{')}
	l.always("time", e.Time.UTC().Format(time.RFC3339Nano))
	l.always("request_id", e.RequestID)
	l.some("server", e.Server)
	l.always("decision", e.Decision)
	l.always("stage", string(e.Stage))
	l.some("reason", string(e.Reason))
	l.number("status", strconv.Itoa(e.Status))
	if e.Upstream != 0 {
		l.number("upstream_status", strconv.Itoa(e.Upstream))
	}
	l.number("duration_ms", strconv.FormatFloat(e.Millis, 'f', 3, 64))
	l.some("http_method", e.HTTPMethod)
	l.some("method", e.Method)
	l.some("kind", e.Kind)
	l.some("name", e.Name)
	l.some("issuer", e.Issuer)
	l.some("subject", e.Subject)
	l.some("client_id", e.ClientID)
	l.some("token_id", e.TokenID)
	l.list("scope", e.Scope)
	l.some("scheme", e.Scheme)
	l.some("key_thumbprint", e.Thumbprint)
	l.list("required_scope", e.Required)
	l.some("policy_version", e.PolicyVersion)
	l.some("peer", e.Peer)
	if e.Unrecorded > 0 {
		l.number("unrecorded", strconv.Itoa(e.Unrecorded))
	}
	return append(l.text, '}', '\n')
}

// line is a JSON object being written. Names are plain; values are quoted.
type line struct{ text []byte }

func (l *line) name(name string) {
	if len(l.text) > 1 {
		l.text = append(l.text, ',')
	}
	l.text = append(l.text, '"')
	l.text = append(l.text, name...)
	l.text = append(l.text, '"', ':')
}

func (l *line) always(name, value string) {
	l.name(name)
	l.quote(value)
}

func (l *line) some(name, value string) {
	if value != "" {
		l.always(name, value)
	}
}

func (l *line) number(name, value string) {
	l.name(name)
	l.text = append(l.text, value...)
}

func (l *line) list(name string, values []string) {
	if len(values) == 0 {
		return
	}
	l.name(name)
	for i, value := range values {
		l.text = append(l.text, "[,"[min(i, 1)])
		l.quote(value)
	}
	l.text = append(l.text, ']')
}

// quote writes a JSON string; what is not UTF-8 becomes U+FFFD.
func (l *line) quote(value string) {
	l.text, _ = jsontext.AppendQuote(l.text, value)
}
