package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

const (
	upstreamSession = "session-of-the-upstream"
	progressEvent   = `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}`
	resultEvent     = `{"jsonrpc":"2.0","id":7,"result":{"resultType":"complete","content":[{"type":"text","text":"at last"}]}}`
	modernListEvent = `{"jsonrpc":"2.0","id":7,"result":{"resultType":"complete","ttlMs":60000,"cacheScope":"public","tools":[` +
		`{"name":"hidden","inputSchema":{"type":"object"}},{"name":"echo","inputSchema":{"type":"object"}}]}}`
	listEvent = `{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"echo","inputSchema":{"type":"object"}},` +
		`{"name":"risky","inputSchema":{"type":"object"}},{"name":"hidden","inputSchema":{"type":"object"}}]}}`
)

func event(w http.ResponseWriter, text string) {
	fmt.Fprintf(w, "data: %s\n\n", text)
	w.(http.Flusher).Flush()
}

func eventStream(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
}

// gate is a proxy with bearer callers accepted, to keep these tests about MCP.
func gate(t *testing.T, handler http.HandlerFunc) (*sidecar, *issuer, *upstream) {
	t.Helper()
	issuer, up := newIssuer(t), newUpstream(t, handler)
	return startProxy(t, settings{issuer: issuer.url, dpop: "accepted", upstream: up.url}), issuer, up
}

// nextEvent reads one event of a stream.
func nextEvent(t *testing.T, stream *bufio.Reader) string {
	t.Helper()
	var data strings.Builder
	for {
		line, err := stream.ReadString('\n')
		if err != nil {
			t.Fatalf("the stream ends after %q: %v", data.String(), err)
		}
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, ":") { // a sign of life
			continue
		}
		if line == "" && data.Len() > 0 {
			return data.String()
		}
		data.WriteString(strings.TrimPrefix(line, "data: "))
	}
}

// TestProgressArrivesBeforeTheResult: the upstream does not finish until the
// caller has seen the progress, so a proxy that holds events back hangs.
func TestProgressArrivesBeforeTheResult(t *testing.T) {
	seen := make(chan struct{}, 1)
	p, issuer, _ := gate(t, func(w http.ResponseWriter, r *http.Request) {
		eventStream(w)
		event(w, progressEvent)
		select {
		case <-seen:
			event(w, resultEvent)
		case <-r.Context().Done():
		}
	})
	for era, call := range map[string]message{modern: modernCall("slow", `{}`), legacy: legacyCall("slow", `{}`)} {
		t.Run(era, func(t *testing.T) {
			c := caller{url: p.resource, token: issuer.token("ada", p.resource, "use", nil)}
			resp := c.open(t, call)
			defer resp.Body.Close()
			if kind := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || kind != "text/event-stream" {
				t.Fatalf("status %d, %s", resp.StatusCode, kind)
			}
			stream := bufio.NewReader(resp.Body)
			if got := nextEvent(t, stream); got != progressEvent {
				t.Fatalf("first event %s", got)
			}
			seen <- struct{}{}
			if got := nextEvent(t, stream); got != resultEvent {
				t.Fatalf("second event %s", got)
			}
		})
	}
}

// TestCallerLeavingEndsTheUpstreamCall: closing the stream is cancellation.
func TestCallerLeavingEndsTheUpstreamCall(t *testing.T) {
	ended := make(chan struct{})
	p, issuer, _ := gate(t, func(w http.ResponseWriter, r *http.Request) {
		eventStream(w)
		event(w, progressEvent)
		<-r.Context().Done()
		close(ended)
	})
	c := caller{url: p.resource, token: issuer.token("ada", p.resource, "use", nil)}
	resp := c.open(t, modernCall("slow", `{}`))
	nextEvent(t, bufio.NewReader(resp.Body))
	resp.Body.Close()
	eventually(t, func() error {
		select {
		case <-ended:
			return nil
		default:
			return fmt.Errorf("the upstream's call goes on")
		}
	})
}

// sessions is a 2025-11-25 server with one session, a GET stream and DELETE.
func sessions(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // it comes from memory
	if strings.Contains(string(body), `"initialize"`) {
		w.Header().Set("Mcp-Session-Id", upstreamSession)
		answer(w, http.StatusOK, `{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"`+legacy+`","capabilities":{"tools":{}},"serverInfo":{"name":"x","version":"1"}}}`)
		return
	}
	if r.Header.Get("Mcp-Session-Id") != upstreamSession {
		answer(w, http.StatusNotFound, `{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}`)
		return
	}
	switch r.Method {
	case http.MethodGet:
		eventStream(w)
		event(w, progressEvent)
		event(w, listEvent) // a replay of an answer that was lost
	case http.MethodDelete:
		w.WriteHeader(http.StatusNoContent)
	default:
		echo(w, r)
	}
}

func TestSessionBelongsToItsOwner(t *testing.T) {
	p, issuer, up := gate(t, sessions)
	ada := caller{url: p.resource, token: issuer.token("ada", p.resource, "use", nil)}
	got := ada.send(t, initialize()).expect(t, http.StatusOK)
	ada.session = got.header.Get("Mcp-Session-Id")
	if ada.session == "" || strings.Contains(ada.session, upstreamSession) {
		t.Fatalf("session %q: want one that is not the upstream's own", ada.session)
	}
	ada.send(t, legacyCall("echo", `{}`)).expect(t, http.StatusOK)
	ada.token = issuer.token("ada", p.resource, "use more", nil) // stepped up, the session stays
	ada.send(t, legacyCall("echo", `{}`)).expect(t, http.StatusOK)

	before := len(up.all())
	eve := caller{url: p.resource, token: issuer.token("eve", p.resource, "use", nil), session: ada.session}
	forged := ada
	forged.session = strings.ToUpper(ada.session[:1]) + ada.session[1:] + "A"
	for name, c := range map[string]caller{"another subject": eve, "a forged session": forged} {
		for _, m := range []message{legacyCall("echo", `{}`), {method: http.MethodGet}, {method: http.MethodDelete}} {
			if got := c.send(t, m); got.status != http.StatusNotFound {
				t.Errorf("%s, %s: status %d, want 404", name, m.method, got.status)
			}
		}
	}
	if n := len(up.all()) - before; n != 0 {
		t.Errorf("%d of those calls reached the upstream", n)
	}
	ada.send(t, message{method: http.MethodDelete, header: map[string]string{"Mcp-Protocol-Version": legacy}}).expect(t, http.StatusNoContent)
	last := up.all()[len(up.all())-1]
	if last.line != "DELETE /mcp HTTP/1.1" || !slices.Contains(last.header, "Mcp-Session-Id: "+upstreamSession) {
		t.Errorf("the upstream got %s %v", last.line, last.header)
	}
}

func TestStreamByGETIsFilteredAsItPasses(t *testing.T) {
	p, issuer, _ := gate(t, sessions)
	c := caller{url: p.resource, token: issuer.token("ada", p.resource, "use", nil)}
	c.session = c.send(t, initialize()).expect(t, http.StatusOK).header.Get("Mcp-Session-Id")
	resp := c.open(t, message{method: http.MethodGet, header: map[string]string{"Mcp-Protocol-Version": legacy}})
	defer resp.Body.Close()
	stream := bufio.NewReader(resp.Body)
	if got := nextEvent(t, stream); got != progressEvent {
		t.Errorf("first event %s", got)
	}
	got := nextEvent(t, stream)
	if !strings.Contains(got, `"echo"`) || strings.Contains(got, `"risky"`) || strings.Contains(got, `"hidden"`) {
		t.Errorf("a replayed list passes as %s", got)
	}
}

// TestListsAreFiltered: in both eras, in JSON and in event streams.
func TestListsAreFiltered(t *testing.T) {
	lists := map[string]http.HandlerFunc{
		"JSON":         func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, listEvent) },
		"event stream": func(w http.ResponseWriter, _ *http.Request) { eventStream(w); event(w, listEvent) },
	}
	calls := map[string]message{modern: modernList(), legacy: legacyPost(`{"jsonrpc":"2.0","id":7,"method":"tools/list"}`)}
	for form, handler := range lists {
		p, issuer, _ := gate(t, handler)
		for era, call := range calls {
			for scope, shown := range map[string][]string{"use": {"echo"}, "use more": {"echo", "risky"}, "": {}} {
				t.Run(form+" "+era+" "+scope, func(t *testing.T) {
					c := caller{url: p.resource, token: issuer.token("ada", p.resource, scope, nil)}
					got := c.send(t, call).expect(t, http.StatusOK)
					for _, tool := range []string{"echo", "risky", "hidden"} {
						if listed := strings.Contains(got.body, `"`+tool+`"`); listed != slices.Contains(shown, tool) {
							t.Errorf("%s listed: %v\n%s", tool, listed, got.body)
						}
					}
				})
			}
		}
	}
}

// TestFilteredListsAreNotShared: what was filtered for one caller must not be
// cached for another (MCP 2026-07-28, tools/list).
func TestFilteredListsAreNotShared(t *testing.T) {
	p, issuer, _ := gate(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, modernListEvent) })
	c := caller{url: p.resource, token: issuer.token("ada", p.resource, "use", nil)}
	got := c.send(t, modernList()).expect(t, http.StatusOK)
	var list struct {
		Result struct {
			CacheScope string `json:"cacheScope"`
			TTL        int    `json:"ttlMs"`
			Tools      []struct {
				Name string `json:"name"`
			} `json:"tools"`
		} `json:"result"`
	}
	got.decode(t, &list)
	if r := list.Result; r.CacheScope != "private" || r.TTL != 60000 || len(r.Tools) != 1 || r.Tools[0].Name != "echo" {
		t.Errorf("list %s", got.body)
	}
}

// TestDecisionIsTheSameUnderEveryVersion: the header confirms, it never decides.
func TestDecisionIsTheSameUnderEveryVersion(t *testing.T) {
	p, issuer, up := gate(t, echo)
	c := caller{url: p.resource, token: issuer.token("ada", p.resource, "use", nil)}
	for _, version := range []string{"", "2024-11-05", "2025-03-26", "2025-06-18", legacy, "1999-01-01", "zzz"} {
		t.Run(version, func(t *testing.T) {
			call := legacyCall("risky", `{}`)
			call.header = map[string]string{}
			if version != "" {
				call.header["Mcp-Protocol-Version"] = version
			}
			if got := c.send(t, call); got.status == http.StatusOK {
				t.Errorf("passes: %s", got.body)
			}
		})
	}
	if n := len(up.all()); n != 0 {
		t.Errorf("the upstream got %d requests", n)
	}
}
