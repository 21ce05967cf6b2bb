package proxy

import (
	"errors"
	"net/http"
	"os"
	"sync"
	"time"
)

// answer remembers the status that was sent, and gives up on a caller who does
// not take what was asked for.
type answer struct {
	http.ResponseWriter
	status  int
	written bool
	slow    bool // the caller was given up

	limit  time.Duration            // for one piece
	stream *http.ResponseController // of HTTP/2; nil where each write of the connection has its time (package wire)
}

func newAnswer(w http.ResponseWriter, r *http.Request, limit time.Duration) *answer {
	a := &answer{ResponseWriter: w, limit: limit}
	if r.ProtoMajor >= 2 {
		a.stream = http.NewResponseController(w)
	}
	return a
}

// WriteHeader keeps informational answers back: they carry an upstream's
// headers unchecked.
func (a *answer) WriteHeader(status int) {
	if status < 200 {
		return
	}
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	a.written = true
	begun := a.begin()
	n, err := a.ResponseWriter.Write(b)
	a.end(begun, err)
	return n, err
}

// FlushError sends what was written, within the time of one piece.
func (a *answer) FlushError() error {
	begun := a.begin()
	err := http.NewResponseController(a.ResponseWriter).Flush()
	a.end(begun, err)
	return err
}

// finish sends what is left of an HTTP/2 answer: behind the handler no time
// would bound it.
func (a *answer) finish() {
	if a.stream != nil && a.written {
		_ = a.FlushError() // the caller may be gone
	}
}

// begin starts the time of one piece. A stream's deadline would end it also
// while there is nothing to write, so end takes it away again.
func (a *answer) begin() time.Time {
	now := time.Now()
	if a.stream != nil {
		_ = a.stream.SetWriteDeadline(now.Add(a.limit)) // only a test recorder has none
	}
	return now
}

func (a *answer) end(begun time.Time, err error) {
	if err != nil {
		a.slow = errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begun) >= a.limit
	}
	if a.stream != nil {
		_ = a.stream.SetWriteDeadline(time.Time{}) // only a test recorder has none
	}
}

// Unwrap lets http.ResponseController flush and set deadlines.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// buffers lend the pieces that answers are copied through.
type buffers struct{ pool sync.Pool }

const bufferSize = 16 << 10

func newBuffers() *buffers {
	return &buffers{pool: sync.Pool{New: func() any { return new([bufferSize]byte) }}}
}

func (b *buffers) Get() []byte { return b.pool.Get().(*[bufferSize]byte)[:] }

func (b *buffers) Put(p []byte) { b.pool.Put((*[bufferSize]byte)(p)) }
