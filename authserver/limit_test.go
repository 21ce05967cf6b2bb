package authserver

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postern-mcp/postern/authserver/notes"
	"github.com/postern-mcp/postern/authserver/pace"
	"github.com/postern-mcp/postern/authserver/redistest"
)

// TestClientThatGuessesPaysItself: wherever it is, and its neighbours do not.
func TestClientThatGuessesPaysItself(t *testing.T) {
	g := newRig(t, func(c *Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	reg, honest := g.registerClient(""), g.registerClient("")
	mine := basic(reg.str("client_id"), reg.str("client_secret"))
	guess := url.Values{"grant_type": {"authorization_code"}, "code": {"x"}, "code_verifier": {verifier}}
	here, there := header("X-Forwarded-For", "203.0.113.1"), header("X-Forwarded-For", "203.0.113.2")
	for range 300 {
		g.expect(g.post("/token", guess, mine, here), 400, "invalid_grant")
	}
	for name, from := range map[string]edit{"here": here, "there": there} {
		a := g.post("/token", guess, mine, from)
		g.expect(a, 429, "temporarily_unavailable")
		if a.header.Get("Retry-After") == "" {
			t.Errorf("%s: not told for how long", name)
		}
	}
	g.expect(g.post("/token", guess, basic(honest.str("client_id"), honest.str("client_secret")), here), 400, "invalid_grant")
}

// instances are limiters of as many processes: of one rate, an hour for each
// try, so that none comes back while Redis, whose clock nobody moves, counts.
type instances struct {
	t     *testing.T
	redis *redistest.Server // nil: there is one process, and no Redis
	log   *logbook
	each  []*limiter
}

const hourly = time.Hour

func newInstances(t *testing.T, n, burst int) *instances {
	i := &instances{t: t, redis: redistest.Start(t), log: &logbook{}}
	for range n {
		with := i.sharing("one secret")
		i.each = append(i.each, newLimiter(time.Now, with, "test", hourly, burst))
	}
	return i
}

// sharing is what a process with this secret shares with the others.
func (i *instances) sharing(secret string) shared {
	c := baseConfig("https://auth.example", &clock{}, i.log)
	c.Secret, c.Shared = []byte(secret+strings.Repeat(" ", 32)), onRedis(i.t, i.redis)
	with, err := newShared(c)
	if err != nil {
		i.t.Fatal(err)
	}
	return with
}

func onRedis(t *testing.T, server *redistest.Server) *Shared {
	client := server.Client()
	t.Cleanup(func() { _ = client.Close() })
	return &Shared{Tries: pace.NewRedis(client, "tries:", time.Second), StepUps: notes.NewRedis(client, "stepup:", time.Second)}
}

// tried is how often each of these, one after the other, may try a key.
func tried(t *testing.T, key string, each ...*limiter) (n int) {
	t.Helper()
	for refused := 0; refused < len(each); n++ {
		_, err := each[n%len(each)].try(key)
		if err == nil {
			refused = 0
			continue
		}
		var why *Error
		if !errors.As(err, &why) || why.Reason != TooMany || why.RetryAfter <= 0 || why.RetryAfter > hourly {
			t.Fatalf("%v, want TooMany for an hour at most", err)
		}
		refused++
	}
	return n - len(each)
}

// Alone or among others: paid before, given back once, and said for how long.
func TestTriesArePaidAndGivenBack(t *testing.T) {
	for name, l := range map[string]*limiter{
		"alone":        newLimiter(time.Now, shared{}, "test", hourly, 5),
		"among others": newInstances(t, 1, 5).each[0],
	} {
		t.Run(name, func(t *testing.T) {
			giveBack, err := l.try("ada")
			if err != nil {
				t.Fatal(err)
			}
			if n := tried(t, "ada", l); n != 4 {
				t.Errorf("%d more tries, want 4", n)
			}
			giveBack()
			giveBack()
			if n := tried(t, "ada", l); n != 1 {
				t.Errorf("%d tries after one was given back", n)
			}
			if n := tried(t, "eve", l); n != 5 {
				t.Errorf("another has %d tries", n)
			}
			refused, err := l.try("ada")
			if err == nil {
				t.Fatal("not refused")
			}
			refused()
			if n := tried(t, "ada", l); n != 0 {
				t.Errorf("%d tries after a refusal was given back", n)
			}
		})
	}
}

func TestInstancesCountTogether(t *testing.T) {
	i := newInstances(t, 3, 10)
	giveBack, err := i.each[0].try("ada")
	if err != nil {
		t.Fatal(err)
	}
	if n := tried(t, "ada", i.each...); n != 9 {
		t.Errorf("%d more tries at three instances, want 9", n)
	}
	giveBack()
	if n := tried(t, "ada", i.each[2]); n != 1 {
		t.Errorf("%d tries at one, given back by another", n)
	}
	if n := tried(t, "eve", i.each...); n != 10 {
		t.Errorf("another has %d tries", n)
	}
}

// Redis away is no yes and no no: each counts for itself, and the log says so
// once. When it is back, empty, they count together, on top of what each knows.
func TestRedisAwayLeavesEachItsCount(t *testing.T) {
	i := newInstances(t, 2, 4)
	if n := tried(t, "before", i.each...); n != 4 {
		t.Errorf("%d tries", n)
	}
	i.redis.Stop(t)
	if n := tried(t, "before", i.each...); n > 4 {
		t.Errorf("%d more tries: what a process counted before is lost", n)
	}
	for _, l := range i.each {
		if n := tried(t, "meanwhile", l); n != 4 {
			t.Errorf("%d tries at one, want its own 4", n)
		}
	}
	if n := strings.Count(i.log.String(), `"shared.away"`); n != 2 {
		t.Errorf("said %d times by two:\n%s", n, i.log)
	}
	i.redis.Restart(t)
	if n := tried(t, "after", i.each...); n != 4 {
		t.Errorf("%d tries together", n)
	}
	if n := tried(t, "meanwhile", i.each...); n != 0 {
		t.Errorf("an empty Redis gives %d tries to who has none", n)
	}
	if n := strings.Count(i.log.String(), `"shared.back"`); n != 2 {
		t.Errorf("said to be back %d times by two:\n%s", n, i.log)
	}
}

// What Redis refuses costs nothing here, and what cannot be given back there
// stays paid.
func TestCountsStayInStep(t *testing.T) {
	i := newInstances(t, 2, 3)
	tried(t, "ada", i.each[0])
	for range 5 {
		if _, err := i.each[1].try("ada"); reasonOf(err) != TooMany {
			t.Fatalf("%v, want TooMany", err)
		}
	}
	i.redis.Stop(t)
	if n := tried(t, "ada", i.each[1]); n != 3 {
		t.Errorf("%d of its own are left", n)
	}
	i.redis.Restart(t)
	giveBack, err := i.each[0].try("eve")
	if err != nil {
		t.Fatal(err)
	}
	i.redis.Stop(t)
	giveBack()
	if n := tried(t, "eve", i.each[0]); n != 3 {
		t.Errorf("%d tries, want all 3", n)
	}
}

// A Redis that takes connections and says nothing is one that is away.
func TestHangingRedisLeavesEachItsCount(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client := redis.NewClient(&redis.Options{Addr: ln.Addr().String(), MaxRetries: -1, ContextTimeoutEnabled: true})
	defer client.Close()
	var log logbook
	with := shared{tries: pace.NewRedis(client, "tries:", 20*time.Millisecond), outage: &outage{log: slog.New(slog.NewJSONHandler(&log, nil))}}
	if n := tried(t, "ada", newLimiter(time.Now, with, "test", hourly, 3)); n != 3 {
		t.Errorf("%d tries, want 3", n)
	}
	if n := strings.Count(log.String(), `"shared.away"`); n != 1 {
		t.Errorf("said %d times", n)
	}
}

func TestRedisLearnsNoNames(t *testing.T) {
	i := newInstances(t, 1, 3)
	if _, err := i.each[0].try("ada@example.org"); err != nil {
		t.Fatal(err)
	}
	client := i.redis.Client()
	defer client.Close()
	keys := client.Keys(t.Context(), "*").Val()
	if len(keys) != 1 || !strings.HasPrefix(keys[0], "tries:") || strings.Contains(keys[0], "ada") {
		t.Errorf("keys %q", keys)
	}
	// Whoever does not have the secret gets other keys for the same names.
	guesser := newLimiter(time.Now, i.sharing("another secret"), "test", hourly, 3)
	if _, err := guesser.try("ada@example.org"); err != nil {
		t.Fatal(err)
	}
	if n := client.DBSize(t.Context()).Val(); n != 2 {
		t.Errorf("%d keys: a name can be looked up without the secret", n)
	}
}

// A memory that is full still counts everybody: those beyond share few buckets,
// of which one who empties theirs leaves the rest.
func TestBucketsAreBounded(t *testing.T) {
	c := &clock{now: time.Now()}
	l := newLimiter(c.Now, shared{}, "test", time.Second, 1)
	fill(t, l, func(i int) string { return fmt.Sprint(i) })
	if n := tried(t, "one beyond", l); n != 1 {
		t.Errorf("%d tries of one beyond", n)
	}
	passed := 0
	for i := range 8 * spareBuckets {
		if _, err := l.try(fmt.Sprint("beyond ", i)); err == nil {
			passed++
		}
	}
	if passed < spareBuckets*9/10 || passed >= spareBuckets {
		t.Errorf("%d of many beyond passed, one each of the %d buckets that were full may", passed, spareBuckets-1)
	}
	if _, err := l.try("1"); reasonOf(err) != TooMany {
		t.Errorf("%v for one who was there before", err)
	}
	c.forward(time.Minute)
	if _, err := l.try("one beyond"); err != nil || l.own.Len() != 1 {
		t.Errorf("full buckets were not forgotten: %v, %d", err, l.own.Len())
	}
}

// fill takes from as many buckets as a memory has.
func fill(t *testing.T, l *limiter, key func(int) string) {
	t.Helper()
	for i := range maxBuckets {
		if _, err := l.try(key(i)); err != nil {
			t.Fatalf("%s: %v", key(i), err)
		}
	}
}

// Whoever has addresses without end has them side by side, and is counted as
// what is around them once a memory is full of them: others go on.
func TestNetworksFillNobodyElsesBuckets(t *testing.T) {
	for _, row := range []struct {
		name                 string
		full                 func(i int) string
		stranger, strangerIn string // in one network
	}{
		{"a site", func(i int) string { return fmt.Sprintf("2001:db8:1:%x::/64", i) },
			"2001:db8:2:1::/64", "2001:db8:2:2::/64"},
		{"a network of IPv4", func(i int) string { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).String() },
			"10.1.0.1", "10.1.0.2"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := &clock{now: time.Now()}
			l := newLimiter(c.Now, shared{}, "test", time.Minute, 2)
			fill(t, l, row.full)
			if n := tried(t, row.full(0), l); n != 1 {
				t.Errorf("%d more tries of one with a bucket", n)
			}
			for i := range 5000 {
				_, _ = l.try(row.full(maxBuckets + i))
			}
			giveBack, err := l.try(row.stranger)
			if err != nil {
				t.Fatalf("a stranger: %v", err)
			}
			giveBack()
			if n := tried(t, row.stranger, l) + tried(t, row.strangerIn, l); n != 2 {
				t.Errorf("%d tries of a network of strangers, want 2", n)
			}
		})
	}
}

// A provider that sends from all its sites is one, once they fill a memory too.
func TestSitesOfAProviderAreCountedAsOne(t *testing.T) {
	l := newLimiter((&clock{now: time.Now()}).Now, shared{}, "test", time.Hour, 1)
	fill(t, l, func(i int) string { return fmt.Sprintf("2001:db8:1:%x::/64", i) })
	fill(t, l, func(i int) string { return fmt.Sprintf("2001:db8:%x:1::/64", 2+i) })
	if n := tried(t, "2001:db8:ffff:1::/64", l) + tried(t, "2001:db8:fffe:1::/64", l); n != 1 {
		t.Errorf("%d tries of two more sites", n)
	}
	if n := tried(t, "2001:db9:1:1::/64", l); n != 1 {
		t.Errorf("%d tries of another provider's", n)
	}
	if around := networksAround("ada"); around != nil {
		t.Errorf("a name is in %q", around)
	}
}

// What is shared is shared whole.
func TestSharedIsWhole(t *testing.T) {
	whole := onRedis(t, redistest.Start(t))
	for name, part := range map[string]*Shared{"nothing": {}, "tries": {Tries: whole.Tries}, "step-ups": {StepUps: whole.StepUps}} {
		c := baseConfig("https://auth.example", &clock{}, &logbook{})
		c.Shared = part
		if err := c.validate(); err == nil {
			t.Errorf("%s alone is accepted", name)
		}
	}
	c := baseConfig("https://auth.example", &clock{}, &logbook{})
	c.Shared, c.Log = whole, slog.New(slog.DiscardHandler)
	if err := c.validate(); err != nil {
		t.Error(err)
	}
}
