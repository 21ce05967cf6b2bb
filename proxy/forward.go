package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"time"

	"github.com/postern-mcp/postern/authserver/token"
	"github.com/postern-mcp/postern/policy"
	"github.com/postern-mcp/postern/proxy/mcp"
)

// carried are the caller's headers that go upstream. Everything else is left
// behind: credentials, cookies, hop-by-hop, forwarding and identity headers
// in whatever spelling.
var carried = map[string]bool{
	"Accept":               true,
	"Accept-Language":      true,
	"Content-Type":         true,
	"Mcp-Protocol-Version": true,
	"Traceparent":          true,
	"Tracestate":           true,
	"User-Agent":           true,
}

// returned are the upstream's headers that a caller sees. Everything else
// would speak for the proxy, or to the caller's browser.
var returned = map[string]bool{
	"Content-Encoding":     true,
	"Content-Language":     true,
	"Content-Length":       true,
	"Content-Type":         true,
	"Date":                 true,
	"Mcp-Protocol-Version": true,
	"Retry-After":          true,
	"Vary":                 true,
	"X-Accel-Buffering":    true,
}

// trip is an errand on its way, and what went wrong with it.
type trip struct {
	errand errand
	event  *event
	header http.Header // what the upstream gets
	answer http.Header
	own    http.Header // what stood in answer when the trip began
	failed error
	end    context.CancelCauseFunc // with a refusal, before its time
	closed func()                  // gives back the place of a stream; nil while there is none
}

// restore puts back what httputil clears after an informational answer.
func (t *trip) restore() { maps.Copy(t.answer, t.own) }

type tripKey struct{}

// newOnward builds the way to one upstream.
func newOnward(p *Proxy, conf Server) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport:     presenter{conf.Transport},
		FlushInterval: 0, // event streams are flushed at once by httputil
		BufferPool:    newBuffers(),
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.Out.URL, pr.Out.Host = conf.Upstream, ""
			t := pr.In.Context().Value(tripKey{}).(*trip)
			pr.Out.Header = t.header
			setBody(pr.Out, t.errand.permit.call.message.Raw)
		},
		ModifyResponse: func(resp *http.Response) error {
			return p.bringBack(resp, resp.Request.Context().Value(tripKey{}).(*trip))
		},
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) {
			t := r.Context().Value(tripKey{}).(*trip)
			t.failed = err
			t.restore()
		},
		ErrorLog: slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
	}
}

// forward sends the errand and streams the answer. An error means that
// nothing was answered yet.
func (p *Proxy) forward(w *answer, r *http.Request, e errand, event *event) error {
	event.Stage = stageForward
	t := &trip{errand: e, event: event, header: outgoing(r, e, event), answer: w.Header(), own: maps.Clone(w.Header())}
	c := e.permit.call
	if c.listens(r.Method) && !p.openStream(t) {
		return c.placed(refused(stageForward, reasonSubjectStreams, nil))
	}
	defer t.close()
	event.allow()
	s := c.caller.visit.server
	ctx, done := p.bounded(context.WithValue(r.Context(), tripKey{}, t), t, r.Method)
	defer done()
	onward := r.WithContext(ctx)
	onward.Header = http.Header{} // nothing of the caller's is there to be carried over
	s.onward.ServeHTTP(w, onward)
	w.finish() // before the places of this call are free again
	if t.failed == nil {
		return nil
	}
	if r.Context().Err() != nil {
		return c.placed(refused(stageForward, reasonCallerLeft, t.failed))
	}
	if ended := endedBy(ctx); ended != nil {
		return c.placed(ended)
	}
	return c.placed(upstreamRefusal(t.failed))
}

// bounded ends streams that only listen with the token that opened them, or
// when that is revoked. A call that was allowed may finish.
func (p *Proxy) bounded(ctx context.Context, t *trip, method string) (context.Context, func()) {
	ctx, end := context.WithCancelCause(ctx)
	t.end = end
	done := func() {
		if why := endedBy(ctx); why != nil {
			t.event.ended = why.reason
		}
		end(nil)
	}
	c := t.errand.permit.call
	if !c.listens(method) {
		return ctx, done
	}
	left := c.caller.grant.claims.Expiry.Add(tokenLeeway).Sub(p.now())
	expiry := time.AfterFunc(left, func() { end(refused(stageForward, reason(token.Expired), nil)) })
	go p.watch(ctx, c.caller, end)
	return ctx, func() {
		expiry.Stop()
		done()
	}
}

// endedBy is why the proxy ended a trip, or nil when it did not.
func endedBy(ctx context.Context) *refusal {
	var why *refusal
	_ = errors.As(context.Cause(ctx), &why)
	return why
}

// outgoing builds the header of the outgoing request from nothing but what is
// meant to go.
func outgoing(r *http.Request, e errand, event *event) http.Header {
	c := e.permit.call
	header := make(http.Header, 12)
	for name, values := range r.Header {
		if carried[name] || isParam(name) {
			header[name] = values
		}
	}
	if c.after != "" {
		header["Last-Event-Id"] = []string{c.after}
	}
	if c.session != "" {
		header["Mcp-Session-Id"] = []string{c.session}
	}
	for name, value := range mirrors(c.message) {
		header[name] = []string{value}
	}
	for name, values := range e.shown {
		header[name] = values
	}
	header["Accept-Encoding"] = []string{"identity"}
	header["X-Request-Id"] = []string{event.RequestID}
	if _, sent := header["User-Agent"]; !sent {
		header["User-Agent"] = []string{"postern"}
	}
	return header
}

// mirrors are Mcp-Method and Mcp-Name as this proxy reads the body.
func mirrors(m mcp.Message) map[string]string {
	if m.Raw == nil {
		return nil
	}
	return mcp.MirrorHeaders(m)
}

func setBody(out *http.Request, raw []byte) {
	out.TransferEncoding, out.Trailer = nil, nil
	out.ContentLength = int64(len(raw))
	if len(raw) == 0 {
		out.Body, out.GetBody = http.NoBody, nil
		return
	}
	out.Body = io.NopCloser(bytes.NewReader(raw))
	out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil }
}

// bringBack prepares the upstream's answer for the caller.
func (p *Proxy) bringBack(resp *http.Response, t *trip) error {
	t.event.Upstream = resp.StatusCode
	t.restore()
	c := t.errand.permit.call
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusProxyAuthRequired {
		return refused(stageForward, reasonUpstreamRefuses, errors.New(resp.Status))
	}
	// A client that follows would carry its token, or the call, elsewhere.
	if resp.StatusCode == http.StatusSwitchingProtocols || resp.StatusCode/100 == 3 {
		return refused(stageForward, reasonUpstreamAnswer, errors.New(resp.Status))
	}
	session := resp.Header.Get("Mcp-Session-Id")
	maps.DeleteFunc(resp.Header, func(name string, _ []string) bool { return !returned[name] })
	if !c.modern {
		if sealed := c.caller.visit.server.sessions.wrap(session, c.caller); sealed != "" {
			resp.Header.Set("Mcp-Session-Id", sealed)
		}
	}
	resp.Trailer = nil
	resp.Header.Set("Cache-Control", "no-store")
	p.hold(resp, t)
	return p.filter(resp, c)
}

// filter rewrites list results, in JSON and in event streams alike, and the
// event ids of streams that can be resumed. A GET stream may replay any
// answer, and both kinds of listening bring news of resources, so they are
// filtered too.
func (p *Proxy) filter(resp *http.Response, c call) error {
	kind := mediaType(resp)
	filter, lists := c.filter(resp.Request.Method)
	resumable := kind == eventStream && !c.modern
	if !lists && !resumable || resp.StatusCode == http.StatusAccepted || resp.StatusCode == http.StatusNoContent {
		return nil
	}
	if encoding := resp.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" { // P7
		return refused(stageFilter, reasonUpstreamAnswer, errors.New("upstream compresses a list or a stream: "+encoding))
	}
	switch kind {
	case eventStream:
		if resumable {
			resp.Body = mcp.EventIDs(resp.Body, c.caller.visit.server.sessions.eventIDs(c.caller).wrap)
		}
		if lists {
			resp.Body = filter.SSE(resp.Body, p.limits)
		}
		resp.Header.Del("Content-Length")
		resp.ContentLength = -1
		return nil
	case "application/json":
		return p.filterJSON(resp, filter, c.caller.visit.share)
	default:
		if resp.StatusCode >= 400 {
			return nil
		}
		return refused(stageFilter, reasonUpstreamAnswer, errors.New("a list of type "+kind))
	}
}

// filterJSON holds a list and what is kept of it in memory, both within the share.
func (p *Proxy) filterJSON(resp *http.Response, f mcp.Filter, memory *share) error {
	body, err := memory.readList(io.LimitReader(resp.Body, int64(listLimit)+1))
	_ = resp.Body.Close()
	if err != nil {
		return err
	}
	limits := p.limits
	limits.Bytes, limits.Keys = listLimit, listLimit/8
	kept, err := f.JSON(body, limits)
	if err != nil {
		return refused(stageFilter, reasonUpstreamAnswer, err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(kept))
	resp.ContentLength = int64(len(kept))
	resp.Header.Del("Content-Length")
	return nil
}

const listLimit = 64 << 20 // bytes of one list an upstream may answer

// filter is the list filter of this call, if its answer can hold a list, or
// news of resources: what was subscribed to may have parts that need more.
func (c call) filter(method string) (mcp.Filter, bool) {
	m, s, scope := c.message, c.caller.visit.server, c.caller.grant.claims.Scope
	list := ""
	switch m.Method {
	case "tools/list", "resources/list", "resources/templates/list", "prompts/list":
		list = m.Method
	default:
		if !c.listens(method) {
			return mcp.Filter{}, false
		}
	}
	filter := mcp.Filter{
		Method: list,
		Keep: func(kind policy.Kind, name string) bool {
			return s.policy.Lists(policy.Request{Kind: kind, Name: name, Scope: scope})
		},
		KeepTemplate: func(uriTemplate string) bool { return s.policy.ListsTemplate(uriTemplate, scope) },
	}
	if s.policy.TellsScopes() {
		filter.Schemes = s.schemes
	}
	return filter, true
}

// schemes is a tool's securitySchemes (SEP-1488): what a client should ask the
// issuer for before the first call.
func (s *server) schemes(tool string) []byte {
	text, err := json.Marshal([]toolScheme{{Type: "oauth2", Scopes: append([]string{}, s.policy.Required(policy.Tool, tool)...)}})
	if err != nil {
		return []byte("[]") // unreachable: scopes are plain text
	}
	return text
}

type toolScheme struct {
	Type   string   `json:"type"`
	Scopes []string `json:"scopes"`
}

func upstreamRefusal(err error) *refusal {
	var why *refusal
	if errors.As(err, &why) {
		return why
	}
	if errors.Is(err, ErrBusy) {
		return refused(stageForward, reasonUpstreamBusy, err)
	}
	if errors.Is(err, ErrStarting) {
		return refused(stageForward, reasonUpstreamStarts, err)
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return refused(stageForward, reasonUpstreamSlow, err)
	}
	return refused(stageForward, reasonUpstreamDown, err)
}
