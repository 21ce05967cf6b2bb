package stdio

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestMain runs the tests, or is the child of one of them.
func TestMain(m *testing.M) {
	if mode := os.Getenv("STDIO_FIXTURE"); mode != "" {
		(&fixture{mode: mode}).serve()
		return
	}
	os.Exit(m.Run())
}

// fixture is an MCP server as bad as its callers ask it to be.
type fixture struct {
	mode string // see answer

	mu        sync.Mutex
	held      []string // ids of calls that wait
	cancelled []string
	replies   []string // to what it asked
	asker     string   // id of the call that asked
}

// cutAnswer is what strict readers turn down: half of a character, a byte that
// is none, and a name given twice, all deep within the result.
const cutAnswer = `{"jsonrpc":"2.0","id":ID,"result":{"content":[{"type":"text","text":"\ud83d` + "\xff" + `"}],"x":{"a":1,"a":2}}}`

type incoming struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		Name      string `json:"name"`
		Arguments struct {
			Text string `json:"text"`
		} `json:"arguments"`
		URI       string `json:"uri"`
		RequestID json.RawMessage
		Meta      struct {
			Token    json.RawMessage `json:"progressToken"`
			Protocol string          `json:"io.modelcontextprotocol/protocolVersion"`
		} `json:"_meta"`
	} `json:"params"`
}

func (f *fixture) serve() {
	if f.mode == "stubborn" {
		signal.Ignore(syscall.SIGTERM)
	}
	if f.mode == "dying" {
		os.Exit(3)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var in incoming
		if err := json.Unmarshal(lines.Bytes(), &in); err != nil {
			fmt.Fprintln(os.Stderr, "the bridge writes nonsense:", err)
			os.Exit(4)
		}
		f.take(in, lines.Text())
	}
	if f.mode == "stubborn" {
		time.Sleep(time.Hour)
	}
}

func (f *fixture) say(format string, args ...any) {
	fmt.Fprintf(os.Stdout, format+"\n", args...)
}

func (f *fixture) take(in incoming, line string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case in.Method == "":
		if f.replies = append(f.replies, line); len(f.replies) == 2 {
			f.result(f.asker, strings.Join(f.replies, "\n"))
		}
	case in.Method == "notifications/cancelled":
		f.cancelled = append(f.cancelled, string(in.Params.RequestID))
	case in.ID == nil:
	case in.Method == "initialize":
		f.initialize(in)
	case in.Method == "server/discover":
		f.discover(in)
	case in.Method == "tools/call":
		f.call(in, line)
	case in.Method == "subscriptions/listen":
		f.listen(in)
	case in.Method == "resources/subscribe" && in.Params.URI == "no://":
		f.say(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32602,"message":"no"}}`, in.ID)
	case in.Method == "resources/unsubscribe" && string(in.ID) == nobody:
		f.cancelled = append(f.cancelled, in.Params.URI)
	case in.Method == "no/such":
		f.say(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"Method not found"}}`, in.ID)
	default:
		f.result(string(in.ID), line)
	}
}

func (f *fixture) initialize(in incoming) {
	switch f.mode {
	case "silent":
	case "modern", "mute":
		f.say(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"Method not found"}}`, in.ID)
	default:
		f.say(`{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true},"logging":{},`+
			`"resources":{"subscribe":true}},"serverInfo":{"name":"fixture","version":"1"}}}`, in.ID)
	}
}

func (f *fixture) discover(in incoming) {
	if f.mode != "modern" && f.mode != "dual" {
		f.say(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"Method not found"}}`, in.ID)
		return
	}
	f.say(`{"jsonrpc":"2.0","id":%s,"result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{},"ttlMs":0,"cacheScope":"public"}}`, in.ID)
}

func (f *fixture) listen(in incoming) {
	f.say(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{%q:%s},"notifications":{"toolsListChanged":true}}}`, subscriptionKey, in.ID)
	f.held = append(f.held, string(in.ID))
}

func (f *fixture) result(id, text string) {
	quoted, _ := json.Marshal(text) // a string
	f.say(`{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":%s}]}}`, id, quoted)
}

func (f *fixture) progress(token string) {
	f.say(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":1}}`, token)
}

// call does what the tool is named after.
func (f *fixture) call(in incoming, line string) {
	id := string(in.ID)
	switch in.Params.Name {
	case "echo":
		f.result(id, line)
	case "progress":
		f.progress(string(in.Params.Meta.Token))
		f.result(id, "done")
	case "hold":
		if in.Params.Meta.Token != nil {
			f.progress(string(in.Params.Meta.Token))
		}
		f.held = append(f.held, id)
	case "hang":
	case "meddle":
		f.meddle(id)
	case "garbage":
		f.say("hello from a print statement\n[]\n{}\n{\"jsonrpc\":\"2.0\",\"id\":%s,\"id\":1,\"result\":{}}\n{\"jsonrpc\":\"1.0\",\"id\":%s,\"result\":{}}", id, id)
		f.say(`{"jsonrpc":"2.0","id":%s,"result":{},"error":{}}`, id)
		f.say(`{"jsonrpc":"2.0","id":[%s],"result":{"content":[]}}`, id)
		f.say(`{"jsonrpc":"2.0","id":1,"result":{"content":[]}}`)
		f.say("%s", strings.Repeat("x", lineLimit+1))
		f.result(id, "after all")
	case "print": // a forgotten line of debugging
		f.say("%s", in.Params.Arguments.Text)
		f.result(id, "printed")
	case "flood":
		for range 5 * notesKept {
			f.progress(string(in.Params.Meta.Token))
		}
		f.result(id, "dry")
	case "withdraw":
		for _, other := range f.held {
			f.say(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%s}}`, other)
		}
		f.result(id, "")
	case "cut":
		f.say("%s", strings.Replace(cutAnswer, "ID", id, 1))
	case "twice":
		f.result(id, "first")
		f.result(id, "second")
	case "ask":
		f.asker, f.replies = id, nil
		f.say(`{"jsonrpc":"2.0","id":"s1","method":"sampling/createMessage","params":{}}`)
		f.say(`{"jsonrpc":"2.0","id":"p1","method":"ping"}`)
	case "cancelled":
		f.result(id, strings.Join(f.cancelled, " "))
	case "changed":
		f.say(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"note":"of somebody"}}`)
		f.say(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"of somebody"}}`)
		f.say(`{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a://x","note":"of somebody"}}`)
		f.result(id, "")
	default:
		f.harm(in)
	}
}

// meddle names everybody else's requests, tokens and subscriptions, then its own.
func (f *fixture) meddle(id string) {
	for _, other := range f.held {
		f.progress(other)
		f.say(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"x%s","progress":1}}`, strings.Trim(other, `"`))
		f.say(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{%q:%s}}}`, subscriptionKey, other)
	}
	for _, name := range []string{"0", "-1", "1e0", "01", "999999", `"x"`, "null"} {
		f.say(`{"jsonrpc":"2.0","id":%s,"result":{"content":[]}}`, name)
		f.progress(name)
	}
	f.result(id, "meddled")
	for _, other := range f.held {
		f.result(other, "held")
	}
	f.held = nil
}

// harm is what hurts the machine.
func (f *fixture) harm(in incoming) {
	switch in.Params.Name {
	case "die":
		os.Exit(3)
	case "close":
		_ = os.Stdout.Close()
		time.Sleep(time.Hour)
	case "eat":
		var eaten [][]byte
		for range 200 {
			meal := make([]byte, 1<<20)
			for i := range meal {
				meal[i] = byte(i)
			}
			eaten = append(eaten, meal)
		}
		time.Sleep(2 * time.Second) // long enough to be seen
		f.result(string(in.ID), fmt.Sprint(len(eaten)))
	case "fork":
		grandchild := exec.Command("sleep", "1000")
		if err := grandchild.Start(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		f.result(string(in.ID), fmt.Sprint(grandchild.Process.Pid, " ", os.Getpid()))
	case "environment":
		f.result(string(in.ID), strings.Join(os.Environ(), "\n"))
	case "deaf":
		f.mu.Unlock()
		time.Sleep(time.Hour)
	case "stderr":
		for i := range 300 {
			fmt.Fprintf(os.Stderr, "line %d\n", i)
		}
		fmt.Fprintln(os.Stderr, strings.Repeat("long", 10_000))
		f.result(string(in.ID), "said")
	}
}
