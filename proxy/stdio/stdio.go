// Package stdio puts an MCP server that speaks on stdin and stdout behind the
// proxy: a Child is an http.RoundTripper that speaks streamable HTTP to the
// proxy and lines of JSON-RPC to one child process. Its laws:
//
//   - The child has one session for all callers, so nothing it says goes to a
//     caller unless it names something that caller began: an answer the id of
//     its request, progress its token, a notification its subscription. Those
//     names are the bridge's own, made anew for each request. The exception
//     are list_changed notifications, of which no more than the name goes on.
//   - Everything else the child says is dropped, counted and logged.
//   - Nothing a caller sends is forwarded but requests; nothing the child asks
//     reaches a caller.
//   - A child never outlives its Child, nor any process of its group.
package stdio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postern-mcp/postern/proxy"
)

// Config is everything New needs. An empty required field is an error.
type Config struct {
	Name     string        // of the server, for log and metrics
	Version  string        // of the proxy, for the handshake; may be empty
	Command  []string      // program and arguments; no shell
	Env      []string      // KEY=value: the whole environment; package os's is not added
	Folder   string        // to run in
	Memory   int64         // bytes that the processes of its group may hold together
	InFlight int           // requests at a time, and as many subscriptions
	Timeout  time.Duration // until the next message of an answer, and for the handshake
	Log      *slog.Logger
	Metrics  *Metrics
}

func (c Config) complete() error {
	switch {
	case runtime.GOOS != "linux":
		return errors.New("stdio: child processes are run on Linux only")
	case c.Name == "", len(c.Command) == 0, c.Folder == "":
		return errors.New("stdio: Name, Command and Folder are required")
	case c.Memory < 1, c.InFlight < 1, c.Timeout <= 0:
		return errors.New("stdio: Memory, InFlight and Timeout are required")
	case c.Log == nil, c.Metrics == nil:
		return errors.New("stdio: Log and Metrics are required")
	}
	return nil
}

// Metrics count what happens to all children.
type Metrics struct {
	ends    *prometheus.CounterVec
	dropped *prometheus.CounterVec
}

// NewMetrics registers them.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		ends: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postern_stdio_ends_total", Help: "Ends of child processes that were not asked to end.",
		}, []string{"server"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postern_stdio_dropped_total", Help: "Messages of child processes that went to nobody.",
		}, []string{"server", "why"}),
	}
	r.MustRegister(m.ends, m.dropped)
	return m
}

// Why a message of the child goes to nobody.
const (
	dropMalformed   = "malformed"   // no JSON-RPC message
	dropTooLong     = "too_long"    // longer than lineLimit
	dropUnknown     = "unknown"     // names no request that is waiting
	dropUnsolicited = "unsolicited" // a notification that belongs to nobody for certain
	dropOverflow    = "overflow"    // the caller reads too slowly
	dropUnread      = "unread"      // the child does not read what it is told
)

// Child is a child process that is started again whenever it ends.
type Child struct {
	conf    Config
	calls   chan struct{} // slots
	listens chan struct{}

	ending chan struct{} // closed by Close
	done   chan struct{} // closed once nothing runs any more
	finish func()

	subjectOf func(context.Context) string // whom a request is carried out for

	mu    sync.Mutex
	begun bool
	life  *life     // nil while there is none that answers
	since time.Time // it answers
	why   error     // why not
}

// New does not start anything yet.
func New(c Config) (*Child, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	c.Log = c.Log.With("server", c.Name)
	child := &Child{
		subjectOf: proxy.SubjectOf,
		conf:      c, calls: make(chan struct{}, c.InFlight), listens: make(chan struct{}, c.InFlight),
		ending: make(chan struct{}), done: make(chan struct{}), why: errors.New("it has not answered yet"),
	}
	child.finish = sync.OnceFunc(func() { close(child.ending) })
	return child, nil
}

// Start starts the child and keeps it running until Close.
func (c *Child) Start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.begun {
		c.begun = true
		go c.keep()
	}
}

// Close ends the child: its stdin is closed, then it gets SIGTERM, then
// SIGKILL. It returns when no process of its group is left.
func (c *Child) Close() {
	c.finish()
	c.mu.Lock()
	if !c.begun { // and nothing will
		c.begun = true
		close(c.done)
	}
	c.mu.Unlock()
	<-c.done
}

// Ready says why calls cannot be carried out right now, or nil.
func (c *Child) Ready() error {
	_, err := c.alive()
	return err
}

// alive is the life that answers. The error is a proxy.ErrStarting.
func (c *Child) alive() (*life, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.life == nil {
		return nil, fmt.Errorf("%w: server %s: %w", proxy.ErrStarting, c.conf.Name, c.why)
	}
	return c.life, nil
}

func (c *Child) up(l *life) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.life, c.why, c.since = l, nil, time.Now()
}

// down says how long calls were answered.
func (c *Child) down(why error) (served time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.life != nil {
		served = time.Since(c.since)
	}
	c.life, c.why = nil, why
	return served
}

func (c *Child) drop(why string) { c.conf.Metrics.dropped.WithLabelValues(c.conf.Name, why).Inc() }

// inherited are the variables a child gets of the proxy's own environment:
// what programs need to find themselves and each other, and nothing that
// anybody keeps a secret in.
var inherited = []string{"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR"}

// Environment is that of a child: a short list of the proxy's own variables,
// overruled by own.
func Environment(lookup func(string) (string, bool), own map[string]string) ([]string, error) {
	var env []string
	for _, name := range inherited {
		value, set := lookup(name)
		if _, overruled := own[name]; set && !overruled {
			env = append(env, name+"="+value)
		}
	}
	for name, value := range own {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(value, "\x00") {
			return nil, fmt.Errorf("%q cannot be a variable with this value", name)
		}
		env = append(env, name+"="+value)
	}
	return env, nil
}
