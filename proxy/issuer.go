package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/proxy/discovery"
)

const (
	keysFresh    = 5 * time.Minute  // then they are fetched again behind the scenes
	keysOld      = 10 * time.Minute // then a call waits for the fetch: in the silence before it a key may have been revoked
	keysWait     = time.Second      // but not for longer
	keysPatience = 30 * time.Second // nor at all after a fetch that failed
	keysUsable   = time.Hour        // then, with the issuer away, calls are refused
	fetchPause   = 2 * time.Second  // between fetches that failed
	unknownPause = 10 * time.Second // between fetches for a key id nobody knows
	fetchTimeout = 5 * time.Second
)

// keySet is what an issuer published at some moment.
type keySet struct {
	set           jose.KeySet
	introspection string // endpoint, "" when it names none
	fetched       time.Time
}

func (k *keySet) usable(now time.Time) bool { return now.Sub(k.fetched) < keysUsable }

// issuer knows the keys of one authorization server by discovery (RFC 8414,
// OpenID Connect Discovery). Keys outlive failed fetches for keysUsable.
type issuer struct {
	conf    Issuer
	client  *http.Client
	log     *slog.Logger
	known   atomic.Pointer[keySet]
	failed  atomic.Int64 // unix nanoseconds of the last failure
	flight  singleflight.Group
	desk    *desk       // where it is asked about tokens, or nil
	revoked revocations // what it took back
}

func newIssuer(conf Issuer, client *http.Client, log *slog.Logger, now func() time.Time) (*issuer, error) {
	i := &issuer{conf: conf, client: client, log: log}
	var err error
	if i.revoked, err = newRevocations(i, now); err != nil {
		return nil, err
	}
	if conf.Introspection != nil {
		i.desk, err = newDesk(*conf.Introspection, i)
	}
	return i, err
}

// keys are the known keys. They are renewed behind the scenes, or, when no
// call has made that happen for a while, in front of them.
func (i *issuer) keys(ctx context.Context, now time.Time) (*keySet, error) {
	known := i.known.Load()
	if known == nil || !known.usable(now) {
		return i.refresh(ctx, now)
	}
	if i.outdated(known, now) {
		ctx, cancel := context.WithTimeout(ctx, keysWait)
		defer cancel()
		return i.renew(ctx, now, known), nil
	}
	if now.Sub(known.fetched) > keysFresh && !i.failedSince(now.Add(-fetchPause)) {
		go i.renew(context.WithoutCancel(ctx), now, known)
	}
	return known, nil
}

// outdated says that keys are so old that nothing is judged by them, unless
// there is no having newer ones.
func (i *issuer) outdated(k *keySet, now time.Time) bool {
	return now.Sub(k.fetched) > keysOld && !i.failedSince(now.Add(-keysPatience))
}

// renew gives the keys of now, or else those known before.
func (i *issuer) renew(ctx context.Context, now time.Time, known *keySet) *keySet {
	fetched, err := i.refresh(ctx, now)
	if err != nil {
		i.log.Warn("keys not renewed, the known ones serve on", "issuer", i.conf.URL, "error", err)
		return known
	}
	return fetched
}

// newer fetches because a token names a key that is not among have. Within
// unknownPause of the last fetch it does not: the key is then taken as unknown.
func (i *issuer) newer(ctx context.Context, now time.Time, have *keySet) (*keySet, error) {
	known := i.known.Load()
	if known != have || now.Sub(known.fetched) < unknownPause {
		return known, nil
	}
	return i.refresh(ctx, now)
}

func (i *issuer) failedSince(t time.Time) bool { return i.failed.Load() > t.UnixNano() }

// refresh fetches once for all who ask at the same time.
func (i *issuer) refresh(ctx context.Context, now time.Time) (*keySet, error) {
	if i.failedSince(now.Add(-fetchPause)) {
		return nil, errors.New("the last fetch failed a moment ago")
	}
	got := i.flight.DoChan("keys", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
		defer cancel()
		fetched, err := i.published(ctx, now)
		if err != nil {
			i.failed.Store(now.UnixNano())
			return nil, err
		}
		i.known.Store(fetched)
		return fetched, nil
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-got:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*keySet), nil
	}
}

// published reads what the issuer says about itself, and its keys. One that
// is asked about every token needs none.
func (i *issuer) published(ctx context.Context, now time.Time) (*keySet, error) {
	m, err := discovery.Find(ctx, i.client, i.conf.URL)
	if err != nil {
		return nil, err
	}
	got := &keySet{introspection: m.Introspection, fetched: now}
	if m.KeySet == "" && i.conf.Introspection != nil {
		return got, nil
	}
	if err := discovery.Trusted(m.KeySet); err != nil {
		return nil, fmt.Errorf("jwks_uri: %w", err)
	}
	body, err := discovery.Get(ctx, i.client, m.KeySet, "application/json")
	if err != nil {
		return nil, err
	}
	got.set, err = jose.ParseKeySet(body)
	return got, err
}
