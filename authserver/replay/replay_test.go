package replay

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func keyOf(name string) [32]byte { return sha256.Sum256([]byte(name)) }

// suite is what every replay memory must do.
func suite(t *testing.T, m Store) {
	born, err := m.Born(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Run("first and again", func(t *testing.T) {
		now := time.Now()
		for i, want := range []bool{true, false, false} {
			if first, err := m.Use(t.Context(), keyOf("again"), born, now, now.Add(time.Minute)); first != want || err != nil {
				t.Errorf("use %d: %v, %v", i, first, err)
			}
		}
		if first, err := m.Use(t.Context(), keyOf("another"), born, now, now.Add(time.Minute)); !first || err != nil {
			t.Errorf("another key: %v, %v", first, err)
		}
	})
	t.Run("exactly one of many at once", func(t *testing.T) {
		var firsts atomic.Int64
		var wg sync.WaitGroup
		now := time.Now()
		for range 64 {
			wg.Go(func() {
				first, err := m.Use(t.Context(), keyOf("race"), born, now, now.Add(time.Minute))
				if err != nil {
					t.Error(err)
				}
				if first {
					firsts.Add(1)
				}
			})
		}
		wg.Wait()
		if firsts.Load() != 1 {
			t.Errorf("%d were first", firsts.Load())
		}
	})
	t.Run("nothing is remembered until the past", func(t *testing.T) {
		now := time.Now()
		for _, until := range []time.Time{now, now.Add(-time.Hour), {}} {
			if first, err := m.Use(t.Context(), keyOf("past"), born, now, until); first || !errors.Is(err, ErrPast) {
				t.Errorf("until %v: %v, %v", until, first, err)
			}
		}
	})
	t.Run("another memory than the caller knows", func(t *testing.T) {
		now := time.Now()
		if first, err := m.Use(t.Context(), keyOf("other"), born.Add(-1), now, now.Add(time.Minute)); first || !errors.Is(err, ErrForgot) {
			t.Errorf("%v, %v", first, err)
		}
	})
	t.Run("a cancelled request uses nothing", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		now := time.Now()
		if first, err := m.Use(ctx, keyOf("cancelled"), born, now, now.Add(time.Minute)); first || !errors.Is(err, context.Canceled) {
			t.Errorf("%v, %v", first, err)
		}
	})
}

func TestMemory(t *testing.T) { suite(t, NewMemory(1000, time.Now())) }

func TestMemoryIsBounded(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	m := NewMemory(10, start)
	if born, err := m.Born(t.Context()); born != start || err != nil {
		t.Errorf("born %v, %v", born, err)
	}
	for i := range 10 {
		if first, err := m.Use(t.Context(), keyOf(fmt.Sprint(i)), start, start, start.Add(time.Minute)); !first || err != nil {
			t.Fatalf("use %d: %v, %v", i, first, err)
		}
	}
	if first, err := m.Use(t.Context(), keyOf("one more"), start, start, start.Add(time.Minute)); first || !errors.Is(err, ErrFull) {
		t.Errorf("one more: %v, %v", first, err)
	}
	if first, err := m.Use(t.Context(), keyOf("3"), start, start, start.Add(time.Minute)); first || err != nil {
		t.Errorf("a known one while full: %v, %v", first, err)
	}
	later := start.Add(62 * time.Second)
	if first, err := m.Use(t.Context(), keyOf("one more"), start, later, later.Add(time.Minute)); !first || err != nil {
		t.Errorf("when the others have ended: %v, %v", first, err)
	}
	if m.Len() != 1 {
		t.Errorf("%d entries are left", m.Len())
	}
	if first, err := NewMemory(0, start).Use(t.Context(), keyOf("x"), start, start, later); first || !errors.Is(err, ErrFull) {
		t.Errorf("a memory for nothing: %v, %v", first, err)
	}
}

// Against a model that keeps everything: any order of keys, lifetimes and
// clock steps gives the same answers; a clock that goes back is not believed.
func TestMemoryIsExact(t *testing.T) {
	var born time.Time
	m := NewMemory(100_000, born)
	model := map[[32]byte]time.Time{}
	now := time.Unix(1_800_000_000, 0)
	latest := now
	for i := range 50_000 {
		random := keyOf(fmt.Sprint("random", i))
		key := keyOf(fmt.Sprint(int(random[0]) % 40))
		until := now.Add(time.Duration(int(random[1])+1) * 100 * time.Millisecond)
		now = now.Add(time.Duration(int(random[2])-100) * 10 * time.Millisecond)
		if now.After(latest) {
			latest = now
		}
		if !until.After(latest) {
			if first, err := m.Use(t.Context(), key, born, now, until); first || !errors.Is(err, ErrPast) {
				t.Fatalf("step %d: %v, %v; want ErrPast", i, first, err)
			}
			continue
		}
		want := !model[key].After(latest)
		if want {
			model[key] = until
		}
		if first, err := m.Use(t.Context(), key, born, now, until); first != want || err != nil {
			t.Fatalf("step %d: %v, %v; want %v", i, first, err, want)
		}
		if m.Len() > 40 {
			t.Fatalf("step %d: %d entries for 40 keys", i, m.Len())
		}
	}
	m.sweep(latest.Add(time.Hour))
	for i := range m.shards {
		if s := &m.shards[i]; len(s.until)+len(s.buckets) != 0 || m.Len() != 0 {
			t.Fatalf("shard %d keeps %d entries and %d buckets, %d in all", i, len(s.until), len(s.buckets), m.Len())
		}
	}
}

func BenchmarkMemory(b *testing.B) {
	var born time.Time
	m := NewMemory(1<<30, born)
	now := time.Unix(1_800_000_000, 0)
	var key [32]byte
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		key = [32]byte{byte(i), byte(i >> 8), byte(i >> 16), byte(i >> 24)}
		now = now.Add(time.Millisecond)
		if _, err := m.Use(b.Context(), key, born, now, now.Add(time.Minute)); err != nil {
			b.Fatal(err)
		}
	}
}
