package trail

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
)

// narrow takes so many bytes and then nothing, like a disk that fills up.
type narrow struct {
	bytes.Buffer
	left int
}

func (w *narrow) Write(p []byte) (int, error) {
	if len(p) <= w.left {
		w.left -= len(p)
		return w.Buffer.Write(p)
	}
	n, _ := w.Buffer.Write(p[:w.left])
	w.left = 0
	return n, io.ErrShortWrite
}

func line(text string) []byte {
	l := NewLine()
	l.Always("text", text)
	return l.End()
}

// Whatever is torn, every other line can be read, and nobody is told that a torn
// one is there.
func TestTornLines(t *testing.T) {
	for room := range 60 {
		out := &narrow{left: room}
		trail := Of(out)
		first := must(trail.Write(line("first")))
		out.left = 1000
		if err := trail.Ready(); err != nil {
			t.Fatal(err)
		}
		if err := must(trail.Write(line("second"))); err != nil {
			t.Fatal(err)
		}
		var whole []string
		for text := range strings.Lines(out.String()) {
			if json.Valid([]byte(text)) {
				whole = append(whole, strings.TrimSpace(text))
			}
		}
		got := strings.Join(whole, " ")
		if !strings.HasSuffix(got, `{"text":"second"}`) || (first == nil) != strings.Contains(got, "first") && room != len(line("first"))-1 {
			t.Errorf("room for %d: %v, %s", room, first, got)
		}
	}
}

func must(_ int, err error) error { return err }

// Ready costs nothing while lines are written, and hears when they are again.
func TestReady(t *testing.T) {
	out := &narrow{left: 1000}
	trail := Of(out)
	if err := trail.Ready(); err != nil || out.Len() != 0 {
		t.Errorf("%v, %d bytes", err, out.Len())
	}
	out.left = 0
	if err := must(trail.Write(line("lost"))); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("%v", err)
	}
	if err := trail.Ready(); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("%v", err)
	}
	out.left = 1000
	if err := trail.Ready(); err != nil || !strings.Contains(out.String(), "audit_resumed") {
		t.Errorf("%v, %q", err, out.String())
	}
	if n, err := trail.Write(line("next")); err != nil || n != len(line("next")) {
		t.Errorf("%d %v", n, err)
	}
}

// Two writers of one process share what they know of the last line.
func TestOneTrailForAll(t *testing.T) {
	var out bytes.Buffer
	one := Of(&out)
	if Of(one) != one {
		t.Error("another one")
	}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for n := range 100 {
				_, _ = one.Write(line(fmt.Sprint(i, " ", n)))
			}
		})
	}
	group.Wait()
	n := 0
	for text := range bytes.Lines(out.Bytes()) {
		if json.Valid(text) {
			n++
		}
	}
	if n != 800 {
		t.Errorf("%d lines", n)
	}
}

// A line is one JSON object, whatever stands in it.
func TestLine(t *testing.T) {
	odd := "a\"b\\c\n\r\x00\x1b\xff\u2028é"
	l := NewLine()
	l.Always("odd", odd)
	l.Always("empty", "")
	l.Some("none", "")
	l.Some("some", "x")
	l.Int("number", -7)
	l.Number("yes", "true")
	l.List("list", []string{odd, "b"})
	l.List("nothing", nil)
	text := string(l.End())
	var got map[string]any
	if err := json.Unmarshal([]byte(text), &got); err != nil || strings.Count(text, "\n") != 1 {
		t.Fatalf("%v in %q", err, text)
	}
	if len(got) != 6 || got["odd"] != strings.ToValidUTF8(odd, "\ufffd") || got["empty"] != "" || got["number"] != -7.0 || got["yes"] != true || len(got["list"].([]any)) != 2 {
		t.Errorf("%v", got)
	}
}
