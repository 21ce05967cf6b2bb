package stdio

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// How long a child may take to end: first by itself, once its stdin is closed,
// then after SIGTERM. What is left gets SIGKILL.
const (
	closing     = 2 * time.Second
	terminating = 3 * time.Second
)

// process is a child in a process group of its own.
type process struct {
	cmd    *exec.Cmd
	in     *os.File      // its stdin, for writing
	out    *os.File      // its stdout
	said   *os.File      // its stderr
	exited chan struct{} // closed when it is over but not reaped: its group is still its own
}

// start runs the command. The thread must outlive the child, for the kernel
// ends the child with the thread that started it.
func start(c Config) (*process, error) {
	p := &process{cmd: exec.Command(c.Command[0], c.Command[1:]...), exited: make(chan struct{})}
	p.cmd.Env, p.cmd.Dir = c.Env, c.Folder
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	theirs, err := p.pipes()
	if err == nil {
		err = p.cmd.Start()
	}
	for _, f := range theirs {
		_ = f.Close()
	}
	if err != nil {
		p.close()
		return nil, err
	}
	go p.await()
	return p, nil
}

// pipes connects the three streams and returns the child's ends.
func (p *process) pipes() (theirs []*os.File, err error) {
	var stdin, stdout, stderr *os.File
	if stdin, p.in, err = os.Pipe(); err != nil {
		return nil, err
	}
	theirs = append(theirs, stdin)
	if p.out, stdout, err = os.Pipe(); err != nil {
		return theirs, err
	}
	theirs = append(theirs, stdout)
	if p.said, stderr, err = os.Pipe(); err != nil {
		return theirs, err
	}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = stdin, stdout, stderr
	return append(theirs, stderr), nil
}

func (p *process) close() {
	for _, f := range []*os.File{p.in, p.out, p.said} {
		if f != nil {
			_ = f.Close()
		}
	}
}

// await leaves the dead child unreaped, so that nobody else can get its number
// while its group is being ended.
func (p *process) await() {
	defer close(p.exited)
	for {
		err := unix.Waitid(unix.P_PID, p.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// end ends the child and everything in its group, politely when asked to, and
// reaps it. Whoever writes to or reads from it sees the end of the pipes.
func (p *process) end(polite bool) error {
	_ = p.in.Close()
	if polite && !p.within(closing) {
		p.signal(syscall.SIGTERM)
		p.within(terminating)
	}
	p.signal(syscall.SIGKILL)
	<-p.exited
	p.signal(syscall.SIGKILL) // what it started on its way out
	err := p.cmd.Wait()
	reapGroup(p.cmd.Process.Pid)
	for _, f := range []*os.File{p.out, p.said} { // a descendant outside the group may hold the other end
		_ = f.SetReadDeadline(time.Now().Add(time.Second))
	}
	return err
}

// reapGroup reaps what is left of a killed group when this process is the one
// that orphans fall to, as the first process of a container is.
func reapGroup(group int) {
	for range 100 {
		pid, err := syscall.Wait4(-group, nil, syscall.WNOHANG, nil)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return // there is none
		}
		if pid == 0 { // not dead yet
			time.Sleep(10 * time.Millisecond)
		}
	}
}

func (p *process) within(limit time.Duration) bool {
	select {
	case <-p.exited:
		return true
	case <-time.After(limit):
		return false
	}
}

func (p *process) signal(s syscall.Signal) { _ = syscall.Kill(-p.cmd.Process.Pid, s) }

const (
	memoryEvery = 250 * time.Millisecond
	groupEvery  = 8 // looks at the memory for each look for new members
)

// watch returns an error as soon as the processes of the group hold more than
// limit bytes of memory of their own, files they map not counted; nil once the
// child is over. An address-space limit would be exact, but Go and V8 reserve
// far more than they use.
func (p *process) watch(limit int64) error {
	tick := time.NewTicker(memoryEvery)
	defer tick.Stop()
	var group []int
	for i := 0; ; i++ {
		if i%groupEvery == 0 {
			group = membersOf(p.cmd.Process.Pid)
		}
		if held := memory(group); held > limit {
			return fmt.Errorf("%w: it held %d MiB, %d are allowed", errMemory, held>>20, limit>>20)
		}
		select {
		case <-p.exited:
			return nil
		case <-tick.C:
		}
	}
}

// membersOf are the processes of a group.
func membersOf(group int) []int {
	entries, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil // unreachable: the pattern is good
	}
	var found []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(filepath.Base(entry))
		if err != nil {
			continue
		}
		if of, err := syscall.Getpgid(pid); err == nil && of == group {
			found = append(found, pid)
		}
	}
	return found
}

// memory is what processes hold, in bytes; those that are gone hold nothing.
func memory(group []int) int64 {
	var sum int64
	for _, pid := range group {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(status)) {
			name, value, _ := strings.Cut(line, ":")
			if name != "RssAnon" && name != "RssShmem" {
				continue
			}
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			if err == nil {
				sum += kib << 10
			}
		}
	}
	return sum
}
