package stdio

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/postern-mcp/postern/proxy"
)

const modernMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}`

// TestEras: which child answers which era.
func TestEras(t *testing.T) {
	legacyCall := tool("1", "echo")
	modernCall := ask{body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{` + modernMeta + `,"name":"echo"}}`}
	discover := ask{body: `{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{` + modernMeta + `}}`}
	unknown := ask{body: `{"jsonrpc":"2.0","id":1,"method":"no/such","params":{` + modernMeta + `}}`}
	legacyUnknown := ask{body: `{"jsonrpc":"2.0","id":1,"method":"no/such"}`}
	initialize := ask{body: `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}`}
	modernInitialize := ask{body: `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{` + modernMeta + `}}`}
	modernLevel := ask{body: `{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{` + modernMeta + `,"level":"debug"}}`}
	legacyLevel := ask{body: `{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"debug"}}`}
	stream := ask{method: "GET"}
	for _, row := range []struct {
		mode   string
		ask    ask
		status int
		want   string
	}{
		{"legacy", legacyCall, 200, `"result"`},
		{"legacy", modernCall, 400, `"error":{"code":-32022,"message":"Unsupported protocol version","data":{"supported":["2025-06-18"],"requested":"2026-07-28"}}`},
		{"legacy", discover, 400, `-32022`},
		{"legacy", legacyUnknown, 200, `-32601`},
		{"legacy", stream, 400, `initialize`},
		{"dual", legacyCall, 200, `"result"`},
		{"dual", modernCall, 200, `"result"`},
		{"dual", discover, 200, `supportedVersions`},
		{"dual", unknown, 404, `-32601`},
		{"dual", initialize, 200, `serverInfo`},
		// a second handshake would be everybody's, and so would a level
		{"dual", modernInitialize, 404, `-32601`},
		{"dual", modernLevel, 404, `-32601`},
		{"dual", legacyLevel, 200, `-32601`},
		{"legacy", modernInitialize, 400, `-32022`},
		{"modern", modernInitialize, 404, `-32601`},
		{"modern", legacyLevel, 200, `-32601`},
		{"modern", modernCall, 200, `"result"`},
		{"modern", discover, 200, `supportedVersions`},
		{"modern", unknown, 404, `-32601`},
		{"modern", initialize, 200, `-32601`},
		{"modern", stream, 405, `subscriptions/listen`},
		{"modern", ask{method: "DELETE"}, 400, `initialize`},
		{"modern", ask{body: `{"jsonrpc":"2.0","id":1}`}, 400, `-32600`},
		{"modern", ask{body: `{"jsonrpc":"2.0","id":1,"result":{}}`}, 202, ``},
	} {
		t.Run(row.mode, func(t *testing.T) {
			if got := running(t, row.mode).do(t, row.ask); got.status != row.status || !strings.Contains(got.body, row.want) {
				t.Errorf("%s: status %d, want %d with %q\n%s", row.ask.body, got.status, row.status, row.want, got.body)
			}
		})
	}
}

// TestSubscriptionsBelongToWhoOpenedThem, and hold no slot of a call.
func TestSubscriptionsBelongToWhoOpenedThem(t *testing.T) {
	c := settings(t, "dual")
	c.InFlight = 2
	r := launchReady(t, c)
	listen := ask{body: `{"jsonrpc":"2.0","id":"sub","method":"subscriptions/listen","params":{` + modernMeta + `,"notifications":{"toolsListChanged":true}}}`}
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	var streams []*bufio.Reader
	for range 2 {
		resp, err := r.open(ctx, listen)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		streams = append(streams, bufio.NewReader(resp.Body))
	}
	if _, err := r.open(ctx, listen); !errors.Is(err, proxy.ErrBusy) {
		t.Errorf("one subscription too many: %v", err)
	}
	const mine = `"io.modelcontextprotocol/subscriptionId":"sub"`
	for _, stream := range streams {
		if got := nextEvent(t, stream); !strings.Contains(got, "acknowledged") || !strings.Contains(got, mine) {
			t.Errorf("first event %s", got)
		}
	}
	r.do(t, tool("1", "meddle"))
	for _, stream := range streams {
		if got := nextEvent(t, stream); !strings.Contains(got, "list_changed") || !strings.Contains(got, mine) {
			t.Errorf("second event %s", got)
		}
		if got := nextEvent(t, stream); !strings.Contains(got, `"id":"sub"`) {
			t.Errorf("third event %s", got)
		}
		if rest, err := io.ReadAll(stream); err != nil || strings.Contains(string(rest), "data") {
			t.Errorf("then %q %v", rest, err)
		}
	}
	withdrawn, err := r.open(ctx, listen)
	if err != nil {
		t.Fatal(err)
	}
	r.do(t, tool("1", "withdraw"))
	if got := finish(t, withdrawn); strings.Count(got.body, "data") != 1 {
		t.Errorf("a subscription the child ended: %+v", got)
	}
	resp, err := r.open(ctx, listen)
	if err != nil {
		t.Fatal(err)
	}
	leave()
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, context.Canceled) {
		t.Errorf("the stream ends with %v", err)
	}
	resp.Body.Close()
	if _, told := r.do(t, tool("1", "cancelled")).said(t); told == "" {
		t.Error("the child was not told that nobody listens")
	}
}
