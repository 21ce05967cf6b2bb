package proxy_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/postern-mcp/postern/authserver/token"
)

// streams answers everything with one event of this id.
func streams(id string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "id: "+id+"\ndata: "+`{"jsonrpc":"2.0","id":1,"result":{}}`+"\n\n")
	}
}

// eventID is what the stand's caller is given for an upstream's event id.
func (s *stand) eventID(id string) string {
	before := s.upstream.answer.Load()
	defer s.upstream.answer.Store(before)
	s.upstream.answers(streams(id))
	return idOf(s.do("GET", s.url, "", "Authorization", "Bearer "+s.token()))
}

// idOf is the event id of a stream with one event.
func idOf(r reply) string {
	for line := range strings.Lines(r.body) {
		if id, found := strings.CutPrefix(line, "id: "); found {
			return strings.TrimSpace(id)
		}
	}
	return ""
}

func TestEventsBelongToTheirOwner(t *testing.T) {
	s := newStand(t)
	s.upstream.answers(streams("inner 7/ä"))
	for method, body := range map[string]string{"GET": "", "POST": toolCall("add")} { // both may be resumed
		given := idOf(s.do(method, s.url, body, "Authorization", "Bearer "+s.token()))
		if given == "" || strings.Contains(given, "inner") {
			t.Fatalf("%s: event id %q", method, given)
		}
		refreshed := s.token(func(c *token.Claims) { c.ID = "t9"; c.Scope = []string{"all"} })
		s.wants(s.do("GET", s.url, "", "Authorization", "Bearer "+refreshed, "Last-Event-ID", given), 200, "")
		if req, _ := s.upstream.last(t); req.Header.Get("Last-Event-Id") != "inner 7/ä" {
			t.Errorf("the upstream is asked to resume after %q", req.Header.Get("Last-Event-Id"))
		}
		s.wantsUnknownEvents(t, given)
	}
}

// wantsUnknownEvents tries ids that were not given to whoever sends them.
func (s *stand) wantsUnknownEvents(t *testing.T, given string) {
	t.Helper()
	before := s.upstream.calls()
	own := "Bearer " + s.token()
	for name, header := range map[string][]string{
		"another subject": {"Authorization", "Bearer " + s.token(func(c *token.Claims) { c.Subject = "mallory" }), "Last-Event-ID", given},
		"another client":  {"Authorization", "Bearer " + s.token(func(c *token.Claims) { c.ClientID = "other" }), "Last-Event-ID", given},
		"the upstream's":  {"Authorization", own, "Last-Event-ID", "inner 7/ä"},
		"truncated":       {"Authorization", own, "Last-Event-ID", given[:len(given)-2]},
		"only the tag":    {"Authorization", own, "Last-Event-ID", given[:22]},
		"lengthened":      {"Authorization", own, "Last-Event-ID", given + "AAAA"},
		"empty":           {"Authorization", own, "Last-Event-ID", ""},
		"long":            {"Authorization", own, "Last-Event-ID", strings.Repeat("A", 2000)},
	} {
		t.Run(name, func(t *testing.T) {
			s.wants(s.do("GET", s.url, "", header...), 400, "event_unknown")
		})
	}
	if n := s.upstream.calls() - before; n != 0 {
		t.Errorf("%d of them reached the upstream", n)
	}
}

func TestTwoEventIDsResumeNothing(t *testing.T) {
	s := newStand(t)
	id := s.eventID("7")
	r := s.raw(strings.Join([]string{"GET /calculator/mcp HTTP/1.1", "Host: " + strings.TrimPrefix(s.base, "http://"),
		"Authorization: Bearer " + s.token(), "Last-Event-ID: " + id, "Last-Event-ID: " + id, "Connection: close", "", ""}, "\r\n"))
	s.wants(r, 400, "event_unknown")
}

// A POST must not be turned into the resumption of somebody's stream.
func TestOnlyStreamsAreResumed(t *testing.T) {
	s := newStand(t)
	id := s.eventID("7")
	for method, want := range map[string]string{"GET": "7", "POST": "", "DELETE": ""} {
		s.do(method, s.url, map[string]string{"POST": toolCall("add")}[method], "Authorization", "Bearer "+s.token(), "Last-Event-ID", id)
		if req, _ := s.upstream.last(t); req.Method != method || req.Header.Get("Last-Event-Id") != want {
			t.Errorf("%s: the upstream got %s with Last-Event-ID %q, want %q", method, req.Method, req.Header.Get("Last-Event-Id"), want)
		}
	}
}

// What no client could send back is not given out; 2026-07-28 resumes nothing.
func TestEventIDsThatStayAsTheyAre(t *testing.T) {
	s := newStand(t)
	for name, row := range map[string]struct{ id, want string }{
		"long":    {strings.Repeat("7", 600), ""},
		"control": {"7\x01", ""},
		"empty":   {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := s.eventID(row.id); got != row.want {
				t.Errorf("event id %q, want %q", got, row.want)
			}
		})
	}
	s.upstream.answers(streams("7"))
	r := s.post(strings.Replace(toolCall("add"), `{"name"`, `{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"},"name"`, 1), "Authorization", "Bearer "+s.token(), "MCP-Protocol-Version", "2026-07-28", "Mcp-Method", "tools/call", "Mcp-Name", "add")
	if id := idOf(r); id != "7" {
		t.Errorf("a stream of 2026-07-28 has the event id %q: %s", id, r.body)
	}
	compressed := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		streams("7")(w, r)
	}
	s.upstream.answers(compressed)
	s.wants(s.post(toolCall("add"), "Authorization", "Bearer "+s.token()), 502, "upstream_answer_unreadable")
}
