package proxy_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-mcp/postern/authserver/dpop"
	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/authserver/pace"
	"github.com/postern-mcp/postern/authserver/replay"
	"github.com/postern-mcp/postern/authserver/token"
	"github.com/postern-mcp/postern/policy"
	"github.com/postern-mcp/postern/proxy"
	"github.com/postern-mcp/postern/proxy/credential"
	"github.com/postern-mcp/postern/proxy/wire"
)

const testPolicy = `
apiVersion: postern.dev/v1
kind: ToolPolicy
server: calculator
scopes:
  basic: {default: true}
  advanced: {}
  all: {implies: [basic, advanced]}
tools:
  add: {scopes: [basic]}
  power: {scopes: [advanced]}
  both: {scopes: [basic, advanced]}
  ping: {}
  hinted: {scopes: [advanced], list: step_up}
resources:
  "db://schema/**": {scopes: [basic]}
prompts:
  greet: {scopes: [basic]}
`

// clock is a time that only the test moves.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(0, c.at.Load()) }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

// issuerStand is a real issuer as a resource server sees one.
type issuerStand struct {
	*httptest.Server
	mu   sync.Mutex
	keys []jose.PrivateKey
	down atomic.Bool
	hits atomic.Int64 // fetches of the key set
	desk atomic.Value // introspection_endpoint, a string
	more sync.Map     // path → http.HandlerFunc of what a test adds
}

func newIssuer(t testing.TB) *issuerStand {
	t.Helper()
	i := &issuerStand{keys: []jose.PrivateKey{newKey(t)}}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/oauth-authorization-server", func(w http.ResponseWriter, _ *http.Request) {
		if i.down.Load() {
			http.Error(w, "away", http.StatusServiceUnavailable)
			return
		}
		desk, _ := i.desk.Load().(string)
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": i.URL, "jwks_uri": i.URL + "/jwks", "introspection_endpoint": desk})
	})
	mux.HandleFunc("/more/", func(w http.ResponseWriter, r *http.Request) {
		if serve, ok := i.more.Load(r.URL.Path); ok {
			serve.(http.HandlerFunc)(w, r)
			return
		}
		http.NotFound(w, r)
	})
	mux.HandleFunc("/jwks", func(w http.ResponseWriter, _ *http.Request) {
		i.hits.Add(1)
		i.mu.Lock()
		defer i.mu.Unlock()
		var public []jose.PublicKey
		for _, k := range i.keys {
			public = append(public, k.Public())
		}
		_ = json.NewEncoder(w).Encode(jose.NewKeySet(public...))
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

func (i *issuerStand) rotate(t *testing.T) {
	t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = []jose.PrivateKey{newKey(t)}
}

func newTransport(t *testing.T, timeout time.Duration) *http.Transport {
	t.Helper()
	way, err := proxy.NewTransport(proxy.Reach{Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	return way
}

func newKey(t testing.TB) jose.PrivateKey {
	t.Helper()
	k, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// upstreamStand records every request and answers as told.
type upstreamStand struct {
	*httptest.Server
	mu     sync.Mutex
	seen   []*http.Request
	bodies [][]byte
	answer atomic.Pointer[http.HandlerFunc]
}

func newUpstream(t *testing.T) *upstreamStand {
	t.Helper()
	u := &upstreamStand{}
	u.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{}}`)
	})
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		u.mu.Lock()
		u.seen, u.bodies = append(u.seen, r.Clone(r.Context())), append(u.bodies, body)
		u.mu.Unlock()
		(*u.answer.Load())(w, r)
	}))
	t.Cleanup(u.Close)
	return u
}

func (u *upstreamStand) answers(f http.HandlerFunc) { u.answer.Store(&f) }

func (u *upstreamStand) calls() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.seen)
}

func (u *upstreamStand) last(t *testing.T) (*http.Request, []byte) {
	t.Helper()
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.seen) == 0 {
		t.Fatal("the upstream saw no request")
	}
	return u.seen[len(u.seen)-1], u.bodies[len(u.bodies)-1]
}

// lines is an audit sink that can be broken.
type lines struct {
	mu     sync.Mutex
	buf    bytes.Buffer
	broken bool
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken {
		return 0, io.ErrShortWrite
	}
	return l.buf.Write(p)
}

func (l *lines) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Len()
}

func (l *lines) last(t *testing.T) map[string]any {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	all := strings.Split(strings.TrimSpace(l.buf.String()), "\n")
	var event map[string]any
	if err := json.Unmarshal([]byte(all[len(all)-1]), &event); err != nil {
		t.Fatalf("audit line: %v", err)
	}
	return event
}

// stand is a proxy on a real socket with everything around it.
type stand struct {
	*testing.T
	url      string // of the MCP endpoint
	base     string
	issuer   *issuerStand
	upstream *upstreamStand
	audit    *lines
	clock    *clock
	registry *prometheus.Registry
	proofKey jose.PrivateKey
	nonce    string
	handler  http.Handler
	conf     proxy.Config
}

func smallLimits() proxy.Limits {
	return proxy.Limits{
		Body: 64 << 10, BodyTime: time.Second, WriteTime: 10 * time.Second, AnswerTime: 10 * time.Second,
		InFlight: 64, SubjectInFlight: 64, SubjectStreams: 64,
	}
}

type change func(*proxy.Config)

func mode(m proxy.Mode) change { return func(c *proxy.Config) { c.Issuers[0].DPoP = m } }

func newProofs(t testing.TB, store replay.Store) *replay.Proofs {
	t.Helper()
	nonces, err := dpop.NewNonces(bytes.Repeat([]byte{7}, 32), "proxy", 5*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	proofs, err := replay.NewProofs(nonces, store, true, 5*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return proofs
}

func newStand(t *testing.T, changes ...change) *stand {
	t.Helper()
	s := &stand{T: t, issuer: newIssuer(t), upstream: newUpstream(t), audit: &lines{}, clock: &clock{}, registry: prometheus.NewRegistry(), proofKey: newKey(t)}
	s.clock.at.Store(time.Now().UnixNano())
	p, err := policy.Parse("policy.yaml", []byte(testPolicy))
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(s.upstream.URL + "/mcp")
	if err != nil {
		t.Fatal(err)
	}
	shown, err := credential.NewHeader("Authorization", "Bearer ", "upstream-secret")
	if err != nil {
		t.Fatal(err)
	}
	s.base = "http://" + ln.Addr().String()
	s.url = s.base + "/calculator/mcp"
	conf := proxy.Config{
		PublicURL: s.base,
		Issuers:   []proxy.Issuer{{URL: s.issuer.URL, DPoP: proxy.Accepted, Profile: token.RFC9068, Revocation: proxy.ByStatusList}},
		Servers: []proxy.Server{{
			Name: "calculator", Path: "/calculator/mcp", Upstream: target, Policy: p,
			Credential: shown, Transport: newTransport(t, 10*time.Second),
		}},
		Secret: bytes.Repeat([]byte{7}, 32), Proofs: newProofs(t, replay.NewMemory(1000, s.clock.now())),
		Buckets: pace.NewMemory(1000), Limits: smallLimits(),
		Audit: s.audit, Metrics: s.registry, Log: slog.New(slog.DiscardHandler), Now: s.clock.now,
	}
	for _, c := range changes {
		c(&conf)
	}
	handler, err := proxy.New(conf)
	if err != nil {
		t.Fatal(err)
	}
	s.handler, s.conf = handler, conf
	server := &http.Server{Handler: handler, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	go server.Serve(wire.Listener(ln, 32<<10))
	t.Cleanup(func() { _ = server.Close() })
	return s
}

// claims of a good token; edits change it.
func (s *stand) claims(edits ...func(*token.Claims)) token.Claims {
	now := s.clock.now()
	c := token.Claims{
		Issuer: s.issuer.URL, Subject: "alice", Audience: []string{s.url}, ClientID: "client", ID: "t1",
		Scope: []string{"basic"}, IssuedAt: now, Expiry: now.Add(5 * time.Minute),
	}
	for _, edit := range edits {
		edit(&c)
	}
	return c
}

func scopes(names ...string) func(*token.Claims) { return func(c *token.Claims) { c.Scope = names } }

func (s *stand) bound(c *token.Claims) { c.Thumbprint = s.proofKey.Public().Thumbprint() }

func (s *stand) token(edits ...func(*token.Claims)) string {
	s.Helper()
	raw, err := token.Sign(s.issuer.keys[0], s.claims(edits...))
	if err != nil {
		s.Fatal(err)
	}
	return raw
}

// proof for a POST to the endpoint with the nonce last heard.
func (s *stand) proof(access string) string { return s.proofFor(http.MethodPost, s.url, access) }

func (s *stand) proofFor(method, target, access string) string {
	s.Helper()
	uri, err := dpop.ParseTarget(target)
	if err != nil {
		s.Fatal(err)
	}
	made, err := dpop.Make(s.proofKey, s.clock.now(), method, uri, access, s.nonce)
	if err != nil {
		s.Fatal(err)
	}
	return made
}

// learnNonce asks once without, as a client does.
func (s *stand) learnNonce(access string) {
	s.Helper()
	r := s.post(toolCall("add"), "Authorization", "DPoP "+access, "DPoP", s.proof(access))
	s.nonce = r.Header.Get("DPoP-Nonce")
	if r.StatusCode != http.StatusUnauthorized || s.nonce == "" {
		s.Fatalf("no nonce was offered: %d", r.StatusCode)
	}
}

func toolCall(name string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":{"a":1}}}`, name)
}

// reply is an answer read to its end.
type reply struct {
	*http.Response
	body string
}

func (s *stand) post(body string, header ...string) reply {
	return s.do(http.MethodPost, s.url, body, header...)
}

func (s *stand) do(method, target, body string, header ...string) reply {
	s.Helper()
	req, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	if body == "" {
		req.Body = http.NoBody
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
			continue
		}
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		s.Fatal(err)
	}
	return readAll(s.T, resp)
}

func readAll(t *testing.T, resp *http.Response) reply {
	t.Helper()
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp, string(text)}
}

// raw sends bytes as they are and reads one response.
func (s *stand) raw(text string) reply {
	s.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.base, "http://"))
	if err != nil {
		s.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, text); err != nil {
		s.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		s.Fatalf("no response to %q: %v", text, err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return reply{resp, string(body)}
}

// wants holds an answer and its audit line against what is expected.
func (s *stand) wants(r reply, status int, reason string) {
	s.Helper()
	if r.StatusCode != status {
		s.Errorf("status %d, want %d; body %s", r.StatusCode, status, r.body)
	}
	event := s.audit.last(s.T)
	got, _ := event["reason"].(string)
	if got != reason {
		s.Errorf("audit reason %q, want %q", got, reason)
	}
	if event["request_id"] != r.Header.Get("X-Request-Id") {
		s.Errorf("audit request_id %v, the caller saw %q", event["request_id"], r.Header.Get("X-Request-Id"))
	}
	for _, challenge := range r.Header.Values("WWW-Authenticate") {
		if _, _, err := parseChallenge(challenge); err != nil {
			s.Errorf("challenge %q: %v", challenge, err)
		}
	}
}
