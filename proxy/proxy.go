// Package proxy puts authorization in front of MCP servers. Its laws:
//
//   - Nothing reaches an upstream before every stage has said yes, and each
//     stage takes the value only the stage before can make.
//   - What goes upstream is built anew: the received body bytes, an allow-list
//     of headers, and the proxy's own credential. No byte of the caller's
//     credential leaves.
//   - Every refusal has one reason of a closed set; the reason reaches the
//     caller, the audit line and the metric, its cause only the log.
//   - Every request leaves exactly one audit line.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"github.com/postern-mcp/postern/authserver/dpop"
	"github.com/postern-mcp/postern/authserver/token"
	"github.com/postern-mcp/postern/policy"
	"github.com/postern-mcp/postern/proxy/discovery"
	"github.com/postern-mcp/postern/proxy/mcp"
)

// Mode says whether tokens must be bound to a proof key (RFC 9449).
type Mode string

const (
	Required Mode = "required"
	Accepted Mode = "accepted"
	Off      Mode = "off"
)

// Proofs lets each verified proof through once; package replay has one.
type Proofs interface {
	// Nonce is for the caller's next proof, "" while there is none to give.
	Nonce(ctx context.Context, now time.Time) string

	// Spend refuses with *dpop.Error what must not pass; any other error says
	// that it cannot tell.
	Spend(ctx context.Context, now time.Time, proof dpop.Proof) error
}

// Issuer is an authorization server whose access tokens are accepted.
type Issuer struct {
	URL           string
	DPoP          Mode
	Profile       token.Profile
	StepUps       StepUps        // told of missing scope, or nil
	Introspection *Introspection // nil: it is never asked, and its tokens are JWTs
	Revocation    Revocation
	Feed          Feed // with ByFeed
}

// StepUps hears of a caller who was refused for missing scope, so that the
// issuer can send the person through consent when the client only refreshes.
type StepUps interface {
	StepUp(ctx context.Context, clientID, subject, resource string, scope []string) error
}

// Server is one MCP server behind the proxy.
type Server struct {
	Name       string
	Path       string            // under the public URL
	Upstream   *url.URL          // of the MCP endpoint behind
	Transport  http.RoundTripper // the way there; NewTransport has the one for HTTP
	Policy     *policy.Policy
	Audiences  []string // accepted beside the resource URL
	DPoP       Mode     // "" leaves it to the issuer
	Credential Credential
}

// Limits bound a request.
type Limits struct {
	Body     int           // bytes of one message
	BodyTime time.Duration // until the message is in
	InFlight int           // requests at a time
}

// Config is everything New needs. An empty required field is an error.
type Config struct {
	PublicURL string // scheme and host, no path
	Hosts     []string
	Origins   []string
	Issuers   []Issuer
	Servers   []Server
	Documents map[string][]byte // further public JSON documents, by path
	Secret    []byte            // ≥32 bytes: seals session ids, binds event ids
	Proofs    Proofs
	Limits    Limits
	Audit     io.Writer // one JSON line per request
	Metrics   prometheus.Registerer
	Log       *slog.Logger
	Now       func() time.Time

	// ClientCertificates says that the listener asks for them, so that tokens
	// bound to one can be used (RFC 8705).
	ClientCertificates bool
}

// Proxy is the http.Handler of the public port.
type Proxy struct {
	gate      gate
	servers   map[string]*server // by path
	metadata  map[string]*server // by well-known path
	documents map[string][]byte  // public, by path
	issuers   []*issuer
	proofs    Proofs
	limits    mcp.Limits
	bodyTime  time.Duration
	slots     chan struct{}
	memory    *semaphore.Weighted // bytes of large bodies
	audit     *audit
	metrics   *metrics
	log       *slog.Logger
	now       func() time.Time
}

// New checks the configuration and prepares everything that does not depend
// on a request. It does not call issuers or upstreams.
func New(c Config) (*Proxy, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	gate, err := newGate(c.PublicURL, c.Hosts, c.Origins)
	if err != nil {
		return nil, err
	}
	limits := mcp.DefaultLimits()
	limits.Bytes = c.Limits.Body
	p := &Proxy{
		gate: gate, servers: map[string]*server{}, metadata: map[string]*server{}, documents: c.Documents,
		proofs: c.Proofs, limits: limits, bodyTime: c.Limits.BodyTime,
		slots: make(chan struct{}, c.Limits.InFlight), memory: newMemory(c.Limits.Body),
		audit: newAudit(c.Audit), metrics: newMetrics(c.Metrics), log: c.Log, now: c.Now,
	}
	c.Metrics.MustRegister(p.inFlight())
	return p, p.mount(c)
}

func (c Config) complete() error {
	switch {
	case c.Proofs == nil:
		return errors.New("proxy: Proofs is required")
	case c.Audit == nil:
		return errors.New("proxy: Audit is required")
	case c.Metrics == nil, c.Log == nil, c.Now == nil:
		return errors.New("proxy: Metrics, Log and Now are required")
	case c.Limits.Body < 1, c.Limits.BodyTime <= 0, c.Limits.InFlight < 1:
		return errors.New("proxy: Limits are required")
	case len(c.Issuers) == 0, len(c.Servers) == 0:
		return errors.New("proxy: at least one issuer and one server are required")
	}
	return nil
}

func (p *Proxy) mount(c Config) error {
	client := discovery.NewHTTPClient()
	for _, conf := range c.Issuers {
		i, err := newIssuer(conf, client, p.log, p.now)
		if err != nil {
			return fmt.Errorf("issuer %q: %w", conf.URL, err)
		}
		p.issuers = append(p.issuers, i)
	}
	sessions, err := newSessions(c.Secret)
	if err != nil {
		return err
	}
	for _, conf := range c.Servers {
		s, err := newServer(p, conf, c, sessions)
		if err != nil {
			return fmt.Errorf("server %q: %w", conf.Name, err)
		}
		p.servers[conf.Path] = s
		p.metadata[s.resource.metadataPath] = s
	}
	return nil
}

// ServeHTTP opens the audit event, tells the story, and closes the event.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	event := p.audit.open(p.now(), r)
	out := &answer{ResponseWriter: w, event: event}
	defer p.settle(out, r, event)
	w.Header().Set("X-Request-Id", event.RequestID)
	if r.ContentLength != 0 { // net/http waits for the body of a refused request too
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(p.bodyTime)) // only a test recorder has none
	}
	if err := p.journey(out, r, event); err != nil {
		p.refuse(out, r, event, err)
	}
}

// journey is the life of a request. A returned error has not been answered yet.
func (p *Proxy) journey(w *answer, r *http.Request, event *event) error {
	visit, err := p.admit(w, r, event) // host, origin, path, room
	if err != nil || visit.answered {
		return err
	}
	defer visit.leave()
	presented, err := readCredential(visit, r.Header)
	if err != nil {
		return err
	}
	caller, err := p.verify(r, visit, presented, w.Header(), event)
	if err != nil {
		return err
	}
	call, err := p.decode(w, r, caller, event)
	if err != nil {
		return err
	}
	permit, err := decide(call, event)
	if err != nil {
		p.tell(r.Context(), err)
		return err
	}
	errand, err := equip(r, permit, event)
	if err != nil {
		return err
	}
	return p.forward(w, r, errand, event)
}

// settle writes the audit line and the metrics, whatever happened.
func (p *Proxy) settle(w *answer, r *http.Request, event *event) {
	if caught := recover(); caught != nil {
		p.caught(w, r, event, caught)
		if caught == http.ErrAbortHandler {
			defer panic(caught)
		}
	}
	event.close(p.now(), w.status)
	p.metrics.count(event)
	if err := p.audit.write(event); err != nil {
		p.log.Error("audit line not written: calls are refused until it can be", "error", err, "request_id", event.RequestID)
	}
}

func (p *Proxy) caught(w *answer, r *http.Request, event *event, caught any) {
	if caught == http.ErrAbortHandler { // the upstream or the caller broke a stream off
		event.refuse(stageForward, brokenBy(r, event))
		return
	}
	p.log.Error("panic", "value", fmt.Sprint(caught), "request_id", event.RequestID)
	if w.status == 0 {
		p.refuse(w, r, event, refused(event.Stage, reasonInternal, nil))
	}
}

func brokenBy(r *http.Request, event *event) reason {
	switch {
	case event.ended != "":
		return event.ended
	case r.Context().Err() != nil:
		return reasonCallerLeft
	}
	return reasonStreamBroken
}
