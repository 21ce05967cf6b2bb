package replay

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Memory is exact for one process. Safe for concurrent use. Its clock never
// goes back: what has been forgotten cannot become young again.
type Memory struct {
	limit  int64
	born   time.Time
	latest atomic.Int64 // newest time seen, in nanoseconds since the epoch
	held   atomic.Int64 // entries in all shards
	shards [64]shard
}

// shard holds the keys whose first byte leads to it. Keys that end in the
// same second share a bucket, so that forgetting touches only what has ended.
type shard struct {
	mu      sync.Mutex
	until   map[[32]byte]time.Time
	buckets map[int64][][32]byte
	swept   int64 // buckets up to and including this second are gone
}

// NewMemory holds at most limit entries. born is when remembering began: a
// proof made before then might have been used at a process that is gone.
func NewMemory(limit int, born time.Time) *Memory {
	m := &Memory{limit: int64(limit), born: born}
	for i := range m.shards {
		m.shards[i].until = map[[32]byte]time.Time{}
		m.shards[i].buckets = map[int64][][32]byte{}
	}
	return m
}

// Born is the time given to NewMemory.
func (m *Memory) Born(context.Context) (time.Time, error) { return m.born, nil }

// Len is the number of entries held, some of which may have ended.
func (m *Memory) Len() int { return int(m.held.Load()) }

// Use as Store says.
func (m *Memory) Use(ctx context.Context, key [32]byte, born, now, until time.Time) (first bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if !born.Equal(m.born) {
		return false, ErrForgot
	}
	now = m.advance(now)
	if !until.After(now) {
		return false, ErrPast
	}
	first, full := m.use(key, now, until)
	if !full {
		return first, nil
	}
	m.sweep(now) // other shards may hold what has ended
	if first, full = m.use(key, now, until); full {
		return false, ErrFull
	}
	return first, nil
}

// advance is now, or the newest time seen when that is later.
func (m *Memory) advance(now time.Time) time.Time {
	for {
		latest := m.latest.Load()
		if now.UnixNano() <= latest {
			return time.Unix(0, latest)
		}
		if m.latest.CompareAndSwap(latest, now.UnixNano()) {
			return now
		}
	}
}

func (m *Memory) use(key [32]byte, now, until time.Time) (first, full bool) {
	s := &m.shards[int(key[0])%len(m.shards)]
	s.mu.Lock()
	defer s.mu.Unlock()
	m.held.Add(-s.sweep(now))
	if known, ok := s.until[key]; ok {
		if known.After(now) {
			return false, false
		}
		s.remember(key, until) // ended within this second, not yet swept
		return true, false
	}
	if m.held.Add(1) > m.limit {
		m.held.Add(-1)
		return false, true
	}
	s.remember(key, until)
	return true, false
}

func (m *Memory) sweep(now time.Time) {
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		m.held.Add(-s.sweep(now))
		s.mu.Unlock()
	}
}

func (s *shard) remember(key [32]byte, until time.Time) {
	second := until.Unix() + 1 // the whole bucket has ended by its second
	s.until[key] = until
	s.buckets[second] = append(s.buckets[second], key)
}

// sweep forgets what has ended and says how many entries that were.
func (s *shard) sweep(now time.Time) int64 {
	second := now.Unix()
	if second <= s.swept {
		return 0
	}
	before := len(s.until)
	if second-s.swept > int64(len(s.buckets)) {
		for b := range s.buckets {
			if b <= second {
				s.drop(b, now)
			}
		}
	} else {
		for b := s.swept + 1; b <= second; b++ {
			s.drop(b, now)
		}
	}
	s.swept = second
	return int64(before - len(s.until))
}

func (s *shard) drop(bucket int64, now time.Time) {
	for _, key := range s.buckets[bucket] {
		if !s.until[key].After(now) { // else used again, and in a later bucket too
			delete(s.until, key)
		}
	}
	delete(s.buckets, bucket)
}
