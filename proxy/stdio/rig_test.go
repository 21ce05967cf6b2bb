package stdio

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const patience = 20 * time.Second

// rig is a child with what a test wants to see of it.
type rig struct {
	*Child
	log *record
}

// record is a log that can be read while it is written.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

func settings(t *testing.T, mode string) Config {
	t.Helper()
	env, err := Environment(os.LookupEnv, map[string]string{"STDIO_FIXTURE": mode, "GORACE": "atexit_sleep_ms=0"})
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Name: "fixture", Version: "test", Command: []string{os.Args[0]}, Env: env, Folder: t.TempDir(),
		Memory: 1 << 30, InFlight: 8, Timeout: patience, Metrics: NewMetrics(prometheus.NewRegistry()),
	}
}

// launch starts a child as c says.
func launch(t *testing.T, c Config) *rig {
	t.Helper()
	log := &record{}
	c.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	child, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	child.Start()
	t.Cleanup(func() {
		child.Close()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	child.subjectOf = markedSubject
	return &rig{child, log}
}

// running is launch in a mode, once calls are answered.
func running(t *testing.T, mode string) *rig {
	t.Helper()
	r := launch(t, settings(t, mode))
	r.ready(t)
	return r
}

func (r *rig) ready(t *testing.T) {
	t.Helper()
	eventually(t, r.Ready)
}

// logs waits until the log says what.
func (r *rig) logs(t *testing.T, what string) {
	t.Helper()
	eventually(t, func() error {
		if !strings.Contains(r.log.String(), what) {
			return fmt.Errorf("the log does not say %q", what)
		}
		return nil
	})
}

func eventually(t *testing.T, what func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := what()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// ask is one HTTP request to the child.
type ask struct {
	method  string // POST when ""
	session string
	accept  string // both kinds when ""
	body    string
}

func (r *rig) open(ctx context.Context, a ask) (*http.Response, error) {
	if a.method == "" {
		a.method = http.MethodPost
	}
	if a.accept == "" {
		a.accept = "application/json, text/event-stream"
	}
	req, err := http.NewRequestWithContext(ctx, a.method, "http://stdio/", strings.NewReader(a.body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", a.accept)
	if a.session != "" {
		req.Header.Set("Mcp-Session-Id", a.session)
	}
	return r.RoundTrip(req)
}

// answer is a response read to its end.
type answer struct {
	status  int
	kind    string
	session string
	body    string
}

func (r *rig) do(t *testing.T, a ask) answer {
	t.Helper()
	resp, err := r.open(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	return finish(t, resp)
}

func finish(t *testing.T, resp *http.Response) answer {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header.Get("Content-Type"), resp.Header.Get("Mcp-Session-Id"), string(body)}
}

func tool(id, name string) ask {
	return ask{body: fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":%q}}`, id, name)}
}

func toolWithToken(id, name, token string) ask {
	return ask{body: fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"_meta":{"progressToken":%s},"name":%q}}`, id, token, name)}
}

// said is the text of a tool result, and the id it answers.
func (a answer) said(t *testing.T) (id, text string) {
	t.Helper()
	var m struct {
		ID     json.RawMessage
		Result struct{ Content []struct{ Text string } }
	}
	body := strings.TrimSuffix(a.body, "\n\n")
	body = body[strings.LastIndex(body, "data: ")+1:]
	if err := json.Unmarshal([]byte(strings.TrimPrefix(body, "ata: ")), &m); err != nil || len(m.Result.Content) != 1 {
		t.Fatalf("%v in %q", err, a.body)
	}
	return string(m.ID), m.Result.Content[0].Text
}

func (r *rig) enter(t *testing.T) string {
	t.Helper()
	return r.enterAs(t, "")
}

// subjectKey marks whom a request of the rig is for.
type subjectKey struct{}

func markedSubject(ctx context.Context) string {
	subject, _ := ctx.Value(subjectKey{}).(string)
	return subject
}

// enterAs begins a session of a subject.
func (r *rig) enterAs(t *testing.T, subject string) string {
	t.Helper()
	resp, err := r.open(context.WithValue(t.Context(), subjectKey{}, subject), ask{body: `{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}`})
	if err != nil {
		t.Fatal(err)
	}
	got := finish(t, resp)
	if got.status != 200 || got.session == "" {
		t.Fatalf("%+v", got)
	}
	return got.session
}

func (r *rig) dropped(why string) float64 {
	return valueOf(r.conf.Metrics.dropped.WithLabelValues("fixture", why))
}

// valueOf reads a counter.
func valueOf(c prometheus.Counter) float64 {
	registry := prometheus.NewRegistry()
	registry.MustRegister(c)
	found, err := registry.Gather()
	if err != nil || len(found) != 1 {
		return -1
	}
	return found[0].GetMetric()[0].GetCounter().GetValue()
}

// nextEvent is the data of the next event of a stream; signs of life are passed over.
func nextEvent(t *testing.T, stream *bufio.Reader) string {
	t.Helper()
	for {
		line, err := stream.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if data, ok := strings.CutPrefix(strings.TrimSpace(line), "data: "); ok {
			return data
		}
	}
}
