package mcp

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	stdjson "encoding/json"
	"fmt"
	"io"
	"math"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"

	"github.com/go-json-experiment/json/jsontext"
)

// reader is another language's JSON parser in a process of its own.
type reader struct {
	mu   sync.Mutex
	name string
	in   io.Writer
	out  *bufio.Reader
}

// newReader starts one that ends when its stdin does, with this process.
func newReader(command ...string) (*reader, error) {
	cmd := exec.Command(command[0], command[1:]...)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &reader{name: command[0], in: in, out: bufio.NewReader(out)}, cmd.Start()
}

func (r *reader) read(body []byte) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := fmt.Fprintln(r.in, base64.StdEncoding.EncodeToString(body)); err != nil {
		return "", err
	}
	line, err := r.out.ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err
}

// foreign are the parsers of the servers behind the gate. They are started
// once for each process that fuzzes.
var foreign = sync.OnceValues(func() ([]*reader, error) {
	node, err := newReader("node", "testdata/reader.js")
	if err != nil {
		return nil, err
	}
	python, err := newReader("python3", "testdata/reader.py")
	return []*reader{node, python}, err
})

// FuzzReadersAgree (P18): a message the gate accepts says the same, in method,
// name, uri and arguments, to this parser, to encoding/json, to JavaScript and
// to Python. Numbers are compared as what JavaScript makes of them.
func FuzzReadersAgree(f *testing.F) {
	for _, seed := range readerSeeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := Parse(body, DefaultLimits())
		if err != nil || m.Kind == ResponseMessage {
			return
		}
		want := sayings(t, body)
		if ours := strings.Fields(want); ours[0] != spell(m.Method) || byName(m) && ours[1] != spell(m.Name) || byURI(m) && ours[2] != spell(m.Name) ||
			m.Args != nil && ours[3] != plainText(t, m.Args) {
			t.Errorf("this parser reads %q %q %q, the tokens say %s", m.Method, m.Name, m.Args, want)
		}
		if got := stdSayings(body); got != want {
			t.Errorf("encoding/json reads\n%s, not\n%s", got, want)
		}
		readers, err := foreign()
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range readers {
			if got, err := r.read(body); err != nil || got != want {
				t.Errorf("%s reads\n%s (%v), not\n%s\nin %q", r.name, got, err, want, body)
			}
		}
	})
}

func byName(m Message) bool { return m.Method == "tools/call" || m.Method == "prompts/get" }
func byURI(m Message) bool  { return m.Method == "resources/read" }

// sayings reads method, name, uri and arguments token by token.
func sayings(t *testing.T, body []byte) string {
	t.Helper()
	top := members(t, body)
	params := members(t, top["params"])
	var all []string
	for _, v := range [][]byte{top["method"], params["name"], params["uri"], params["arguments"]} {
		all = append(all, plainText(t, v))
	}
	return strings.Join(all, " ")
}

// members of an object; none of anything else.
func members(t *testing.T, text []byte) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	d := jsontext.NewDecoder(bytes.NewReader(text))
	if len(text) == 0 || d.PeekKind() != '{' {
		return found
	}
	for d.ReadToken(); d.PeekKind() != '}'; {
		key, err := d.ReadToken()
		if err != nil {
			t.Fatal(err)
		}
		name := key.String()
		value, err := d.ReadValue()
		if err != nil {
			t.Fatal(err)
		}
		found[name] = bytes.Clone(value)
	}
	return found
}

func plainText(t *testing.T, text []byte) string {
	t.Helper()
	if text == nil {
		return "-"
	}
	d := jsontext.NewDecoder(bytes.NewReader(text))
	out, err := plainValue(d)
	if err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return out
}

func plainValue(d *jsontext.Decoder) (string, error) {
	token, err := d.ReadToken()
	if err != nil {
		return "", err
	}
	switch token.Kind() {
	case '"':
		return spell(token.String()), nil
	case '0':
		return plainNumber(token.String()), nil
	case '[':
		parts, err := plainParts(d, ']', plainValue)
		return "[" + strings.Join(parts, ",") + "]", err
	case '{':
		parts, err := plainParts(d, '}', plainMember)
		slices.Sort(parts)
		return "{" + strings.Join(parts, ",") + "}", err
	}
	return string(rune(token.Kind())), nil // null, true, false: n, t, f
}

func plainParts(d *jsontext.Decoder, end jsontext.Kind, one func(*jsontext.Decoder) (string, error)) (parts []string, err error) {
	for d.PeekKind() != end {
		part, err := one(d)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	_, err = d.ReadToken()
	return parts, err
}

func plainMember(d *jsontext.Decoder) (string, error) {
	key, err := d.ReadToken()
	if err != nil {
		return "", err
	}
	name := spell(key.String())
	value, err := plainValue(d)
	return name + ":" + value, err
}

// spell writes the UTF-16 code units of a string.
func spell(s string) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(s)) {
		b = binary.BigEndian.AppendUint16(b, unit)
	}
	return `"` + hex.EncodeToString(b)
}

func plainNumber(text string) string {
	n, _ := strconv.ParseFloat(text, 64) // too large is infinite, as in JavaScript
	if n == 0 {
		n = 0 // of one sign
	}
	return fmt.Sprintf("#%016x", math.Float64bits(math.Abs(n))|signBit(n))
}

func signBit(n float64) uint64 {
	if n < 0 {
		return 1 << 63
	}
	return 0
}

// stdSayings is what encoding/json finds: any case of letters, the last
// duplicate, repaired surrogates.
func stdSayings(body []byte) string {
	var m struct {
		Method any `json:"method"`
		Params any `json:"params"`
	}
	d := stdjson.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		return "refused"
	}
	absent := any(missing{})
	found := map[string]any{"name": absent, "uri": absent, "arguments": absent}
	if params, ok := m.Params.(map[string]any); ok {
		for name := range found {
			if v, ok := params[name]; ok {
				found[name] = v
			}
		}
	}
	return strings.Join([]string{plainStd(m.Method), plainStd(found["name"]), plainStd(found["uri"]), plainStd(found["arguments"])}, " ")
}

type missing struct{}

func plainStd(v any) string {
	var parts []string
	switch v := v.(type) {
	case missing:
		return "-"
	case nil:
		return "n"
	case bool:
		return strconv.FormatBool(v)[:1]
	case string:
		return spell(v)
	case stdjson.Number:
		return plainNumber(v.String())
	case []any:
		for _, e := range v {
			parts = append(parts, plainStd(e))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case map[string]any:
		for k, e := range v {
			parts = append(parts, spell(k)+":"+plainStd(e))
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, ",") + "}"
	}
	return "?"
}

// readerSeeds are texts that parsers are known to differ about, and accepted
// ones that are spelt oddly.
var readerSeeds = []string{
	call, modernList, legacyRead, notification, calling("größe"), calling(`\u0065cho`), calling(`a\/b`), calling(`\ud83d\ude00`), calling(`\ud800`), calling(`\u0000`),
	withArguments(`{"n":9007199254740993,"m":-0,"x":1e400,"y":1E-400,"z":0.1e1}`),
	withArguments(`{"__proto__":{"a":1},"constructor":null,"toString":[]}`),
	withArguments(`{"10":1,"9":2,"a":{"b":[true,false,null,"",{}]}}`),
	withArguments(`{"a":1,"a":2}`), withArguments(`{"A":1,"a":2}`), withArguments(`{"\u0061":1,"b":2}`),
	withArguments(`{"n":123456789012345678901234567890,"f":0.1,"g":1.7976931348623157e308,"h":5e-324}`),
	withArguments(`{"n":[01]}`), withArguments(`{"n":NaN}`), withArguments(`{"n":Infinity}`), withArguments(`{"n":+1}`), withArguments(`{"n":.5}`), withArguments(`{"n":1.}`), withArguments(`{"n":0x10}`),
	withArguments(`{"a":"\x01"}`), withArguments(`{"a":"\'"}`), withArguments(`{"a":1,}`), withArguments(`[1,]`), withArguments(`{"a":"\u2028\u2029\ufeff"}`),
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"a\",\"arguments\":{\"a\":\"\u2028 \ufeff\"}}}",
	"\xef\xbb\xbf" + call, call + "\x00", call + "{}", " \t\r\n" + call + "\n", "\x0b" + call, "\u00a0" + call, "\x1e" + call,
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"safe","Name":"danger"}}`,
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"},"params":{"name":"b"}}`,
	`{"__proto__":{"method":"ping"},"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"__proto__":{"name":"b"},"name":"a"}}`,
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"param\u017f\":{\"name\":\"a\"}}",
}

func calling(name string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + name + `","arguments":{}}}`
}

func withArguments(text string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":` + text + `}}`
}
