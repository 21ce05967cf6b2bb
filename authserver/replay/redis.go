package replay

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis is exact for every process on one Redis (SET NX PX), as long as that
// Redis evicts nothing (maxmemory-policy noeviction) and loses nothing.
type Redis struct {
	client  redis.UniversalClient
	prefix  string
	timeout time.Duration
}

// NewRedis keeps keys under prefix. Every call is bounded by timeout, whatever
// the client's own options; with ContextTimeoutEnabled its connections are too.
func NewRedis(client redis.UniversalClient, prefix string, timeout time.Duration) *Redis {
	return &Redis{client: client, prefix: prefix, timeout: timeout}
}

// Born is the zero time: Redis outlives the process.
func (r *Redis) Born() time.Time { return time.Time{} }

// Use as Memory.Use. An unreachable Redis is an error, never a pass. A call
// that timed out may have marked the key all the same: its retry is refused.
func (r *Redis) Use(ctx context.Context, key [32]byte, now, until time.Time) (first bool, err error) {
	if !until.After(now) {
		return false, ErrPast
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	answer := make(chan error, 1)
	go func() { answer <- r.set(ctx, key, until.Sub(now)) }()
	select {
	case err = <-answer:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("replay memory in Redis: %w", err)
	}
	return true, nil
}

// set answers nil when the key was absent and redis.Nil when it was there.
func (r *Redis) set(ctx context.Context, key [32]byte, life time.Duration) error {
	millis := (life + time.Millisecond - 1).Milliseconds() // never shorter than asked
	name := r.prefix + base64.RawURLEncoding.EncodeToString(key[:])
	reply, err := r.client.Do(ctx, "SET", name, "1", "NX", "PX", millis).Text()
	if err != nil {
		return err
	}
	if reply != "OK" {
		return fmt.Errorf("unexpected answer %q to SET", reply)
	}
	return nil
}
