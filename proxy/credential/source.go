package credential

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

const forcedPause = 10 * time.Second // between tokens that are dropped because an upstream refused them

// source holds one token and keeps it fresh: fetched once for all who wait,
// renewed behind the scenes before its end, kept while the issuer is away.
type source struct {
	held     atomic.Pointer[issued]
	flight   singleflight.Group
	renewing atomic.Bool

	mu     sync.Mutex
	forced time.Time // when a token was last dropped
}

// get is a usable token. fetch asks the issuer; again says whether it may be
// asked at all right now.
func (s *source) get(ctx context.Context, now time.Time, fetch func(context.Context) (*issued, error), again func() bool) (*issued, error) {
	held := s.held.Load()
	if held == nil || !held.usable(now) {
		return s.wait(ctx, held, fetch)
	}
	if held.due(now) && again() && s.renewing.CompareAndSwap(false, true) {
		go func() {
			defer s.renewing.Store(false)
			_, _ = s.wait(context.WithoutCancel(ctx), held, fetch) // logged where it failed; the held one serves on
		}()
	}
	return held, nil
}

// wait is the token after old, fetched unless it came in the meantime.
func (s *source) wait(ctx context.Context, old *issued, fetch func(context.Context) (*issued, error)) (*issued, error) {
	got := s.flight.DoChan("", func() (any, error) {
		if now := s.held.Load(); now != nil && now != old {
			return now, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
		defer cancel()
		fresh, err := fetch(ctx)
		if err != nil {
			return nil, err
		}
		s.held.Store(fresh)
		return fresh, nil
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-got:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*issued), nil
	}
}

// drop forgets the token that an upstream refused, and says whether asking
// again may give another: an upstream that refuses everything must not make
// every call a token request.
func (s *source) drop(token string, now time.Time) (again bool) {
	held := s.held.Load()
	if held == nil || held.token != token {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.forced) < forcedPause {
		return false
	}
	s.forced = now
	return s.held.CompareAndSwap(held, nil)
}
