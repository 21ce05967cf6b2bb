package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// flood answers with an event stream that never ends, as fast as it is taken.
func flood(w http.ResponseWriter, r *http.Request) {
	eventStream(w)
	line := `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"` + strings.Repeat("x", 32<<10) + `"}}`
	for r.Context().Err() == nil {
		event(w, line)
	}
}

// ends waits for an audit line with this reason.
func (p *sidecar) ends(t *testing.T, reason string) {
	t.Helper()
	eventually(t, func() error {
		lines := auditLines(t, p.audit)
		if !slices.ContainsFunc(lines, func(l auditLine) bool { return l.Reason == reason }) {
			return fmt.Errorf("no line says %s: %+v", reason, lines)
		}
		return p.says("postern_requests_in_flight 0")
	})
}

// request is a call as bytes of HTTP/1.1.
func (p *sidecar) request(m message, token string) string {
	text := "POST /recorder/mcp HTTP/1.1\r\nHost: " + p.address + "\r\nAuthorization: Bearer " + token +
		"\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
	for name, value := range m.header {
		text += name + ": " + value + "\r\n"
	}
	return text + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(m.body), m.body)
}

// TestCallersWhoDoNotReadAreCutOff: over every protocol, with the call's place
// given back.
func TestCallersWhoDoNotReadAreCutOff(t *testing.T) {
	const limits = "limits: {write_time: 1s}\n"
	t.Run("HTTP/1.1", func(t *testing.T) {
		t.Parallel()
		issuer := newIssuer(t)
		p := startProxy(t, settings{issuer: issuer.url, dpop: "accepted", upstream: newUpstream(t, flood).url, more: limits})
		conn, err := net.Dial("tcp", p.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, p.request(modernCall("echo", `{}`), issuer.token("ada", p.resource, "use", nil)))
		p.ends(t, "caller_too_slow")
	})
	t.Run("HTTP/1.1 over TLS", func(t *testing.T) {
		t.Parallel()
		s := startSecured(t, flood, limits)
		conn := s.dial(t, "http/1.1")
		fmt.Fprint(conn, s.request(modernCall("echo", `{}`), s.issuer.token("ada", s.resource, "use", nil)))
		s.ends(t, "caller_too_slow")
	})
	t.Run("HTTP/2", func(t *testing.T) {
		t.Parallel()
		s := startSecured(t, flood, limits)
		c := s.caller(t, true)
		resp := c.open(t, modernCall("echo", `{}`))
		defer resp.Body.Close()
		if resp.ProtoMajor != 2 || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s %s", resp.Proto, resp.Status)
		}
		s.ends(t, "caller_too_slow")
	})
}

// TestQuietStreamsAreNotCutOff: a caller that reads may wait for longer than
// a write may take.
func TestQuietStreamsAreNotCutOff(t *testing.T) {
	quiet := func(w http.ResponseWriter, r *http.Request) {
		eventStream(w)
		event(w, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}`)
		time.Sleep(2500 * time.Millisecond)
		event(w, `{"jsonrpc":"2.0","id":7,"result":{"resultType":"complete","content":[{"type":"text","text":"late"}]}}`)
	}
	s := startSecured(t, quiet, "limits: {write_time: 1s, answer_time: 1s}\n")
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %t", http2), func(t *testing.T) {
			t.Parallel()
			c := s.caller(t, http2)
			if got := c.send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK); !strings.Contains(got.body, "late") {
				t.Errorf("answered %q", got.body)
			}
		})
	}
}

// TestSlowSendersAreCutOff: neither a header nor a body is waited for without
// end, over TLS neither, and others are served meanwhile.
func TestSlowSendersAreCutOff(t *testing.T) {
	t.Parallel()
	s := startSecured(t, echo, "limits: {body_time: 1s}\n")
	token := s.issuer.token("ada", s.resource, "use", nil)
	whole := s.request(modernCall("echo", `{}`), token)
	for name, row := range map[string]struct{ sent, answer string }{
		"in the middle of the header": {whole[:60], ""},
		"in the middle of the body":   {whole[:len(whole)-5], "HTTP/1.1 408"},
		"before a body without token": {"POST /recorder/mcp HTTP/1.1\r\nHost: " + s.address + "\r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 401"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := s.dial(t, "http/1.1")
			if _, err := io.WriteString(conn, row.sent); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(conn)
			if err != nil || !strings.HasPrefix(string(got), row.answer) || row.answer == "" && len(got) > 0 {
				t.Errorf("%q %v", got, err)
			}
		})
	}
	t.Run("a body over HTTP/2", func(t *testing.T) {
		t.Parallel()
		body, stop := io.Pipe()
		defer stop.Close()
		req, err := http.NewRequest(http.MethodPost, s.resource, body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}}
		go func() { _, _ = io.WriteString(stop, `{"jsonrpc":`) }()
		resp, err := s.authority.client(t, true).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, resp).expect(t, http.StatusRequestTimeout); resp.ProtoMajor != 2 || !strings.Contains(got.body, "body_not_received") {
			t.Errorf("%s %s", resp.Proto, got.body)
		}
	})
	s.caller(t, true).send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
}

// TestUpstreamsThatStopAreGivenUp in the middle of an answer that is no stream.
func TestUpstreamsThatStopAreGivenUp(t *testing.T) {
	stuck := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":7,"result":{`)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	t.Run("a list", func(t *testing.T) {
		t.Parallel()
		p, issuer, _ := limited(t, stuck, "answer_time: 1s", "")
		got := p.person(issuer, "ada", "use").send(t, modernList()).expect(t, http.StatusGatewayTimeout)
		if !strings.Contains(got.body, "upstream_timeout") {
			t.Error(got.body)
		}
		p.ends(t, "upstream_timeout")
	})
	t.Run("a call", func(t *testing.T) {
		t.Parallel()
		p, issuer, _ := limited(t, stuck, "answer_time: 1s", "")
		if resp, err := p.person(issuer, "ada", "use").attempt(modernCall("echo", `{}`), ""); err == nil {
			defer resp.Body.Close()
			if text, err := io.ReadAll(resp.Body); err == nil {
				t.Errorf("a whole answer: %q", text)
			}
		}
		p.ends(t, "upstream_timeout")
	})
}

// TestHandshakesThatNeverEndAreCutOff: what does not finish in time is closed.
func TestHandshakesThatNeverEndAreCutOff(t *testing.T) {
	t.Parallel()
	s := startSecured(t, echo, "")
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	hello := tls.Client(mute{conn}, s.authority.trust())
	go hello.Handshake() // sends its part and never hears
	if _, err := io.ReadAll(conn); err != nil {
		t.Errorf("not closed: %v", err)
	}
}

// mute is a connection that hears nothing.
type mute struct{ net.Conn }

func (m mute) Read([]byte) (int, error) { select {} }
