package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

const crowd = 50 // streams of one caller at a time

// numbered answers call n with progress n and, once everybody is there, result n.
func numbered(t *testing.T) http.HandlerFunc {
	var here sync.WaitGroup
	here.Add(crowd)
	return func(w http.ResponseWriter, r *http.Request) {
		var call struct {
			ID int `json:"id"`
		}
		if err := json.UnmarshalRead(r.Body, &call); err != nil {
			t.Error(err)
		}
		eventStream(w)
		event(w, fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%d,"progress":1}}`, call.ID))
		here.Done()
		here.Wait()
		event(w, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"result":{"resultType":"complete","content":[]}}`, call.ID))
	}
}

// TestManyStreamsOfOneCaller: all are open at once, and each brings the events
// of its own call.
func TestManyStreamsOfOneCaller(t *testing.T) {
	for era, call := range map[string]message{modern: modernCall("slow", `{}`), legacy: legacyCall("slow", `{}`)} {
		t.Run(era, func(t *testing.T) {
			p, issuer, _ := gate(t, numbered(t))
			c := caller{url: p.resource, token: issuer.token("ada", p.resource, "use", nil)}
			var all sync.WaitGroup
			for n := range crowd {
				all.Go(func() {
					m := call
					m.body = strings.Replace(call.body, `"id":7`, fmt.Sprintf(`"id":%d`, n), 1)
					if err := c.hears(m, n); err != nil {
						t.Errorf("call %d: %v", n, err)
					}
				})
			}
			all.Wait()
		})
	}
}

// hears says what is wrong with the stream of call n.
func (c *caller) hears(m message, n int) error {
	resp, err := c.attempt(m, "")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	want := fmt.Sprintf(`"progressToken":%d,`, n)
	if got := string(body); strings.Count(got, "data: ") != 2 || !strings.Contains(got, want) || !strings.Contains(got, fmt.Sprintf(`"id":%d,`, n)) {
		return fmt.Errorf("status %d: %s", resp.StatusCode, got)
	}
	return nil
}

// TestCallerLeavingBeforeTheAnswer: the upstream's call ends as well when it
// has not said anything yet, and the record says who left.
func TestCallerLeavingBeforeTheAnswer(t *testing.T) {
	begun, ended := make(chan struct{}), make(chan struct{})
	p, issuer, _ := gate(t, func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
		close(ended)
	})
	c := caller{url: p.resource, token: issuer.token("ada", p.resource, "use", nil)}
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	req, err := c.request(legacyCall("slow", `{}`))
	if err != nil {
		t.Fatal(err)
	}
	c.authorize(req, "")
	go func() {
		<-begun
		leave()
	}()
	if _, err := http.DefaultClient.Do(req.WithContext(ctx)); !errors.Is(err, context.Canceled) {
		t.Fatalf("answered: %v", err)
	}
	<-ended
	eventually(t, func() error {
		for _, line := range auditLines(t, p.audit) {
			if line.Reason == "caller_left" && line.Stage == "forward" && line.Name == "slow" {
				return nil
			}
		}
		return errors.New("the record does not say that the caller left")
	})
}

// listen opens a stream with m; what is waited for on it must come in time.
func listen(t *testing.T, c *caller, m message) *bufio.Reader {
	t.Helper()
	resp := c.open(t, m)
	time.AfterFunc(patience, func() { resp.Body.Close() })
	t.Cleanup(func() { resp.Body.Close() })
	if kind := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || kind != "text/event-stream" {
		t.Fatalf("status %d, %s", resp.StatusCode, kind)
	}
	return bufio.NewReader(resp.Body)
}

const listening20260728 = `{"jsonrpc":"2.0","id":"s","method":"subscriptions/listen","params":{` + meta + `,"notifications":{"toolsListChanged":true}}}`

// officials is a proxy in front of the official server, with sessions and
// without, and a caller of each.
func officials(t *testing.T) (withSessions, without *official, ada, eve *caller) {
	t.Helper()
	withSessions, without = startOfficial(t, false), startOfficial(t, true)
	s := setStage(t, []staged{{"sessions", withSessions.url(), "accepted"}, {"stateless", without.url(), "accepted"}})
	s.open(t)
	client := s.machine(t)
	ada = &caller{url: s.resource("sessions"), token: s.token(t, client, "sessions")}
	eve = &caller{url: s.resource("stateless"), token: s.token(t, client, "stateless")}
	return withSessions, without, ada, eve
}

func listenCall() message {
	return message{method: http.MethodPost, body: listening20260728,
		header: map[string]string{"Mcp-Protocol-Version": modern, "Mcp-Method": "subscriptions/listen"}}
}

// TestChangedListsAreAnnounced: through the GET stream of a session and
// through subscriptions/listen.
func TestChangedListsAreAnnounced(t *testing.T) {
	_, _, before, after := officials(t)
	before.begin(t)
	streams := map[string]struct {
		stream *bufio.Reader
		caller *caller
		change message
	}{
		legacy: {listen(t, before, message{method: http.MethodGet}), before, legacyCall("test_trigger_tool_change", `{}`)},
		modern: {listen(t, after, listenCall()), after, modernCall("test_trigger_tool_change", `{}`)},
	}
	for era, row := range streams {
		t.Run(era, func(t *testing.T) {
			row.caller.send(t, row.change).expect(t, http.StatusOK)
			for !strings.Contains(nextEvent(t, row.stream), `"notifications/tools/list_changed"`) {
			}
		})
	}
}

// TestUpstreamDiesInMidStream: the caller sees the stream end, gets told while
// the server is away, and is served again once it is back.
func TestUpstreamDiesInMidStream(t *testing.T) {
	first, second, before, after := officials(t)
	before.begin(t)
	for era, row := range map[string]struct {
		server *official
		caller *caller
		listen message
		call   message
	}{
		legacy: {first, before, message{method: http.MethodGet}, legacyCall("test_simple_text", `{}`)},
		modern: {second, after, listenCall(), modernCall("test_simple_text", `{}`)},
	} {
		t.Run(era, func(t *testing.T) {
			stream := listen(t, row.caller, row.listen)
			row.server.kill()
			if _, err := io.Copy(io.Discard, stream); err == nil {
				t.Error("the stream ends as if it were complete")
			}
			row.caller.send(t, row.call).expect(t, http.StatusBadGateway)
			row.server.start(t)
			if row.caller.session != "" { // it died with the server
				row.caller.send(t, row.call).expect(t, http.StatusNotFound)
				row.caller.session = ""
				row.caller.begin(t)
			}
			row.caller.send(t, row.call).expect(t, http.StatusOK)
		})
	}
}
