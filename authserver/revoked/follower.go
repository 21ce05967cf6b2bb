package revoked

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	// ErrSilent says that a follower cannot tell: Redis, or every publisher, is silent.
	ErrSilent = errors.New("revocations were not heard of lately")

	// ErrNoID says that a token without jti cannot be looked up.
	ErrNoID = errors.New("a token without jti cannot be revoked by it")
)

// Follower knows which access tokens of one issuer were revoked. Until its
// first whole reading, and when it hears nothing for Silence, it cannot tell.
type Follower struct {
	client redis.UniversalClient
	keys   keys
	read   copied // by the goroutine of Follow alone

	mu    sync.RWMutex
	known map[string]time.Time // until when, by jti
	swept time.Time            // when what is over was forgotten last
	heard time.Time            // when the last whole reading began
	cause error                // of the last reading that failed
}

// NewFollower knows nothing before Follow runs. The client's timeouts bound a
// reading and should be well below Silence.
func NewFollower(client redis.UniversalClient, issuer string) *Follower {
	return &Follower{client: client, keys: keysOf(issuer), known: map[string]time.Time{}}
}

// Revoked says whether the token with this jti was revoked. An error, ErrSilent
// or ErrNoID, means that it cannot be said: such a call must not pass.
func (f *Follower) Revoked(id string) (bool, error) {
	if id == "" {
		return false, ErrNoID
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	if _, revoked := f.known[id]; revoked {
		return true, nil
	}
	return false, f.silent()
}

// Ready is nil while the follower can tell, and else ErrSilent with its cause.
func (f *Follower) Ready() error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.silent()
}

func (f *Follower) silent() error {
	if !f.heard.IsZero() && time.Since(f.heard) < Silence {
		return nil
	}
	if f.cause != nil {
		return fmt.Errorf("%w: %w", ErrSilent, f.cause)
	}
	return ErrSilent
}

// Follow reads what is new, every Interval, until ctx ends.
func (f *Follower) Follow(ctx context.Context) {
	tick := time.NewTicker(Interval)
	defer tick.Stop()
	for {
		began := time.Now()
		f.settle(began, f.catchUp(ctx))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// settle notes how a reading went and, from time to time, forgets the tokens
// that are over.
func (f *Follower) settle(began time.Time, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cause = err
	if err != nil {
		return
	}
	f.heard = began
	if began.Sub(f.swept) < renewal {
		return
	}
	f.swept = began
	for id, until := range f.known {
		if began.After(until) {
			delete(f.known, id)
		}
	}
}

// catchUp reads until there is nothing new.
func (f *Follower) catchUp(ctx context.Context) error {
	for {
		there, entries, err := f.next(ctx)
		if err != nil {
			return err
		}
		// Another copy, or this one as it was before: all of it has to be read.
		if there.epoch != f.read.epoch || there.number < f.read.number {
			f.read = copied{epoch: there.epoch}
			continue
		}
		if err := f.learn(entries); err != nil {
			return err
		}
		if len(entries) < batch {
			return nil
		}
	}
}

// next is what is in Redis, and what of it is after the last that was read.
func (f *Follower) next(ctx context.Context) (copied, []redis.Z, error) {
	tx := f.client.TxPipeline()
	answer := f.keys.ask(ctx, tx)
	entries := tx.ZRangeByScoreWithScores(ctx, f.keys.set, &redis.ZRangeBy{
		Min: "(" + strconv.FormatUint(f.read.number, 10), Max: "+inf", Count: batch,
	})
	if err := run(ctx, tx); err != nil {
		return copied{}, nil, err
	}
	there, err := answer()
	return there, entries.Val(), err
}

func (f *Follower) learn(entries []redis.Z) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, z := range entries {
		e, err := parseMember(z)
		if err != nil {
			return err
		}
		if _, again := f.known[e.ID]; !again && len(f.known) >= maxKnown {
			return fmt.Errorf("more than %d tokens are revoked", maxKnown)
		}
		f.known[e.ID] = e.Until
		f.read.number = e.Number
	}
	return nil
}
