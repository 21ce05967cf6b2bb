package mcp

import (
	"net/http"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// FuzzMirrors: the headers this proxy writes for any name are read as exactly
// that name, and as no other.
func FuzzMirrors(f *testing.F) {
	for _, seed := range []string{"echo", "größe", "", " a ", "a, b", "=?base64?ZWNobw==?=", "=?BASE64?x?=", "a\tb", "a\r\nX: y", "\u0000", "\U0001f600", "=?base64??=", "%41"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		quoted, err := jsontext.AppendQuote(nil, name)
		if err != nil { // no JSON names what is not UTF-8
			return
		}
		m, err := Parse([]byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"},"name":`+string(quoted)+`}}`), DefaultLimits())
		if err != nil {
			return
		}
		header := http.Header{}
		for key, value := range MirrorHeaders(m) {
			header[http.CanonicalHeaderKey(key)] = []string{value}
		}
		if err := CheckMirrors(header, m); err != nil || m.Name != name {
			t.Errorf("%q is written %q: %v", name, header, err)
		}
		header["Mcp-Name"] = []string{encodeName(name + "x")}
		if err := CheckMirrors(header, m); err == nil {
			t.Errorf("%q is also read as %q", header["Mcp-Name"], name)
		}
	})
}
