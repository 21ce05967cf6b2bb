package mcp

import (
	"bytes"
	stdjson "encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// reading is how a parser with its own rules understands a message.
type reading struct {
	Method string `json:"method"`
	Params struct {
		Name      string `json:"name"`
		URI       string `json:"uri"`
		Arguments any    `json:"arguments"`
	} `json:"params"`
}

// FuzzParse: what Parse accepts, encoding/json (any case, last duplicate wins)
// and the v2 library read the same way, and Parse itself reads again the same way.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		call, modernList, legacyRead, taskGet, notification, response, named("größe"),
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"safe","Name":"danger"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}`,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"param\u017f\":{\"name\":\"a\"}}",
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name\u0000":"b","name":"a"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\ud83d\ude00\ud800"}}`,
		`{"jsonrpc":"2.0","id":1e2,"method":"tools/call","params":{"name":"x","arguments":{"n":9007199254740993}}}`,
		`{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["a","b"]}}}`,
		`{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"p"}}}`,
		`[{"jsonrpc":"2.0","id":1,"method":"x"}]`, "\xef\xbb\xbf{}", "{}{}", `{"a":` + strings.Repeat("[", 70),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := slices.Clone(body)
		m, err := Parse(body, DefaultLimits())
		if !bytes.Equal(before, body) {
			t.Fatal("the body was changed")
		}
		if err != nil {
			if m.Raw != nil || reason(err) == "" {
				t.Fatalf("%+v with %v", m, err)
			}
			return
		}
		var loose, strict reading
		if m.Kind != ResponseMessage {
			_ = stdjson.Unmarshal(body, &loose) // members of other types stay zero
			_ = json.Unmarshal(body, &strict)
			compare(t, "v1", m, loose)
			compare(t, "v2", m, strict)
		}
		if !stdjson.Valid(body) || !jsontext.Value(body).IsValid() {
			t.Error("not valid to everybody")
		}
		again, err := Parse(slices.Clone(m.Raw), DefaultLimits())
		if err != nil || difference(again, m) != "" {
			t.Errorf("read again: %v, %+v", err, again)
		}
	})
}

func compare(t *testing.T, who string, m Message, r reading) {
	if m.Method != r.Method {
		t.Errorf("%s reads method %q", who, r.Method)
	}
	if (m.Method == "tools/call" || m.Method == "prompts/get") && m.Name != r.Params.Name {
		t.Errorf("%s reads name %q, not %q", who, r.Params.Name, m.Name)
	}
	if strings.HasPrefix(m.Method, "resources/") && m.Guards != "" && m.Name != r.Params.URI {
		t.Errorf("%s reads uri %q, not %q", who, r.Params.URI, m.Name)
	}
	if m.Args == nil {
		return
	}
	var args any
	if err := stdjson.Unmarshal(m.Args, &args); err != nil {
		return // numbers beyond float64: v1 gives no value to compare
	}
	want, _ := stdjson.Marshal(args)
	if got, _ := stdjson.Marshal(r.Params.Arguments); !bytes.Equal(got, want) {
		t.Errorf("%s reads arguments %s, not %s", who, got, want)
	}
}

// FuzzFilter: whatever comes out is read by a lax parser without a name that
// Keep refuses, in JSON and in an event stream however it is cut.
func FuzzFilter(f *testing.F) {
	for _, seed := range []string{
		shutList, openList,
		`{"result":{"tools":[{"name":"shut"}],"cacheScope":"public","resultType":"complete"}}`,
		`{"result":{"tools":[],"Tools":[{"name":"shut"}]}}`,
		`{"result":{"tools":[],"tools":[{"name":"shut"}]}}`,
		`{"result":{"tools":[{"name":"open","Name":"shut"}]}}`,
		"{\"result\":{\"tool\u017f\":[{\"name\":\"shut\"}]}}",
		`{"Result":{"tools":[{"name":"shut"}]},"error":{}}`,
		"{\"result\":\n{\"tools\":[{\"name\":\"shut\"},\n{\"name\":\"open\"}]}}",
		`{"error":{"code":1}}`, `[]`, ``,
	} {
		f.Add([]byte(seed), "\n", "", false)
		f.Add([]byte(seed), "\r\n", "event: message\n: x\n", true)
		f.Add([]byte(seed), "\r", "event: other\r", true)
	}
	f.Fuzz(func(t *testing.T, body []byte, end, before string, slowly bool) {
		filter := Filter{Method: "tools/list", Keep: open}
		if out, err := filter.JSON(body, DefaultLimits()); err == nil {
			checkOpen(t, out)
			again, err := filter.JSON(out, DefaultLimits())
			if err != nil || !bytes.Equal(again, out) {
				t.Errorf("filtered again: %v\n%s\n%s", err, out, again)
			}
		}
		var source io.Reader = strings.NewReader(before + "data: " + string(body) + end + end)
		if slowly {
			source = iotest.OneByteReader(source)
		}
		out, _ := io.ReadAll(filter.SSE(io.NopCloser(source), DefaultLimits()))
		for _, message := range events(string(out)) {
			checkOpen(t, []byte(message))
		}
	})
}

// events reads a stream the plain way: all line ends made LF, then split.
func events(stream string) []string {
	stream = strings.TrimPrefix(stream, "\xef\xbb\xbf")
	stream = strings.ReplaceAll(strings.ReplaceAll(stream, "\r\n", "\n"), "\r", "\n")
	var messages []string
	for event := range strings.SplitSeq(stream, "\n\n") {
		var data []string
		for text := range strings.SplitSeq(event, "\n") {
			if value, ok := strings.CutPrefix(text, "data:"); ok {
				data = append(data, strings.TrimPrefix(value, " "))
			}
		}
		messages = append(messages, strings.Join(data, "\n"))
	}
	return messages
}

// checkOpen reads with encoding/json: any case of letters, the last duplicate wins.
func checkOpen(t *testing.T, message []byte) {
	var lax struct {
		Result struct {
			Tools []struct {
				Name string `json:"name"`
			} `json:"tools"`
		} `json:"result"`
	}
	if stdjson.Unmarshal(message, &lax) != nil {
		return
	}
	for _, tool := range lax.Result.Tools {
		if !open("", tool.Name) {
			t.Errorf("%q got through in %q", tool.Name, message)
		}
	}
}
