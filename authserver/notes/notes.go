// Package notes keeps short texts for all instances that share one Redis, each
// for a while. What is lost with the Redis is lost: nothing may rest on a note
// but that somebody is asked once more.
package notes

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Key names a note. It is a hash: Redis learns no name from it.
type Key [32]byte

// Redis keeps notes.
type Redis struct {
	client  redis.UniversalClient
	prefix  string
	timeout time.Duration
}

// NewRedis keeps keys under prefix. Every call is bounded by timeout.
func NewRedis(client redis.UniversalClient, prefix string, timeout time.Duration) *Redis {
	return &Redis{client: client, prefix: prefix, timeout: timeout}
}

// Put keeps a text for a while, in the place of what the key named before.
func (r *Redis) Put(ctx context.Context, key Key, text []byte, life time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	if err := r.client.Set(ctx, r.name(key), text, life).Err(); err != nil {
		return fmt.Errorf("notes in Redis: %w", err)
	}
	return nil
}

// Get gives a text that is kept; nil where none is.
func (r *Redis) Get(ctx context.Context, key Key) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	text, err := r.client.Get(ctx, r.name(key)).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("notes in Redis: %w", err)
	}
	return text, nil
}

func (r *Redis) name(key Key) string { return r.prefix + base64.RawURLEncoding.EncodeToString(key[:]) }
