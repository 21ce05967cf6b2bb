package proxy

import (
	"net/http"
	"sync"
)

// answer remembers the status that was sent.
type answer struct {
	http.ResponseWriter
	event  *event
	status int
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
	return a.ResponseWriter.Write(b)
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
