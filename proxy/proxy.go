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
	"golang.org/x/time/rate"

	"github.com/postern-mcp/postern/authserver/dpop"
	"github.com/postern-mcp/postern/authserver/pace"
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

	// SubjectInFlight bounds the requests of one subject at this server at a
	// time, beside Limits: for servers that take few. 0 is no further bound.
	SubjectInFlight int
}

// Limits bound requests and answers. None may be zero but those of Rates.
type Limits struct {
	Body            int           // bytes of one message
	BodyTime        time.Duration // until the message is in
	WriteTime       time.Duration // until a caller has taken one piece of its answer
	AnswerTime      time.Duration // between two pieces of an upstream's answer that is no event stream
	InFlight        int           // requests at a time
	SubjectInFlight int           // of one subject
	SubjectStreams  int           // of those, streams; beyond it none are opened
	Rates           Rates
}

func (l Limits) complete() bool {
	return l.Body > 0 && l.BodyTime > 0 && l.WriteTime > 0 && l.AnswerTime > 0 &&
		l.InFlight > 0 && l.SubjectInFlight > 0 && l.SubjectStreams > 0
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
	Buckets   Buckets // for the rates of Limits and of policies
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
	bounds    Limits
	slots     chan struct{}
	requests  *tally // in flight, by subject
	streams   *tally // open, by subject
	buckets   Buckets
	here      *pace.Memory        // counts what each process counts alone
	memory    *semaphore.Weighted // bytes of large bodies
	audit     *audit
	metrics   *metrics
	framing   framingLog
	log       *slog.Logger
	now       func() time.Time
}

const bucketsHere = 500_000 // subjects that SubjectHere is counted for

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
		proofs: c.Proofs, limits: limits, bounds: c.Limits,
		slots: make(chan struct{}, c.Limits.InFlight), memory: newMemory(c.Limits.Body), buckets: c.Buckets, here: pace.NewMemory(bucketsHere),
		requests: newTally(c.Limits.SubjectInFlight), streams: newTally(c.Limits.SubjectStreams),
		audit: newAudit(c.Audit), metrics: newMetrics(c.Metrics), log: c.Log, now: c.Now,
	}
	p.framing.lines = rate.NewLimiter(framingLines, framingLines)
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
	case c.Buckets == nil:
		return errors.New("proxy: Buckets is required")
	case !c.Limits.complete():
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
	out := newAnswer(w, r, p.bounds.WriteTime)
	defer p.settle(out, r, event)
	w.Header().Set("X-Request-Id", event.RequestID)
	if r.ContentLength != 0 { // net/http waits for the body of a refused request too
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(p.bounds.BodyTime)) // only a test recorder has none
	}
	if err := p.journey(out, r, event); err != nil {
		p.refuse(out, r, event, err)
	}
	out.finish()
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
	guest, err := p.seat(caller, event)
	if err != nil {
		return err
	}
	defer guest.leave()
	call, err := p.decode(w, r, guest, event)
	if err != nil {
		return err
	}
	paced, err := p.pace(r, call, event)
	if err != nil {
		return err
	}
	permit, err := decide(paced, event)
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
		event.refuse(stageForward, brokenBy(w, r, event))
		return
	}
	p.log.Error("panic", "value", fmt.Sprint(caught), "request_id", event.RequestID)
	if w.status == 0 {
		p.refuse(w, r, event, refused(event.Stage, reasonInternal, nil))
	}
}

func brokenBy(w *answer, r *http.Request, event *event) reason {
	switch {
	case event.ended != "":
		return event.ended
	case w.slow:
		return reasonCallerSlow
	case r.Context().Err() != nil:
		return reasonCallerLeft
	}
	return reasonStreamBroken
}
