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

type cached struct {
	document Document
	until    time.Time
}

// cache holds good documents only: an error is never remembered.
type cache struct {
	mu   sync.Mutex
	docs map[string]cached
}

func newCache() *cache { return &cache{docs: map[string]cached{}} }

func (c *cache) get(id string, now time.Time) (Document, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, ok := c.docs[id]
	if !ok || !now.Before(d.until) {
		return Document{}, false
	}
	return d.document, true
}

func (c *cache) put(id string, d Document, now time.Time, life time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.docs) >= maxDocuments {
		c.makeRoom(now)
	}
	c.docs[id] = cached{d, now.Add(life)}
}

// makeRoom drops what has expired, and when nothing has, any one entry.
func (c *cache) makeRoom(now time.Time) {
	for id, d := range c.docs {
		if !now.Before(d.until) {
			delete(c.docs, id)
		}
	}
	for id := range c.docs {
		if len(c.docs) < maxDocuments {
			return
		}
		delete(c.docs, id)
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
