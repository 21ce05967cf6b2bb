package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/postern-mcp/postern/proxy"
)

// scripted is a credential that shows what the test says, one after the other.
type scripted struct {
	shows   []string // a header value, or "!" and an error
	again   bool
	shown   int
	refused []string // what it heard was refused
	last    proxy.Purpose
}

func (s *scripted) Show(_ context.Context, p proxy.Purpose) (http.Header, error) {
	value := s.shows[min(s.shown, len(s.shows)-1)]
	s.shown++
	s.last = p
	switch value {
	case "!away":
		return nil, errors.New("the issuer is away")
	case "!refused":
		return nil, fmt.Errorf("%w: invalid_target", proxy.ErrExchangeRefused)
	case "!ended":
		return nil, proxy.ErrCallerEnded
	}
	return http.Header{"Authorization": {value}}, nil
}

func (s *scripted) Refused(_ proxy.Purpose, shown, answer http.Header) bool {
	s.refused = append(s.refused, shown.Get("Authorization")+" "+answer.Get("WWW-Authenticate"))
	return s.again
}

func (s *scripted) String() string { return "scripted" }

// A refused request is made once more with another credential, and with the
// same body; a credential that cannot be had has a reason of its own.
func TestCredentialIsRenewedOnce(t *testing.T) {
	for _, row := range []struct {
		name   string
		script scripted
		status int
		reason string
		calls  []string // Authorization of every request the upstream got
	}{
		{"good at once", scripted{shows: []string{"new"}}, 200, "", []string{"new"}},
		{"good at the second try", scripted{shows: []string{"old", "new"}, again: true}, 200, "", []string{"old", "new"}},
		{"nothing better to show", scripted{shows: []string{"old", "new"}}, 502, "upstream_refused_credential", []string{"old"}},
		{"refused twice", scripted{shows: []string{"old", "older", "new"}, again: true}, 502, "upstream_refused_credential", []string{"old", "older"}},
		{"not to be had", scripted{shows: []string{"!away"}}, 503, "upstream_credential_unavailable", nil},
		{"not to be had again", scripted{shows: []string{"old", "!away"}, again: true}, 503, "upstream_credential_unavailable", []string{"old"}},
		{"not for this caller", scripted{shows: []string{"!refused"}}, 403, "exchange_refused", nil},
		{"not for a token at its end", scripted{shows: []string{"!ended"}}, 401, "token_expired", nil},
		{"not for this caller any more", scripted{shows: []string{"old", "!refused"}, again: true}, 403, "exchange_refused", []string{"old"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newStand(t, func(c *proxy.Config) { c.Servers[0].Credential = &row.script })
			s.upstream.answers(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "new" {
					w.Header().Set("WWW-Authenticate", "Inner")
					w.WriteHeader(401)
					return
				}
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{}}`)
			})
			access := s.token()
			r := s.post(toolCall("add"), "Authorization", "Bearer "+access)
			s.wants(r, row.status, row.reason)
			if wait := r.Header.Get("Retry-After") != ""; wait != (row.status == 503) || (r.Header.Get("WWW-Authenticate") != "") != (row.status == 401) {
				t.Errorf("answered with %v", r.Header)
			}
			s.checkCalls(row.calls)
			if row.script.last.Token != access || row.script.last.RequestID != r.Header.Get("X-Request-Id") || row.script.last.Caller.Subject != "alice" {
				t.Errorf("asked for %+v", row.script.last)
			}
			for _, heard := range row.script.refused {
				if heard != "old Inner" {
					t.Errorf("heard of %q", heard)
				}
			}
		})
	}
}

func (s *stand) checkCalls(want []string) {
	s.Helper()
	s.upstream.mu.Lock()
	defer s.upstream.mu.Unlock()
	var got []string
	for i, r := range s.upstream.seen {
		got = append(got, r.Header.Get("Authorization"))
		if string(s.upstream.bodies[i]) != toolCall("add") {
			s.Errorf("request %d has body %q", i, s.upstream.bodies[i])
		}
	}
	if !slices.Equal(got, want) {
		s.Errorf("the upstream was shown %q, want %q", got, want)
	}
}

// Streams and deletions have no body to send again.
func TestCredentialIsRenewedWithoutABody(t *testing.T) {
	script := &scripted{shows: []string{"old", "new"}, again: true}
	s := newStand(t, func(c *proxy.Config) { c.Servers[0].Credential = script })
	s.upstream.answers(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "new" {
			w.WriteHeader(401)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, ": hello\n\n")
	})
	r := s.do("GET", s.url, "", "Authorization", "Bearer "+s.token())
	if r.StatusCode != 200 || script.last.Method != "GET" || s.upstream.calls() != 2 {
		t.Errorf("%d after %d calls for %q", r.StatusCode, s.upstream.calls(), script.last.Method)
	}
}

// Documents of the configuration are public like the proxy's own.
func TestDocuments(t *testing.T) {
	s := newStand(t, func(c *proxy.Config) { c.Documents = map[string][]byte{"/.well-known/x.json": []byte(`{"x":1}`)} })
	r := s.do("GET", s.base+"/.well-known/x.json", "", "Origin", "https://anywhere.example")
	if r.StatusCode != 200 || r.body != `{"x":1}` || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%d %v %s", r.StatusCode, r.Header, r.body)
	}
	if event := s.audit.last(t); event["decision"] != "public" {
		t.Errorf("audit %v", event)
	}
	s.wants(s.do("POST", s.base+"/.well-known/x.json", "x"), 405, "http_method")
	for _, other := range []string{"/.well-known/x.jso", "/.well-known/x.json/", "/.well-known//x.json"} {
		if r := s.do("GET", s.base+other, ""); r.StatusCode == 200 {
			t.Errorf("%s is served", other)
		}
	}
}
