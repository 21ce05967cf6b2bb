package authserver

import (
	"context"
	"sync"
	"time"
)

const (
	sweepEvery    = time.Minute
	listEvery     = time.Second
	sweepBatch    = 200
	unusedClients = 24 * time.Hour
	oldSignIns    = 90 * 24 * time.Hour
)

// background is what goes on beside requests until it is stopped.
type background struct {
	cancel context.CancelFunc
	work   sync.WaitGroup
}

func inBackground(work ...func(context.Context)) *background {
	ctx, cancel := context.WithCancel(context.Background())
	b := &background{cancel: cancel}
	for _, f := range work {
		b.work.Go(func() { f(ctx) })
	}
	return b
}

func (b *background) stop() {
	b.cancel()
	b.work.Wait()
}

// sweepUntil deletes expired rows in small batches, so that no request waits
// long for the one writer.
func (s *Server) sweepUntil(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.sweep(ctx)
		}
	}
}

func (s *Server) sweep(ctx context.Context) {
	now := s.config.Now()
	for {
		more, err := s.sweepSome(ctx, now)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			s.config.Log.Error("store.sweep_failed", "cause", err.Error())
		}
		if err != nil || !more {
			s.metrics.swept(err)
			return
		}
	}
}

// listUntil lists as revoked what was ended and has many tokens, whoever ended
// it, and whatever was left when a process ended in the middle.
func (s *Server) listUntil(ctx context.Context) {
	tick := time.NewTicker(listEvery)
	defer tick.Stop()
	for {
		s.listEnded(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Server) listEnded(ctx context.Context) {
	for more := true; more; {
		var err error
		if more, err = s.listSome(ctx); err != nil {
			if ctx.Err() == nil {
				s.config.Log.Error("store.listing_failed", "cause", err.Error())
			}
			return
		}
	}
}

func (s *Server) listSome(ctx context.Context) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	return s.store.ListEnded(ctx)
}

func (s *Server) sweepSome(ctx context.Context, now time.Time) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	expired, err := s.store.Sweep(ctx, now, now.Add(-unusedClients), sweepBatch)
	if err != nil {
		return false, err
	}
	old, err := s.store.SweepSignIns(ctx, now.Add(-oldSignIns), now.Add(-s.config.SignIn.Remember), sweepBatch)
	return expired || old, err
}
