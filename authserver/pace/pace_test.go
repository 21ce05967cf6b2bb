package pace

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postern-mcp/postern/authserver/redistest"
	"github.com/postern-mcp/postern/policy/rate"
)

type buckets interface {
	Take(ctx context.Context, now time.Time, charges []Charge) (Verdict, error)
	GiveBack(ctx context.Context, now time.Time, charges []Charge) error
}

var noon = time.Unix(1_800_000_000, 0)

func per(t *testing.T, text string) rate.Rate {
	t.Helper()
	r, err := rate.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func taken(t *testing.T, b buckets, now time.Time, charges ...Charge) Verdict {
	t.Helper()
	v, err := b.Take(t.Context(), now, charges)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// stores are both kinds. The clock of Redis is its own, so what waits for time
// to pass is asked of the memory alone.
func stores(t *testing.T) map[string]buckets {
	return map[string]buckets{"memory": NewMemory(1000), "redis": NewRedis(realRedis(t), "pace:", 10*time.Second)}
}

func realRedis(t *testing.T) *redis.Client {
	t.Helper()
	client := redistest.Start(t).Client()
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestBucketHoldsItsNumber(t *testing.T) {
	for name, b := range stores(t) {
		t.Run(name, func(t *testing.T) {
			c, other := NewCharge(per(t, "5/h"), "ada"), NewCharge(per(t, "5/h"), "eve")
			for i := range 5 {
				if !taken(t, b, noon, c).Passed {
					t.Fatalf("refused after %d of 5", i)
				}
			}
			v := taken(t, b, noon, c)
			if v.Passed || v.Wait > 12*time.Minute || v.Wait < 11*time.Minute {
				t.Errorf("the sixth: %+v, want to wait some 12 minutes", v)
			}
			if !taken(t, b, noon, other).Passed {
				t.Error("another's bucket is empty too")
			}
		})
	}
}

// A call that one bucket refuses leaves the others as they were.
func TestRefusedCallTakesNothing(t *testing.T) {
	for name, b := range stores(t) {
		t.Run(name, func(t *testing.T) {
			wide, narrow := NewCharge(per(t, "3/h"), "subject"), NewCharge(per(t, "1/h"), "tool")
			taken(t, b, noon, wide, narrow)
			for range 10 {
				if v := taken(t, b, noon, wide, narrow); v.Passed || v.Short != 1 {
					t.Fatalf("%+v, want short of the second", v)
				}
			}
			for i := range 2 {
				if !taken(t, b, noon, wide).Passed {
					t.Fatalf("%d of 2 are left in the wide bucket", i)
				}
			}
			if v := taken(t, b, noon, narrow, wide); v.Passed || v.Short != 0 || v.Wait < 50*time.Minute {
				t.Errorf("%+v, want the longest wait, of the first", v)
			}
		})
	}
}

// Many at once get exactly what there is.
func TestManyAtOnceGetTheNumber(t *testing.T) {
	for name, b := range stores(t) {
		t.Run(name, func(t *testing.T) {
			c := NewCharge(per(t, "50/h"), "crowd")
			var passed atomic.Int64
			var group sync.WaitGroup
			for range 8 {
				group.Go(func() {
					for range 20 {
						if v, err := b.Take(t.Context(), noon, []Charge{c}); err == nil && v.Passed {
							passed.Add(1)
						}
					}
				})
			}
			group.Wait()
			if got := passed.Load(); got != 50 {
				t.Errorf("%d passed, want 50", got)
			}
		})
	}
}

func TestBucketFillsAgain(t *testing.T) {
	m, c := NewMemory(10), NewCharge(per(t, "2/m"), "x")
	for _, row := range []struct {
		after  time.Duration
		passed bool
		wait   time.Duration
	}{
		{0, true, 0},
		{0, true, 0},
		{0, false, 30 * time.Second},
		{10 * time.Second, false, 20 * time.Second},
		{30 * time.Second, true, 0},
		{30 * time.Second, false, 30 * time.Second},
		{20 * time.Second, false, 30 * time.Second}, // a clock that goes back
		{5 * time.Minute, true, 0},
		{5 * time.Minute, true, 0},
		{5 * time.Minute, false, 30 * time.Second},
	} {
		v := taken(t, m, noon.Add(row.after), c)
		if v.Passed != row.passed || v.Wait != row.wait {
			t.Errorf("after %s: %+v, want %+v", row.after, v, row)
		}
	}
}

func TestRedisBucketFillsAgain(t *testing.T) {
	client := realRedis(t)
	r, c := NewRedis(client, "pace:", 10*time.Second), NewCharge(per(t, "10/s"), "x")
	for taken(t, r, noon, c).Passed {
	}
	for until := time.Now().Add(10 * time.Second); !taken(t, r, noon, c).Passed; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("still empty")
		}
	}
	for until := time.Now().Add(10 * time.Second); client.DBSize(t.Context()).Val() != 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("a full bucket is still remembered")
		}
	}
}

// A clock that goes back, at a failover, leaves buckets empty, not locked.
func TestRedisClockGoesBack(t *testing.T) {
	client := realRedis(t)
	r, c := NewRedis(client, "pace:", 10*time.Second), NewCharge(per(t, "10/s"), "x")
	taken(t, r, noon, c)
	name := client.Keys(t.Context(), "*").Val()[0]
	client.Set(t.Context(), name, time.Now().Add(time.Hour).UnixMicro(), time.Hour)
	if v := taken(t, r, noon, c); v.Passed || v.Wait != 100*time.Millisecond {
		t.Errorf("%+v, want to wait for one interval", v)
	}
	for until := time.Now().Add(10 * time.Second); !taken(t, r, noon, c).Passed; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("still empty")
		}
	}
}

// Only what is full is forgotten, and without room nothing passes.
func TestMemoryIsBounded(t *testing.T) {
	m := NewMemory(4)
	charge := func(i int) Charge { return NewCharge(per(t, "1/m"), strconv.Itoa(i)) }
	for i := range 4 {
		taken(t, m, noon, charge(i))
	}
	if v, err := m.Take(t.Context(), noon, []Charge{charge(4)}); v.Passed || !errors.Is(err, ErrFull) {
		t.Errorf("%+v %v, want ErrFull", v, err)
	}
	if v := taken(t, m, noon, charge(0)); v.Passed {
		t.Error("an empty bucket was forgotten")
	}
	if !taken(t, m, noon.Add(2*time.Minute), charge(4)).Passed || m.Len() != 1 {
		t.Errorf("%d buckets are left, want the new one", m.Len())
	}
}

// However many come and go, what is kept stays within twice what is needed.
func TestFullBucketsAreForgotten(t *testing.T) {
	m := NewMemory(1_000_000)
	for i := range 200_000 {
		at := noon.Add(time.Duration(i) * time.Millisecond)
		taken(t, m, at, NewCharge(per(t, "1/s"), fmt.Sprint(i)))
	}
	if got := m.Len(); got > 2*2000 {
		t.Errorf("%d buckets are kept for a thousand that are not full", got)
	}
}

func TestRedisAwayIsAnError(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, DialerRetries: 1})
	defer client.Close()
	r := NewRedis(client, "pace:", 200*time.Millisecond)
	if v, err := r.Take(t.Context(), noon, []Charge{NewCharge(per(t, "1/s"), "x")}); v.Passed || err == nil {
		t.Errorf("%+v %v", v, err)
	}
}

func TestKeysDoNotCollide(t *testing.T) {
	r := per(t, "1/s")
	seen := map[Key]string{}
	for _, parts := range [][]string{{"ab", "c"}, {"a", "bc"}, {"abc"}, {"abc", ""}, {"", "abc"}} {
		key := NewCharge(r, parts...).Key
		if other, twice := seen[key]; twice {
			t.Errorf("%q and %s share a bucket", parts, other)
		}
		seen[key] = fmt.Sprintf("%q", parts)
	}
	if NewCharge(per(t, "2/s"), "abc").Key == NewCharge(r, "abc").Key {
		t.Error("two rates share a bucket")
	}
}

func BenchmarkMemory(b *testing.B) {
	m := NewMemory(1 << 20)
	c := []Charge{
		NewCharge(rate.Rate{Number: rate.Most, Per: time.Second}, "issuer", "subject"),
		NewCharge(rate.Rate{Number: rate.Most, Per: time.Second}, "issuer", "client"),
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Take(b.Context(), time.Now(), c); err != nil {
			b.Fatal(err)
		}
	}
}
