// Package trail writes audit lines: one JSON object each, whole or marked as
// torn, to a file that others may append to as well.
//
// Its laws: a line goes out in one write; after a line that went out in part,
// the next begins on a line of its own; whoever asks whether lines can be
// written hears of the last that could not, until one can.
package trail

import (
	"io"
	"sync"
	"sync/atomic"
)

// Trail takes whole lines, from as many goroutines as like.
type Trail struct {
	mu     sync.Mutex
	out    io.Writer
	torn   bool // the last line is there in part
	broken atomic.Bool
}

// Of writes to out, and is out itself where that is a Trail already: lines of
// several writers of one process keep apart.
func Of(out io.Writer) *Trail {
	if t, ok := out.(*Trail); ok {
		return t
	}
	return &Trail{out: out}
}

// Write takes one line with its line feed.
func (t *Trail) Write(line []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	whole := line
	if t.torn {
		whole = append([]byte{'\n'}, line...)
	}
	n, err := t.out.Write(whole)
	if n > 0 {
		t.torn = whole[n-1] != '\n'
	}
	t.broken.Store(err != nil)
	if err != nil {
		return max(0, n-(len(whole)-len(line))), err
	}
	return len(line), nil
}

// Broken says that the last line could not be written.
func (t *Trail) Broken() bool { return t.broken.Load() }

// Ready says whether lines can be written: after one that could not, it tries
// one of its own.
func (t *Trail) Ready() error {
	if !t.broken.Load() {
		return nil
	}
	_, err := t.Write([]byte("{\"decision\":\"audit_resumed\"}\n"))
	return err
}
