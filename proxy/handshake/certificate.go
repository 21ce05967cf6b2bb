package handshake

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// lookAgain is how often files are looked at, at most.
const lookAgain = time.Second

// Certificate is a certificate chain and its key in two PEM files, read again
// when either changes: rewritten, renamed over, or behind a symbolic link that
// points elsewhere. A new pair that cannot be used leaves the old one.
type Certificate struct {
	certFile, keyFile string
	told              func(error)

	pair atomic.Pointer[tls.Certificate]

	mu     sync.Mutex
	looked time.Time
	seen   files // as they were when they were last read
}

// files are what a pair of files looks like from outside.
type files struct{ cert, key os.FileInfo }

// OpenCertificate reads the pair. told hears how every later attempt to read
// it went, nil for well; one change is told of once.
func OpenCertificate(certFile, keyFile string, told func(error)) (*Certificate, error) {
	if told == nil {
		return nil, errors.New("handshake: somebody must be told of broken certificates")
	}
	c := &Certificate{certFile: certFile, keyFile: keyFile, told: told, looked: time.Now()}
	seen, err := c.look()
	if err != nil {
		return nil, err
	}
	c.seen = seen
	return c, c.read()
}

// Current is the pair to use now. It looks at the files at most once a second,
// and nobody waits for another's look.
func (c *Certificate) Current() *tls.Certificate {
	if c.mu.TryLock() {
		c.refresh(time.Now())
		c.mu.Unlock()
	}
	return c.pair.Load()
}

// refresh reads the files when they differ from those that were read last.
func (c *Certificate) refresh(now time.Time) {
	if now.Sub(c.looked) < lookAgain {
		return
	}
	c.looked = now
	seen, err := c.look()
	if err == nil && seen.same(c.seen) {
		return
	}
	if err != nil && c.seen == (files{}) { // still gone
		return
	}
	c.seen = seen
	if err == nil {
		err = c.read()
	}
	c.told(err)
}

func (c *Certificate) look() (files, error) {
	cert, err := os.Stat(c.certFile)
	if err != nil {
		return files{}, err
	}
	key, err := os.Stat(c.keyFile)
	if err != nil {
		return files{}, err
	}
	return files{cert, key}, nil
}

func (f files) same(other files) bool {
	return same(f.cert, other.cert) && same(f.key, other.key)
}

func same(a, b os.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

func (c *Certificate) read() error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("%s with %s: %w", c.certFile, c.keyFile, err)
	}
	c.pair.Store(&pair)
	return nil
}
