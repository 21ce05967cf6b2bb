package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"

	"github.com/postern-mcp/postern/authserver/status"
	"github.com/postern-mcp/postern/authserver/token"
	"github.com/postern-mcp/postern/proxy/discovery"
)

const (
	pagesKept   = 1000             // lists of one issuer
	pollLeast   = time.Second      // between two fetches of a list, whatever its ttl says
	pollMost    = 2 * time.Second  // the same: what the issuer publishes is known three seconds later at most
	pollIdle    = 30 * time.Second // without a call, then the list is left alone
	listTimeout = 3 * time.Second
	listPause   = time.Second // after a fetch that failed
	listLeeway  = tokenLeeway // on the list's exp, as the verifier has
)

// statusLists follows the signed lists of one issuer that tokens in use refer
// to, so that a call costs one look at a bit.
type statusLists struct {
	issuer *issuer
	origin string
	pages  *otter.Cache[string, *statusPage]
	now    func() time.Time
}

func newStatusLists(i *issuer, now func() time.Time) (*statusLists, error) {
	u, err := url.Parse(i.conf.URL)
	if err != nil {
		return nil, err
	}
	pages, err := otter.New(&otter.Options[string, *statusPage]{MaximumSize: pagesKept})
	return &statusLists{issuer: i, origin: u.Scheme + "://" + u.Host, pages: pages, now: now}, err
}

func (l *statusLists) check(ctx context.Context, now time.Time, c token.Claims) error {
	if c.Status.URI == "" {
		return nil
	}
	page, err := l.page(c.Status.URI)
	if err != nil {
		return refused(stageVerify, reason(token.BadStatus), err)
	}
	list, err := page.list(ctx, now)
	if err != nil {
		return refused(stageVerify, reasonRevocationsDown, err)
	}
	revoked, err := list.Has(c.Status.Index)
	if errors.Is(err, status.ErrOutside) { // the list may have grown since
		if list, err = page.renew(ctx, now); err != nil {
			return refused(stageVerify, reasonRevocationsDown, err)
		}
		revoked, err = list.Has(c.Status.Index)
	}
	if err != nil {
		return refused(stageVerify, reason(token.BadStatus), err)
	}
	if revoked {
		return refused(stageVerify, reasonRevoked, nil)
	}
	return nil
}

// page follows no address but the issuer's own, whatever a token says.
func (l *statusLists) page(uri string) (*statusPage, error) {
	if page, ok := l.pages.GetIfPresent(uri); ok {
		return page, nil
	}
	u, err := url.Parse(uri)
	if err != nil {
		return nil, err
	}
	if u.Scheme+"://"+u.Host != l.origin || u.User != nil {
		return nil, fmt.Errorf("the status list %.200q is not at the issuer's own address", uri)
	}
	page, _ := l.pages.SetIfAbsent(uri, &statusPage{uri: uri, lists: l})
	return page, nil
}

// statusPage is one list. While calls refer to it, it is fetched again and again behind them.
type statusPage struct {
	uri    string
	lists  *statusLists
	known  atomic.Pointer[status.Published]
	used   atomic.Int64 // unix nanoseconds of the last call
	failed atomic.Int64 // unix nanoseconds of the last failure
	state  atomic.Int32 // asleep, waking or awake
	flight singleflight.Group
}

// A list that slept is waking until the fetch that was begun then has ended:
// what is known meanwhile is from before.
const (
	asleep = iota // nobody follows it
	waking
	awake
)

// list waits only when there is none yet, when calls have let the known one
// grow old (all of them that come before a new one is there), or when it has
// expired. One that cannot be renewed serves until the issuer's own exp.
func (p *statusPage) list(ctx context.Context, now time.Time) (status.List, error) {
	p.used.Store(now.UnixNano())
	if p.state.CompareAndSwap(asleep, waking) {
		defer func() { go p.follow() }()
	}
	followed := p.state.Load() == awake
	known := p.known.Load() // after the state, which changes once the new one is there
	if usable(known, now) && followed {
		return known.List, nil
	}
	list, err := p.renew(ctx, now)
	if err != nil && usable(known, now) && ctx.Err() == nil { // who hangs up learns nothing from before
		return known.List, nil
	}
	return list, err
}

func usable(l *status.Published, now time.Time) bool {
	return l != nil && now.Before(l.Expiry.Add(listLeeway))
}

// follow ends when no call has referred to the list for a while.
func (p *statusPage) follow() {
	defer p.state.Store(asleep)
	failing := false
	for {
		time.Sleep(p.pause())
		now := p.lists.now()
		if now.Sub(time.Unix(0, p.used.Load())) > pollIdle {
			return
		}
		_, err := p.renew(context.Background(), now)
		if err != nil && !failing {
			p.lists.issuer.log.Warn("a status list cannot be renewed: the known one serves until it expires", "list", p.uri, "cause", err)
		}
		failing = err != nil
	}
}

func (p *statusPage) pause() time.Duration {
	known := p.known.Load()
	if known == nil {
		return pollLeast
	}
	return min(max(known.TTL, pollLeast), pollMost)
}

// renew fetches once for all who ask at the same time.
func (p *statusPage) renew(ctx context.Context, now time.Time) (status.List, error) {
	if p.failed.Load() > now.Add(-listPause).UnixNano() {
		return status.List{}, errors.New("the last fetch failed a moment ago")
	}
	flight := p.flight.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), listTimeout)
		defer cancel()
		defer p.state.CompareAndSwap(waking, awake)
		fetched, err := p.fetch(ctx, now)
		if err != nil {
			p.failed.Store(now.UnixNano())
			return nil, err
		}
		return p.keep(fetched), nil
	})
	select {
	case <-ctx.Done():
		return status.List{}, ctx.Err()
	case r := <-flight:
		if r.Err != nil {
			return status.List{}, r.Err
		}
		return r.Val.(*status.Published).List, nil
	}
}

// keep takes the newer of two lists: a cache on the way may serve an old one.
func (p *statusPage) keep(fetched *status.Published) *status.Published {
	known := p.known.Load()
	if known != nil && fetched.IssuedAt.Before(known.IssuedAt) {
		return known
	}
	p.known.Store(fetched)
	return fetched
}

func (p *statusPage) fetch(ctx context.Context, now time.Time) (*status.Published, error) {
	i := p.lists.issuer
	raw, err := discovery.Get(ctx, i.client, p.uri, "application/"+status.Type)
	if err != nil {
		return nil, err
	}
	keys, err := i.keys(ctx, now)
	if err != nil {
		return nil, err
	}
	list, err := status.Verify(now, string(raw), p.uri, keys.set)
	var why *status.Error
	if errors.As(err, &why) && why.Reason == status.UnknownKey {
		if keys, err = i.newer(ctx, now, keys); err != nil {
			return nil, err
		}
		list, err = status.Verify(now, string(raw), p.uri, keys.set)
	}
	return &list, err
}
