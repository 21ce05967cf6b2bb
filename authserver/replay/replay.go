// Package replay remembers single-use things (proofs, assertions) exactly:
// nothing is forgotten before its time and a full memory refuses.
package replay

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// ErrFull: the memory is at its bound; the caller must refuse (503).
var ErrFull = errors.New("replay memory is full")

// Memory is exact for one process.
type Memory struct{ _ int }

// NewMemory holds at most limit entries. born is when remembering began: a
// proof made before then might have been used at a process that is gone.
func NewMemory(limit int, born time.Time) *Memory { panic("unwritten") }

// Born is the time given to NewMemory.
func (m *Memory) Born() time.Time { panic("unwritten") }

// Use marks key as used until the given time and says whether this call was
// the first. Of any number of concurrent calls exactly one gets true.
func (m *Memory) Use(ctx context.Context, key [32]byte, now, until time.Time) (first bool, err error) {
	panic("unwritten")
}

// Redis is exact for every process on one Redis (SET NX PX).
type Redis struct{ _ int }

// NewRedis keeps keys under prefix. Every call is bounded by timeout.
func NewRedis(client redis.UniversalClient, prefix string, timeout time.Duration) *Redis {
	panic("unwritten")
}

// Born is the zero time: Redis outlives the process.
func (r *Redis) Born() time.Time { return time.Time{} }

// Use as Memory.Use. An unreachable Redis is an error, never a pass.
func (r *Redis) Use(ctx context.Context, key [32]byte, now, until time.Time) (first bool, err error) {
	panic("unwritten")
}
