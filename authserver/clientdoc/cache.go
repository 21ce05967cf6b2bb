package clientdoc

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	minLife      = 5 * time.Minute
	maxLife      = 24 * time.Hour
	maxDocuments = 1000
	maxHosts     = 10_000
)

// lifetime is how long an answer stays fresh: max-age of Cache-Control (RFC
// 9111 §5.2.2), within bounds. no-store and no-cache get the lower bound: the
// steps of one login must see one document.
func lifetime(h http.Header) time.Duration {
	life := minLife
	for d := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(d)), "=")
		if name == "no-store" || name == "no-cache" {
			return minLife
		}
		if n, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); name == "max-age" && err == nil {
			life = time.Duration(n) * time.Second
		}
	}
	return min(max(life, minLife), maxLife)
}

// cache holds good answers only: an error is never remembered.
type cache[T any] struct {
	mu   sync.Mutex
	kept map[string]cached[T]
}

type cached[T any] struct {
	value T
	since time.Time
	until time.Time
}

func newCache[T any]() *cache[T] { return &cache[T]{kept: map[string]cached[T]{}} }

func (c *cache[T]) get(id string, now time.Time) (cached[T], bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, ok := c.kept[id]
	return d, ok && now.Before(d.until)
}

func (c *cache[T]) put(id string, value T, now time.Time, life time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.kept) >= maxDocuments {
		c.makeRoom(now)
	}
	c.kept[id] = cached[T]{value, now, now.Add(life)}
}

// makeRoom drops what has expired, and when nothing has, any one entry.
func (c *cache[T]) makeRoom(now time.Time) {
	for id, d := range c.kept {
		if !now.Before(d.until) {
			delete(c.kept, id)
		}
	}
	for id := range c.kept {
		if len(c.kept) < maxDocuments {
			return
		}
		delete(c.kept, id)
	}
}

// pace limits how often one host is asked, so that nobody uses this server to
// knock on another.
type pace struct {
	mu    sync.Mutex
	hosts map[string]*rate.Limiter
}

func newPace() *pace { return &pace{hosts: map[string]*rate.Limiter{}} }

const (
	fetchEvery = 2 * time.Second
	fetchBurst = 10
)

func (p *pace) allow(host string, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, ok := p.hosts[host]
	if !ok {
		p.makeRoom(now)
		l = rate.NewLimiter(rate.Every(fetchEvery), fetchBurst)
		p.hosts[host] = l
	}
	return l.AllowN(now, 1)
}

// makeRoom forgets hosts that may be asked at full burst again; when every
// host is busy it forgets them all, which is no worse than a restart.
func (p *pace) makeRoom(now time.Time) {
	if len(p.hosts) < maxHosts {
		return
	}
	for h, l := range p.hosts {
		if l.TokensAt(now) >= fetchBurst {
			delete(p.hosts, h)
		}
	}
	if len(p.hosts) >= maxHosts {
		clear(p.hosts)
	}
}
