package stdio

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestReadRefuses(t *testing.T) {
	for _, text := range []string{
		``, `null`, `[]`, `"x"`, `{`, `{}`, `{"jsonrpc":"2.0"}`, `{"jsonrpc":"2.0","id":1}`, `{"jsonrpc":"2.0","result":{}}`,
		`{"jsonrpc":"2.0","id":1,"method":"x","result":{}}`, `{"jsonrpc":"2.0","id":1,"result":{},"error":{}}`,
		`{"jsonrpc":"1.0","id":1,"method":"x"}`, `{"id":1,"method":"x"}`, `{"jsonrpc":2.0,"id":1,"method":"x"}`,
		`{"jsonrpc":"2.0","id":1,"method":7}`, `{"jsonrpc":"2.0","id":1,"id":2,"method":"x"}`,
		`{"jsonrpc":"2.0","id":1,"method":"x"} {}`, `{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{"a":1,"a":2}}}`,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}",
	} {
		if m, err := read([]byte(text)); err == nil {
			t.Errorf("%q is read as %+v", text, m)
		}
	}
}

// FuzzRead: an edit changes what it names and nothing else.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{"progressToken":2},"name":"x"}}`,
		` {"params":{"requestId":[1],"_meta":{"progressToken":"a\u0062"} , "progressToken":7},"jsonrpc":"2.0","method":"n\/x"} `,
		`{"jsonrpc":"2.0","id":"\u0069","result":{"_meta":{"io.modelcontextprotocol/subscriptionId":null}}}`,
		`{"jsonrpc":"2.0","id":{},"error":{"code":-32601}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := read(text)
		if err != nil {
			if m != nil {
				t.Fatal("a message beside an error")
			}
			return
		}
		if !json.Valid(text) {
			t.Fatalf("%q is no JSON", text)
		}
		if same := m.edited(); !bytes.Equal(same, text) {
			t.Fatalf("without changes %q becomes %q", text, same)
		}
		const name = `"the name"`
		again, err := read(m.edited(change{m.id, []byte(name)}, change{m.token, []byte(name)}))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if !m.id.absent() && string(again.of(again.id)) != name || !m.token.absent() && string(again.of(again.token)) != name {
			t.Fatalf("%q becomes %q", text, again.raw)
		}
		back := again.edited(change{again.id, m.of(m.id)}, change{again.token, m.of(m.token)})
		if !bytes.Equal(back, text) {
			t.Fatalf("%q comes back as %q", text, back)
		}
		if bytes.ContainsAny(bytes.TrimSuffix(line(text), []byte("\n")), "\r\n") || strings.Contains(strings.TrimSuffix(string(frame(text)), "\n\n"), "\r") {
			t.Fatalf("%q is more than one line", text)
		}
	})
}
