package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// sent is one event of a stream.
type sent struct{ id, data string }

// events reads a stream to its end.
func events(t *testing.T, r io.Reader) (all []sent) {
	t.Helper()
	var next sent
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch {
		case lines.Text() == "":
			all, next = append(all, next), sent{}
		case name == "id":
			next.id = value
		case name == "data":
			next.data += value
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// streamed sends m and reads the stream that answers.
func (c *caller) streamed(t *testing.T, m message) []sent {
	t.Helper()
	resp := c.open(t, m)
	defer resp.Body.Close()
	if kind := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || kind != "text/event-stream" {
		t.Fatalf("status %d, %s", resp.StatusCode, kind)
	}
	return events(t, resp.Body)
}

func resume(after string) message {
	return message{method: http.MethodGet, header: map[string]string{"Mcp-Protocol-Version": legacy, "Last-Event-Id": after}}
}

// session opens one.
func (c *caller) begin(t *testing.T) {
	t.Helper()
	c.session = c.send(t, initialize()).expect(t, http.StatusOK).header.Get("Mcp-Session-Id")
	c.send(t, legacyPost(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)).expect(t, http.StatusAccepted)
}

// gateToStreams is a proxy in front of an SDK's server that keeps events.
func gateToStreams(t *testing.T) (*sidecar, *issuer) {
	t.Helper()
	var up struct {
		URL string `json:"url"`
	}
	serve(t, "streams-server.mjs", struct{}{}, &up)
	issuer := newIssuer(t)
	return startProxy(t, settings{issuer: issuer.url, dpop: "accepted", upstream: up.URL}), issuer
}

const slowCall = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"slow","arguments":{},"_meta":{"progressToken":"p"}}}`

// TestLostStreamIsResumed: the server hangs up in the middle of a call, and
// what is missing arrives by GET, for the caller it belongs to.
func TestLostStreamIsResumed(t *testing.T) {
	p, issuer := gateToStreams(t)
	ada := &caller{url: p.resource, token: issuer.token("ada", p.resource, "use", nil)}
	ada.begin(t)
	begun := ada.streamed(t, legacyPost(slowCall))
	if len(begun) == 0 || begun[0].id == "" {
		t.Fatalf("the call's stream: %v, want an event id first", begun)
	}
	for _, e := range begun {
		if strings.Contains(e.data, "at last") {
			t.Fatalf("nothing was lost: %v", begun)
		}
	}
	rest := ada.open(t, resume(begun[0].id))
	defer rest.Body.Close()
	stream := bufio.NewReader(rest.Body)
	for !strings.Contains(nextEvent(t, stream), "at last") {
	}

	list := ada.streamed(t, legacyPost(`{"jsonrpc":"2.0","id":8,"method":"tools/list"}`))
	again := ada.open(t, resume(list[0].id))
	defer again.Body.Close()
	if got := nextEvent(t, bufio.NewReader(again.Body)); !strings.Contains(got, `"echo"`) || strings.Contains(got, `"risky"`) {
		t.Errorf("a list is replayed as %s", got)
	}

	eve := &caller{url: p.resource, token: issuer.token("eve", p.resource, "use more", nil)}
	eve.send(t, resume(begun[0].id)).expect(t, http.StatusBadRequest)
	eve.begin(t)
	eve.send(t, resume(begun[0].id)).expect(t, http.StatusBadRequest)

	ada.send(t, message{method: http.MethodDelete, header: map[string]string{"Mcp-Protocol-Version": legacy}}).expect(t, http.StatusOK)
	ada.send(t, legacyCall("echo", `{}`)).expect(t, http.StatusNotFound)
	eve.send(t, legacyCall("echo", `{}`)).expect(t, http.StatusOK)
}

// TestClientResumesByItself: the same with a client nobody here wrote.
func TestClientResumesByItself(t *testing.T) {
	p, issuer := gateToStreams(t)
	var found struct {
		Text     string `json:"text"`
		Progress int    `json:"progress"`
		Resumed  []struct {
			After  string `json:"after"`
			Status int    `json:"status"`
		} `json:"resumed"`
	}
	ask(t, "streams-client.mjs", map[string]string{"url": p.resource, "token": issuer.token("ada", p.resource, "use", nil)}, &found)
	if found.Text != "at last" || found.Progress != 1 {
		t.Errorf("the call: %q with %d notices of progress", found.Text, found.Progress)
	}
	if len(found.Resumed) == 0 || found.Resumed[0].Status != http.StatusOK {
		t.Errorf("resumed %v, want at least once", found.Resumed)
	}
}

// TestNobodyResumesAnothersStream: the upstream keeps events without sessions,
// so an event id is all it asks for.
func TestNobodyResumesAnothersStream(t *testing.T) {
	p, issuer, up := gate(t, func(w http.ResponseWriter, r *http.Request) {
		eventStream(w)
		if after := r.Header.Get("Last-Event-Id"); after != "" {
			fmt.Fprintf(w, "id: 2\ndata: %s\n\n", `{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"after `+after+`"}]}}`)
			return
		}
		fmt.Fprintf(w, "id: 1\ndata: %s\n\n", progressEvent)
	})
	ada := &caller{url: p.resource, token: issuer.token("ada", p.resource, "use", nil)}
	eve := &caller{url: p.resource, token: issuer.token("eve", p.resource, "use", nil)}
	for name, m := range map[string]message{"a call": legacyCall("slow", `{}`), "a stream": {method: http.MethodGet}} {
		t.Run(name, func(t *testing.T) {
			given := ada.streamed(t, m)[0].id
			before := len(up.all())
			for _, id := range []string{given, "1", given + "AA", "AA" + given} {
				eve.send(t, resume(id)).expect(t, http.StatusBadRequest)
			}
			if n := len(up.all()) - before; n != 0 {
				t.Errorf("%d of those reached the upstream", n)
			}
			if got := ada.streamed(t, resume(given)); len(got) != 1 || !strings.Contains(got[0].data, "after 1") {
				t.Errorf("the owner gets %v", got)
			}
		})
	}
}
