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

// lifetime is how long an answer stays fresh (RFC 9111 §4.2.1, for a shared
// cache): s-maxage, max-age or Expires, less what its Age has used up, within
// bounds. What must not be stored or shared gets the lower bound: the steps of
// one login must see one document.
func lifetime(h http.Header, now time.Time) time.Duration {
	c := directives(h)
	if c.has("no-store") || c.has("no-cache") || c.has("private") {
		return minLife
	}
	life, ok := c.seconds("s-maxage")
	if !ok {
		life, ok = c.seconds("max-age")
	}
	if !ok {
		life = untilExpiry(h, now)
	}
	if age, err := strconv.ParseUint(h.Get("Age"), 10, 31); err == nil {
		life -= time.Duration(age) * time.Second
	}
	return min(max(life, minLife), maxLife)
}

// cacheControl is the directives of Cache-Control (RFC 9111 §5.2) by name, in lower case.
type cacheControl map[string]string

func directives(h http.Header) cacheControl {
	c := cacheControl{}
	for d := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(d)), "=")
		c[name] = strings.Trim(value, `"`)
	}
	return c
}

func (c cacheControl) has(name string) bool {
	_, ok := c[name]
	return ok
}

func (c cacheControl) seconds(name string) (time.Duration, bool) {
	n, err := strconv.ParseUint(c[name], 10, 31)
	return time.Duration(n) * time.Second, err == nil
}

// untilExpiry: RFC 9111 §5.3: by the clock of the answer, where it names one.
func untilExpiry(h http.Header, now time.Time) time.Duration {
	expires, err := http.ParseTime(h.Get("Expires"))
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return expires.Sub(now)
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
