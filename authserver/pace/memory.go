package pace

import (
	"context"
	"sync"
	"time"
)

// Memory keeps buckets in this process.
type Memory struct {
	mu     sync.Mutex
	most   int
	until  map[Key]int64 // microseconds; a bucket is full again from then on
	sweep  int           // how many buckets bring on the next sweep
	swept  int64
	latest int64 // a clock that goes back is not believed
}

const (
	firstSweep = 1024
	sweepAgain = time.Second // while there is no room
)

// NewMemory keeps at most this many buckets.
func NewMemory(most int) *Memory {
	return &Memory{most: most, until: map[Key]int64{}, sweep: min(firstSweep, most)}
}

// Len is the number of buckets remembered.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.until)
}

// Take takes one from each bucket, or from none, and notes in the charges what
// GiveBack needs.
func (m *Memory) Take(_ context.Context, at time.Time, charges []Charge) (Verdict, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.advance(at)
	verdict := m.judge(now, charges)
	if !verdict.Passed {
		return verdict, nil
	}
	if !m.room(now, charges) {
		return Verdict{}, ErrFull
	}
	for i, c := range charges {
		charges[i].until, _ = late(c.Rate, m.until[c.Key], now)
		m.until[c.Key] = charges[i].until
	}
	return verdict, nil
}

// GiveBack undoes a Take that passed, once: charges that were not taken, or
// given back before, are worth nothing.
func (m *Memory) GiveBack(_ context.Context, at time.Time, charges []Charge) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.advance(at)
	for i, c := range charges {
		charges[i].until = 0
		until, known := m.until[c.Key]
		if !known {
			continue
		}
		if m.until[c.Key] = kept(c, until, now); m.until[c.Key] <= now {
			delete(m.until, c.Key)
		}
	}
	return nil
}

// advance is at, or the newest time seen when that is later.
func (m *Memory) advance(at time.Time) int64 {
	m.latest = max(m.latest, at.UnixMicro())
	return m.latest
}

func (m *Memory) judge(now int64, charges []Charge) Verdict {
	verdict := Verdict{Passed: true}
	for i, c := range charges {
		_, short := late(c.Rate, m.until[c.Key], now)
		if wait := time.Duration(short) * time.Microsecond; wait > verdict.Wait {
			verdict = Verdict{Short: i, Wait: wait}
		}
	}
	return verdict
}

// room makes sure that the buckets of a call can be remembered.
func (m *Memory) room(now int64, charges []Charge) bool {
	fresh := 0
	for _, c := range charges {
		if _, known := m.until[c.Key]; !known {
			fresh++
		}
	}
	if fresh == 0 {
		return true
	}
	if len(m.until)+fresh > m.sweep {
		m.forgetFull(now)
	}
	return len(m.until)+fresh <= m.most
}

// forgetFull drops the buckets that are full. It waits until there are twice
// as many as it left, so that its cost stays in proportion to what came.
func (m *Memory) forgetFull(now int64) {
	if m.sweep >= m.most && now-m.swept < sweepAgain.Microseconds() {
		return
	}
	m.swept = now
	for key, until := range m.until {
		if until <= now {
			delete(m.until, key)
		}
	}
	m.sweep = min(m.most, max(firstSweep, 2*len(m.until)))
}
