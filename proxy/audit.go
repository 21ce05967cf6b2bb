package proxy

import (
	"crypto/rand"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/postern-mcp/postern/authserver/trail"
	"github.com/postern-mcp/postern/proxy/mcp"
)

// event is the audit line of one request. Who called stands in it only once
// that is proven.
type event struct {
	Time      time.Time
	RequestID string
	Server    string
	Decision  string // allow, step_up, deny, public, preflight
	Stage     stage  // the last one reached
	Reason    reason
	Status    int
	Upstream  int
	Millis    float64

	HTTPMethod string
	Method     string
	Kind       string // tool, resource, prompt
	Name       string

	Issuer     string
	Subject    string
	ClientID   string
	TokenID    string
	Scope      []string
	Scheme     string
	Thumbprint string

	Required      []string
	PolicyVersion string
	Peer          string // address of the connection
	Unrecorded    int    // refusals like this one since the last line, for which there was none

	public bool
	ended  reason // why the stream ended before its time, "" when it did not
}

// audit writes events, one JSON line each. When a line cannot be written,
// calls are refused until one can.
type audit struct{ trail *trail.Trail }

func newAudit(out io.Writer) *audit { return &audit{trail.Of(out)} }

func (a *audit) open(now time.Time, r *http.Request) *event {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	peer, _, _ := net.SplitHostPort(r.RemoteAddr)
	return &event{
		Time: now, RequestID: hex.EncodeToString(id[:]), Decision: "deny", Stage: stageAdmit,
		HTTPMethod: r.Method, Peer: peer,
	}
}

func (a *audit) write(e *event) error {
	_, err := a.trail.Write(e.line())
	return err
}

// ready tries a line of its own after a failed one.
func (a *audit) ready() error { return a.trail.Ready() }

func (e *event) identify(g *grant, s scheme) {
	c := g.claims
	e.Issuer, e.Subject, e.ClientID, e.TokenID, e.Scope = c.Issuer, c.Subject, c.ClientID, c.ID, c.Scope
	e.Thumbprint, e.Scheme = c.Thumbprint, "Bearer"
	if s == dpopScheme {
		e.Scheme = "DPoP"
	}
}

func (e *event) describe(m mcp.Message) {
	e.Method, e.Kind, e.Name = brief(m.Method), string(m.Guards), brief(m.Name)
	if len(m.Several) > 0 {
		e.Name = brief(strings.Join(m.Several, " "))
	}
}

// brief bounds what a caller can make the audit log hold.
func brief(text string) string {
	const enough = 1 << 10
	if len(text) <= enough {
		return text
	}
	return strings.ToValidUTF8(text[:enough], "") + "… (" + strconv.Itoa(len(text)) + " bytes)"
}

func (e *event) allow() { e.Decision = "allow" }

func (e *event) refuse(at stage, why reason) {
	e.Stage, e.Reason = at, why
	switch {
	case e.Decision == "allow": // and then something failed
	case why == reasonScope:
		e.Decision = "step_up"
	default:
		e.Decision = "deny"
	}
}

func (e *event) close(now time.Time, status int) {
	e.Status = status
	e.Millis = float64(now.Sub(e.Time).Microseconds()) / 1000
	if e.Reason != "" || e.Decision == "allow" {
		return
	}
	e.Decision = "preflight"
	if e.public {
		e.Decision = "public"
	}
}
