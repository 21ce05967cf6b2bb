package e2e

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// step is one thing somebody does in a window; peers/windows.mjs knows what.
type step map[string]string

// shown is what a window shows.
type shown struct {
	URL  string `json:"url"`
	Text string `json:"text"`
}

// stepped is what became of a step.
type stepped struct {
	shown
	Number string `json:"number"`
	Error  string `json:"error"`
}

// chromiums is one Chromium for all tests, started by the first who needs it.
type chromiums struct {
	once    sync.Once
	err     error // of the start
	cmd     *exec.Cmd
	in      io.WriteCloser
	said    output
	mu      sync.Mutex
	number  int
	waiting map[string]chan stepped
}

var browsers chromiums

func (c *chromiums) start(t *testing.T) {
	t.Helper()
	c.once.Do(func() { c.err = c.run(exec.Command(node(t), "windows.mjs")) })
	if c.err != nil {
		t.Fatal(c.err)
	}
}

func (c *chromiums) run(peer *exec.Cmd) error {
	peer.Dir, peer.Stderr = "peers", &c.said
	in, err := peer.StdinPipe()
	if err != nil {
		return err
	}
	out, err := peer.StdoutPipe()
	if err != nil {
		return err
	}
	if err := peer.Start(); err != nil {
		return err
	}
	c.cmd, c.in, c.waiting = peer, in, map[string]chan stepped{}
	go c.listen(out)
	return nil
}

// listen hands every answer to who waits for it.
func (c *chromiums) listen(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var got stepped
		if err := json.Unmarshal(lines.Bytes(), &got); err != nil {
			got.Error = err.Error()
		}
		c.mu.Lock()
		to := c.waiting[got.Number]
		delete(c.waiting, got.Number)
		c.mu.Unlock()
		if to != nil {
			to <- got
		}
	}
}

// take has one step done.
func (c *chromiums) take(s step) (shown, error) {
	answered := make(chan stepped, 1)
	if err := c.send(s, answered); err != nil {
		return shown{}, err
	}
	select {
	case got := <-answered:
		if got.Error != "" {
			return shown{}, errors.New(got.Error)
		}
		return got.shown, nil
	case <-time.After(2 * patience):
		return shown{}, fmt.Errorf("no answer\n%s", c.said.String())
	}
}

func (c *chromiums) send(s step, answered chan stepped) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.number++
	number := strconv.Itoa(c.number)
	c.waiting[number] = answered
	line := maps.Clone(s)
	line["number"] = number
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	_, err = c.in.Write(append(text, '\n'))
	return err
}

func (c *chromiums) close() {
	if c.cmd == nil {
		return
	}
	_ = c.in.Close() // with which it ends
	_ = c.cmd.Wait()
}

// seat is where somebody sits: a window with cookies of its own, and a keyboard.
type seat struct {
	t    *testing.T
	path string // of Chromium
	name string
}

func sit(t *testing.T, who string) *seat {
	t.Helper()
	browsers.start(t)
	s := &seat{t, chromium(t), who + " " + rand.Text()}
	t.Cleanup(func() { s.does(step{"do": "close"}) })
	return s
}

// does one step, which must work.
func (s *seat) does(one step) shown {
	s.t.Helper()
	line := step{"browser": s.path, "landed": landing}
	maps.Copy(line, one)
	line["at"] = s.name
	got, err := browsers.take(line)
	if err != nil {
		s.t.Fatalf("%s: %v %v", s.name, one, err)
	}
	return got
}

func (s *seat) opens(url string) { s.t.Helper(); s.does(step{"do": "open", "url": url}) }
func (s *seat) types(on, text string) {
	s.t.Helper()
	s.does(step{"do": "type", "on": on, "text": text})
}
func (s *seat) presses(on string) { s.t.Helper(); s.does(step{"do": "press", "on": on}) }
func (s *seat) strikes(on, key string) {
	s.t.Helper()
	s.does(step{"do": "strike", "on": on, "key": key})
}

// reads waits for a page that says something, and gives what all of it says.
func (s *seat) reads(until string) shown {
	s.t.Helper()
	return s.does(step{"do": "read", "until": until})
}

// looks gives what one thing on the page says.
func (s *seat) looks(on string) string {
	s.t.Helper()
	return s.does(step{"do": "look", "on": on}).Text
}

// fills types into fields, by the name of each, and sends them with Enter.
func (s *seat) fills(pairs ...string) {
	s.t.Helper()
	on := ""
	for i := 0; i < len(pairs); i += 2 {
		on = "input[name=" + pairs[i] + "]"
		s.types(on, pairs[i+1])
	}
	s.presses(on)
}

func (s *seat) signsIn(who person) {
	s.t.Helper()
	s.does(step{"do": "here", "username": who.Username, "password": who.Password})
}

// browse does steps in windows that nobody else has, and gives what was read on
// the way.
func browse(t *testing.T, steps ...step) map[string]shown {
	t.Helper()
	found, seats := map[string]shown{}, map[string]*seat{}
	for _, one := range steps {
		at := seats[one["at"]]
		if at == nil {
			at = sit(t, one["at"])
			seats[one["at"]] = at
		}
		if from := seats[one["from"]]; from != nil {
			one["from"] = from.name
		}
		got := at.does(one)
		if one["as"] != "" {
			found[one["as"]] = got
		}
	}
	return found
}
