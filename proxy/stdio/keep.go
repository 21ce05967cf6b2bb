package stdio

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"
)

// The wait between two lives doubles until one has lasted.
const (
	firstWait = 100 * time.Millisecond
	lastWait  = 30 * time.Second
	lasting   = time.Minute
)

var errEnding = errors.New("the proxy is shutting down")

// keep gives the child one life after the other.
func (c *Child) keep() {
	runtime.LockOSThread() // and never unlocked: see start
	defer close(c.done)
	for wait := time.Duration(0); ; {
		served, err := c.live()
		if errors.Is(err, errEnding) {
			c.down(err)
			return
		}
		wait = nextWait(wait, served)
		c.conf.Metrics.ends.WithLabelValues(c.conf.Name).Inc()
		c.conf.Log.Error("the child process is gone and will be started again", "cause", err, "wait", wait.String())
		select {
		case <-time.After(wait):
		case <-c.ending:
		}
	}
}

// nextWait is how long to wait after a life that answered for served.
func nextWait(last, served time.Duration) time.Duration {
	if last == 0 || served >= lasting {
		return firstWait
	}
	return min(2*last, lastWait)
}

// live is one life, from start to reaping: how long it answered, and how it ended.
func (c *Child) live() (served time.Duration, err error) {
	if c.isEnding() {
		return 0, errEnding
	}
	p, err := start(c.conf)
	if err != nil {
		c.down(err)
		return 0, err
	}
	l := newLife(c)
	var running sync.WaitGroup
	ends := make(chan error, 4) // one for each of those below
	heard := make(chan struct{})
	running.Go(func() { ends <- l.listen(p.out); close(heard) })
	running.Go(func() { ends <- l.write(p.in) })
	running.Go(func() { ends <- p.watch(c.conf.Memory) })
	running.Go(func() { ends <- l.greet() })
	running.Go(func() { logLines(p.said, c.conf.Log) })
	err = c.await(p, ends)
	served = c.down(err)
	state := p.end(!errors.Is(err, errMemory))
	<-heard // its last words
	l.over()
	running.Wait()
	p.close()
	if errors.Is(err, errEnded) {
		err = fmt.Errorf("%w: %w", errEnded, status(state))
		c.down(err)
	}
	return served, err
}

var (
	errEnded  = errors.New("it ended by itself")
	errMemory = errors.New("it took too much memory")
)

// await returns why the life has to end, or has ended.
func (c *Child) await(p *process, ends <-chan error) error {
	for {
		select {
		case <-c.ending:
			return errEnding
		case <-p.exited:
			return errEnded
		case err := <-ends:
			if err != nil {
				return err
			}
		}
	}
}

func status(state error) error {
	if state == nil {
		return errors.New("exit status 0")
	}
	return state
}

func (c *Child) isEnding() bool {
	select {
	case <-c.ending:
		return true
	default:
		return false
	}
}
