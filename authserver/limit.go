package authserver

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limits bound what one address, or one account name, may try. Trying is
// paid for before the work and given back when the try was honest.
type limits struct {
	authorize *limiter // by address: authorization requests
	guess     *limiter // by address: failed client authentications, codes, tokens
	client    *limiter // by client that proved itself, instead: failed codes, tokens
	login     *limiter // by address: failed sign-ins
	account   *limiter // by account name, whether or not it exists: failed sign-ins
	known     *limiter // by browser the account signed in at before, instead of the two above
	documents *limiter // by address: fetches of client documents
	register  *limiter // by address: registrations
	devices   *limiter // by address: devices that begin to wait
	userCodes *limiter // by address: codes that no device shows
}

func newLimits(now func() time.Time) limits {
	return limits{
		authorize: newLimiter(now, time.Second/2, 120),
		// Codes, tokens and client secrets have 256 bits: this bounds the work,
		// and is wide, because whole offices and hosted clients share an address.
		guess:     newLimiter(now, time.Second/10, 300),
		client:    newLimiter(now, time.Second/10, 300),
		login:     newLimiter(now, 5*time.Second, 20),
		account:   newLimiter(now, 15*time.Second, 10),
		known:     newLimiter(now, 15*time.Second, 10),
		documents: newLimiter(now, 5*time.Second, 10),
		register:  newLimiter(now, 2*time.Second, 30),
		devices:   newLimiter(now, 2*time.Second, 60),
		userCodes: newLimiter(now, 30*time.Second, 10),
	}
}

// limiter is a token bucket per key. It holds at most maxBuckets; when that
// many are in use at once, the keys beyond share one bucket.
type limiter struct {
	now   func() time.Time
	every time.Duration
	burst int

	mu      sync.Mutex
	buckets map[string]*rate.Limiter
	shared  *rate.Limiter
}

const maxBuckets = 10_000

func newLimiter(now func() time.Time, every time.Duration, burst int) *limiter {
	return &limiter{now: now, every: every, burst: burst,
		buckets: map[string]*rate.Limiter{}, shared: rate.NewLimiter(rate.Every(every), burst)}
}

// try takes one from the bucket of key, or refuses with TooMany and the time
// until there is one again. giveBack undoes it.
func (l *limiter) try(key string) (giveBack func(), err error) {
	now := l.now()
	r := l.bucket(key, now).ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait == 0 {
		return func() { r.CancelAt(now) }, nil
	}
	r.CancelAt(now)
	return func() {}, &Error{Reason: TooMany, RetryAfter: wait}
}

func (l *limiter) bucket(key string, now time.Time) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b, ok := l.buckets[key]; ok {
		return b
	}
	if len(l.buckets) >= maxBuckets {
		l.dropFull(now)
	}
	if len(l.buckets) >= maxBuckets {
		return l.shared
	}
	b := rate.NewLimiter(rate.Every(l.every), l.burst)
	l.buckets[key] = b
	return b
}

// dropFull forgets buckets that are full again: a new one would be the same.
func (l *limiter) dropFull(now time.Time) {
	for k, b := range l.buckets {
		if b.TokensAt(now) >= float64(l.burst) {
			delete(l.buckets, k)
		}
	}
}
