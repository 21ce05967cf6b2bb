package proxy_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/token"
	"github.com/postern-mcp/postern/proxy"
)

// endless is a stream that says one thing and stays open.
func endless(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, ": open\n\n")
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// listen opens a GET stream and reads its beginning.
func (s *stand) listen(t *testing.T, access string) *http.Response {
	t.Helper()
	return s.listenBy(t, http.MethodGet, "", access)
}

func (s *stand) listenBy(t *testing.T, method, message, access string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, method, s.url, strings.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/json, text/event-stream")
	if message != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", "Bearer "+access)
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	if _, err := io.ReadFull(resp.Body, make([]byte, len(": open\n\n"))); err != nil || resp.StatusCode != 200 {
		t.Fatalf("%s: %v", resp.Status, err)
	}
	return resp
}

func (s *stand) endsWith(t *testing.T, stream *http.Response, reason string) {
	t.Helper()
	if _, err := io.ReadAll(stream.Body); err == nil || stream.Request.Context().Err() != nil {
		t.Fatalf("the stream was not broken off: %v", err)
	}
	waitFor(t, "an audit line", func() bool { return s.audit.len() > 0 })
	if got := s.audit.last(t); got["reason"] != reason || got["decision"] != "allow" {
		t.Errorf("audit line %v, want reason %s", got, reason)
	}
}

// A server may tell of parts of what was subscribed to (MCP 2026-07-28,
// resource subscriptions): those that the caller may not see stay out.
func TestNewsOfWhatNobodyMaySee(t *testing.T) {
	s := newStand(t)
	s.upstream.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, uri := range []string{"db://schema/a", "db://schema/a?secret", "db://other/b"} {
			fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":%q}}\n\n", uri)
		}
		fmt.Fprint(w, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n")
	})
	listen := `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["db://schema/a"]}}}`
	for method, message := range map[string]string{http.MethodGet: "", http.MethodPost: listen} {
		r := s.do(method, s.url, message, "Authorization", "Bearer "+s.token())
		if !strings.Contains(r.body, `"db://schema/a"`) || !strings.Contains(r.body, "list_changed") {
			t.Errorf("%s: what is allowed is missing: %s", method, r.body)
		}
		if strings.Contains(r.body, "secret") || strings.Contains(r.body, "other") {
			t.Errorf("%s: tells of what the caller may not see: %s", method, r.body)
		}
	}
}

// A server that takes few requests is not one subject's alone; what ends is
// given back.
func TestShareAtOneServer(t *testing.T) {
	s := newStand(t, func(c *proxy.Config) { c.Servers[0].SubjectInFlight = 2 })
	s.upstream.answers(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			endless(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{}}`)
	})
	access := s.token()
	first := s.listen(t, access)
	s.listen(t, access)
	s.wants(s.bear(access), 429, "subject_in_flight")
	s.wants(s.bear(s.token(func(c *token.Claims) { c.Subject = "eve" })), 200, "")
	_ = first.Body.Close()
	s.eventually("its place is not given back", func() bool { return s.bear(access).StatusCode == 200 })
}
