package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// oddBody is one JSON text no encoder would write: a proxy that parses and
// prints again gives itself away.
const oddBody = " {\"params\" :{ \"arguments\":{\"n\":1.50e+2,\"text\":\"caf\\u00e9 \\/ \U0001f600\\n\",\"b\":[ ]},\r\n" +
	"\t\"name\":\"e\\u0063ho\", " + meta + "},\"method\":\"tools\\/call\",\"id\":7,\"jsonrpc\":\"2.0\"}\n "

// luggage is what a caller may carry that is none of the upstream's business.
var luggage = []string{
	"Cookie: session=theirs",
	"Connection: X-Upstream-User",
	"X-Upstream-User: root",
	"X-Forwarded-For: 10.0.0.1",
	"X-Forwarded-Host: evil.example",
	"X-Forwarded-Proto: https",
	"Forwarded: for=10.0.0.1",
	"X-Real-IP: 10.0.0.1",
	"Via: 1.1 evil",
	"X-Request-Id: chosen-by-the-caller",
	"X-Auth-Request-User: root",
	"X-Http-Method-Override: DELETE",
	"Proxy-Authorization: Bearer theirs",
	"Txn-Token: theirs",
	"TE: trailers",
	"Accept-Encoding: gzip",
	"Referer: https://evil.example/",
	"Baggage: secret=1",
	"Mcp-Session-Id: theirs",
	"X_Forwarded_For: 10.0.0.1",
}

// raw sends a request nobody's client library touched.
func raw(t *testing.T, address string, lines []string, body string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "%s\r\n\r\n%s", strings.Join(lines, "\r\n"), body); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp, read(t, resp).body
}

func TestUpstreamGetsExactlyThis(t *testing.T) {
	issuer, key := newIssuer(t), newSigner(t)
	up := newUpstream(t, talkative)
	p := startProxy(t, settings{issuer: issuer.url, upstream: up.url})
	c := &caller{url: p.resource, token: issuer.token("ada", p.resource, "use", &key), key: &key}
	c.send(t, message{method: http.MethodPost, body: "{}"}).expect(t, http.StatusBadRequest) // brings a nonce

	resp, body := raw(t, p.address, slices.Concat([]string{
		"POST /recorder/mcp HTTP/1.1",
		"Host: " + p.address,
		"Authorization: DPoP " + c.token,
		"DPoP: " + c.proof(http.MethodPost),
		"Content-Type: application/json",
		"Content-Length: " + strconv.Itoa(len(oddBody)),
		"Accept: application/json, text/event-stream",
		"MCP-Protocol-Version: " + modern,
		"Mcp-Method: tools/call",
		"Mcp-Name: echo",
		"Mcp-Param-Region: eu-west",
		"User-Agent: e2e/1",
		"Accept-Language: en",
		"Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}, luggage), oddBody)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d\n%v\n%s", resp.StatusCode, resp.Header, body)
	}
	got := up.only(t)
	if got.line != "POST /mcp HTTP/1.1" {
		t.Errorf("request line %q", got.line)
	}
	if got.body != oddBody {
		t.Errorf("body %q\nwant %q", got.body, oddBody)
	}
	checkHeader(t, got.header, []string{
		"Host: " + strings.TrimSuffix(strings.TrimPrefix(up.url, "http://"), "/mcp"),
		"Authorization: Bearer " + credential,
		"Content-Type: application/json",
		"Content-Length: " + strconv.Itoa(len(oddBody)),
		"Accept: application/json, text/event-stream",
		"Accept-Encoding: identity",
		"Accept-Language: en",
		"Mcp-Protocol-Version: " + modern,
		"Mcp-Method: tools/call",
		"Mcp-Name: echo",
		"Mcp-Param-Region: eu-west",
		"User-Agent: e2e/1",
		"Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"X-Request-Id: " + resp.Header.Get("X-Request-Id"),
	})
	checkAnswer(t, resp)
}

// talkative answers with headers that would speak for the proxy.
func talkative(w http.ResponseWriter, r *http.Request) {
	for _, name := range []string{"Set-Cookie", "WWW-Authenticate", "DPoP-Nonce", "X-Request-Id", "Mcp-Session-Id", "Access-Control-Allow-Origin", "Server"} {
		w.Header().Set(name, "from-the-upstream")
	}
	w.Header().Set("Cache-Control", "public, max-age=600")
	echo(w, r)
}

func checkHeader(t *testing.T, got, want []string) {
	t.Helper()
	got, want = slices.Clone(got), slices.Clone(want)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the upstream got these header lines:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func checkAnswer(t *testing.T, resp *http.Response) {
	t.Helper()
	for name, values := range resp.Header {
		if strings.Contains(strings.Join(values, " "), "from-the-upstream") {
			t.Errorf("%s of the upstream reaches the caller", name)
		}
	}
	if resp.Header.Get("X-Request-Id") == "" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("answer %v: want a request id and no-store", resp.Header)
	}
}

// TestRefusedCallsNeverReachTheUpstream: one row for every way in that is closed.
func TestRefusedCallsNeverReachTheUpstream(t *testing.T) {
	issuer, key, thief := newIssuer(t), newSigner(t), newSigner(t)
	up := newUpstream(t, echo)
	p := startProxy(t, settings{issuer: issuer.url, upstream: up.url})
	bound := func(scope string) string { return issuer.token("ada", p.resource, scope, &key) }
	echoCall := modernCall("echo", `{}`)
	mismatch := modernCall("echo", `{}`)
	mismatch.header = map[string]string{"Mcp-Protocol-Version": modern, "Mcp-Method": "tools/call", "Mcp-Name": "risky"}
	for _, row := range []struct {
		name   string
		caller caller
		call   message
		status int
		error  string // of the DPoP challenge
	}{
		{"no token", caller{}, echoCall, 401, ""},
		{"not a token", caller{token: "x.y.z", key: &key}, echoCall, 401, "invalid_token"},
		{"unbound token", caller{token: issuer.token("ada", p.resource, "use", nil)}, echoCall, 401, "invalid_token"},
		{"bound token as bearer", caller{token: bound("use")}, echoCall, 401, "invalid_token"},
		{"stolen token, own key", caller{token: bound("use"), key: &thief}, echoCall, 401, "invalid_token"},
		{"another resource's token", caller{token: issuer.token("ada", p.resource+"/", "use", &key), key: &key}, echoCall, 401, "invalid_token"},
		{"missing scope", caller{token: bound("use"), key: &key}, modernCall("risky", `{}`), 403, "insufficient_scope"},
		{"unknown tool", caller{token: bound("use more"), key: &key}, modernCall("hidden", `{}`), 200, ""},
		{"two meanings", caller{token: bound("use more"), key: &key}, mismatch, 400, ""},
		{"batch", caller{token: bound("use"), key: &key}, legacyPost(`[` + legacyCall("echo", `{}`).body + `]`), 400, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.caller.url = p.resource
			got := row.caller.send(t, row.call).expect(t, row.status)
			if found := challenges(t, got.header); found["DPoP"]["error"] != row.error {
				t.Errorf("challenges %v, want error %q", found, row.error)
			}
			if row.status == 200 && !strings.Contains(got.body, `"code":-32602`) {
				t.Errorf("an unknown tool is answered with %s", got.body)
			}
		})
	}
	if got := up.all(); len(got) != 0 {
		t.Errorf("the upstream got %d requests: %q", len(got), got)
	}
}

// TestAmbiguousFramingNeverReachesTheUpstream: what two HTTP parsers could
// read differently is refused, and no byte of it goes on.
func TestAmbiguousFramingNeverReachesTheUpstream(t *testing.T) {
	issuer := newIssuer(t)
	up := newUpstream(t, echo)
	p := startProxy(t, settings{issuer: issuer.url, dpop: "accepted", upstream: up.url})
	call := modernCall("echo", `{}`)
	head := []string{
		"POST /recorder/mcp HTTP/1.1", "Host: " + p.address, "Content-Type: application/json", "Accept: application/json, text/event-stream",
		"Authorization: Bearer " + issuer.token("ada", p.resource, "use", nil),
		"MCP-Protocol-Version: " + modern, "Mcp-Method: tools/call", "Mcp-Name: echo",
	}
	length := "Content-Length: " + strconv.Itoa(len(call.body))
	chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(call.body), call.body)
	for _, row := range []struct {
		name   string
		lines  []string
		body   string
		passes bool
	}{
		{"plain, for comparison", []string{length}, call.body, true},
		{"chunked, for comparison", []string{"Transfer-Encoding: chunked"}, chunked, true},
		{"both lengths and chunks", []string{length, "Transfer-Encoding: chunked"}, chunked, false},
		{"two lengths", []string{length, length}, call.body, false},
		{"a signed length", []string{"Content-Length: +" + strconv.Itoa(len(call.body))}, call.body, false},
		{"an unknown coding", []string{"Transfer-Encoding: xchunked"}, chunked, false},
		{"a space before the colon", []string{length, "X-Odd : 1"}, call.body, false},
		{"a folded line", []string{length, "X-Odd: 1\r\n folded"}, call.body, false},
		{"bare line feeds in chunks", []string{"Transfer-Encoding: chunked"}, strings.ReplaceAll(chunked, "\r\n", "\n"), false},
		{"a chunk extension", []string{"Transfer-Encoding: chunked"}, strings.Replace(chunked, "\r\n", ";a=b\r\n", 1), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			before := len(up.all())
			resp, body := raw(t, p.address, slices.Concat(head, row.lines), row.body)
			if passed := resp.StatusCode == http.StatusOK; passed != row.passes || !passed && resp.StatusCode/100 != 4 {
				t.Errorf("status %d\n%s", resp.StatusCode, body)
			}
			if reached := len(up.all()) > before; reached != row.passes {
				t.Errorf("reached the upstream: %v", reached)
			}
		})
	}
}
