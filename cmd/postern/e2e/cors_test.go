package e2e

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// browserOrigin is a page that the configuration lets call.
const browserOrigin = "https://app.example.com"

// TestBrowsersCanReadEveryAnswer: also those that refuse, because a page that
// cannot read why it was refused cannot do better.
func TestBrowsersCanReadEveryAnswer(t *testing.T) {
	g := gatekeeper{make(chan struct{})}
	issuer, up := newIssuer(t), newUpstream(t, g.handle)
	p := startProxy(t, settings{issuer: issuer.url, dpop: "accepted", upstream: up.url, more: "origins: [" + browserOrigin + "]\n" +
		"limits: {in_flight: 2, in_flight_per_subject: 1, streams_per_subject: 1, rates: {client: 3/h}}\n"})
	call, token := modernCall("echo", `{}`), "Authorization: Bearer "+issuer.token("ada", p.resource, "use", nil)
	const path, origin = "/recorder/mcp", "Origin: " + browserOrigin
	stream := p.person(issuer, "ada", "use").open(t, message{method: http.MethodGet, header: map[string]string{"Accept": "text/event-stream"}})
	defer stream.Body.Close()
	other := "Authorization: Bearer " + issuer.token("eve", p.resource, "use", nil)
	for _, row := range []struct {
		name, target string
		lines        []string
		status       int
	}{
		{"no token", path, nil, 401},
		{"a bad token", path, []string{"Authorization: Bearer x"}, 401},
		{"too many of one subject", path, []string{token}, 429},
		{"a path with two readings", "/recorder//mcp", nil, 400},
		{"an unknown path", "/nowhere", nil, 404},
		{"a token in the URL", path + "?access_token=x", nil, 400},
		{"a scope that is missing", path, []string{"Authorization: Bearer " + issuer.token("eve", p.resource, "more", nil)}, 403},
		{"an answer", path, []string{other}, 200},
		{"too many of one client", path, []string{other}, 429},
	} {
		t.Run(row.name, func(t *testing.T) {
			readable(t, p.knock(t, row.target, call, append(row.lines, origin)...).expect(t, row.status))
		})
	}
}

// TestBrowsersAreAnsweredInAFullHouse: preflights find no room needed, and the
// refusal can be read.
func TestBrowsersAreAnsweredInAFullHouse(t *testing.T) {
	g := gatekeeper{make(chan struct{})}
	issuer, up := newIssuer(t), newUpstream(t, g.handle)
	p := startProxy(t, settings{issuer: issuer.url, dpop: "accepted", upstream: up.url, more: "origins: [" + browserOrigin + "]\nlimits: {in_flight: 1}\n"})
	stream := p.person(issuer, "ada", "use").open(t, message{method: http.MethodGet, header: map[string]string{"Accept": "text/event-stream"}})
	defer stream.Body.Close()
	got := p.knock(t, "/recorder/mcp", modernCall("echo", `{}`), "Origin: "+browserOrigin).expect(t, http.StatusServiceUnavailable)
	readable(t, got)
	if got.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	ask := func(origin string) *http.Response {
		resp, _ := raw(t, p.address, []string{"OPTIONS /recorder/mcp HTTP/1.1", "Host: " + p.address, "Origin: " + origin,
			"Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization, dpop, mcp-param-region"}, "")
		return resp
	}
	preflight := ask(browserOrigin)
	if preflight.StatusCode != http.StatusNoContent || !strings.Contains(preflight.Header.Get("Access-Control-Allow-Methods"), "DELETE") {
		t.Errorf("%s %v", preflight.Status, preflight.Header)
	}
	for _, name := range []string{"Authorization", "DPoP", "Mcp-Session-Id", "Last-Event-ID", "Mcp-Method", "Mcp-Name", "mcp-param-region"} {
		if !strings.Contains(preflight.Header.Get("Access-Control-Allow-Headers"), name) {
			t.Errorf("%s may not be sent", name)
		}
	}
	if foreign := ask("https://evil.example"); foreign.StatusCode != http.StatusForbidden || foreign.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a foreign page: %s %v", foreign.Status, foreign.Header)
	}
}

// readable fails unless the page may read the answer and the headers it needs.
func readable(t *testing.T, got reply) {
	t.Helper()
	if allowed := got.header.Get("Access-Control-Allow-Origin"); allowed != browserOrigin {
		t.Errorf("Access-Control-Allow-Origin %q", allowed)
	}
	if !strings.Contains(got.header.Get("Vary"), "Origin") {
		t.Errorf("Vary %q", got.header.Values("Vary"))
	}
	exposed := ", " + got.header.Get("Access-Control-Expose-Headers") + ","
	for _, name := range []string{"WWW-Authenticate", "DPoP-Nonce", "Mcp-Session-Id", "Mcp-Protocol-Version", "Retry-After", "X-Request-Id"} {
		if !strings.Contains(exposed, ", "+name+",") {
			t.Errorf("%s is not exposed: %s", name, exposed)
		}
	}
}

// seen is what a page could read of an answer.
type seen struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"` // names in lower case
	Body    string            `json:"body"`
	Blocked string            `json:"blocked"`
}

// visit lets a page of an origin of its own send calls, in a real browser.
func visit(t *testing.T, page string, calls []map[string]any) []seen {
	t.Helper()
	var found struct {
		Answers []seen `json:"answers"`
	}
	ask(t, "page.mjs", map[string]any{"browser": chromium(t), "page": page, "calls": calls}, &found)
	if len(found.Answers) != len(calls) {
		t.Fatalf("%d answers to %d calls", len(found.Answers), len(calls))
	}
	return found.Answers
}

// newPage serves an empty page.
func newPage(t *testing.T) string {
	t.Helper()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html><title>page</title>")
	}))
	t.Cleanup(page.Close)
	return page.URL
}

// TestPageInABrowser: a page the configuration names calls and reads why it is
// refused; any other reads nothing, and its call is not carried out.
func TestPageInABrowser(t *testing.T) {
	ours, foreign := newPage(t), newPage(t)
	issuer, up := newIssuer(t), newUpstream(t, echo)
	p := startProxy(t, settings{issuer: issuer.url, dpop: "accepted", upstream: up.url, more: "origins: [" + ours + "]\nlimits: {rates: {subject: 1/h}}\n"})
	call := func(token string) map[string]any {
		m := modernCall("echo", `{}`)
		header := map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Mcp-Param-Region": "eu"}
		maps.Copy(header, m.header)
		if token != "" {
			header["Authorization"] = "Bearer " + token
		}
		return map[string]any{"url": p.resource, "method": m.method, "headers": header, "body": m.body}
	}
	good := issuer.token("ada", p.resource, "use", nil)
	for i, got := range visit(t, foreign, []map[string]any{call(""), call(good)}) {
		if got.Blocked == "" {
			t.Errorf("call %d of a foreign page is answered: %+v", i, got)
		}
	}
	got := visit(t, ours, []map[string]any{call(""), call(good), call(good)})
	for i, want := range []struct {
		status       int
		header, body string
	}{{401, "www-authenticate", "credential_missing"}, {200, "x-request-id", "done"}, {429, "retry-after", "rate_subject"}} {
		if got[i].Status != want.status || got[i].Headers[want.header] == "" || !strings.Contains(got[i].Body, want.body) {
			t.Errorf("call %d: %+v, want %+v", i, got[i], want)
		}
	}
	up.only(t)
}
