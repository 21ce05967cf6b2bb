package proxy_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-mcp/postern/authserver/token"
	"github.com/postern-mcp/postern/proxy"
)

func contextWithCancel(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	return ctx, cancel
}

func TestIssuerAway(t *testing.T) {
	s := newStand(t)
	s.issuer.down.Store(true)
	r := s.post(toolCall("add"), "Authorization", "Bearer "+s.token())
	s.wants(r, 503, "issuer_unavailable")
	if r.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	s.issuer.down.Store(false)
	s.clock.advance(3 * time.Second)
	s.wants(s.post(toolCall("add"), "Authorization", "Bearer "+s.token()), 200, "")

	s.issuer.down.Store(true) // known keys serve on
	s.clock.advance(20 * time.Minute)
	s.wants(s.post(toolCall("add"), "Authorization", "Bearer "+s.token()), 200, "")
	s.clock.advance(2 * time.Hour) // but not for ever
	s.wants(s.post(toolCall("add"), "Authorization", "Bearer "+s.token()), 503, "issuer_unavailable")
	s.issuer.down.Store(false)
	s.clock.advance(3 * time.Second)
	s.wants(s.post(toolCall("add"), "Authorization", "Bearer "+s.token()), 200, "")
}

func TestKeyRotation(t *testing.T) {
	s := newStand(t)
	old := s.token()
	s.wants(s.post(toolCall("add"), "Authorization", "Bearer "+old), 200, "")
	s.issuer.rotate(t)
	s.clock.advance(11 * time.Second)
	s.wants(s.post(toolCall("add"), "Authorization", "Bearer "+s.token()), 200, "")
	s.wants(s.post(toolCall("add"), "Authorization", "Bearer "+old), 401, "token_unknown_key") // remembered, but by keys that are gone
}

// A key that was revoked while nobody called is not good for the call that ends the silence.
func TestOldKeysAreFetchedFirst(t *testing.T) {
	s := newStand(t)
	stolen := s.token(func(c *token.Claims) { c.Expiry = c.IssuedAt.Add(time.Hour) })
	s.wants(s.post(toolCall("add"), "Authorization", "Bearer "+stolen), 200, "")
	s.issuer.rotate(t)
	s.clock.advance(11 * time.Minute)
	s.wants(s.post(toolCall("add"), "Authorization", "Bearer "+stolen), 401, "token_unknown_key")
	s.wants(s.post(toolCall("add"), "Authorization", "Bearer "+s.token()), 200, "")
}

// Tokens with invented key ids make one fetch per pause, not one per request.
func TestUnknownKeysDoNotStormTheIssuer(t *testing.T) {
	s := newStand(t)
	s.wants(s.post(toolCall("add"), "Authorization", "Bearer "+s.token()), 200, "")
	s.clock.advance(11 * time.Second)
	before := s.issuer.hits.Load()
	for range 20 {
		raw, err := token.Sign(newKey(t), s.claims())
		if err != nil {
			t.Fatal(err)
		}
		s.wants(s.post(toolCall("add"), "Authorization", "Bearer "+raw), 401, "token_unknown_key")
	}
	if n := s.issuer.hits.Load() - before; n != 1 {
		t.Errorf("%d fetches, want 1", n)
	}
}

// brokenMemory is a replay memory that cannot be asked.
type brokenMemory struct{}

func (brokenMemory) Use(context.Context, [32]byte, time.Time, time.Time, time.Time) (bool, error) {
	return true, errors.New("gone")
}
func (brokenMemory) Born(context.Context) (time.Time, error) { return time.Unix(0, 0), nil }

func TestReplayMemoryAway(t *testing.T) {
	s := newStand(t, func(c *proxy.Config) { c.Proofs = newProofs(t, brokenMemory{}) })
	access := s.token(s.bound)
	s.learnNonce(access)
	r := s.post(toolCall("add"), "Authorization", "DPoP "+access, "DPoP", s.proof(access))
	s.wants(r, 503, "replay_memory_unavailable")
	if r.Header.Get("Retry-After") == "" || s.upstream.calls() != 0 {
		t.Errorf("Retry-After %q, upstream calls %d", r.Header.Get("Retry-After"), s.upstream.calls())
	}
	s.wants(s.post(toolCall("add"), "Authorization", "Bearer "+s.token()), 200, "") // needs no memory
}

func TestAuditAway(t *testing.T) {
	s := newStand(t)
	access := s.token()
	s.wants(s.post(toolCall("add"), "Authorization", "Bearer "+access), 200, "")
	s.audit.mu.Lock()
	s.audit.broken = true
	s.audit.mu.Unlock()
	s.post(toolCall("add"), "Authorization", "Bearer "+access) // its line is lost, and noticed
	before := s.upstream.calls()
	if r := s.post(toolCall("add"), "Authorization", "Bearer "+access); r.StatusCode != 503 || s.upstream.calls() != before {
		t.Errorf("status %d: a call that cannot be recorded was carried out", r.StatusCode)
	}
	s.audit.mu.Lock()
	s.audit.broken = false
	s.audit.mu.Unlock()
	s.wants(s.post(toolCall("add"), "Authorization", "Bearer "+access), 200, "")
}

func TestBodies(t *testing.T) {
	s := newStand(t)
	access := s.token()
	call := toolCall("add")
	for _, row := range []struct {
		name, body string
		header     []string
		status     int
		code       string
	}{
		{"empty", " ", nil, 400, "-32700"},
		{"batch", "[" + call + "]", nil, 400, "-32600"},
		{"trailing", call + call, nil, 400, ""},
		{"key twice", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","name":"power"}}`, nil, 400, ""},
		{"other case", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","Name":"power"}}`, nil, 400, ""},
		{"folding", `{"jsonrpc":"2.0","id":1,"method":"tools/call","param` + "\u017f" + `":{"name":"add"},"params":{"name":"add"}}`, nil, 400, ""},
		{"lone surrogate", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add\ud800"}}`, nil, 400, ""},
		{"mirror disagrees", call, []string{"Mcp-Name", "power"}, 400, "-32020"},
		{"mirror twice", call, []string{"Mcp-Name", "add", "Mcp-Name", "add"}, 400, "-32020"},
		{"method mirror disagrees", call, []string{"Mcp-Method", "ping"}, 400, "-32020"},
		{"too large", `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"` + strings.Repeat("x", 70_000) + `"}}`, nil, 413, "-32600"},
		{"too deep", `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}}`, nil, 400, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := s.post(row.body, append([]string{"Authorization", "Bearer " + access}, row.header...)...)
			if r.StatusCode != row.status || !strings.Contains(r.body, `"code":`+row.code) {
				t.Errorf("%d %s, want %d with code %s", r.StatusCode, r.body, row.status, row.code)
			}
		})
	}
	if s.upstream.calls() != 0 {
		t.Errorf("%d bodies reached the upstream", s.upstream.calls())
	}
	for name, header := range map[string][]string{
		"no type":      {"Content-Type", ""},
		"other type":   {"Content-Type", "text/plain"},
		"other coding": {"Content-Encoding", "gzip"},
	} {
		raw := "POST /calculator/mcp HTTP/1.1\r\nHost: " + strings.TrimPrefix(s.base, "http://") + "\r\nAuthorization: Bearer " + access +
			"\r\n" + map[bool]string{true: "Content-Type: application/json\r\n"}[header[0] != "Content-Type"] + header[0] + ": " + header[1] +
			"\r\nContent-Length: " + itoa(len(call)) + "\r\n\r\n" + call
		if r := s.raw(raw); r.StatusCode != 415 {
			t.Errorf("%s: status %d, want 415", name, r.StatusCode)
		}
	}
}

// An endless or slow body ends at its bound and reaches nobody.
func TestSlowBody(t *testing.T) {
	s := newStand(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "POST /calculator/mcp HTTP/1.1\r\nHost: "+strings.TrimPrefix(s.base, "http://")+
		"\r\nAuthorization: Bearer "+s.token()+"\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"jsonrpc\"")
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 408") {
		t.Errorf("%q %v", answer, err)
	}
	if s.upstream.calls() != 0 {
		t.Error("half a body reached the upstream")
	}
}

func TestFullHouse(t *testing.T) {
	s := newStand(t, func(c *proxy.Config) { c.Limits.InFlight = 1 })
	release, inside := make(chan struct{}), make(chan struct{})
	answer := *s.upstream.answer.Load()
	access := s.token()
	s.upstream.answers(func(w http.ResponseWriter, r *http.Request) {
		close(inside)
		<-release
		answer(w, r)
	})
	done := make(chan reply)
	go func() { done <- s.post(toolCall("add"), "Authorization", "Bearer "+access) }()
	<-inside
	r := s.post(toolCall("add"), "Authorization", "Bearer "+access)
	if r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("%d", r.StatusCode)
	}
	close(release)
	if first := <-done; first.StatusCode != 200 {
		t.Errorf("the first call: %d", first.StatusCode)
	}
}

func TestNewRefusesWhatIsMissing(t *testing.T) {
	if _, err := proxy.New(proxy.Config{}); err == nil {
		t.Error("an empty configuration was accepted")
	}
	for name, leaveOut := range map[string]change{
		"proofs":               func(c *proxy.Config) { c.Proofs = nil },
		"buckets":              func(c *proxy.Config) { c.Buckets = nil },
		"audit":                func(c *proxy.Config) { c.Audit = nil },
		"time to write":        func(c *proxy.Config) { c.Limits.WriteTime = 0 },
		"time to answer":       func(c *proxy.Config) { c.Limits.AnswerTime = 0 },
		"share of a subject":   func(c *proxy.Config) { c.Limits.SubjectInFlight = 0 },
		"streams of a subject": func(c *proxy.Config) { c.Limits.SubjectStreams = 0 },
	} {
		var broken proxy.Config
		newStand(t, func(c *proxy.Config) {
			broken = *c
			broken.Metrics = prometheus.NewRegistry()
		})
		leaveOut(&broken)
		if _, err := proxy.New(broken); err == nil {
			t.Errorf("accepted without %s", name)
		}
	}
}
