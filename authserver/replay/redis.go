package replay

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis is exact for every process on one Redis (SET NX PX). A Redis that
// lost its keys is noticed by a marker that is lost with them; one that may
// evict keys is refused. What it does not notice: a failover to a replica
// that lags behind.
type Redis struct {
	client  redis.UniversalClient
	prefix  string
	timeout time.Duration
	born    atomic.Pointer[time.Time]
}

// NewRedis keeps keys under prefix. Every call is bounded by timeout, whatever
// the client's own options; with ContextTimeoutEnabled its connections are too.
func NewRedis(client redis.UniversalClient, prefix string, timeout time.Duration) *Redis {
	return &Redis{client: client, prefix: prefix, timeout: timeout}
}

// Born is what the marker in Redis says, or makes the marker.
func (r *Redis) Born(ctx context.Context) (time.Time, error) {
	if known := r.born.Load(); known != nil {
		return *known, nil
	}
	born, err := bounded(ctx, r.timeout, r.mark)
	if err != nil {
		return time.Time{}, fmt.Errorf("replay memory in Redis: %w", err)
	}
	r.born.Store(&born)
	return born, nil
}

// mark reads the marker, after making it where there is none.
func (r *Redis) mark(ctx context.Context) (time.Time, error) {
	if err := r.keeps(ctx); err != nil {
		return time.Time{}, err
	}
	pipe := r.client.Pipeline()
	pipe.SetNX(ctx, r.marker(), time.Now().UnixNano(), 0)
	got := pipe.Get(ctx, r.marker())
	if _, err := pipe.Exec(ctx); err != nil {
		return time.Time{}, err
	}
	nanos, err := got.Int64()
	return time.Unix(0, nanos), err
}

func (r *Redis) marker() string { return r.prefix + "born" }

// keeps refuses a Redis that may throw keys away before their time.
func (r *Redis) keeps(ctx context.Context) error {
	info, err := r.client.Info(ctx, "memory").Result()
	if err != nil {
		return err
	}
	if field(info, "maxmemory") == "0" || field(info, "maxmemory_policy") == "noeviction" {
		return nil
	}
	return errors.New("it may evict keys: set maxmemory-policy noeviction")
}

func field(info, name string) string {
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// Use as Store says. An unreachable Redis is an error, never a pass. A call
// that timed out may have marked the key all the same: its retry is refused.
func (r *Redis) Use(ctx context.Context, key [32]byte, born, now, until time.Time) (first bool, err error) {
	if !until.After(now) {
		return false, ErrPast
	}
	first, err = bounded(ctx, r.timeout, func(ctx context.Context) (bool, error) {
		return r.set(ctx, key, born, until.Sub(now))
	})
	if err != nil {
		return false, fmt.Errorf("replay memory in Redis: %w", err)
	}
	return first, nil
}

// set marks the key, then reads the marker: a memory that was lost before the
// key was set has lost the marker too.
func (r *Redis) set(ctx context.Context, key [32]byte, born time.Time, life time.Duration) (first bool, err error) {
	millis := (life + time.Millisecond - 1).Milliseconds() // never shorter than asked
	pipe := r.client.Pipeline()
	set := pipe.Do(ctx, "SET", r.prefix+base64.RawURLEncoding.EncodeToString(key[:]), "1", "NX", "PX", millis)
	marker := pipe.Get(ctx, r.marker())
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return false, err
	}
	if marker.Val() != strconv.FormatInt(born.UnixNano(), 10) {
		r.born.Store(nil)
		return false, ErrForgot
	}
	reply, err := set.Text()
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	if err == nil && reply != "OK" {
		err = fmt.Errorf("unexpected answer %q to SET", reply)
	}
	return err == nil, err
}

// bounded ends with ctx or the timeout, even when the client hangs on.
func bounded[T any](ctx context.Context, timeout time.Duration, call func(context.Context) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	answer := make(chan result, 1)
	go func() {
		value, err := call(ctx)
		answer <- result{value, err}
	}()
	select {
	case r := <-answer:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
