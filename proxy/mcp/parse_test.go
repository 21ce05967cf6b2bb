package mcp

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/postern-mcp/postern/policy"
)

const call = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"add","arguments":{"a":1,"b":2},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`

func TestParseAccepts(t *testing.T) {
	table := map[string]struct {
		body string
		want Message
	}{
		"call":             {call, Message{Kind: RequestMessage, ID: []byte("7"), Method: "tools/call", Guards: policy.Tool, Name: "add", Args: []byte(`{"a":1,"b":2}`), Protocol: "2026-07-28"}},
		"white space":      {" {\n\t\"jsonrpc\" : \"2.0\", \"id\" : \"a b\" ,\"method\":\"ping\"}\r\n ", Message{Kind: RequestMessage, ID: []byte(`"a b"`), Method: "ping"}},
		"any order":        {`{"params":{"arguments": {"x":[1e2, 9007199254740993]} ,"name":"n"},"method":"tools/call","id":"","jsonrpc":"2.0"}`, Message{Kind: RequestMessage, ID: []byte(`""`), Method: "tools/call", Guards: policy.Tool, Name: "n", Args: []byte(`{"x":[1e2, 9007199254740993]}`)}},
		"escapes":          {`{"jsonrpc":"2.0","id":-1,"meth\u006fd":"tools\/call","params":{"n\u0061me":"\u0061\ud83d\ude00"}}`, Message{Kind: RequestMessage, ID: []byte("-1"), Method: "tools/call", Guards: policy.Tool, Name: "a😀"}},
		"notification":     {`{"jsonrpc":"2.0","method":"notifications/initialized"}`, Message{Kind: NotificationMessage, Method: "notifications/initialized"}},
		"guarded, no id":   {`{"jsonrpc":"2.0","method":"tools/call","params":{"name":"x"}}`, Message{Kind: NotificationMessage, Method: "tools/call", Guards: policy.Tool, Name: "x"}},
		"result":           {`{"jsonrpc":"2.0","id":1,"result":{}}`, Message{Kind: ResponseMessage, ID: []byte("1")}},
		"error":            {`{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}`, Message{Kind: ResponseMessage, ID: []byte("1")}},
		"prompt":           {`{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"p","arguments":{}}}`, Message{Kind: RequestMessage, ID: []byte("1"), Method: "prompts/get", Guards: policy.Prompt, Name: "p", Args: []byte("{}")}},
		"read":             {`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"db://x","name":"y"}}`, Message{Kind: RequestMessage, ID: []byte("1"), Method: "resources/read", Guards: policy.Resource, Name: "db://x"}},
		"subscribe":        {`{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"db://x"}}`, Message{Kind: RequestMessage, ID: []byte("1"), Method: "resources/subscribe", Guards: policy.Resource, Name: "db://x"}},
		"unsubscribe":      {`{"jsonrpc":"2.0","id":1,"method":"resources/unsubscribe","params":{"uri":"db://x"}}`, Message{Kind: RequestMessage, ID: []byte("1"), Method: "resources/unsubscribe", Guards: policy.Resource, Name: "db://x"}},
		"complete prompt":  {`{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"p"}}}`, Message{Kind: RequestMessage, ID: []byte("1"), Method: "completion/complete", Guards: policy.Prompt, Name: "p"}},
		"complete uri":     {`{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/resource","uri":"db://{x}","name":"z"}}}`, Message{Kind: RequestMessage, ID: []byte("1"), Method: "completion/complete", Guards: policy.Resource, Name: "db://{x}"}},
		"listen":           {`{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true}}}`, Message{Kind: RequestMessage, ID: []byte("1"), Method: "subscriptions/listen"}},
		"listen resources": {`{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["a","b","c"]}}}`, Message{Kind: RequestMessage, ID: []byte("1"), Method: "subscriptions/listen", Guards: policy.Resource, Several: []string{"a", "b", "c"}}},
		"listen to one":    {`{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["a"]}}}`, Message{Kind: RequestMessage, ID: []byte("1"), Method: "subscriptions/listen", Guards: policy.Resource, Name: "a"}},
		"tasks":            {`{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"t"}}`, Message{Kind: RequestMessage, ID: []byte("1"), Method: "tasks/get"}},
		"list":             {`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"x"}}`, Message{Kind: RequestMessage, ID: []byte("1"), Method: "tools/list"}},
		"deep as allowed":  {`{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":` + strings.Repeat("[", 62) + strings.Repeat("]", 62) + `}}`, Message{Kind: RequestMessage, ID: []byte("1"), Method: "x"}},
		"arguments' keys":  {`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":{"Name":1,"name":2,"ID":3}}}`, Message{Kind: RequestMessage, ID: []byte("1"), Method: "tools/call", Guards: policy.Tool, Name: "x", Args: []byte(`{"Name":1,"name":2,"ID":3}`)}},
		"largest id":       {`{"jsonrpc":"2.0","id":9007199254740991,"method":"x"}`, Message{Kind: RequestMessage, ID: []byte("9007199254740991"), Method: "x"}},
	}
	for name, row := range table {
		t.Run(name, func(t *testing.T) {
			got, err := Parse([]byte(row.body), DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if string(got.Raw) != row.body {
				t.Errorf("Raw is %s", got.Raw)
			}
			if d := difference(got, row.want); d != "" {
				t.Errorf("%s differs: got %+v", d, got)
			}
		})
	}
}

func difference(a, b Message) string {
	switch {
	case a.Kind != b.Kind:
		return "Kind"
	case string(a.ID) != string(b.ID) || (a.ID == nil) != (b.ID == nil):
		return "ID"
	case a.Method != b.Method:
		return "Method"
	case a.Guards != b.Guards:
		return "Guards"
	case a.Name != b.Name:
		return "Name"
	case !slices.Equal(a.Several, b.Several):
		return "Several"
	case string(a.Args) != string(b.Args) || (a.Args == nil) != (b.Args == nil):
		return "Args"
	case a.Protocol != b.Protocol:
		return "Protocol"
	}
	return ""
}

func TestParseRefuses(t *testing.T) {
	request := func(members string) string { return `{"jsonrpc":"2.0","id":1,` + members + `}` }
	table := map[string]struct{ body, reason string }{
		// P1
		"empty":               {"", "body_empty"},
		"blank":               {" \n", "body_empty"},
		"batch":               {"[" + call + "]", "body_batch"},
		"empty batch":         {" []", "body_batch"},
		"string":              {`"x"`, "body_not_object"},
		"null":                {`null`, "body_not_object"},
		"bom":                 {"\xef\xbb\xbf" + call, "body_bom"},
		"utf-16":              {"\xff\xfe{\x00}\x00", "body_not_utf8"},
		"utf-16 without mark": {"{\x00\"\x00a\x00", "body_syntax"},
		"latin-1":             {request(`"method":"x","params":{"a":"` + "\xe4" + `"}`), "body_not_utf8"},
		"overlong":            {request(`"method":"x","params":{"a":"` + "\xc0\xaf" + `"}`), "body_not_utf8"},
		"raw surrogate":       {request(`"method":"x","params":{"a":"` + "\xed\xa0\x80" + `"}`), "body_not_utf8"},
		"second":              {call + call, "body_trailing"},
		"trailing comma":      {call + ",", "body_trailing"},
		"trailing NUL":        {call + "\x00", "body_trailing"},
		"cut":                 {call[:len(call)-1], "body_syntax"},
		"comment":             {`{/**/` + call[1:], "body_syntax"},
		"member comma":        {`{"jsonrpc":"2.0","id":1,"method":"x",}`, "body_syntax"},
		"single quotes":       {`{'jsonrpc':'2.0'}`, "body_syntax"},
		"raw newline":         {request("\"method\":\"x\",\"params\":{\"a\":\"\n\"}"), "body_syntax"},
		"NaN":                 {request(`"method":"x","params":{"a":NaN}`), "body_syntax"},
		"leading zero":        {request(`"method":"x","params":{"a":01}`), "body_syntax"},
		"plus":                {request(`"method":"x","params":{"a":+1}`), "body_syntax"},
		"lone surrogate":      {request(`"method":"x","params":{"a":"\ud800"}`), "body_syntax"},
		"low surrogate":       {request(`"method":"x","params":{"a":"\udc00x"}`), "body_syntax"},
		"surrogates swapped":  {request(`"method":"x","params":{"a":"\ude00\ud83d"}`), "body_syntax"},
		"surrogate in a key":  {request(`"method":"x","params":{"\ud800":1}`), "body_syntax"},
		"NUL in a key":        {request(`"method":"x","params":{"name\u0000":1}`), "body_key_nul"},
		"NUL in a deep key":   {request(`"method":"x","params":{"arguments":{"a":[{"\u0000":1}]}}`), "body_key_nul"},

		// P2
		"duplicate":           {`{"jsonrpc":"2.0","id":1,"id":2,"method":"x"}`, "body_duplicate_key"},
		"duplicate, escaped":  {request(`"method":"x","meth\u006fd":"y"`), "body_duplicate_key"},
		"duplicate name":      {request(`"method":"tools/call","params":{"name":"a","name":"b"}`), "body_duplicate_key"},
		"duplicate argument":  {request(`"method":"tools/call","params":{"name":"a","arguments":{"x":{"y":1,"y":2}}}`), "body_duplicate_key"},
		"duplicate after NUL": {request(`"method":"x","params":{"a":1,"\u0061":2}`), "body_duplicate_key"},
		"Method":              {request(`"method":"x","Method":"y"`), "body_key_case"},
		"only Method":         {request(`"Method":"y"`), "body_key_case"},
		"long s":              {request("\"method\":\"x\",\"param\u017f\":{}"), "body_key_case"},
		"long s, escaped":     {request(`"method":"x","param\u017f":{}`), "body_key_case"},
		"Name":                {request(`"method":"tools/call","params":{"name":"safe","Name":"danger"}`), "body_key_case"},
		"NAME first":          {request(`"method":"tools/call","params":{"NAME":"danger","name":"safe"}`), "body_key_case"},
		"argumentſ":           {request("\"method\":\"tools/call\",\"params\":{\"name\":\"a\",\"argument\u017f\":{}}"), "body_key_case"},
		"kelvin":              {request("\"method\":\"tasks/get\",\"params\":{\"tas\u212aId\":\"a\"}"), "body_key_case"},
		"_Meta":               {request(`"method":"x","params":{"_Meta":{}}`), "body_key_case"},
		"protocolversion":     {request(`"method":"x","params":{"_meta":{"io.modelcontextprotocol/protocolversion":"1"}}`), "body_key_case"},
		"ref Type":            {request(`"method":"completion/complete","params":{"ref":{"type":"ref/prompt","Name":"x"}}`), "body_key_case"},
		"listen":              {request(`"method":"subscriptions/listen","params":{"notifications":{"ResourceSubscriptions":["x"]}}`), "body_key_case"},

		// P5
		"depth":  {request(`"method":"x","params":{"a":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}`), "body_depth"},
		"number": {request(`"method":"x","params":{"a":` + strings.Repeat("1", 1001) + `}`), "body_number"},
		"keys":   {request(`"method":"x","params":{"a":[` + strings.Repeat(`{"a":1},`, 20_000) + `1]}`), "body_keys"},
		"bytes":  {strings.Repeat(" ", 4<<20) + call, "body_too_large"},

		// P12 and JSON-RPC
		"id null":         {`{"jsonrpc":"2.0","id":null,"method":"x"}`, "message_id"},
		"id float":        {`{"jsonrpc":"2.0","id":1.0,"method":"x"}`, "message_id"},
		"id exponent":     {`{"jsonrpc":"2.0","id":1e2,"method":"x"}`, "message_id"},
		"id huge":         {`{"jsonrpc":"2.0","id":9007199254740992,"method":"x"}`, "message_id"},
		"id small":        {`{"jsonrpc":"2.0","id":-9007199254740992,"method":"x"}`, "message_id"},
		"id beyond int64": {`{"jsonrpc":"2.0","id":18446744073709551617,"method":"x"}`, "message_id"},
		"id minus zero":   {`{"jsonrpc":"2.0","id":-0,"method":"x"}`, "message_id"},
		"id object":       {`{"jsonrpc":"2.0","id":{},"method":"x"}`, "message_id"},
		"id true":         {`{"jsonrpc":"2.0","id":true,"method":"x"}`, "message_id"},
		"no version":      {`{"id":1,"method":"x"}`, "message_version"},
		"version 1.0":     {`{"jsonrpc":"1.0","id":1,"method":"x"}`, "message_version"},
		"version number":  {`{"jsonrpc":2.0,"id":1,"method":"x"}`, "message_version"},
		"no method":       {`{"jsonrpc":"2.0","id":1}`, "message_method"},
		"method number":   {request(`"method":1`), "message_method"},
		"method null":     {request(`"method":null`), "message_method"},
		"method empty":    {request(`"method":""`), "message_method"},
		"method space":    {request(`"method":"tools/call "`), "message_method"},
		"method NUL":      {request(`"method":"tools/call\u0000"`), "message_method"},
		"method newline":  {request(`"method":"x\r\nEvil: 1"`), "message_method"},
		"method case":     {request(`"method":"Tools/Call","params":{"name":"x"}`), "message_method"},
		"list case":       {request(`"method":"Tools/List"`), "message_method"},
		"mixed result":    {request(`"method":"x","result":{}`), "message_shape"},
		"mixed error":     {request(`"method":"x","error":{}`), "message_shape"},
		"both":            {request(`"result":{},"error":{}`), "message_shape"},
		"result no id":    {`{"jsonrpc":"2.0","result":{}}`, "message_shape"},
		"result params":   {request(`"result":{},"params":{}`), "message_shape"},
		"result string":   {request(`"result":"x"`), "message_shape"},
		"error null":      {request(`"error":null`), "message_shape"},

		"params array":     {request(`"method":"x","params":[]`), "params_type"},
		"params null":      {request(`"method":"x","params":null`), "params_type"},
		"params string":    {request(`"method":"tools/call","params":"x"`), "params_type"},
		"meta string":      {request(`"method":"x","params":{"_meta":"x"}`), "params_meta"},
		"protocol number":  {request(`"method":"x","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":1}}`), "params_meta"},
		"protocol empty":   {request(`"method":"x","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":""}}`), "params_meta"},
		"protocol newline": {request(`"method":"x","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"a\nb"}}`), "params_meta"},
		"no params":        {request(`"method":"tools/call"`), "params_name"},
		"no name":          {request(`"method":"tools/call","params":{"uri":"x"}`), "params_name"},
		"name null":        {request(`"method":"tools/call","params":{"name":null}`), "params_name"},
		"name array":       {request(`"method":"tools/call","params":{"name":["x"]}`), "params_name"},
		"name empty":       {request(`"method":"prompts/get","params":{"name":""}`), "params_name"},
		"no uri":           {request(`"method":"resources/read","params":{"name":"x"}`), "params_name"},
		"subscribe now":    {request(`"method":"resources/subscribe","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"},"uri":"x"}`), "method_removed"},
		"unsubscribe now":  {request(`"method":"resources/unsubscribe","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}`), "method_removed"},
		"subscribe before": {request(`"method":"resources/subscribe","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2025-11-25"}}`), "params_name"},
		"arguments array":  {request(`"method":"tools/call","params":{"name":"x","arguments":[]}`), "params_arguments"},
		"arguments string": {request(`"method":"tools/call","params":{"name":"x","arguments":"{}"}`), "params_arguments"},
		"arguments null":   {request(`"method":"prompts/get","params":{"name":"x","arguments":null}`), "params_arguments"},
		"no ref":           {request(`"method":"completion/complete","params":{}`), "params_ref"},
		"ref type":         {request(`"method":"completion/complete","params":{"ref":{"type":"ref/tool","name":"x"}}`), "params_ref"},
		"ref without name": {request(`"method":"completion/complete","params":{"ref":{"type":"ref/prompt","uri":"x"}}`), "params_name"},
		"listen type":      {request(`"method":"subscriptions/listen","params":{"notifications":[]}`), "params_type"},
		"listen uris":      {request(`"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":"x"}}`), "params_name"},
		"listen uri":       {request(`"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["x",1]}}`), "params_name"},
	}
	for name, row := range table {
		t.Run(name, func(t *testing.T) {
			got, err := Parse([]byte(row.body), DefaultLimits())
			if reason(err) != row.reason {
				t.Errorf("got %v, want %s", err, row.reason)
			}
			if difference(got, Message{}) != "" || got.Raw != nil {
				t.Errorf("a message came with the refusal: %+v", got)
			}
		})
	}
}

func reason(err error) string {
	var e *Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.Reason
}

func TestErrorShape(t *testing.T) {
	table := map[string]struct {
		body   string
		status int
		code   int
		id     string
	}{
		"batch":     {"[]", 400, -32600, ""},
		"syntax":    {"{", 400, -32700, ""},
		"large":     {strings.Repeat(" ", 5<<20), 413, -32600, ""},
		"params":    {`{"jsonrpc":"2.0","id":"x","method":"tools/call"}`, 400, -32602, `"x"`},
		"version":   {`{"id":4,"method":"tools/call"}`, 400, -32600, "4"},
		"duplicate": {`{"jsonrpc":"2.0","id":4,"id":5}`, 400, -32600, ""},
		"wrong id":  {`{"jsonrpc":"2.0","id":null,"method":"x"}`, 400, -32600, ""},
	}
	for name, row := range table {
		_, err := Parse([]byte(row.body), DefaultLimits())
		var e *Error
		if !errors.As(err, &e) {
			t.Fatalf("%s: %v", name, err)
		}
		if e.Status != row.status || e.Code != row.code || string(e.ID) != row.id || e.Public == "" {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

func TestLimitsMustBeSet(t *testing.T) {
	for _, limits := range []Limits{{}, {Bytes: 1, Depth: 1, Keys: 1}, {Depth: 1, Keys: 1, Number: 1}} {
		if _, err := Parse([]byte(call), limits); reason(err) != "limits_unset" {
			t.Errorf("%+v: %v", limits, err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	large := `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"add","arguments":{"text":"` + strings.Repeat("lorem ipsum ", 8000) + `"}}}`
	for name, body := range map[string]string{"call": call, "large": large} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			raw := []byte(body)
			for b.Loop() {
				if _, err := Parse(raw, DefaultLimits()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
