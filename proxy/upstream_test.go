package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/token"
	"github.com/postern-mcp/postern/proxy"
)

// What the upstream sees is exact: the received bytes, an allow-list of
// headers, the proxy's own credential.
func TestUpstreamSeesExactly(t *testing.T) {
	s := newStand(t)
	access := s.token()
	body := "{ \"jsonrpc\":\"2.0\",\t\"id\": 7, \"method\":\"tools/call\",\"params\":{\"arguments\":{\"n\":1e2,\"big\":9007199254740993,\"s\":\"\\u0041\"},\"name\":\"add\"}}\n"
	r := s.post(body,
		"Authorization", "Bearer "+access,
		"Cookie", "sid=secret", "X-Forwarded-For", "1.2.3.4", "X-Forwarded-User", "admin", "X_Forwarded_User", "admin",
		"Forwarded", "for=1.2.3.4", "X-Identity", "admin", "Connection", "Authorization, X-Request-Id, Mcp-Method",
		"Te", "trailers", "Proxy-Authorization", "Basic eDp5", "Mcp-Param-Region", "eu", "Mcp_Param_X", "y",
		"X-Request-Id", "forged", "Traceparent", "00-1-2-3", "User-Agent", "tester", "Mcp-Session-Id-X", "z")
	s.wants(r, 200, "")
	req, got := s.upstream.last(t)
	if string(got) != body {
		t.Errorf("body\n%q\nwant\n%q", got, body)
	}
	var names []string
	for name := range req.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	want := []string{"Accept", "Accept-Encoding", "Authorization", "Content-Length", "Content-Type", "Mcp-Method", "Mcp-Name", "Mcp-Param-Region", "Traceparent", "User-Agent", "X-Request-Id"}
	if !slices.Equal(names, want) {
		t.Errorf("headers %q\nwant    %q", names, want)
	}
	for name, value := range map[string]string{
		"Authorization": "Bearer upstream-secret", "Accept-Encoding": "identity", "Mcp-Method": "tools/call", "Mcp-Name": "add",
		"X-Request-Id": r.Header.Get("X-Request-Id"),
	} {
		if values := req.Header[name]; len(values) != 1 || values[0] != value {
			t.Errorf("%s: %q, want %q", name, values, value)
		}
	}
	if req.URL.Path != "/mcp" || req.URL.RawQuery != "" || req.Host != strings.TrimPrefix(s.upstream.URL, "http://") {
		t.Errorf("target %s on host %s", req.URL, req.Host)
	}
	if strings.Contains(fmt.Sprint(req.Header), access[len(access)-20:]) {
		t.Error("the caller's token reached the upstream")
	}
}

// What comes back is exact too: the headers of a list, and the proxy's own.
func TestCallerSeesExactly(t *testing.T) {
	s := newStand(t)
	s.upstream.answers(func(w http.ResponseWriter, _ *http.Request) {
		for _, name := range []string{"Set-Cookie", "WWW-Authenticate", "Server", "Location", "X-Internal-Host", "Access-Control-Allow-Origin", "X-Accel-Redirect", "Link"} {
			w.Header().Set(name, "from-the-upstream")
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After", "7")
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{}}`)
	})
	r := s.post(toolCall("add"), "Authorization", "Bearer "+s.token())
	var names []string
	for name := range r.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	want := []string{"Cache-Control", "Content-Length", "Content-Type", "Date", "Retry-After", "X-Request-Id"}
	if !slices.Equal(names, want) {
		t.Errorf("headers %q\nwant    %q", names, want)
	}
}

func TestUpstreamFailures(t *testing.T) {
	for _, row := range []struct {
		name   string
		answer http.HandlerFunc
		body   string
		status int
		reason string
	}{
		{"refuses the proxy", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="inner"`)
			w.WriteHeader(401)
		}, toolCall("add"), 502, "upstream_refused_credential"},
		{"breaks off", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, toolCall("add"), 502, "upstream_unreachable"},
		{"too slow", func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-time.After(10 * time.Second):
			}
		}, toolCall("add"), 504, "upstream_timeout"},
		{"compresses a list", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, "xx")
		}, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, 502, "upstream_answer_unreadable"},
		{"list in another type", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"drop"}]}}`)
		}, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, 502, "upstream_answer_unreadable"},
		{"list with a key twice", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{"tools":[],"tools":[{"name":"drop"}]}}`)
		}, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, 502, "upstream_answer_unreadable"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newStand(t, func(c *proxy.Config) { c.Servers[0].Transport = newTransport(t, time.Second) })
			s.upstream.answers(row.answer)
			r := s.post(row.body, "Authorization", "Bearer "+s.token())
			s.wants(r, row.status, row.reason)
			if r.Header.Get("WWW-Authenticate") != "" || strings.Contains(r.body, "drop") {
				t.Errorf("the upstream's words came through: %v %s", r.Header, r.body)
			}
		})
	}
}

const toolList = `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"add","inputSchema":{"x": 1.50}},{"name":"power"},{"name":"hinted"},{"name":"drop"},{"name":"ping"}],"ttlMs":5,"cacheScope":"public"}}`

func TestListsAreFiltered(t *testing.T) {
	forms := map[string]http.HandlerFunc{
		"JSON": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			_, _ = io.WriteString(w, toolList)
		},
		"SSE": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{}}\n\nid: 7\ndata: "+toolList+"\n\n")
		},
	}
	for form, answer := range forms {
		for scope, want := range map[string]string{"basic": "add hinted ping", "advanced": "power hinted ping", "all": "add power hinted ping", "": "hinted ping"} {
			t.Run(form+"/"+scope, func(t *testing.T) {
				s := newStand(t)
				s.upstream.answers(answer)
				r := s.post(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, "Authorization", "Bearer "+s.token(scopes(strings.Fields(scope)...)))
				s.wants(r, 200, "")
				var got []string
				for _, name := range []string{"add", "power", "hinted", "drop", "ping"} {
					if strings.Contains(r.body, `"name":"`+name+`"`) {
						got = append(got, name)
					}
				}
				if strings.Join(got, " ") != want {
					t.Errorf("listed %q, want %q", got, want)
				}
				if !strings.Contains(r.body, `"cacheScope":"private"`) || strings.Contains(r.body, "public") {
					t.Errorf("cacheScope: %s", r.body)
				}
				if strings.Contains(want, "add") && !strings.Contains(r.body, `{"x": 1.50}`) {
					t.Errorf("what stays was changed: %s", r.body)
				}
			})
		}
	}
}

// A GET stream may replay an answer to a list.
func TestResumedListIsFiltered(t *testing.T) {
	s := newStand(t)
	s.upstream.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "id: 8\ndata: "+toolList+"\n\n")
	})
	r := s.do("GET", s.url, "", "Authorization", "Bearer "+s.token(), "Last-Event-ID", s.eventID("7"))
	if r.StatusCode != 200 || strings.Contains(r.body, "drop") || strings.Contains(r.body, "power") || !strings.Contains(r.body, "add") {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}

func TestSessionsBelongToTheirOwner(t *testing.T) {
	s := newStand(t)
	s.upstream.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Mcp-Session-Id", "inner-1")
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{}}`)
	})
	initialize := `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}`
	r := s.post(initialize, "Authorization", "Bearer "+s.token())
	sealed := r.Header.Get("Mcp-Session-Id")
	if sealed == "" || strings.Contains(sealed, "inner-1") {
		t.Fatalf("session %q", sealed)
	}
	refreshed := s.token(func(c *token.Claims) { c.ID = "t9"; c.Scope = []string{"all"} })
	s.wants(s.post(toolCall("add"), "Authorization", "Bearer "+refreshed, "Mcp-Session-Id", sealed), 200, "")
	if req, _ := s.upstream.last(t); req.Header.Get("Mcp-Session-Id") != "inner-1" {
		t.Errorf("upstream session %q", req.Header.Get("Mcp-Session-Id"))
	}
	for name, edit := range map[string]func(*token.Claims){
		"another subject": func(c *token.Claims) { c.Subject = "mallory" },
		"another client":  func(c *token.Claims) { c.ClientID = "other" },
	} {
		t.Run(name, func(t *testing.T) {
			for _, method := range []string{"POST", "GET", "DELETE"} {
				body := map[string]string{"POST": toolCall("add")}[method]
				s.wants(s.do(method, s.url, body, "Authorization", "Bearer "+s.token(edit), "Mcp-Session-Id", sealed), 404, "session_unknown")
			}
		})
	}
	for name, id := range map[string]string{"made up": "inner-1", "truncated": sealed[:len(sealed)-2], "empty": ""} {
		t.Run(name, func(t *testing.T) {
			s.wants(s.post(toolCall("add"), "Authorization", "Bearer "+s.token(), "Mcp-Session-Id", id), 404, "session_unknown")
		})
	}
}

func TestStreamsAreNotHeldBack(t *testing.T) {
	s := newStand(t)
	release := make(chan struct{})
	s.upstream.answers(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{}}\n\n")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-release:
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n")
	})
	req, err := http.NewRequest("POST", s.url, strings.NewReader(toolCall("add")))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.token())
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	first := make([]byte, 200)
	n, err := resp.Body.Read(first) // would hang if the proxy waited for the end
	if err != nil || !strings.Contains(string(first[:n]), "progress") {
		t.Fatalf("%q %v", first[:n], err)
	}
	close(release)
	rest, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(rest), "result") {
		t.Errorf("%q %v", rest, err)
	}
}

func TestCallerLeavingCancelsTheUpstreamCall(t *testing.T) {
	s := newStand(t)
	began, cancelled := make(chan struct{}), make(chan struct{})
	s.upstream.answers(func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
		close(cancelled)
	})
	client := &http.Client{}
	req, err := http.NewRequest("POST", s.url, strings.NewReader(toolCall("add")))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.token())
	req.Header.Set("Content-Type", "application/json")
	ctx, cancel := contextWithCancel(t)
	go func() {
		<-began
		cancel()
	}()
	if resp, err := client.Do(req.WithContext(ctx)); err == nil {
		resp.Body.Close()
		t.Fatal("the call was answered")
	}
	select {
	case <-cancelled:
	case <-time.After(10 * time.Second):
		t.Fatal("the upstream call went on")
	}
}

// A stream that only listens does not outlive the token that opened it.
func TestListeningEndsWithTheToken(t *testing.T) {
	s := newStand(t)
	s.upstream.answers(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	access := s.token(func(c *token.Claims) {
		c.IssuedAt, c.Expiry = s.clock.now().Add(-time.Minute), s.clock.now().Add(-29*time.Second)
	})
	req, err := http.NewRequest("GET", s.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+access)
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.ReadAll(resp.Body) // would never end
	for range 200 {
		if s.audit.len() > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if event := s.audit.last(t); event["reason"] != "token_expired" || event["stage"] != "forward" {
		t.Errorf("audit %v", event)
	}
}

// An upstream that says nothing until there is something to say keeps nobody
// listening past the token.
func TestListeningEndsWithTheTokenBeforeTheAnswer(t *testing.T) {
	s := newStand(t)
	s.upstream.answers(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	access := s.token(func(c *token.Claims) {
		c.IssuedAt, c.Expiry = s.clock.now().Add(-time.Minute), s.clock.now().Add(-29*time.Second)
	})
	r := s.do("GET", s.url, "", "Authorization", "Bearer "+access)
	s.wants(r, 401, "token_expired")
	if !strings.Contains(r.Header.Get("Www-Authenticate"), `error="invalid_token"`) {
		t.Errorf("challenge %q", r.Header.Get("Www-Authenticate"))
	}
}
