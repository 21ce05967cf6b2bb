package proxy_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
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
