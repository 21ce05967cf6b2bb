package pace

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func pay(t *testing.T, b buckets, now time.Time, charges ...Charge) []Charge {
	t.Helper()
	if v, err := b.Take(t.Context(), now, charges); err != nil || !v.Passed {
		t.Fatalf("%+v %v, want a pass", v, err)
	}
	return charges
}

func giveBackTo(t *testing.T, b buckets, now time.Time, paid []Charge) {
	t.Helper()
	if err := b.GiveBack(t.Context(), now, paid); err != nil {
		t.Fatal(err)
	}
}

// left is how many a bucket still has, which it has no more afterwards.
func left(t *testing.T, b buckets, now time.Time, c Charge) (n int) {
	t.Helper()
	for taken(t, b, now, c).Passed {
		n++
	}
	return n
}

func TestGivenBackIsThereAgain(t *testing.T) {
	for name, b := range stores(t) {
		t.Run(name, func(t *testing.T) {
			one, other := NewCharge(per(t, "3/h"), "one"), NewCharge(per(t, "3/h"), "other")
			both := pay(t, b, noon, one, other)
			pay(t, b, noon, one)
			pay(t, b, noon, one)
			giveBackTo(t, b, noon, both)
			if n := left(t, b, noon, one); n != 1 {
				t.Errorf("%d are there again, want 1", n)
			}
			if n := left(t, b, noon, other); n != 3 {
				t.Errorf("the other bucket has %d, want all 3", n)
			}
		})
	}
}

func TestNoMoreIsGivenBackThanWasTaken(t *testing.T) {
	for name, b := range stores(t) {
		t.Run(name, func(t *testing.T) {
			for why, abuse := range map[string]func(c Charge) (held int){
				"given back twice": func(c Charge) int {
					first := pay(t, b, noon, c)
					pay(t, b, noon, c)
					pay(t, b, noon, c)
					giveBackTo(t, b, noon, first)
					giveBackTo(t, b, noon, first)
					return 2
				},
				"never taken": func(c Charge) int {
					pay(t, b, noon, c)
					giveBackTo(t, b, noon, []Charge{c})
					return 1
				},
				"refused": func(c Charge) int {
					for range 3 {
						pay(t, b, noon, c)
					}
					refused := []Charge{c}
					taken(t, b, noon, refused[0])
					giveBackTo(t, b, noon, refused)
					return 3
				},
				"a full bucket": func(c Charge) int {
					giveBackTo(t, b, noon, pay(t, b, noon, c))
					giveBackTo(t, b, noon, []Charge{c})
					return 0
				},
			} {
				c := NewCharge(per(t, "3/h"), why)
				held := abuse(c)
				if n := left(t, b, noon, c); n != 3-held {
					t.Errorf("%s: %d are left, want %d", why, n, 3-held)
				}
			}
		})
	}
}

// What time has given back is not given back again.
func TestTimeGivesBackOnce(t *testing.T) {
	m, c := NewMemory(10), NewCharge(per(t, "2/m"), "x")
	old := pay(t, m, noon, c)
	later := noon.Add(45 * time.Second) // the bucket is full again since 15 s
	pay(t, m, later, c)
	pay(t, m, later, c)
	giveBackTo(t, m, later, old)
	if n := left(t, m, later, c); n != 0 {
		t.Errorf("%d are there again", n)
	}

	m = NewMemory(10)
	old = pay(t, m, noon, c)
	half := noon.Add(15 * time.Second)
	pay(t, m, half, c)
	giveBackTo(t, m, half, old) // half of it is left to give
	if v := taken(t, m, half, c); !v.Passed {
		t.Errorf("%+v, want a pass", v)
	}
	if v := taken(t, m, half, c); v.Passed || v.Wait != 30*time.Second {
		t.Errorf("%+v, want to wait for 30 s", v)
	}
}

func TestFullBucketsAreForgottenWhenGivenBack(t *testing.T) {
	m, client := NewMemory(10), realRedis(t)
	r := NewRedis(client, "pace:", 10*time.Second)
	for _, b := range []buckets{m, r} {
		giveBackTo(t, b, noon, pay(t, b, noon, NewCharge(per(t, "2/h"), "x")))
	}
	if n := client.DBSize(t.Context()).Val(); m.Len() != 0 || n != 0 {
		t.Errorf("%d in memory and %d in Redis are remembered", m.Len(), n)
	}
	pay(t, r, noon, NewCharge(per(t, "2/h"), "y"))
	giveBackTo(t, r, noon, pay(t, r, noon, NewCharge(per(t, "2/h"), "y")))
	for _, key := range client.Keys(t.Context(), "*").Val() {
		if life := client.PTTL(t.Context(), key).Val(); life <= 0 || life > 30*time.Minute {
			t.Errorf("%s lives for %v", key, life)
		}
	}
}

// Many who take and give back at once leave exactly what was kept.
func TestGivenBackByManyAtOnce(t *testing.T) {
	for name, b := range stores(t) {
		t.Run(name, func(t *testing.T) {
			c := NewCharge(per(t, "100/h"), "crowd")
			var kept atomic.Int64
			var group sync.WaitGroup
			for range 8 {
				group.Go(func() {
					for i := range 20 {
						paid := []Charge{c}
						v, err := b.Take(t.Context(), noon, paid)
						if err != nil || !v.Passed {
							t.Errorf("%+v %v", v, err)
						}
						if i%4 == 0 {
							kept.Add(1)
							continue
						}
						if err := b.GiveBack(t.Context(), noon, paid); err != nil {
							t.Error(err)
						}
					}
				})
			}
			group.Wait()
			if n := left(t, b, noon, c); n != 100-int(kept.Load()) {
				t.Errorf("%d are left of 100 less %d", n, kept.Load())
			}
		})
	}
}

// Whatever is taken and given back in any order: what was kept is never more
// than the number of the rate and one for each interval.
func TestWhatIsKeptIsBounded(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		m, c, now := NewMemory(10), NewCharge(per(t, "5/m"), "x"), noon
		var open [][]Charge
		kept := 0
		for range 300 {
			now = now.Add(time.Duration(random.IntN(20_000)) * time.Millisecond)
			paid := []Charge{c}
			if v := takenAt(t, m, now, paid); v.Passed {
				kept++
				open = append(open, paid)
			}
			if len(open) > 0 && random.IntN(3) > 0 {
				i := random.IntN(len(open))
				giveBackTo(t, m, now, open[i])
				open = append(open[:i], open[i+1:]...)
				kept--
			}
			if most := 5 + int(now.Sub(noon)/(12*time.Second)); kept > most {
				t.Fatalf("%d were kept in %s, at most %d may", kept, now.Sub(noon), most)
			}
		}
	}
}

func takenAt(t *testing.T, b buckets, now time.Time, charges []Charge) Verdict {
	t.Helper()
	v, err := b.Take(t.Context(), now, charges)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestRedisAwayGivesNothingBack(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, DialerRetries: 1})
	defer client.Close()
	r := NewRedis(client, "pace:", 200*time.Millisecond)
	if err := r.GiveBack(t.Context(), noon, []Charge{NewCharge(per(t, "1/s"), "x")}); err == nil {
		t.Error("no error")
	}
}
