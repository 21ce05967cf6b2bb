package proxy

import (
	"strconv"
	"time"

	"github.com/postern-mcp/postern/authserver/trail"
)

// line is the event as one JSON object and a line feed. Empty members are
// left out, but for those every line has.
func (e *event) line() []byte {
	l := trail.NewLine()
	l.Always("time", e.Time.UTC().Format(time.RFC3339Nano))
	l.Always("request_id", e.RequestID)
	l.Some("server", e.Server)
	l.Always("decision", e.Decision)
	l.Always("stage", string(e.Stage))
	l.Some("reason", string(e.Reason))
	l.Int("status", int64(e.Status))
	if e.Upstream != 0 {
		l.Int("upstream_status", int64(e.Upstream))
	}
	l.Number("duration_ms", strconv.FormatFloat(e.Millis, 'f', 3, 64))
	l.Some("http_method", e.HTTPMethod)
	l.Some("method", e.Method)
	l.Some("kind", e.Kind)
	l.Some("name", e.Name)
	l.Some("issuer", e.Issuer)
	l.Some("subject", e.Subject)
	l.Some("client_id", e.ClientID)
	l.Some("token_id", e.TokenID)
	l.List("scope", e.Scope)
	l.Some("scheme", e.Scheme)
	l.Some("key_thumbprint", e.Thumbprint)
	l.List("required_scope", e.Required)
	l.Some("policy_version", e.PolicyVersion)
	l.Some("peer", e.Peer)
	if e.Unrecorded > 0 {
		l.Int("unrecorded", int64(e.Unrecorded))
	}
	return l.End()
}
