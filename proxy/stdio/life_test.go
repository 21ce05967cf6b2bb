package stdio

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/postern-mcp/postern/proxy"
)

func TestNewRefusesWhatIsMissing(t *testing.T) {
	whole := settings(t, "legacy")
	whole.Log = slog.New(slog.DiscardHandler)
	if _, err := New(whole); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Config){
		"Name": func(c *Config) { c.Name = "" }, "Command": func(c *Config) { c.Command = nil },
		"Folder": func(c *Config) { c.Folder = "" }, "Memory": func(c *Config) { c.Memory = 0 },
		"InFlight": func(c *Config) { c.InFlight = 0 }, "Timeout": func(c *Config) { c.Timeout = 0 },
		"Log": func(c *Config) { c.Log = nil }, "Metrics": func(c *Config) { c.Metrics = nil },
	} {
		c := whole
		spoil(&c)
		if _, err := New(c); err == nil {
			t.Errorf("without %s it is accepted", name)
		}
	}
}

func TestTimeout(t *testing.T) {
	c := settings(t, "legacy")
	c.Timeout = time.Second
	c.InFlight = 1
	r := launch(t, c)
	r.ready(t)
	_, err := r.open(t.Context(), tool("1", "hang"))
	var slow interface{ Timeout() bool }
	if !errors.As(err, &slow) || !slow.Timeout() {
		t.Errorf("a call that hangs: %v", err)
	}
	if _, told := r.do(t, tool("1", "cancelled")).said(t); told == "" {
		t.Error("the child was not told")
	}
	resp, err := r.open(t.Context(), toolWithToken("1", "hold", "1"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); !errors.As(err, &slow) || !slow.Timeout() {
		t.Errorf("a call that hangs after progress: %v", err)
	}
}

func TestDeath(t *testing.T) {
	r := running(t, "legacy")
	session := r.enter(t)
	held := make(chan error, 1)
	go func() {
		_, err := r.open(t.Context(), tool("1", "hold"))
		held <- err
	}()
	stream, err := r.open(t.Context(), ask{method: "GET", session: session})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	eventually(t, func() error {
		if len(r.calls) != 1 {
			return errors.New("the call does not run")
		}
		return nil
	})
	if _, err := r.open(t.Context(), tool("1", "die")); !errors.Is(err, errGone) {
		t.Errorf("who killed it got %v", err)
	}
	if err := <-held; !errors.Is(err, errGone) {
		t.Errorf("who waited got %v", err)
	}
	if rest, err := io.ReadAll(stream.Body); err != nil || strings.Contains(string(rest), "data") {
		t.Errorf("the stream ends with %q %v", rest, err)
	}
	r.ready(t)
	if got := r.do(t, ask{session: session, body: tool("1", "echo").body}); got.status != 404 {
		t.Errorf("a session of the last life: %+v", got)
	}
	if len(r.calls) != 0 {
		t.Errorf("%d slots are taken for ever", len(r.calls))
	}
	r.logs(t, "exit status 3")
}

func TestWaitsGrow(t *testing.T) {
	wait := time.Duration(0)
	for _, want := range []time.Duration{100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000} {
		if wait = nextWait(wait, lasting-1); wait != want*time.Millisecond {
			t.Errorf("wait %s, want %s", wait, want*time.Millisecond)
		}
	}
	if wait = nextWait(wait, lasting); wait != firstWait {
		t.Errorf("after a life that lasted: %s", wait)
	}
}

func TestCloseIsTheEnd(t *testing.T) {
	c := settings(t, "legacy")
	c.Log = slog.New(slog.DiscardHandler)
	child, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	child.Close()
	child.Start()
	child.Close()
	if err := child.Ready(); !errors.Is(err, proxy.ErrStarting) {
		t.Errorf("ready: %v", err)
	}
}

func TestStdoutClosedIsDeath(t *testing.T) {
	r := running(t, "legacy")
	if _, err := r.open(t.Context(), tool("1", "close")); !errors.Is(err, errGone) {
		t.Errorf("got %v", err)
	}
	r.ready(t)
}

func TestWhyThereIsNoChild(t *testing.T) {
	short := func(c *Config) { c.Timeout = 200 * time.Millisecond }
	for _, row := range []struct {
		mode, want string
		change     func(*Config)
	}{
		{"dying", "exit status 3", func(*Config) {}},
		{"mute", "is it an MCP server?", func(*Config) {}},
		{"silent", "it does not answer initialize", short},
		{"absent", "no such file", func(c *Config) { c.Command = []string{"/nowhere/at/all"} }},
	} {
		t.Run(row.mode, func(t *testing.T) {
			c := settings(t, row.mode)
			row.change(&c)
			r := launch(t, c)
			eventually(t, func() error {
				if err := r.Ready(); err == nil || !strings.Contains(err.Error(), row.want) {
					return fmt.Errorf("ready: %v, want %q", err, row.want)
				}
				return nil
			})
			if _, err := r.open(t.Context(), tool("1", "echo")); !errors.Is(err, proxy.ErrStarting) {
				t.Errorf("a call: %v", err)
			}
			eventually(t, func() error {
				if n := valueOf(c.Metrics.ends.WithLabelValues("fixture")); n < 2 {
					return fmt.Errorf("started again %v times", n)
				}
				return nil
			})
		})
	}
}

func TestMemoryIsBounded(t *testing.T) {
	c := settings(t, "legacy")
	c.Memory = 150 << 20
	r := launch(t, c)
	r.ready(t)
	if _, err := r.open(t.Context(), tool("1", "eat")); !errors.Is(err, errGone) {
		t.Errorf("who ate got %v", err)
	}
	r.logs(t, "took too much memory")
	r.ready(t)
	c.Memory = 8 << 30
	if _, text := launchReady(t, c).do(t, tool("1", "eat")).said(t); text != "200" {
		t.Errorf("with room it says %q", text)
	}
}

func launchReady(t *testing.T, c Config) *rig {
	t.Helper()
	r := launch(t, c)
	r.ready(t)
	return r
}

// TestDeafChildIsGivenUp: it reads nothing, so its pipe fills up.
func TestDeafChildIsGivenUp(t *testing.T) {
	c := settings(t, "legacy")
	c.Timeout = time.Second
	r := launch(t, c)
	r.ready(t)
	large := tool("1", "deaf")
	large.body += strings.Repeat(" ", 1<<20)
	for range 2 {
		if _, err := r.open(t.Context(), large); err == nil {
			t.Error("a deaf child answers")
		}
	}
	r.logs(t, "does not read its stdin")
	r.ready(t)
}

// TestNobodyIsLeft: neither what it started, nor a child that will not end,
// nor a zombie, where orphans fall to the proxy as in a container.
func TestNobodyIsLeft(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	for _, mode := range []string{"legacy", "stubborn"} {
		t.Run(mode, func(t *testing.T) {
			r := running(t, mode)
			_, text := r.do(t, tool("1", "fork")).said(t)
			r.Close()
			for _, pid := range strings.Fields(text) {
				if state := stateOf(pid); state != "" {
					t.Errorf("process %s is in state %s", pid, state)
				}
			}
			if _, err := r.open(t.Context(), tool("1", "echo")); !errors.Is(err, proxy.ErrStarting) {
				t.Errorf("a call after Close: %v", err)
			}
		})
	}
}

// stateOf is the state of a process as in /proc, "" for none.
func stateOf(pid string) string {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return rest[:1]
}

func TestEnvironmentIsChosen(t *testing.T) {
	t.Setenv("PROXY_SECRET", "hush")
	r := running(t, "legacy")
	_, text := r.do(t, tool("1", "environment")).said(t)
	if strings.Contains(text, "hush") || !strings.Contains(text, "PATH=") || !strings.Contains(text, "STDIO_FIXTURE=legacy") {
		t.Errorf("the child has\n%s", text)
	}
	for _, own := range []map[string]string{{"A=B": "c"}, {"": "c"}, {"A": "b\x00c"}} {
		if _, err := Environment(os.LookupEnv, own); err == nil {
			t.Errorf("%q is accepted", own)
		}
	}
	env, err := Environment(func(name string) (string, bool) { return "theirs", name == "HOME" }, map[string]string{"HOME": "mine"})
	if err != nil || !slices.Equal(env, []string{"HOME=mine"}) {
		t.Errorf("%q %v", env, err)
	}
}

func TestStderrIsLoggedWithinBounds(t *testing.T) {
	r := running(t, "legacy")
	r.do(t, tool("1", "stderr"))
	r.logs(t, `line="line 0"`)
	r.Close()
	if n := strings.Count(r.log.String(), "the child says"); n > 260 {
		t.Errorf("%d lines of 301 were logged", n)
	}
	if len(r.log.String()) > 60_000 {
		t.Errorf("the log has %d bytes", len(r.log.String()))
	}
}
