package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

var peerTools = []string{"echo", "hold", "release", "environment", "pid", "exit", "eat", "grow"}

// peer is the TypeScript SDK's server on stdin and stdout.
func peer(t *testing.T, more string) place {
	t.Helper()
	script, err := filepath.Abs("peers/stdio-server.mjs")
	if err != nil {
		t.Fatal(err)
	}
	return place{name: "peer", way: fmt.Sprintf("stdio: {command: [%s, %s]%s}", node(t), script, more), tools: peerTools}
}

// stdioFindings is what peers/stdio-client.mjs reports.
type stdioFindings struct {
	Version  string   `json:"version"`
	Server   string   `json:"server"`
	Tools    []string `json:"tools"`
	Answers  []string `json:"answers"`
	Progress []string `json:"progress"`
	Changed  bool     `json:"changed"`
}

// TestClientsOfBothErasReachServersOnStdin that nobody here wrote, and one
// that serves both eras.
func TestClientsOfBothErasReachServersOnStdin(t *testing.T) {
	s := startSeveral(t, peer(t, ""),
		place{name: "calculator", way: "stdio: {command: [" + binary + ", mcp, calculator]}", tools: []string{"add", "power"}})
	type call struct {
		Name string         `json:"name"`
		Args map[string]any `json:"args"`
	}
	for _, row := range []struct{ server, sdk, mode, version string }{
		{"peer", "sdk", "", "2025-11-25"},
		{"peer", "client", "legacy", "2025-11-25"},
		{"peer", "client", "auto", "2025-11-25"},
		{"calculator", "sdk", "", "2025-11-25"},
		{"calculator", "client", "auto", "2026-07-28"},
	} {
		t.Run(row.server+" "+row.sdk+" "+row.mode, func(t *testing.T) {
			calls, answer := []call{{"echo", map[string]any{"words": "caf\u00e9"}}}, "café"
			tools := []string{"eat", "echo", "environment", "exit", "grow", "hold", "pid", "release"}
			if row.server == "calculator" {
				calls, answer, tools = []call{{"add", map[string]any{"a": 2, "b": 3}}}, "5", []string{"add", "power"}
			}
			var got stdioFindings
			ask(t, "stdio-client.mjs", map[string]any{
				"url": s.url(row.server), "token": s.caller("ada", row.server).token, "sdk": row.sdk, "mode": row.mode,
				"calls": calls, "awaitChange": row.server == "peer",
			}, &got)
			if got.Version != row.version || !slices.Equal(got.Tools, tools) || !slices.Equal(got.Answers, []string{answer}) {
				t.Errorf("%+v", got)
			}
			if row.server == "peer" && !got.Changed {
				t.Error("the change of the list is not announced")
			}
		})
	}
}

// TestCallersOfOneChildAreApart: the same id and the same progress token, at
// the same time, for three callers.
func TestCallersOfOneChildAreApart(t *testing.T) {
	s := startSeveral(t, peer(t, ""))
	people := []string{"ada", "bob", "eve"}
	streams := map[string]*bufio.Reader{}
	for _, name := range people {
		resp := s.caller(name, "peer").open(t, legacyPost(`{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"_meta":{"progressToken":"x"},"name":"hold","arguments":{"words":"of `+name+`"}}}`))
		defer resp.Body.Close()
		streams[name] = bufio.NewReader(resp.Body)
		if got := nextEvent(t, streams[name]); !strings.Contains(got, `"of `+name+`"`) || !strings.Contains(got, `"progressToken":"x"`) {
			t.Errorf("progress of %s: %s", name, got)
		}
	}
	s.caller("ada", "peer").send(t, legacyCall("release", `{}`)).expect(t, http.StatusOK)
	for _, name := range people {
		if got := nextEvent(t, streams[name]); !strings.Contains(got, `"of `+name+`"`) || !strings.Contains(got, `"id":"x"`) {
			t.Errorf("answer of %s: %s", name, got)
		}
		if rest, err := io.ReadAll(streams[name]); err != nil || strings.Contains(string(rest), "data") {
			t.Errorf("then %s gets %q %v", name, rest, err)
		}
	}
}

func TestLeavingReachesTheChild(t *testing.T) {
	s := startSeveral(t, peer(t, ", in_flight: 1"))
	c := s.caller("ada", "peer")
	resp := c.open(t, legacyPost(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{"progressToken":1},"name":"hold","arguments":{"words":"long work"}}}`))
	nextEvent(t, bufio.NewReader(resp.Body))
	got := c.send(t, legacyCall("echo", `{"words":"x"}`)).expect(t, http.StatusServiceUnavailable)
	if !strings.Contains(got.body, "upstream_busy") || got.header.Get("Retry-After") == "" {
		t.Errorf("one call too many: %v %s", got.header, got.body)
	}
	resp.Body.Close()
	eventually(t, func() error {
		if !strings.Contains(s.out.String(), "aborted long work") {
			return errors.New("the child was not told, or what it says on stderr is not logged")
		}
		return nil
	})
	c.send(t, legacyCall("echo", `{"words":"x"}`)).expect(t, http.StatusOK)
}

// Half of a child is the most that one caller holds, so that others get in.
func TestNobodyHasAChildToHimself(t *testing.T) {
	s := startSeveral(t, peer(t, ", in_flight: 2"))
	ada, eve := s.caller("ada", "peer"), s.caller("eve", "peer")
	held := ada.open(t, legacyPost(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{"progressToken":1},"name":"hold","arguments":{"words":"long work"}}}`))
	nextEvent(t, bufio.NewReader(held.Body))
	if got := ada.send(t, legacyCall("echo", `{"words":"x"}`)).expect(t, http.StatusTooManyRequests); !strings.Contains(got.body, "subject_in_flight") {
		t.Errorf("more than half: %s", got.body)
	}
	eve.send(t, legacyCall("echo", `{"words":"x"}`)).expect(t, http.StatusOK)
	held.Body.Close()
	eventually(t, func() error {
		if got := ada.send(t, legacyCall("echo", `{"words":"x"}`)); got.status != http.StatusOK {
			return errors.New(got.body)
		}
		return nil
	})
}

func TestChildIsStartedAgain(t *testing.T) {
	s := startSeveral(t, peer(t, ""))
	c := s.caller("ada", "peer")
	c.session = c.send(t, initialize()).expect(t, http.StatusOK).header.Get("Mcp-Session-Id")
	first := pid(t, c)
	got := c.send(t, legacyCall("exit", `{}`)).expect(t, http.StatusBadGateway)
	if !strings.Contains(got.body, "upstream_unreachable") {
		t.Errorf("who ended it is told %s", got.body)
	}
	eventually(t, func() error { return s.answers("/readyz") })
	c.send(t, legacyCall("pid", `{}`)).expect(t, http.StatusNotFound) // the session went with the child
	c.session = ""
	if again := pid(t, c); again == first {
		t.Errorf("the child is still process %d", again)
	}
}

// TestChildThatEatsMemory: V8 reserves far more than it uses, so what counts
// is what it uses.
func TestChildThatEatsMemory(t *testing.T) {
	s := startSeveral(t, peer(t, ", memory: 300MiB"))
	c := s.caller("ada", "peer")
	first := pid(t, c)
	got := c.send(t, legacyCall("eat", `{}`)).expect(t, http.StatusBadGateway)
	if !strings.Contains(got.body, "upstream_unreachable") {
		t.Errorf("who made it eat is told %s", got.body)
	}
	eventually(t, func() error { return s.answers("/readyz") })
	if again := pid(t, c); again == first || !strings.Contains(s.out.String(), "took too much memory") {
		t.Errorf("the child is process %d as before, or the log does not say why it is another", again)
	}
}

func pid(t *testing.T, c *caller) int {
	t.Helper()
	got := c.send(t, legacyCall("pid", `{}`)).expect(t, http.StatusOK)
	var answer struct {
		Result struct {
			Content []struct {
				Text string `json:"text"`
			} `json:"content"`
		} `json:"result"`
	}
	got.decode(t, &answer)
	n, err := strconv.Atoi(answer.Result.Content[0].Text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestChildThatNeverStarts: readiness and callers are told, the other server works.
func TestChildThatNeverStarts(t *testing.T) {
	s := launchSeveral(t,
		place{name: "broken", way: "stdio: {command: [sh, -c, exit 3]}", tools: []string{"echo"}},
		place{name: "works", way: "upstream: " + newUpstream(t, echo).url, tools: []string{"echo"}})
	eventually(t, func() error {
		resp, err := http.Get(s.admin + "/readyz")
		if err != nil {
			return err
		}
		if got := read(t, resp); got.status != http.StatusServiceUnavailable || !strings.Contains(got.body, "server broken: it ended by itself: exit status 3") {
			return fmt.Errorf("readiness: %d %s", got.status, got.body)
		}
		return nil
	})
	got := s.caller("ada", "broken").send(t, modernCall("echo", `{}`)).expect(t, http.StatusServiceUnavailable)
	if !strings.Contains(got.body, "upstream_starting") || got.header.Get("Retry-After") == "" {
		t.Errorf("a call: %v %s", got.header, got.body)
	}
	s.caller("ada", "works").send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
}

// TestChildEndsWithTheProxy, whichever way the proxy ends.
func TestChildEndsWithTheProxy(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			s := startSeveral(t, peer(t, ""))
			child := pid(t, s.caller("ada", "peer"))
			began := time.Now()
			s.signal(signal)
			<-s.done
			if signal == syscall.SIGTERM && s.cmd.ProcessState.ExitCode() != 0 {
				t.Errorf("exit status %d after %s", s.cmd.ProcessState.ExitCode(), time.Since(began))
			}
			eventually(t, func() error { // who reaps it after SIGKILL is init's business
				stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child))
				if err == nil && !strings.Contains(string(stat), ") Z ") {
					return fmt.Errorf("process %d still runs", child)
				}
				return nil
			})
		})
	}
}

// TestSecretsGetToTheChildOnly by files, and nothing of the proxy's own environment.
func TestSecretsGetToTheChildOnly(t *testing.T) {
	t.Setenv("SECRET_OF_THE_PROXY", "hush-of-the-proxy")
	file := write(t, filepath.Join(t.TempDir(), "token"), "hush-of-the-child\n")
	s := startSeveral(t, peer(t, ", env: {REGION: eu, HOME: /nowhere}, env_files: {TOKEN: "+file+"}, folder: "+t.TempDir()))
	got := s.caller("ada", "peer").send(t, legacyCall("environment", `{}`)).expect(t, http.StatusOK)
	for _, want := range []string{`\"TOKEN\":\"hush-of-the-child\"`, `\"REGION\":\"eu\"`, `\"HOME\":\"/nowhere\"`, `\"PATH\":`} {
		if !strings.Contains(got.body, want) {
			t.Errorf("%s is missing in %s", want, got.body)
		}
	}
	if strings.Contains(got.body, "hush-of-the-proxy") {
		t.Errorf("the child sees the proxy's environment: %s", got.body)
	}
	checkSecrets(t, s.sidecar, "hush-of-the-child")
}
