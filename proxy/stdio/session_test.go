package stdio

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
)

func TestInitializeIsAnsweredForTheChild(t *testing.T) {
	r := running(t, "legacy")
	got := r.do(t, ask{body: `{"jsonrpc":"2.0","id":"mine","method":"initialize","params":{}}`})
	want := `{"jsonrpc":"2.0","id":"mine","result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true},` +
		`"resources":{"subscribe":true}},"serverInfo":{"name":"fixture","version":"1"}}}`
	if got.body != want {
		t.Errorf("initialize: %s", got.body)
	}
	if other := r.enter(t); other == got.session || len(other) < 20 {
		t.Errorf("sessions %q and %q", got.session, other)
	}
	if got := r.do(t, ask{session: got.session, body: `{"jsonrpc":"2.0","method":"notifications/initialized"}`}); got.status != 202 {
		t.Errorf("initialized: %+v", got)
	}
	if got := r.do(t, ask{body: `{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"debug"}}`}); !strings.Contains(got.body, "-32601") {
		t.Errorf("setLevel: %+v", got)
	}
	if got := r.do(t, ask{session: "stranger", body: tool("1", "echo").body}); got.status != 404 {
		t.Errorf("unknown session: %+v", got)
	}
	if got := r.do(t, ask{method: "DELETE", session: got.session}); got.status != 204 {
		t.Errorf("DELETE: %+v", got)
	}
	if got := r.do(t, ask{session: got.session, body: tool("1", "echo").body}); got.status != 404 {
		t.Errorf("after DELETE: %+v", got)
	}
}

// TestSessionStreams: list_changed for everybody, updates for who subscribed,
// log messages for nobody, nor what else stands in a notification.
func TestSessionStreams(t *testing.T) {
	r := running(t, "legacy")
	subscriber, other := r.enter(t), r.enter(t)
	subscribe := ask{session: subscriber, body: `{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"a:\/\/x"}}`}
	if got := r.do(t, subscribe); got.status != 200 || strings.Contains(got.body, "error") {
		t.Fatalf("subscribe: %+v", got)
	}
	refusedURI := strings.Replace(subscribe.body, `a:\/\/x`, "no://", 1)
	if got := r.do(t, ask{session: other, body: refusedURI}); !strings.Contains(got.body, "-32602") {
		t.Fatalf("subscribe: %+v", got)
	}
	if got := r.do(t, ask{body: subscribe.body}); got.status != 400 {
		t.Errorf("subscribe without a session: %+v", got)
	}
	streams := map[string]*bufio.Reader{}
	for _, s := range []string{subscriber, other} {
		resp, err := r.open(t.Context(), ask{method: "GET", session: s})
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		defer resp.Body.Close()
		streams[s] = bufio.NewReader(resp.Body)
	}
	if got := r.do(t, ask{method: "GET", session: other}); got.status != 409 {
		t.Errorf("a second stream: %+v", got)
	}
	r.do(t, tool("1", "changed"))
	r.do(t, tool("1", "changed"))
	const changed, updated = "notifications/tools/list_changed", "notifications/resources/updated"
	for _, row := range []struct {
		session string
		want    []string
	}{{subscriber, []string{changed, updated, changed, updated}}, {other, []string{changed, changed}}} {
		for i, want := range row.want {
			if got := nextEvent(t, streams[row.session]); !strings.Contains(got, want) || strings.Contains(got, "somebody") {
				t.Errorf("event %d of %s: %s", i, row.session, got)
			}
		}
	}
	if r.dropped(dropUnsolicited) != 2 {
		t.Errorf("%v messages were dropped", r.dropped(dropUnsolicited))
	}
	r.do(t, ask{method: "DELETE", session: other})
	if rest, err := io.ReadAll(streams[other]); err != nil || strings.Contains(string(rest), "data") {
		t.Errorf("after DELETE the stream goes on with %q %v", rest, err)
	}
}

// TestUnsubscribingIsForOneself: the child takes all callers for one.
func TestUnsubscribingIsForOneself(t *testing.T) {
	r := running(t, "legacy")
	a, b := r.enter(t), r.enter(t)
	for _, s := range []string{a, b} {
		r.do(t, ask{session: s, body: `{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"a://x"}}`})
	}
	unsubscribe := `{"jsonrpc":"2.0","id":1,"method":"resources/unsubscribe","params":{"uri":"a://x"}}`
	if got := r.do(t, ask{session: a, body: unsubscribe}); got.body != `{"jsonrpc":"2.0","id":1,"result":{}}` {
		t.Errorf("with another subscriber left the child is told: %+v", got)
	}
	if _, text := r.do(t, ask{session: b, body: unsubscribe}).said(t); !strings.Contains(text, "resources/unsubscribe") {
		t.Errorf("the last one does not reach the child: %q", text)
	}
}

// TestSessionsAreBounded: the one that was idle longest goes, one in use and
// one that listens stay.
func TestSessionsAreBounded(t *testing.T) {
	r := running(t, "legacy")
	listener := r.enter(t)
	stream, err := r.open(t.Context(), ask{method: "GET", session: listener})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	idle, used := r.enter(t), r.enter(t)
	for i := range sessionsKept - 2 {
		r.enterAs(t, strconv.Itoa(i/sessionsEach))
		if i%1000 == 0 {
			r.do(t, ask{session: used, body: `{"jsonrpc":"2.0","method":"notifications/initialized"}`})
		}
	}
	if got := r.do(t, ask{session: used, body: tool("1", "echo").body}); got.status != 200 {
		t.Errorf("the session in use: %+v", got)
	}
	if got := r.do(t, ask{session: listener, body: tool("1", "echo").body}); got.status != 200 {
		t.Errorf("the session that listens: %+v", got)
	}
	if got := r.do(t, ask{session: idle, body: tool("1", "echo").body}); got.status != 404 {
		t.Errorf("the idle session: %+v", got)
	}
}

// TestSessionsOfASubjectAreBounded: whoever begins too many ends their own.
func TestSessionsOfASubjectAreBounded(t *testing.T) {
	r := running(t, "legacy")
	ada, first := r.enterAs(t, "ada"), r.enterAs(t, "eve")
	var last string
	for range sessionsEach {
		last = r.enterAs(t, "eve")
	}
	for name, row := range map[string]struct {
		session string
		status  int
	}{"another's": {ada, 200}, "their first": {first, 404}, "their last": {last, 200}} {
		if got := r.do(t, ask{session: row.session, body: tool("1", "echo").body}); got.status != row.status {
			t.Errorf("%s: %+v, want %d", name, got, row.status)
		}
	}
}

func TestSubscriptionsAreBounded(t *testing.T) {
	r := running(t, "legacy")
	s := r.enter(t)
	subscribe := func(i int) answer {
		return r.do(t, ask{session: s, body: fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"a://%d"}}`, i)})
	}
	for i := range subscriptions {
		if got := subscribe(i); strings.Contains(got.body, "error") {
			t.Fatalf("subscription %d: %+v", i, got)
		}
	}
	if got := subscribe(subscriptions); !strings.Contains(got.body, "-32602") {
		t.Errorf("one too many: %+v", got)
	}
	if got := subscribe(0); strings.Contains(got.body, "error") {
		t.Errorf("one that is there already: %+v", got)
	}
	r.do(t, ask{method: "DELETE", session: s})
	eventually(t, func() error {
		if _, told := r.do(t, tool("1", "cancelled")).said(t); len(strings.Fields(told)) == 0 || len(strings.Fields(told)) > subscriptions {
			return fmt.Errorf("the child was told to end %q", told)
		}
		return nil
	})
}

func TestCancellation(t *testing.T) {
	r := running(t, "legacy")
	a, b := r.enter(t), r.enter(t)
	held := make(chan answer, 2)
	for _, s := range []string{a, b} {
		call := tool(`"same"`, "hold")
		call.session = s
		go func() { held <- r.do(t, call) }()
	}
	eventually(t, func() error {
		if n := len(r.calls); n != 2 {
			return fmt.Errorf("%d calls run", n)
		}
		return nil
	})
	cancel := `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"same"}}`
	for _, s := range []string{"", a, a} {
		if got := r.do(t, ask{session: s, body: cancel}); got.status != 202 {
			t.Errorf("cancelling: %+v", got)
		}
	}
	if got := <-held; !strings.Contains(got.body, "-32800") {
		t.Errorf("the cancelled one got %+v", got)
	}
	_, told := r.do(t, tool("1", "cancelled")).said(t)
	if len(strings.Fields(told)) != 1 {
		t.Errorf("the child was told to cancel %q, want one", told)
	}
	r.do(t, tool("1", "meddle"))
	if got := <-held; !strings.Contains(got.body, `"held"`) || !strings.Contains(got.body, `"id":"same"`) {
		t.Errorf("the other one got %+v", got)
	}
}

// The URIs of all sessions together are bounded, and what ends is given back.
func TestSubscriptionsShareOneMemory(t *testing.T) {
	l := newLife(&Child{})
	a, b := &session{uris: map[string]bool{}}, &session{uris: map[string]bool{}}
	large := strings.Repeat("x", uriBytesMost-1)
	if !l.want(a, large) || l.want(b, "ab") || !l.want(a, large) {
		t.Error("64 MiB are not where it ends")
	}
	if !l.unwant(a, large) || !l.want(a, "ab") || !l.want(b, "ab") {
		t.Error("no room after one has ended")
	}
	if l.unwant(a, "ab") || l.unwant(a, "ab") || !l.unwant(b, "ab") || !l.unwant(b, "ab") {
		t.Error("the last one is not who ends it")
	}
	if l.uriBytes != 0 || len(l.wanted) != 0 {
		t.Errorf("left at the end: %d bytes, %v", l.uriBytes, l.wanted)
	}
}
