package authserver

import (
	"context"
	"time"
)

const (
	sweepEvery    = time.Minute
	sweepBatch    = 200
	unusedClients = 24 * time.Hour
)

// sweeper deletes expired rows in the background, in small batches, so that
// no request waits long for the one writer.
type sweeper struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func startSweeper(s *Server) sweeper {
	ctx, cancel := context.WithCancel(context.Background())
	w := sweeper{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		s.sweepUntil(ctx)
	}()
	return w
}

func (w sweeper) stop() {
	w.cancel()
	<-w.done
}

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
		more, err := s.store.Sweep(ctx, now, now.Add(-unusedClients), sweepBatch)
		if err != nil && ctx.Err() == nil {
			s.config.Log.Error("store.sweep_failed", "cause", err.Error())
		}
		if err != nil || !more {
			return
		}
	}
}
