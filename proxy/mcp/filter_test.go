package mcp

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/postern-mcp/postern/policy"
)

// open keeps what begins with "open".
func open(_ policy.Kind, name string) bool { return strings.HasPrefix(name, "open") }

func TestFilterJSON(t *testing.T) {
	table := map[string]struct{ method, body, want string }{
		"removes": {"tools/list",
			`{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"open1","x": 1e400},{"name":"shut"}, {"description":"shut","name":"open2"}],"nextCursor":"c"}}`,
			`{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"open1","x": 1e400},{"description":"shut","name":"open2"}],"nextCursor":"c"}}`},
		"removes all":      {"tools/list", `{"result":{"tools":[ {"name":"shut"} ]}}`, `{"result":{"tools":[]}}`},
		"leaves as it was": {"tools/list", ` {"id" : 1, "result":{ "tools" : [ {"name":"open"} , {"name":"openA"} ] } } `, ` {"id" : 1, "result":{ "tools" : [ {"name":"open"} , {"name":"openA"} ] } } `},
		"empty":            {"tools/list", `{"result":{"tools":[]}}`, `{"result":{"tools":[]}}`},
		"scope replaced":   {"tools/list", `{"result":{"cacheScope":"public","tools":[{"name":"shut"}],"ttlMs":5}}`, `{"result":{"cacheScope":"private","tools":[],"ttlMs":5}}`},
		"scope after":      {"tools/list", `{"result":{"tools":[{"name":"shut"}],"cacheScope":"public"}}`, `{"result":{"tools":[],"cacheScope":"private"}}`},
		"scope added":      {"tools/list", `{"result":{"resultType":"complete","tools":[]}}`, `{"result":{"resultType":"complete","tools":[],"cacheScope":"private"}}`},
		"scope by ttl":     {"tools/list", `{"result":{"tools":[],"ttlMs":0}}`, `{"result":{"tools":[],"ttlMs":0,"cacheScope":"private"}}`},
		"scope of no type": {"tools/list", `{"result":{"tools":[],"cacheScope":7}}`, `{"result":{"tools":[],"cacheScope":"private"}}`},
		"prompts":          {"prompts/list", `{"result":{"prompts":[{"name":"shut"},{"name":"open"}]}}`, `{"result":{"prompts":[{"name":"open"}]}}`},
		"resources":        {"resources/list", `{"result":{"resources":[{"name":"open","uri":"shut"},{"name":"shut","uri":"open"}]}}`, `{"result":{"resources":[{"name":"shut","uri":"open"}]}}`},
		"templates":        {"resources/templates/list", `{"result":{"resourceTemplates":[{"uriTemplate":"shut{x}"},{"uriTemplate":"open{x}"}]}}`, `{"result":{"resourceTemplates":[{"uriTemplate":"open{x}"}]}}`},
		"escaped name":     {"tools/list", `{"result":{"tools":[{"n\u0061me":"\u006fpen"},{"name":"\u0073hut"}]}}`, `{"result":{"tools":[{"n\u0061me":"\u006fpen"}]}}`},
		"escaped key":      {"tools/list", `{"r\u0065sult":{"t\u006fols":[{"name":"shut"}]}}`, `{"r\u0065sult":{"t\u006fols":[]}}`},
		"stowaway":         {"tools/list", `{"result":{"tools":[],"prompts":[{"name":"shut"}]}}`, `{"result":{"tools":[],"prompts":[]}}`},
		"error":            {"tools/list", `{"jsonrpc":"2.0","id":null,"error":{"code":-32601,"message":"no"}}`, `{"jsonrpc":"2.0","id":null,"error":{"code":-32601,"message":"no"}}`},
		"input required":   {"tools/list", `{"result":{"resultType":"input_required","requestState":"x"}}`, `{"result":{"resultType":"input_required","requestState":"x"}}`},
		"any list":         {"", `{"result":{"tools":[{"name":"shut"}]}}`, `{"result":{"tools":[]}}`},
		"any answer":       {"", `{"result":{"resultType":"complete","content":[{"name":"shut"}]}}`, `{"result":{"resultType":"complete","content":[{"name":"shut"}]}}`},
		"any object":       {"", `{"detail":"Method Not Allowed"}`, `{"detail":"Method Not Allowed"}`},
		"nested":           {"", `{"result":{"structuredContent":{"tools":[{"name":"shut"}]}}}`, `{"result":{"structuredContent":{"tools":[{"name":"shut"}]}}}`},
	}
	for name, row := range table {
		t.Run(name, func(t *testing.T) {
			got, err := Filter{Method: row.method, Keep: open}.JSON([]byte(row.body), DefaultLimits())
			if err != nil || string(got) != row.want {
				t.Errorf("error %v\ngot  %s\nwant %s", err, got, row.want)
			}
		})
	}
}

// Tools say what they need: in words of the policy, never of the server.
func TestFilterTellsScopes(t *testing.T) {
	filter := Filter{Keep: open, Schemes: func(tool string) []byte { return []byte(`["` + tool + `"]`) }}
	for name, row := range map[string]struct{ method, body, want string }{
		"added":       {"tools/list", `{"result":{"tools":[{"name":"open" },{"name":"shut"}]}}`, `{"result":{"tools":[{"name":"open" ,"securitySchemes":["open"]}]}}`},
		"replaced":    {"tools/list", `{"result":{"tools":[{"securitySchemes":[{"type":"noauth"}],"name":"open","x":1}]}}`, `{"result":{"tools":[{"securitySchemes":["open"],"name":"open","x":1}]}}`},
		"null":        {"tools/list", `{"result":{"tools":[{"name":"open","securitySchemes":null}]}}`, `{"result":{"tools":[{"name":"open","securitySchemes":["open"]}]}}`},
		"in a stream": {"", `{"result":{"tools":[{"name":"open"}],"cacheScope":"public"}}`, `{"result":{"tools":[{"name":"open","securitySchemes":["open"]}],"cacheScope":"private"}}`},
		"not prompts": {"prompts/list", `{"result":{"prompts":[{"name":"open"}]}}`, `{"result":{"prompts":[{"name":"open"}]}}`},
	} {
		t.Run(name, func(t *testing.T) {
			filter.Method = row.method
			got, err := filter.JSON([]byte(row.body), DefaultLimits())
			if err != nil || string(got) != row.want {
				t.Errorf("error %v\ngot  %s\nwant %s", err, got, row.want)
			}
		})
	}
}

// News of a resource reaches only who may see the resource.
func TestFilterNews(t *testing.T) {
	news := func(params string) string {
		return `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":` + params + `}`
	}
	for name, row := range map[string]struct{ message, want string }{
		"of what is open":        {news(`{"uri":"open"}`), "data: " + news(`{"uri":"open"}`) + "\n"},
		"of what is shut":        {news(`{"uri":"shut"}`), ""},
		"of nothing":             {news(`{}`), ""},
		"of something else":      {news(`{"uri":["open"]}`), ""},
		"of both":                {news(`{"uri":"open","uri":"shut"}`), ""},
		"params before method":   {`{"params":{"uri":"shut"},"method":"notifications/resources/updated"}`, ""},
		"of tools":               {`{"method":"notifications/tools/list_changed"}`, "data: " + `{"method":"notifications/tools/list_changed"}` + "\n"},
		"that is also an answer": {`{"method":"notifications/resources/updated","params":{"uri":"open"},"result":{"tools":[{"name":"shut"}]}}`, "data: " + `{"method":"notifications/resources/updated","params":{"uri":"open"},"result":{"tools":[]}}` + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			stream := Filter{Keep: open}.SSE(io.NopCloser(strings.NewReader("id: 7\ndata: "+row.message+"\n\n")), DefaultLimits())
			got, err := io.ReadAll(stream)
			if err != nil && row.message != news(`{"uri":"open","uri":"shut"}`) || err == nil && string(got) != "id: 7\n"+row.want+"\n" {
				t.Errorf("error %v, got %q", err, got)
			}
		})
	}
}

func TestFilterRefuses(t *testing.T) {
	table := map[string]struct{ body, reason string }{
		"no JSON":          {`<html>`, "response_malformed"},
		"empty":            {``, "response_malformed"},
		"batch":            {`[{"result":{"tools":[]}}]`, "response_malformed"},
		"cut":              {`{"result":{"tools":[`, "response_malformed"},
		"second":           {`{"result":{"tools":[]}}{}`, "response_malformed"},
		"two results":      {`{"result":{"tools":[]},"result":{"tools":[{"name":"shut"}]}}`, "response_malformed"},
		"two lists":        {`{"result":{"tools":[],"tools":[{"name":"shut"}]}}`, "response_malformed"},
		"two names":        {`{"result":{"tools":[{"name":"open","name":"shut"}]}}`, "response_malformed"},
		"Tools":            {`{"result":{"tools":[],"Tools":[{"name":"shut"}]}}`, "response_malformed"},
		"only Tools":       {`{"result":{"Tools":[{"name":"shut"}]}}`, "response_malformed"},
		"toolſ":            {"{\"result\":{\"tools\":[],\"tool\u017f\":[{\"name\":\"shut\"}]}}", "response_malformed"},
		"tools NUL":        {`{"result":{"tools":[],"tools\u0000":[{"name":"shut"}]}}`, "response_malformed"},
		"Result":           {`{"result":{"tools":[]},"Result":{"tools":[{"name":"shut"}]}}`, "response_malformed"},
		"Name":             {`{"result":{"tools":[{"name":"open","Name":"shut"}]}}`, "response_malformed"},
		"CacheScope":       {`{"result":{"tools":[],"CacheScope":"public"}}`, "response_malformed"},
		"surrogate":        {`{"result":{"tools":[{"name":"open\ud800"}]}}`, "response_malformed"},
		"null":             {`{"result":{"tools":null}}`, "response_not_list"},
		"object":           {`{"result":{"tools":{"name":"shut"}}}`, "response_not_list"},
		"entry string":     {`{"result":{"tools":["shut"]}}`, "response_not_list"},
		"entry array":      {`{"result":{"tools":[[{"name":"shut"}]]}}`, "response_not_list"},
		"no name":          {`{"result":{"tools":[{"title":"shut"}]}}`, "response_not_list"},
		"name number":      {`{"result":{"tools":[{"name":1}]}}`, "response_not_list"},
		"result null":      {`{"result":null}`, "response_not_list"},
		"result array":     {`{"result":[{"name":"shut"}]}`, "response_not_list"},
		"no list":          {`{"result":{}}`, "response_not_list"},
		"other list":       {`{"result":{"prompts":[]}}`, "response_not_list"},
		"complete, empty":  {`{"result":{"resultType":"complete"}}`, "response_not_list"},
		"neither":          {`{"jsonrpc":"2.0","id":1}`, "response_not_list"},
		"a request":        {`{"jsonrpc":"2.0","id":1,"method":"x"}`, "response_not_list"},
		"too large":        {`{"result":{"tools":[]}}` + strings.Repeat(" ", 4<<20), "response_too_large"},
		"stowaway no list": {`{"result":{"tools":[],"prompts":{"name":"shut"}}}`, "response_not_list"},
	}
	for name, row := range table {
		t.Run(name, func(t *testing.T) {
			got, err := Filter{Method: "tools/list", Keep: open}.JSON([]byte(row.body), DefaultLimits())
			if got != nil || reason(err) != row.reason {
				t.Errorf("got %s and %v, want %s", got, err, row.reason)
			}
			var e *Error
			if !errors.As(err, &e) || e.Status != 502 {
				t.Errorf("status of %+v", e)
			}
		})
	}
}

func TestFilterTemplates(t *testing.T) {
	f := Filter{Method: "resources/templates/list", Keep: open, KeepTemplate: func(uriTemplate string) bool { return uriTemplate == "shut{x}" }}
	got, err := f.JSON([]byte(`{"result":{"resourceTemplates":[{"uriTemplate":"shut{x}"},{"uriTemplate":"open{x}"}]}}`), DefaultLimits())
	if err != nil || string(got) != `{"result":{"resourceTemplates":[{"uriTemplate":"shut{x}"}]}}` {
		t.Errorf("%s, %v", got, err)
	}
}

const (
	shutList = `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"shut"},{"name":"open"}]}}`
	openList = `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"open"}]}}`
)

func TestFilterSSE(t *testing.T) {
	table := map[string]struct{ in, want string }{
		"list":             {"data: " + shutList + "\n\n", "data: " + openList + "\n\n"},
		"CRLF":             {"event: message\r\nid: 7\r\ndata: " + shutList + "\r\n\r\n", "event: message\r\nid: 7\r\ndata: " + openList + "\n\r\n"},
		"CR":               {"data:" + shutList + "\r\rdata: {}\r\r", "data: " + openList + "\n\rdata: {}\r\r"},
		"unchanged":        {"data:" + openList + "\r\nretry: 5\r\n\r\n", "data:" + openList + "\r\nretry: 5\r\n\r\n"},
		"several lines":    {"data: {\"result\":\ndata: {\"tools\":\nid: 1\ndata:[{\"name\":\"shut\"}]}}\n\n", "data: {\"result\":\ndata: {\"tools\":\ndata: []}}\nid: 1\n\n"},
		"BOM":              {"\xef\xbb\xbfdata: " + shutList + "\n\n", "data: " + openList + "\n\n"},
		"BOM unchanged":    {"\xef\xbb\xbf: hi\n\n", "\xef\xbb\xbf: hi\n\n"},
		"comments":         {": a\n\n:\r\ndata: " + shutList + "\n: b\n\n", ": a\n\n:\r\ndata: " + openList + "\n: b\n\n"},
		"notification":     {"data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n", "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n"},
		"error":            {"data: {\"error\":{\"code\":1}}\n\n", "data: {\"error\":{\"code\":1}}\n\n"},
		"priming":          {"id: 1\ndata:\n\nid: 2\ndata\n\n", "id: 1\ndata:\n\nid: 2\ndata\n\n"},
		"no data":          {"retry: 100\n\nevent: x\n\n", "retry: 100\n\nevent: x\n\n"},
		"other type":       {"event: endpoint\ndata: /messages?id=1\n\n", "event: endpoint\ndata: /messages?id=1\n\n"},
		"other type, list": {"event: other\ndata: " + shutList + "\n\n", "event: other\ndata: " + openList + "\n\n"},
		"unfinished":       {"data: " + shutList, "data: " + openList + "\n"},
		"no space":         {"data:  " + openList + "\n\n", "data:  " + openList + "\n\n"},
		"nothing":          {"", ""},
		"data in a name":   {"database: x\n\n", "database: x\n\n"},
	}
	for name, row := range table {
		t.Run(name, func(t *testing.T) {
			for _, wrap := range []func(io.Reader) io.Reader{whole, iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader} {
				body := io.NopCloser(wrap(strings.NewReader(row.in)))
				got, err := io.ReadAll(Filter{Method: "tools/list", Keep: open}.SSE(body, DefaultLimits()))
				if err != nil || string(got) != row.want {
					t.Errorf("error %v\ngot  %q\nwant %q", err, got, row.want)
				}
			}
		})
	}
}

func whole(r io.Reader) io.Reader { return r }

func TestFilterSSERefuses(t *testing.T) {
	limits := DefaultLimits()
	limits.Bytes = 1000
	before := "data: {\"method\":\"x\"}\n\n"
	table := map[string]struct{ in, reason string }{
		"no JSON":         {"data: tools\n\n", "response_malformed"},
		"message":         {"event: message\ndata: tools\n\n", "response_malformed"},
		"broken other":    {"event: other\ndata: {\"result\":{\"tools\":[],\"tools\":[]}}\n\n", "response_malformed"},
		"batch":           {"data: [" + shutList + "]\n\n", "response_malformed"},
		"cut":             {"data: " + shutList[:40], "response_malformed"},
		"no list":         {"data: {\"result\":{}}\n\n", "response_not_list"},
		"Tools":           {"data: {\"result\":{\"Tools\":[]}}\n\n", "response_malformed"},
		"long line":       {"data: " + strings.Repeat("a", 1000), "response_too_large"},
		"long event":      {strings.Repeat("data: aaaaaaaaa\n", 100), "response_too_large"},
		"long comment":    {":" + strings.Repeat("a", 1001), "response_too_large"},
		"many empty data": {strings.Repeat("data\n", 300), "response_too_large"},
	}
	for name, row := range table {
		t.Run(name, func(t *testing.T) {
			body := io.NopCloser(strings.NewReader(before + row.in + "\n\ndata: " + shutList + "\n\n"))
			filtered := Filter{Method: "tools/list", Keep: open}.SSE(body, limits)
			got, err := io.ReadAll(filtered)
			if string(got) != before || reason(err) != row.reason {
				t.Errorf("got %q and %v, want %s", got, err, row.reason)
			}
			if n, again := filtered.Read(make([]byte, 10)); n != 0 || reason(again) != row.reason {
				t.Errorf("after the refusal: %d bytes, %v", n, again)
			}
		})
	}
}

// TestSSEIsNotHeldBack: what is complete arrives before the source says more.
func TestSSEIsNotHeldBack(t *testing.T) {
	in, out := io.Pipe()
	filtered := Filter{Method: "tools/list", Keep: open}.SSE(in, DefaultLimits())
	for _, step := range []struct{ in, want string }{
		{": ping\n", ": ping\n"},
		{"data: {}\n\n", "data: {}\n\n"},
		{"id: 4\n\r\n", "id: 4\n\r\n"},
		{"data: {}\r\r", "data: {}\r\r"},
		{":\n", ":\n"},
		{"data: " + shutList + "\n\n", "data: " + openList + "\n\n"},
	} {
		go func() { _, _ = out.Write([]byte(step.in)) }()
		got := make([]byte, len(step.want))
		if _, err := io.ReadFull(filtered, got); err != nil || string(got) != step.want {
			t.Fatalf("got %q and %v, want %q", got, err, step.want)
		}
	}
	if err := filtered.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("closing did not reach the source: %v", err)
	}
}

func TestSSESourceError(t *testing.T) {
	broken := errors.New("broken")
	source := io.MultiReader(strings.NewReader("data: {}\n\ndata: "+shutList), iotest.ErrReader(broken))
	got, err := io.ReadAll(Filter{Method: "tools/list", Keep: open}.SSE(io.NopCloser(source), DefaultLimits()))
	if string(got) != "data: {}\n\n" || !errors.Is(err, broken) {
		t.Errorf("got %q and %v", got, err)
	}
}

func BenchmarkFilter(b *testing.B) {
	var list bytes.Buffer
	list.WriteString(`{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"open"}`)
	for range 100 {
		list.WriteString(`,{"name":"shut","description":"Adds two numbers","inputSchema":{"type":"object","properties":{"a":{"type":"number"},"b":{"type":"number"}},"required":["a","b"]}}`)
	}
	list.WriteString(`]}}`)
	b.SetBytes(int64(list.Len()))
	for b.Loop() {
		if _, err := (Filter{Method: "tools/list", Keep: open}).JSON(list.Bytes(), DefaultLimits()); err != nil {
			b.Fatal(err)
		}
	}
}
