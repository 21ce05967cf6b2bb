package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/postern-mcp/postern/authserver/store/postgrestest"
)

const patience = 30 * time.Second // for things that must happen some time

// process is a program of this test run in a process group of its own.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed once it is gone
	err  error         // of Wait, once done
	out  output
}

// output is everything a process says, kept for the moment a test fails.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func spawn(name string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(name, args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// start spawns for the length of a test and shows the output when it fails.
func start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	p, err := spawn(name, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s %s:\n%s", name, strings.Join(args, " "), p.out.String())
		}
		if races := p.races(); races != "" {
			t.Errorf("a data race in %s:\n%s", name, races)
		}
	})
	return p
}

// races is the output of a process whose race detector found something, or "".
func (p *process) races() string {
	if text := p.out.String(); strings.Contains(text, "WARNING: DATA RACE") {
		return text
	}
	return ""
}

func (p *process) gone() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// kill ends the whole group.
func (p *process) kill() {
	if !p.gone() {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	}
	<-p.done
}

// exit waits for the end and returns the exit status.
func (p *process) exit(t *testing.T) int {
	t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatalf("still running:\n%s", p.out.String())
		return -1
	}
}

// eventually polls until what holds; an error says what is still missing.
func eventually(t *testing.T, what func() error) {
	t.Helper()
	if err := within(patience, what); err != nil {
		t.Fatal(err)
	}
}

func within(limit time.Duration, what func() error) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for {
		err := what()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not after %s: %w", limit, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// postgres is one PostgreSQL for all tests, started by the first who needs it.
type postgres struct {
	once sync.Once
	url  string // of the superuser
	end  func()
	err  error
}

var databases postgres

// empty is the URL of a new database.
func (p *postgres) empty(t *testing.T) string {
	t.Helper()
	p.once.Do(func() { p.url, p.end, p.err = postgrestest.Serve() })
	if p.err != nil {
		t.Fatal(p.err)
	}
	return postgrestest.Database(t, p.url)
}

func (p *postgres) stop() {
	if p.end != nil {
		p.end()
	}
}

// Ports are given out one after the other, below those that the kernel gives to
// connections: until its program listens, nobody else takes one.
const (
	firstPort = 15_000
	somePorts = 17_000
)

var givenPorts atomic.Uint32

// freePort is a port that nobody listens on.
func freePort(t *testing.T) int {
	t.Helper()
	port, err := freePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// freePorts is the first of some neighbours nobody listens on.
func freePorts(n int) (int, error) {
	for range 100 {
		last := int(givenPorts.Add(uint32(n))) % somePorts
		if base := firstPort + last - n; last >= n && allFree(base, n) {
			return base, nil
		}
	}
	return 0, fmt.Errorf("no %d free ports in a row", n)
}

func allFree(base, n int) bool {
	for port := base; port < base+n; port++ {
		ln, err := net.Listen("tcp", loopback(port))
		if err != nil {
			return false
		}
		ln.Close()
	}
	return true
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
