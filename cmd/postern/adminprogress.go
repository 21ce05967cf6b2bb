package main

import (
	"fmt"
	"io"
	"time"
)

// note says something to whoever is at the terminal, and to nobody else.
func (o *office) note(format string, args ...any) {
	if terminal(o.stderr) {
		fmt.Fprintf(o.stderr, format+"\n", args...)
	}
}

// progress says on a terminal how far work that takes longer has come.
type progress struct {
	to    io.Writer // nil when nobody looks
	began time.Time
	said  bool
}

func (o *office) progress() *progress {
	p := &progress{began: time.Now()}
	if terminal(o.stderr) {
		p.to = o.stderr
	}
	return p
}

// at shows the words, once the work has taken a second.
func (p *progress) at(format string, args ...any) {
	if p.to == nil || time.Since(p.began) < time.Second {
		return
	}
	fmt.Fprintf(p.to, "\r\x1b[K"+format, args...)
	p.said = true
}

// during shows the words, and for how long it has been, while work goes on.
func (p *progress) during(words string, work func() error) error {
	done := make(chan error)
	go func() { done <- work() }()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-tick.C:
			p.at("%s, %d s", words, int(time.Since(p.began).Seconds()))
		}
	}
}

func (p *progress) end() {
	if p.said {
		fmt.Fprint(p.to, "\r\x1b[K")
	}
}
