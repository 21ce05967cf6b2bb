package shortlived

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postern-mcp/postern/authserver/store"
)

// Redis is where things are kept. Each command is about one key, so that a
// cluster can have it.
type Redis struct {
	client  redis.UniversalClient
	prefix  string
	timeout time.Duration
}

// NewRedis keeps keys under prefix. Every call is bounded by timeout, when the
// client's ContextTimeoutEnabled is set.
func NewRedis(client redis.UniversalClient, prefix string, timeout time.Duration) *Redis {
	return &Redis{client: client, prefix: prefix, timeout: timeout}
}

// do bounds a call. Whatever Redis cannot answer now, it may later: every
// error but the absence of a key is store.ErrAway.
func (r *Redis) do(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	err := call(ctx)
	if err == nil || errors.Is(err, redis.Nil) {
		return err
	}
	return fmt.Errorf("short-lived state in Redis: %w: %w", store.ErrAway, err)
}

func (r *Redis) ping(ctx context.Context) error {
	return r.do(ctx, func(ctx context.Context) error { return r.client.Ping(ctx).Err() })
}

func (r *Redis) put(ctx context.Context, name string, value []byte, life time.Duration) error {
	return r.do(ctx, func(ctx context.Context) error { return r.client.Set(ctx, name, value, life).Err() })
}

// putNew is put where nothing is: store.ErrExists otherwise.
func (r *Redis) putNew(ctx context.Context, name string, value []byte, life time.Duration) error {
	err := r.do(ctx, func(ctx context.Context) error {
		return r.client.SetArgs(ctx, name, value, redis.SetArgs{Mode: "NX", TTL: life}).Err()
	})
	if errors.Is(err, redis.Nil) {
		return store.ErrExists
	}
	return err
}

// get is store.ErrNotFound where nothing is.
func (r *Redis) get(ctx context.Context, name string) (value []byte, err error) {
	err = r.do(ctx, func(ctx context.Context) error {
		value, err = r.client.Get(ctx, name).Bytes()
		return err
	})
	if errors.Is(err, redis.Nil) {
		return nil, store.ErrNotFound
	}
	return value, err
}

func (r *Redis) delete(ctx context.Context, name string) error {
	return r.do(ctx, func(ctx context.Context) error { return r.client.Del(ctx, name).Err() })
}
