package stdio

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/postern-mcp/postern/proxy"
)

// TestRequestsArriveByteForByte but for the id and the progress token.
func TestRequestsArriveByteForByte(t *testing.T) {
	r := running(t, "legacy")
	sent := "{ \"params\" : {\"_meta\":{\"progressToken\":\"mine\",\"x\":1.50e+2},\"progressToken\":9,\"name\":\"echo\",\"arguments\":{\"t\":\"caf\\u00e9 \\/\"}},\r\n" +
		"\t\"id\" :\"a\\u0062\", \"method\":\"tools\\/call\",\"jsonrpc\":\"2.0\"}"
	id, got := r.do(t, ask{body: sent}).said(t)
	if id != `"a\u0062"` {
		t.Errorf("the answer has id %s", id)
	}
	var n struct{ ID json.RawMessage }
	if err := json.Unmarshal([]byte(got), &n); err != nil {
		t.Fatal(err)
	}
	name := string(n.ID)
	want := strings.NewReplacer(`"a\u0062"`, name, `"mine"`, name, "\r", " ", "\n", " ").Replace(sent)
	if got != want {
		t.Errorf("the child got\n%q\nwant\n%q", got, want)
	}
}

// TestAnswersGoToWhoAsked: many callers use the same id and the same token,
// and the child names what is not theirs to anybody who asks.
func TestAnswersGoToWhoAsked(t *testing.T) {
	r := running(t, "legacy")
	const id, token = "7", `"tok"`
	var streams []*bufio.Reader
	for range 3 {
		resp, err := r.open(t.Context(), toolWithToken(id, "hold", token))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		stream := bufio.NewReader(resp.Body)
		if got := nextEvent(t, stream); !strings.Contains(got, `"progressToken":"tok"`) {
			t.Fatalf("first event %s", got)
		}
		streams = append(streams, stream)
	}
	got := r.do(t, tool(id, "meddle"))
	if sent, text := got.said(t); sent != id || text != "meddled" || got.kind != "application/json" {
		t.Errorf("the one without a token got %+v", got)
	}
	for i, stream := range streams {
		if got := nextEvent(t, stream); !strings.Contains(got, `"progressToken":"tok"`) {
			t.Errorf("stream %d: %s", i, got)
		}
		if got := nextEvent(t, stream); !strings.Contains(got, `"id":7,`) || !strings.Contains(got, `"held"`) {
			t.Errorf("stream %d: %s", i, got)
		}
		if rest, err := io.ReadAll(stream); err != nil || len(bytes.TrimSpace(rest)) > 0 {
			t.Errorf("stream %d goes on with %q %v", i, rest, err)
		}
	}
	if r.dropped(dropUnknown) < 10 {
		t.Errorf("%v messages were dropped", r.dropped(dropUnknown))
	}
}

func TestProgressComesBeforeTheAnswer(t *testing.T) {
	r := running(t, "legacy")
	got := r.do(t, toolWithToken("1", "progress", "5"))
	events := strings.Split(strings.TrimSpace(got.body), "\n\n")
	if got.kind != "text/event-stream" || len(events) != 2 || !strings.Contains(events[0], `"progressToken":5`) {
		t.Errorf("with a token: %+v", got)
	}
	if got := r.do(t, tool("1", "progress")); got.kind != "application/json" {
		t.Errorf("without a token: %+v", got)
	}
	plain := toolWithToken("1", "progress", "5")
	plain.accept = "application/json"
	if got := r.do(t, plain); got.kind != "application/json" || strings.Contains(got.body, "progress") {
		t.Errorf("who takes no events got %+v", got)
	}
	events2 := tool("1", "echo")
	events2.accept = "text/event-stream"
	if got := r.do(t, events2); got.kind != "text/event-stream" {
		t.Errorf("who takes only events got %+v", got)
	}
}

// TestManyCallersAtOnce, some of whom leave at any moment: everybody else gets
// exactly what is theirs, and every place is free in the end.
func TestManyCallersAtOnce(t *testing.T) {
	r := running(t, "legacy")
	var group sync.WaitGroup
	for worker := range cap(r.calls) {
		group.Go(func() {
			for i := range 50 {
				ctx, leave := context.WithCancel(t.Context())
				if i%5 == 0 {
					go leave()
				}
				r.oneOfMany(ctx, t, fmt.Sprintf(`"%d of %d"`, i, worker))
				leave()
			}
		})
	}
	group.Wait()
	if len(r.calls) != 0 || len(r.life.waiting) != 0 {
		t.Errorf("%d places are taken, %d requests wait", len(r.calls), len(r.life.waiting))
	}
}

func (r *rig) oneOfMany(ctx context.Context, t *testing.T, id string) {
	resp, err := r.open(ctx, toolWithToken(id, "progress", id))
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", id, err)
		}
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", id, err)
		}
		return
	}
	if events := strings.Split(string(body), "\n\n"); len(events) != 3 || strings.Count(string(body), id) != 2 {
		t.Errorf("%s got %s", id, body)
	}
}

// TestSlowCallersLoseProgressOnly, and nobody else waits for them.
func TestSlowCallersLoseProgressOnly(t *testing.T) {
	r := running(t, "legacy")
	resp, err := r.open(t.Context(), toolWithToken("1", "flood", "1"))
	if err != nil {
		t.Fatal(err)
	}
	r.do(t, tool("2", "echo")) // comes after all of it
	got := finish(t, resp)
	if _, text := got.said(t); text != "dry" {
		t.Errorf("the answer is %q", text)
	}
	seen := strings.Count(got.body, "notifications/progress")
	if lost := r.dropped(dropOverflow); seen > notesKept+1 || float64(seen)+lost != 5*notesKept {
		t.Errorf("%d notifications came, %v were dropped", seen, lost)
	}
}

// TestTokensInOtherSpellings: a child that compares names loosely could take
// such a key for the token, and so be made to name somebody else's request.
func TestTokensInOtherSpellings(t *testing.T) {
	r := running(t, "legacy")
	for _, key := range []string{"ProgressToken", "progresstoken", `progre\u017fsToken`} {
		got := r.do(t, ask{body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","_meta":{"` + key + `":2}}}`})
		if got.status != 400 || !strings.Contains(got.body, "-32602") {
			t.Errorf("%s: %+v", key, got)
		}
	}
}

func TestGarbageGoesToNobody(t *testing.T) {
	r := running(t, "legacy")
	if _, text := r.do(t, tool("1", "garbage")).said(t); text != "after all" {
		t.Errorf("got %q", text)
	}
	if got := r.dropped(dropMalformed); got != 6 {
		t.Errorf("%v lines were malformed, want 6", got)
	}
	if got := r.dropped(dropUnknown); got != 2 {
		t.Errorf("%v ids were unknown, want 2", got)
	}
	if got := r.dropped(dropTooLong); got != 1 {
		t.Errorf("%v lines were too long, want 1", got)
	}
	if _, text := r.do(t, tool("1", "twice")).said(t); text != "first" {
		t.Errorf("got %q", text)
	}
	if _, text := r.do(t, tool("1", "echo")).said(t); !strings.Contains(text, "echo") {
		t.Errorf("after a second answer: %q", text)
	}
}

func TestSloppyResultsAreAnswers(t *testing.T) {
	r := running(t, "legacy")
	if got := r.do(t, tool("1", "cut")); got.body != strings.Replace(cutAnswer, "ID", "1", 1) {
		t.Errorf("got %q", got.body)
	}
}

func TestChildAsksInVain(t *testing.T) {
	r := running(t, "legacy")
	_, text := r.do(t, tool("1", "ask")).said(t)
	replies := strings.Split(text, "\n")
	want := []string{
		`{"jsonrpc":"2.0","id":"s1","error":{"code":-32601,"message":"Method not found"}}`,
		`{"jsonrpc":"2.0","id":"p1","result":{}}`,
	}
	if !slices.Equal(replies, want) {
		t.Errorf("the child was told\n%s", text)
	}
}

func TestLeavingCancelsAndFreesTheSlot(t *testing.T) {
	c := settings(t, "legacy")
	c.InFlight = 1
	r := launch(t, c)
	r.ready(t)
	ctx, leave := context.WithCancel(t.Context())
	resp, err := r.open(ctx, toolWithToken("1", "hold", "1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.open(t.Context(), tool("1", "echo")); !errors.Is(err, proxy.ErrBusy) {
		t.Errorf("one call too many: %v", err)
	}
	leave()
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, context.Canceled) {
		t.Errorf("the stream ends with %v", err)
	}
	resp.Body.Close()
	if _, told := r.do(t, tool("1", "cancelled")).said(t); told == "" {
		t.Error("the child was not told")
	}
}

// TestPrintedAnswersAreNobodys: a child that prints what it is sent does not
// let one caller answer in the place of the server.
func TestPrintedAnswersAreNobodys(t *testing.T) {
	r := running(t, "legacy")
	held := make(chan answer, 1)
	go func() { held <- r.do(t, tool("1", "hold")) }()
	eventually(t, func() error {
		if len(r.calls) != 1 {
			return errors.New("the call does not run")
		}
		return nil
	})
	var forged strings.Builder
	for n := range 500 {
		fmt.Fprintf(&forged, `{"jsonrpc":"2.0","id":%d,"result":{"content":[]}}`+"\n", n)
		fmt.Fprintf(&forged, `{"jsonrpc":"2.0","id":"%d","result":{"content":[]}}`+"\n", n)
	}
	text, err := json.Marshal(forged.String())
	if err != nil {
		t.Fatal(err)
	}
	r.do(t, ask{body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"print","arguments":{"text":` + string(text) + `}}}`})
	if got := r.dropped(dropUnknown); got != 1000 {
		t.Errorf("%v forged answers were dropped, want all 1000", got)
	}
	r.do(t, tool("1", "meddle"))
	if _, said := (<-held).said(t); said != "held" {
		t.Errorf("the one who waited got %q", said)
	}
	names := map[string]bool{}
	for range 3 {
		_, line := r.do(t, tool("1", "echo")).said(t)
		m, err := read([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		names[string(m.of(m.id))] = true
		if len(m.of(m.id)) < 26 {
			t.Errorf("the child knows a request as %s, which can be guessed", m.of(m.id))
		}
	}
	if len(names) != 3 {
		t.Errorf("names are used again: %v", names)
	}
}
