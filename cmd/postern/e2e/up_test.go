package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

const upPorts = 5 // `postern up` takes this many, one after the other

// everything is a running `postern up` as its up.json describes it.
type everything struct {
	*process `json:"-"`
	Proxy    string            `json:"proxy"`
	Issuer   string            `json:"issuer"`
	Servers  map[string]string `json:"servers"`
	User     person            `json:"user"`
	Boss     person            `json:"administrator"`
	Client   machine           `json:"client"`
	Admin    string            `json:"admin"`
	Account  string            `json:"account_url"`
	Console  string            `json:"admin_url"`
}

type person struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

type machine struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
}

func upArgs(state string, base int) []string {
	return []string{"up", "--state", state, "--port-base", strconv.Itoa(base)}
}

// announced reads up.json, which is there once everything answers.
func announced(p *process, state string) (*everything, error) {
	e := &everything{process: p}
	err := within(patience, func() error {
		if p.gone() {
			return fmt.Errorf("postern up ended: %v", p.err)
		}
		text, err := os.ReadFile(filepath.Join(state, "up.json"))
		if err != nil {
			return err
		}
		return json.Unmarshal(text, e)
	})
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, p.out.String())
	}
	return e, nil
}

// startUp starts over whatever a killed run left, but for its up.json, which
// would be read before the new process takes it away.
func startUp(t *testing.T, state string, base int) *everything {
	t.Helper()
	_ = os.Remove(filepath.Join(state, "up.json")) // there is none at a first start
	e, err := announced(start(t, binary, upArgs(state, base)...), state)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// sharedUp is one `postern up` for all tests that only use it.
type sharedUp struct {
	once  sync.Once
	state string
	up    *everything
	err   error
}

var shared sharedUp

func (s *sharedUp) get(t *testing.T) *everything {
	t.Helper()
	s.once.Do(s.start)
	if s.err != nil {
		t.Fatal(s.err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("postern up:\n%s\naudit:\n%s", s.up.out.String(), s.audit())
		}
	})
	return s.up
}

func (s *sharedUp) start() {
	var base int
	if s.state, s.err = os.MkdirTemp("", "postern-up-"); s.err != nil {
		return
	}
	if base, s.err = freePorts(upPorts); s.err != nil {
		return
	}
	var p *process
	if p, s.err = spawn(binary, upArgs(s.state, base)...); s.err != nil {
		return
	}
	if s.up, s.err = announced(p, s.state); s.err != nil {
		p.kill()
	}
}

func (s *sharedUp) audit() string {
	text, err := os.ReadFile(filepath.Join(s.state, "audit.jsonl"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// stop returns what it said if a data race was found.
func (s *sharedUp) stop() (races string) {
	if s.up != nil {
		s.up.kill()
		races = s.up.races()
	}
	_ = os.RemoveAll(s.state)
	return races
}

func TestUpAnnouncesOnlyWhatAnswers(t *testing.T) {
	state, base := t.TempDir(), mustFreePorts(t)
	up := startUp(t, state, base)
	info, err := os.Stat(filepath.Join(state, "up.json"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("up.json has mode %o, want 600", info.Mode().Perm())
	}
	for _, url := range []string{up.Issuer + "/.well-known/oauth-authorization-server", up.Admin + "/readyz", up.Admin + "/healthz", up.Admin + "/metrics"} {
		if err := healthy(url); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"calculator", "externaldb"} {
		c := caller{url: up.Servers[name]}
		got := c.send(t, initialize()).expect(t, http.StatusUnauthorized)
		if found := challenges(t, got.header); found["Bearer"]["scope"] == "" || found["DPoP"]["resource_metadata"] == "" {
			t.Errorf("%s: challenges %v", name, found)
		}
	}
	up.signal(syscall.SIGINT)
	if code := up.exit(t); code != 0 {
		t.Errorf("SIGINT: exit status %d, want 0\n%s", code, up.out.String())
	}
	if _, err := os.Stat(filepath.Join(state, "up.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("up.json outlives what it describes: %v", err)
	}
}

func TestUpFindsItsStateAgain(t *testing.T) {
	state, base := t.TempDir(), mustFreePorts(t)
	first := startUp(t, state, base)
	token := first.token(t, "calculator", "")
	first.kill() // no goodbye

	second := startUp(t, state, base)
	if second.User != first.User || second.Boss != first.Boss || second.Client != first.Client {
		t.Errorf("accounts changed: %v %v, then %v %v", first.User, first.Client, second.User, second.Client)
	}
	c := caller{url: second.Servers["calculator"], token: token}
	c.send(t, modernCall("add", `{"a":2,"b":3}`)).expect(t, http.StatusOK) // the old token: same keys
	c.token = second.token(t, "calculator", "")
	c.send(t, modernCall("add", `{"a":2,"b":3}`)).expect(t, http.StatusOK)
	second.signIn(t)
	second.administrator(t, state)
}

// administrator: there is one, whom a made password lets in and nothing else.
func (e *everything) administrator(t *testing.T, state string) {
	t.Helper()
	if e.Boss.Username != "admin" || len(e.Boss.Password) < 16 || e.Boss.Password == e.User.Password {
		t.Errorf("the administrator: %v", e.Boss)
	}
	out, err := exec.Command(binary, "admin", "-c", filepath.Join(state, "postern.yaml"), "user", "list", "-o", "json").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"name":"admin"`, `"roles":[{"role":"admin","source":"assigned"}]`, `"roles":[{"role":"user","source":"assigned"}]`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %s in %s", want, out)
		}
	}
}

// A password that somebody changed is announced no more, and looking costs no try.
func TestUpForgetsAPasswordThatWasChanged(t *testing.T) {
	state, base := t.TempDir(), mustFreePorts(t)
	first := startUp(t, state, base)
	if first.Account != first.Issuer+"/account" || first.Console != first.Issuer+"/admin" {
		t.Errorf("pages at %s and %s", first.Account, first.Console)
	}
	first.kill()
	if out, err := exec.Command(binary, "admin", "--state", state, "user", "password", "--yes", "admin").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for range 2 {
		again := startUp(t, state, base)
		if again.User != first.User || again.Boss != (person{Username: "admin"}) {
			t.Errorf("announced %v and %v", again.User, again.Boss)
		}
		if said := again.out.String(); strings.Contains(said, first.Boss.Password) || !strings.Contains(said, "Administrator admin  with the password that was chosen") {
			t.Error(said)
		}
		again.kill()
	}
}

// signIn is the demo user at a browser, for one call.
func (e *everything) signIn(t *testing.T) {
	t.Helper()
	var w walked
	ask(t, "sdk-bearer.mjs", walkInput{URL: e.Servers["calculator"], User: e.User, Chromium: chromium(t), Calls: theWalk[:1]}, &w)
	if len(w.Calls) != 1 || w.Calls[0].Text != "5" {
		t.Errorf("calls %v", w.Calls)
	}
}

// TestUpSurvivesKillsWhileStarting kills first starts at ever later moments:
// none may leave a state that no start can use.
func TestUpSurvivesKillsWhileStarting(t *testing.T) {
	for _, milestone := range []struct {
		name, file, text string
		signIn           bool
	}{
		{"the configuration is copied", "postern.yaml", "", false},
		{"the database appears", "authserver.db", "", false},
		{"the demo user is being written", "authserver.db-wal", "demo", true},
		{"the demo client is being written", "authserver.db-wal", "demo machine", false},
		{"the accounts are on disk", "demo.json", "", false},
	} {
		t.Run(milestone.name, func(t *testing.T) {
			state, base := t.TempDir(), mustFreePorts(t)
			p := start(t, binary, upArgs(state, base)...)
			for deadline := time.Now().Add(patience); !holds(filepath.Join(state, milestone.file), milestone.text); {
				if p.gone() || time.Now().After(deadline) {
					t.Fatalf("never came:\n%s", p.out.String())
				}
			}
			p.kill()
			up := startUp(t, state, base)
			up.token(t, "calculator", "")
			if milestone.signIn {
				up.signIn(t)
			}
			up.kill()
		})
	}
}

func holds(file, text string) bool {
	content, err := os.ReadFile(file)
	return err == nil && strings.Contains(string(content), text)
}

func TestUpNamesATakenPort(t *testing.T) {
	base := mustFreePorts(t)
	for port := base; port < base+upPorts; port++ {
		t.Run(strconv.Itoa(port-base), func(t *testing.T) {
			ln, err := net.Listen("tcp", loopback(port))
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			state := t.TempDir()
			write(t, filepath.Join(state, "up.json"), "{}") // of a run that was killed
			p := start(t, binary, upArgs(state, base)...)
			if code := p.exit(t); code != 2 {
				t.Errorf("exit status %d, want 2", code)
			}
			for _, want := range []string{strconv.Itoa(port), "--port-base"} {
				if !strings.Contains(p.out.String(), want) {
					t.Errorf("the message does not name %s:\n%s", want, p.out.String())
				}
			}
			if _, err := os.Stat(filepath.Join(state, "up.json")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("up.json announces what does not run: %v", err)
			}
		})
	}
}

func mustFreePorts(t *testing.T) int {
	t.Helper()
	base, err := freePorts(upPorts)
	if err != nil {
		t.Fatal(err)
	}
	return base
}
