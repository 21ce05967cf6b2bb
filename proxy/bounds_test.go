package proxy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/proxy"
)

// dial sends the head of a POST by hand, and as much of its body as given.
func (s *stand) dial(header, body string) net.Conn {
	s.Helper()
	address := strings.TrimPrefix(s.base, "http://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { conn.Close() })
	if _, err := fmt.Fprintf(conn, "POST /calculator/mcp HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n%s\r\n\r\n%s", address, header, body); err != nil {
		s.Fatal(err)
	}
	return conn
}

// A caller without a token must not be able to hold a connection by never
// sending the body it announced.
func TestUnprovenCallersBodyIsNotWaitedFor(t *testing.T) {
	s := newStand(t)
	for name, header := range map[string]string{
		"no token":      "Content-Length: 1000",
		"garbage token": "Authorization: Bearer garbage\r\nContent-Length: 1000",
		"chunks":        "Transfer-Encoding: chunked",
	} {
		t.Run(name, func(t *testing.T) {
			conn := s.dial(header, "")
			_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
			answer, err := io.ReadAll(conn)
			if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 401") {
				t.Errorf("%q %v", answer, err)
			}
		})
	}
}

// Large bodies in transit are bounded together; small ones always find room.
func TestLargeBodiesShareOneMemory(t *testing.T) {
	const limit = 128 << 10
	s := newStand(t, func(c *proxy.Config) {
		c.Limits.Body, c.Limits.BodyTime, c.Limits.InFlight, c.Limits.SubjectInFlight = limit, time.Minute, 200, 200
	})
	access := s.token()
	authorization := "Authorization: Bearer " + access + "\r\n"
	large := `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"` + strings.Repeat("x", 100<<10) + `"}}`
	ask := func(body io.Reader) reply {
		req, err := http.NewRequest("POST", s.url, body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+access)
		req.Header.Set("Content-Type", "application/json")
		return s.send(req)
	}
	unknown := func(text string) io.Reader { return io.MultiReader(strings.NewReader(text)) } // goes in chunks
	s.wants(ask(unknown(large)), 200, "")
	var stuck []net.Conn
	s.eventually("no room for a large body", func() bool {
		for len(stuck) < 64 {
			stuck = append(stuck, s.dial(authorization+fmt.Sprintf("Content-Length: %d", limit), "{"))
		}
		if ask(strings.NewReader(large)).StatusCode == 503 {
			return true
		}
		// The question itself may have taken the room of one that should be stuck.
		stuck = append(stuck, s.dial(authorization+fmt.Sprintf("Content-Length: %d", limit), "{"))
		return false
	})
	s.wants(ask(unknown(large)), 503, "too_many_in_flight")
	s.wants(s.post(toolCall("add"), "Authorization", "Bearer "+access), 200, "")
	for _, conn := range stuck {
		conn.Close()
	}
	s.eventually("room again", func() bool { return ask(unknown(large)).StatusCode == 200 })
}

func (s *stand) send(req *http.Request) reply {
	s.Helper()
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	return reply{resp, string(text)}
}

func (s *stand) eventually(what string, holds func() bool) {
	s.Helper()
	for range 1000 {
		if holds() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.Fatal("never: " + what)
}

// An upstream's informational answers would carry its headers past the filter,
// and httputil forgets the proxy's own behind them.
func TestInformationalAnswersStayBehind(t *testing.T) {
	s := newStand(t, func(c *proxy.Config) { c.Origins = []string{"https://app.example"} })
	answer := *s.upstream.answer.Load()
	for name, status := range map[string]int{"answered": 200, "refused": 401} {
		t.Run(name, func(t *testing.T) {
			s.upstream.answers(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("WWW-Authenticate", "Bearer from-the-upstream")
				w.WriteHeader(http.StatusEarlyHints)
				w.Header().Del("WWW-Authenticate")
				if status != 200 {
					w.WriteHeader(status)
					return
				}
				answer(w, r)
			})
			req, err := http.NewRequest("POST", s.url, strings.NewReader(toolCall("add")))
			if err != nil {
				t.Fatal(err)
			}
			req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
				Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
					t.Errorf("%d reaches the caller: %v", code, header)
					return nil
				},
			}))
			for name, value := range map[string]string{"Authorization": "Bearer " + s.token(), "Content-Type": "application/json", "Origin": "https://app.example"} {
				req.Header.Set(name, value)
			}
			r := s.send(req)
			if r.Header.Get("X-Request-Id") == "" || r.Header.Get("Access-Control-Allow-Origin") != "https://app.example" {
				t.Errorf("the proxy's own headers are gone: %v", r.Header)
			}
			if strings.Contains(fmt.Sprint(r.Header), "from-the-upstream") {
				t.Errorf("the upstream's reach the caller: %v", r.Header)
			}
		})
	}
}

// A client that follows a redirect would carry its call, or its token, away.
func TestUpstreamCannotSendTheCallerElsewhere(t *testing.T) {
	s := newStand(t)
	for _, status := range []int{300, 301, 302, 303, 304, 305, 307, 308} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			s.upstream.answers(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "https://evil.example/")
				w.WriteHeader(status)
			})
			r := s.post(toolCall("add"), "Authorization", "Bearer "+s.token())
			s.wants(r, 502, "upstream_answer_unreadable")
			if strings.Contains(fmt.Sprint(r.Header), "evil.example") {
				t.Errorf("headers %v", r.Header)
			}
		})
	}
	s.upstream.answers(func(w http.ResponseWriter, _ *http.Request) {
		for _, name := range []string{"Location", "Refresh", "Clear-Site-Data", "X-Accel-Redirect", "X-Sendfile"} {
			w.Header().Set(name, "evil.example")
		}
		w.WriteHeader(http.StatusAccepted)
	})
	if r := s.post(toolCall("add"), "Authorization", "Bearer "+s.token()); strings.Contains(fmt.Sprint(r.Header), "evil.example") {
		t.Errorf("headers %v", r.Header)
	}
}

// A caller names things; the audit log says what, in bounded space, on one line.
func TestAuditLineIsBounded(t *testing.T) {
	s := newStand(t)
	access := s.token()
	long := strings.Repeat("é", 20_000)
	for _, row := range []struct{ name, body, want string }{
		{"a long name", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + long + `"}}`, strings.Repeat("é", 512) + "… (40000 bytes)"},
		{"line breaks", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a\r\n{\"decision\":\"allow\"}\u2028\u001b[2J"}}`, "a\r\n{\"decision\":\"allow\"}\u2028\x1b[2J"},
		{"several names", `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["db://schema/a","db://other/b"]}}}`, "db://schema/a db://other/b"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s.wants(s.post(row.body, "Authorization", "Bearer "+access), 200, "name_unknown")
			if got := s.audit.last(t)["name"]; got != row.want {
				t.Errorf("name %q\nwant %q", got, row.want)
			}
		})
	}
}

// tornSink takes half of one line and then nothing, like a full disk.
type tornSink struct {
	lines
	left int
}

func (w *tornSink) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(p) > w.left {
		n, _ := w.buf.Write(p[:w.left])
		w.left = 0
		return n, io.ErrShortWrite
	}
	return w.buf.Write(p)
}

func (w *tornSink) room(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left = n
}

// whole counts the lines that can be read.
func (w *tornSink) whole() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for line := range bytes.Lines(w.buf.Bytes()) {
		if json.Valid(line) {
			n++
		}
	}
	return n
}

// A line that a full disk cut off must not swallow the next one.
func TestTornAuditLineIsClosed(t *testing.T) {
	sink := &tornSink{left: 100}
	s := newStand(t, func(c *proxy.Config) { c.Audit = sink })
	s.post(toolCall("add"))
	s.eventually("a torn line", func() bool { return sink.len() == 100 })
	sink.room(1 << 20)
	s.post(toolCall("add"))
	s.eventually("two whole lines: that writing goes on, and the second call", func() bool { return sink.whole() == 2 })
}
