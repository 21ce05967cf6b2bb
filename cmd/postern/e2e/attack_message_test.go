package e2e

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestGarbageTokenOnEveryVerbAndPath: there is no way in beside the one.
func TestGarbageTokenOnEveryVerbAndPath(t *testing.T) {
	p, issuer, up := gate(t, echo)
	stale := issuer.token("ada", "http://elsewhere.example/mcp", "use", nil)
	paths := []string{"/recorder/mcp", "/recorder/mcp/", "/recorder", "/", "/sse", "/recorder/sse", "/recorder/mcp/sse", "/messages", "/mcp", "/healthz", "/metrics", "/readyz",
		"/.well-known/oauth-protected-resource", "/.well-known/oauth-authorization-server", "/debug/pprof/", "/favicon.ico"}
	for _, verb := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "BREW", "get"} {
		for _, path := range paths {
			for _, authorization := range []string{"", "Bearer garbage", "DPoP garbage", "Bearer " + stale} {
				head := []string{verb + " " + path + " HTTP/1.1", "Host: " + p.address, "Accept: application/json, text/event-stream", "Connection: close"}
				if authorization != "" {
					head = append(head, "Authorization: "+authorization)
				}
				status := rawStatus(t, p.address, head)
				want := []int{http.StatusNotFound}
				if path == "/recorder/mcp" {
					want = []int{http.StatusUnauthorized}
				}
				if verb == "CONNECT" { // its target is no path
					want = []int{http.StatusBadRequest, http.StatusNotFound, http.StatusUnauthorized}
				}
				if !slices.Contains(want, status) {
					t.Errorf("%s %s with %.20q is answered %d, want %v", verb, path, authorization, status, want)
				}
			}
		}
	}
	if got := up.all(); len(got) != 0 {
		t.Errorf("the upstream got %d requests: %q", len(got), got)
	}
}

// rawStatus sends a request without a body and reads the status line alone.
func rawStatus(t *testing.T, address string, head []string) int {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "%s\r\n\r\n", strings.Join(head, "\r\n")); err != nil {
		t.Fatal(err)
	}
	var status int
	if _, err := fmt.Fscanf(conn, "HTTP/1.1 %d", &status); err != nil {
		t.Fatalf("%v after %q", err, head)
	}
	return status
}

// post is one way to write a message down. The zero value is right.
type post struct {
	body    string
	mirrors []string // header lines in place of the right ones
	lines   []string // further header lines
	content string   // Content-Type line; "-" for none
}

// TestMessagesWithTwoReadings (P1–P12): each row is one thing that some server
// would read differently; none of them gets through, each for its own reason.
func TestMessagesWithTwoReadings(t *testing.T) {
	p, issuer, up := gate(t, echo)
	authorization := "Authorization: Bearer " + issuer.token("ada", p.resource, "use more", nil)
	good := modernCall("echo", `{}`).body
	inParams := func(text string) string { return strings.Replace(good, `"params":{`, `"params":{`+text+`,`, 1) }
	atTop := func(text string) string { return strings.Replace(good, `{"jsonrpc"`, `{`+text+`,"jsonrpc"`, 1) }
	withID := func(id string) string { return strings.Replace(good, `"id":7`, `"id":`+id, 1) }
	right := []string{"MCP-Protocol-Version: " + modern, "Mcp-Method: tools/call", "Mcp-Name: echo"}
	mirrored := func(edit ...string) []string { return slices.Concat(edit, right) }
	for name, row := range map[string]struct {
		post   post
		status int
		reason string
	}{
		"P1 a batch":                        {post{body: "[" + good + "]"}, 400, "body_batch"},
		"P1 an empty batch":                 {post{body: "[]"}, 400, "body_batch"},
		"P1 a string":                       {post{body: `"tools/call"`}, 400, "body_not_object"},
		"P1 a byte order mark":              {post{body: "\xef\xbb\xbf" + good}, 400, "body_bom"},
		"P1 two messages":                   {post{body: good + good}, 400, "body_trailing"},
		"P1 a NUL behind":                   {post{body: good + "\x00"}, 400, "body_trailing"},
		"P1 invalid UTF-8":                  {post{body: inParams("\"x\":\"\xff\"")}, 400, "body_not_utf8"},
		"P1 a lone surrogate":               {post{body: inParams(`"x":"\ud800"`)}, 400, "body_syntax"},
		"P1 a NUL in a key":                 {post{body: inParams(`"name\u0000":"risky"`)}, 400, "body_key_nul"},
		"P1 UTF-16":                         {post{body: "\xff\xfe{\x00}\x00"}, 400, "body_not_utf8"},
		"P2 a key twice":                    {post{body: inParams(`"name":"risky"`)}, 400, "body_duplicate_key"},
		"P2 a key twice, once escaped":      {post{body: inParams(`"n\u0061me":"risky"`)}, 400, "body_duplicate_key"},
		"P2 a key twice, deep inside":       {post{body: inParams(`"x":{"a":[{"b":1,"b":2}]}`)}, 400, "body_duplicate_key"},
		"P2 another letter case":            {post{body: inParams(`"Name":"risky"`)}, 400, "body_key_case"},
		"P2 another letter case at the top": {post{body: atTop(`"Method":"tools/call"`)}, 400, "body_key_case"},
		"P2 a long s":                       {post{body: atTop(`"param` + "\u017f" + `":{"name":"risky"}`)}, 400, "body_key_case"},
		"P2 a kelvin sign":                  {post{body: inParams(`"tas` + "\u212a" + `Id":"x"`)}, 400, "body_key_case"},
		"P5 nested too deeply":              {post{body: inParams(`"x":` + strings.Repeat("[", 70) + strings.Repeat("]", 70))}, 400, "body_depth"},
		"P5 a number without end":           {post{body: inParams(`"x":1` + strings.Repeat("0", 2000))}, 400, "body_number"},
		"P5 members without end":            {post{body: inParams(manyMembers(21_000))}, 400, "body_keys"},
		"P6 no content type":                {post{content: "-"}, 415, "content_type"},
		"P6 another content type":           {post{content: "Content-Type: text/plain"}, 415, "content_type"},
		"P6 a content type twice":           {post{lines: []string{"Content-Type: application/json"}}, 415, "content_type"},
		"P6 another charset":                {post{content: "Content-Type: application/json; charset=utf-16"}, 415, "content_type"},
		"P6 a form":                         {post{content: "Content-Type: multipart/form-data; boundary=x"}, 415, "content_type"},
		"P6 compressed":                     {post{lines: []string{"Content-Encoding: gzip"}}, 415, "content_encoding"},
		"P9 no method header":               {post{mirrors: right[:1]}, 400, "header_missing"},
		"P9 no name header":                 {post{mirrors: right[:2]}, 400, "header_missing"},
		"P9 no version header":              {post{mirrors: right[1:]}, 400, "header_missing"},
		"P9 another method":                 {post{mirrors: []string{right[0], "Mcp-Method: tools/list", right[2]}}, 400, "header_mismatch"},
		"P9 another name":                   {post{mirrors: []string{right[0], right[1], "Mcp-Name: risky"}}, 400, "header_mismatch"},
		"P9 another version":                {post{mirrors: []string{"MCP-Protocol-Version: 2027-01-01", right[1], right[2]}}, 400, "header_mismatch"},
		"P9 the name twice":                 {post{mirrors: mirrored("Mcp-Name: risky")}, 400, "header_repeated"},
		"P9 the same name twice":            {post{mirrors: mirrored("Mcp-Name: echo")}, 400, "header_repeated"},
		"P9 two names in one":               {post{mirrors: []string{right[0], right[1], "Mcp-Name: echo, risky"}}, 400, "header_mismatch"},
		"P9 the version twice":              {post{mirrors: mirrored("MCP-Protocol-Version: 2025-03-26")}, 400, "header_repeated"},
		"P10 the sentinel in other letters": {post{mirrors: []string{right[0], right[1], "Mcp-Name: =?BASE64?ZWNobw==?="}}, 400, "header_mismatch"},
		"P10 base64 without padding":        {post{mirrors: []string{right[0], right[1], "Mcp-Name: =?base64?ZWNobw?="}}, 400, "header_invalid"},
		"P10 base64 with loose bits":        {post{mirrors: []string{right[0], right[1], "Mcp-Name: =?base64?ZWNobx==?="}}, 400, "header_invalid"},
		"P10 base64 for URLs":               {post{mirrors: []string{right[0], right[1], "Mcp-Name: =?base64?_-8=?="}}, 400, "header_invalid"},
		"P10 base64 of no text":             {post{mirrors: []string{right[0], right[1], "Mcp-Name: =?base64?//8=?="}}, 400, "header_invalid"},
		"P12 id null":                       {post{body: withID("null")}, 400, "message_id"},
		"P12 an id with a fraction":         {post{body: withID("1.5")}, 400, "message_id"},
		"P12 an id with an exponent":        {post{body: withID("1e2")}, 400, "message_id"},
		"P12 an id beyond exact numbers":    {post{body: withID("9007199254740993")}, 400, "message_id"},
		"P12 an id that is an object":       {post{body: withID("{}")}, 400, "message_id"},
		"a name that is no string":          {post{body: strings.Replace(good, `"name":"echo"`, `"name":["echo"]`, 1)}, 400, "params_name"},
		"no name":                           {post{body: strings.Replace(good, `"name":"echo",`, ``, 1)}, 400, "params_name"},
		"an empty name":                     {post{body: strings.Replace(good, `"name":"echo"`, `"name":""`, 1)}, 400, "params_name"},
		"params that are a list":            {post{body: `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":["echo"]}`, mirrors: []string{"MCP-Protocol-Version: 2025-11-25"}}, 400, "params_type"},
		"a request that is also a response": {post{body: atTop(`"result":{}`)}, 400, "message_shape"},
		"another version of JSON-RPC":       {post{body: strings.Replace(good, `"2.0"`, `"1.0"`, 1)}, 400, "message_version"},
		"a method with a space behind":      {post{body: strings.Replace(good, "tools/call", "tools/call ", 1)}, 400, "message_method"},
		"a method in other letters":         {post{body: strings.Replace(good, "tools/call", "Tools/Call", 1)}, 400, "message_method"},
		"a comment":                         {post{body: strings.Replace(good, ",", ",/**/", 1)}, 400, "body_syntax"},
		"nothing":                           {post{body: " "}, 400, "body_empty"},
	} {
		t.Run(name, func(t *testing.T) {
			body := row.post.body
			if body == "" {
				body = good
			}
			got := p.write(t, row.post, authorization, body, right)
			if got.expect(t, row.status); got.reasonOf(t) != row.reason {
				t.Errorf("refused as %s, want %s\n%s", got.reasonOf(t), row.reason, got.body)
			}
		})
	}
	if got := up.all(); len(got) != 0 {
		t.Errorf("the upstream got %d requests: %q", len(got), got)
	}
	p.write(t, post{}, authorization, good, right).expect(t, http.StatusOK)
	if last := up.only(t).body; last != good {
		t.Errorf("the upstream got %q", last)
	}
}

// write sends one way of writing a message down.
func (p *sidecar) write(t *testing.T, w post, authorization, body string, mirrors []string) reply {
	t.Helper()
	head := []string{"POST /recorder/mcp HTTP/1.1", "Host: " + p.address, authorization, "Accept: application/json, text/event-stream", "Content-Length: " + strconv.Itoa(len(body))}
	switch w.content {
	case "":
		head = append(head, "Content-Type: application/json")
	case "-":
	default:
		head = append(head, w.content)
	}
	if w.mirrors != nil {
		mirrors = w.mirrors
	}
	resp, text := raw(t, p.address, slices.Concat(head, w.lines, mirrors), body)
	return reply{resp.StatusCode, resp.Header, text}
}

func manyMembers(n int) string {
	var b strings.Builder
	b.WriteString(`"x":{`)
	for i := range n {
		fmt.Fprintf(&b, `"%d":0,`, i)
	}
	return strings.TrimSuffix(b.String(), ",") + "}"
}

// TestSpellingsOfANameAreOneName (P10, P11): however a permitted name is
// written, the upstream is told of exactly the tool that was decided about.
func TestSpellingsOfANameAreOneName(t *testing.T) {
	p, issuer, up := gate(t, echo)
	authorization := "Authorization: Bearer " + issuer.token("ada", p.resource, "use", nil)
	good := modernCall("echo", `{}`).body
	for name, row := range map[string]struct{ body, mirror string }{
		"plain":            {good, "echo"},
		"escaped":          {strings.Replace(good, `"echo"`, `"\u0065cho"`, 1), "echo"},
		"as base64":        {good, "=?base64?ZWNobw==?="},
		"in small headers": {good, "echo"},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(up.all())
			p.write(t, post{mirrors: []string{"mcp-protocol-version: " + modern, "MCP-METHOD: tools/call", "mcp-name: " + row.mirror}}, authorization, row.body, nil).expect(t, http.StatusOK)
			all := up.all()
			if len(all) != before+1 || all[before].body != row.body || !slices.Contains(all[before].header, "Mcp-Name: echo") {
				t.Errorf("the upstream got %q", all[before:])
			}
		})
	}
	for _, other := range []string{"Echo", "echo ", " echo", "ECHO", "e\\u0301cho", "\\uff45cho", "echo\\u200b", "recorder/echo", "echo/../risky"} {
		call := legacyPost(strings.Replace(legacyCall("echo", `{}`).body, `"echo"`, `"`+other+`"`, 1))
		c := caller{url: p.resource, token: issuer.token("ada", p.resource, "use", nil)}
		if got := c.send(t, call).expect(t, http.StatusOK); !strings.Contains(got.body, `-32602`) {
			t.Errorf("%q is answered %s", other, got.body)
		}
	}
}
