package e2e

import (
	"bytes"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

// oddBodies are messages that two JSON parsers might understand differently,
// and plain ones spelt oddly. The proxy may refuse any of them.
var oddBodies = []string{
	legacyCall("echo", `{}`).body,
	oddBody,
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\u0065\u0063\u0068\u006F","arguments":{}}}`,
	`{"jsonrpc":"2.0","id":1,"method":"tools\u002fcall","params":{"name":"echo","arguments":{"n":9007199254740993,"x":1e400,"y":-0}}}`,
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"__proto__":{"name":"risky"},"constructor":1}}}`,
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"__proto__":{"name":"risky"},"name":"echo"}}`,
	`{"__proto__":{"method":"ping"},"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}`,
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name ":"risky","arguments":{}}}`,
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"risky","name":"echo"}}`,
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","n\u0061me":"risky"}}`,
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"},"p\u0061rams":{"name":"risky"}}`,
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"a":1,"a":2}}}`,
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","Name":"risky"}}`,
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"echo\"},\"param\u017f\":{\"name\":\"risky\"}}",
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"echo\",\"tas\u212aId\":\"x\"}}",
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name\u0000":"risky"}}`,
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"echo\x00\"}}",
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"echo\xff\"}}",
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo\ud800"}}`,
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo\u0000"}}`,
	"\xef\xbb\xbf" + legacyCall("echo", `{}`).body,
	"\x0b" + legacyCall("echo", `{}`).body,
	"\u00a0" + legacyCall("echo", `{}`).body,
	legacyCall("echo", `{}`).body + legacyCall("risky", `{}`).body,
	legacyCall("echo", `{}`).body + "\x00",
	`[` + legacyCall("echo", `{}`).body + `]`,
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["echo"]}`,
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":["echo"]}}`,
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo",}}`,
	`{"jsonrpc":"2.0","id":1,"method":"tools/call",/*"x":*/"params":{"name":"echo"}}`,
	`{'jsonrpc':'2.0','id':1,'method':'tools/call','params':{'name':'echo'}}`,
	`{"jsonrpc":"2.0","id":01,"method":"tools/call","params":{"name":"echo"}}`,
	`{"jsonrpc":"2.0","id":1.0,"method":"tools/call","params":{"name":"echo"}}`,
	`{"jsonrpc":"2.0","id":9007199254740993,"method":"tools/call","params":{"name":"echo"}}`,
	`{"jsonrpc":"2.0","id":true,"method":"tools/call","params":{"name":"echo"}}`,
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"x":NaN}}}`,
	`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"},"result":{}}`,
}

// TestAcceptedBodiesReadTheSameInV8: what reaches the upstream is what was
// decided about, byte for byte, and a JavaScript server finds the same call in it.
func TestAcceptedBodiesReadTheSameInV8(t *testing.T) {
	p, issuer, up := gate(t, echo)
	authorization := "Authorization: Bearer " + issuer.token("ada", p.resource, "use", nil)
	var accepted []string
	for _, body := range oddBodies {
		before := len(up.all())
		got := p.knock(t, "/recorder/mcp", message{body: body}, authorization)
		all := up.all()
		if reached := len(all) > before; reached != (got.status == http.StatusOK && !strings.Contains(got.body, `"error"`)) {
			t.Errorf("%q: status %d, reached the upstream: %v", body, got.status, reached)
		} else if reached {
			accepted = append(accepted, all[len(all)-1].body)
			if all[len(all)-1].body != body {
				t.Errorf("sent %q, the upstream got %q", body, all[len(all)-1].body)
			}
		}
	}
	if len(accepted) < 5 || len(accepted) > 10 {
		t.Errorf("%d of %d bodies are accepted: %q", len(accepted), len(oddBodies), accepted)
	}
	for i, call := range inV8(t, accepted) {
		if call != [2]string{"tools/call", "echo"} {
			t.Errorf("decided about a call of echo; V8 finds %q in %q", call, accepted[i])
		}
	}
}

// inV8 reads method and name the way a JavaScript server does.
func inV8(t *testing.T, bodies []string) (calls [][2]string) {
	t.Helper()
	const script = `let text = ""; process.stdin.on("data", d => text += d).on("end", () => console.log(JSON.stringify(
		JSON.parse(text).map(b => { const m = JSON.parse(b); return [m.method, m.params.name] }))))`
	input, err := json.Marshal(bodies)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node(t), "-e", script)
	cmd.Stdin = bytes.NewReader(input)
	output, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(output, &calls); err != nil || len(calls) != len(bodies) {
		t.Fatalf("%v: %s", err, output)
	}
	return calls
}
