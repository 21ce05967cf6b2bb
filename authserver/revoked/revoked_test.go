package revoked

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	server   = "/usr/bin/redis-server"
	issuer   = "https://auth.example.com"
	patience = 20 * time.Second
)

// startRedis runs a Redis of the test's own.
func startRedis(t *testing.T) *redis.Client {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	_, port, _ := net.SplitHostPort(address)
	cmd := exec.Command(server, "--bind", "127.0.0.1", "--port", port, "--dir", t.TempDir(), "--save", "", "--appendonly", "no")
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: apt-get install redis-server", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	client := redis.NewClient(&redis.Options{Addr: address, MaxRetries: -1, DialTimeout: time.Second})
	t.Cleanup(func() { _ = client.Close() })
	eventually(t, func() error { return client.Ping(t.Context()).Err() })
	return client
}

func eventually(t *testing.T, what func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		err := what()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not in time: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// ledger is a store of revocations.
type ledger struct {
	mu      sync.Mutex
	entries []Entry
	err     error
}

func (l *ledger) revoke(ids ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		l.entries = append(l.entries, Entry{Number: uint64(len(l.entries) + 1), ID: id, Until: time.Now().Add(time.Hour)})
	}
}

func (l *ledger) source(_ context.Context, after uint64, limit int) ([]Entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var some []Entry
	for _, e := range l.entries {
		if e.Number > after && len(some) < limit {
			some = append(some, e)
		}
	}
	return some, l.err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// poll is one round of Follow.
func (f *Follower) poll(t *testing.T) error {
	began := time.Now()
	err := f.catchUp(t.Context())
	f.settle(began, err)
	return err
}

// says compares what a follower says of tokens, and of one that is alive.
func (f *Follower) says(t *testing.T, revoked ...string) {
	t.Helper()
	for _, id := range revoked {
		if yes, err := f.Revoked(id); !yes || err != nil {
			t.Errorf("%s: revoked %v, %v", id, yes, err)
		}
	}
	if yes, err := f.Revoked("alive"); yes || err != nil {
		t.Errorf("a living token: revoked %v, %v", yes, err)
	}
}

// cannotSay demands ErrSilent, and still a no for what was heard.
func (f *Follower) cannotSay(t *testing.T, known ...string) {
	t.Helper()
	if yes, err := f.Revoked("alive"); yes || !errors.Is(err, ErrSilent) {
		t.Errorf("a living token: revoked %v, %v", yes, err)
	}
	if err := f.Ready(); !errors.Is(err, ErrSilent) {
		t.Errorf("ready: %v", err)
	}
	for _, id := range known {
		if yes, err := f.Revoked(id); !yes || err != nil {
			t.Errorf("%s: revoked %v, %v", id, yes, err)
		}
	}
}

func TestFollowing(t *testing.T) {
	client := startRedis(t)
	var store ledger
	store.revoke("before")
	f := NewFollower(client, issuer)
	f.cannotSay(t)
	if err := f.poll(t); !errors.Is(err, errIncomplete) {
		t.Errorf("an empty Redis: %v", err)
	}
	f.cannotSay(t)

	p := NewPublisher(client, issuer)
	must(t, p.Publish(t.Context(), store.source))
	must(t, f.poll(t))
	f.says(t, "before")
	must(t, f.Ready())

	store.revoke("one", "two")
	must(t, p.Publish(t.Context(), store.source))
	must(t, p.Publish(t.Context(), store.source))
	must(t, f.poll(t))
	f.says(t, "before", "one", "two")
	if _, err := f.Revoked(""); !errors.Is(err, ErrNoID) {
		t.Errorf("a token without jti: %v", err)
	}
	late := NewFollower(client, issuer)
	must(t, late.poll(t))
	late.says(t, "before", "one", "two")
	if err := NewFollower(client, issuer+"/other").poll(t); !errors.Is(err, errIncomplete) {
		t.Errorf("another issuer: %v", err)
	}
}

// Whatever Redis loses or forgets comes back, and until then nobody who cannot
// know says that a token is alive.
func TestRedisLoses(t *testing.T) {
	for name, lose := range map[string]func(t *testing.T, c *redis.Client, k keys){
		"everything": func(t *testing.T, c *redis.Client, _ keys) { must(t, c.FlushAll(t.Context()).Err()) },
		"the set":    func(t *testing.T, c *redis.Client, k keys) { must(t, c.Del(t.Context(), k.set).Err()) },
		"the epoch": func(t *testing.T, c *redis.Client, k keys) {
			must(t, c.ZRemRangeByScore(t.Context(), k.set, "0", "0").Err())
		},
		"an entry at the end": func(t *testing.T, c *redis.Client, k keys) {
			must(t, c.ZRemRangeByRank(t.Context(), k.set, -1, -1).Err())
		},
		"the word that all is there": func(t *testing.T, c *redis.Client, k keys) { must(t, c.Del(t.Context(), k.vouch).Err()) },
		"its senses": func(t *testing.T, c *redis.Client, k keys) {
			must(t, c.Set(t.Context(), k.vouch, "nonsense", 0).Err())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := startRedis(t)
			var store ledger
			store.revoke("one", "two")
			p, f := NewPublisher(client, issuer), NewFollower(client, issuer)
			must(t, p.Publish(t.Context(), store.source))
			must(t, f.poll(t))

			lose(t, client, p.keys)
			fresh := NewFollower(client, issuer)
			if err := fresh.poll(t); !errors.Is(err, errIncomplete) {
				t.Errorf("a follower that begins now: %v", err)
			}
			fresh.cannotSay(t)
			f.says(t, "one", "two") // it heard a moment ago, and forgets nothing

			store.revoke("three")
			must(t, p.Publish(t.Context(), store.source))
			for _, follower := range []*Follower{f, fresh} {
				must(t, follower.poll(t))
				follower.says(t, "one", "two", "three")
			}
		})
	}
}

// A Redis that is as it was a while ago is noticed on both sides.
func TestRedisFallsBack(t *testing.T) {
	client := startRedis(t)
	var store ledger
	store.revoke("one")
	p, f := NewPublisher(client, issuer), NewFollower(client, issuer)
	must(t, p.Publish(t.Context(), store.source))
	set, err := client.Dump(t.Context(), p.keys.set).Result()
	must(t, err)
	vouch, err := client.Get(t.Context(), p.keys.vouch).Result()
	must(t, err)

	store.revoke("two")
	must(t, p.Publish(t.Context(), store.source))
	must(t, f.poll(t))
	must(t, client.RestoreReplace(t.Context(), p.keys.set, 0, set).Err())
	must(t, client.Set(t.Context(), p.keys.vouch, vouch, time.Minute).Err())
	must(t, f.poll(t))
	f.says(t, "one", "two")

	must(t, p.Publish(t.Context(), store.source))
	fresh := NewFollower(client, issuer)
	must(t, fresh.poll(t))
	fresh.says(t, "one", "two")
	store.revoke("three")
	must(t, p.Publish(t.Context(), store.source))
	must(t, f.poll(t))
	f.says(t, "one", "two", "three")
}

// Two processes with one store leave each other's copy alone once both began.
func TestSeveralPublishers(t *testing.T) {
	client := startRedis(t)
	var store ledger
	one, two := NewPublisher(client, issuer), NewPublisher(client, issuer)
	f := NewFollower(client, issuer)
	must(t, one.Publish(t.Context(), store.source))
	must(t, two.Publish(t.Context(), store.source))
	epoch := client.ZRange(t.Context(), one.keys.set, 0, 0).Val()
	for i := range 6 {
		store.revoke(fmt.Sprint("token ", i))
		must(t, []*Publisher{one, two}[i%2].Publish(t.Context(), store.source))
		must(t, f.poll(t))
		f.says(t, fmt.Sprint("token ", i))
	}
	if now := client.ZRange(t.Context(), one.keys.set, 0, 0).Val(); !slices.Equal(now, epoch) {
		t.Errorf("written anew: epoch %v became %v", epoch, now)
	}
}

// More than one reading or writing can carry.
func TestManyAtOnce(t *testing.T) {
	client := startRedis(t)
	var store ledger
	for i := range 2*batch + 7 {
		store.revoke(fmt.Sprint(i))
	}
	p, f := NewPublisher(client, issuer), NewFollower(client, issuer)
	must(t, p.Publish(t.Context(), store.source))
	must(t, f.poll(t))
	f.says(t, "0", fmt.Sprint(batch), fmt.Sprint(2*batch+6))
	if names := client.Keys(t.Context(), "*").Val(); len(names) != 2 || client.TTL(t.Context(), p.keys.set).Val() != -1 {
		t.Errorf("keys %q", names)
	}
}

func TestWhatIsOverIsForgotten(t *testing.T) {
	client := startRedis(t)
	store := ledger{entries: []Entry{{Number: 1, ID: "over", Until: time.Now().Add(-time.Second)}, {Number: 2, ID: "live", Until: time.Now().Add(time.Hour)}}}
	p, f := NewPublisher(client, issuer), NewFollower(client, issuer)
	must(t, p.Publish(t.Context(), store.source))
	must(t, f.poll(t))
	f.says(t, "live")
	if len(f.known) != 1 {
		t.Errorf("known %v", f.known)
	}
	store.entries = store.entries[1:]
	p.renewed = time.Now().Add(-2 * renewal)
	must(t, p.Publish(t.Context(), store.source))
	if n := client.ZCard(t.Context(), p.keys.set).Val(); n != 2 {
		t.Errorf("%d members, want the epoch and one entry", n)
	}
	must(t, f.poll(t))
	f.says(t, "live")
}

func TestFailures(t *testing.T) {
	client := startRedis(t)
	store := ledger{err: errors.New("the disk is gone")}
	p, f := NewPublisher(client, issuer), NewFollower(client, issuer)
	if err := p.Publish(t.Context(), store.source); err == nil || !strings.Contains(err.Error(), "the disk is gone") {
		t.Errorf("a store that fails: %v", err)
	}
	if err := f.poll(t); !errors.Is(err, errIncomplete) {
		t.Errorf("vouched for without a store: %v", err)
	}
	store.err = nil
	must(t, p.Publish(t.Context(), store.source))
	must(t, client.ZAdd(t.Context(), p.keys.set, redis.Z{Score: 9, Member: "garbage"}).Err())
	if err := f.poll(t); err == nil {
		t.Error("garbage is passed over")
	}
	f.cannotSay(t)
}

// The whole of it as it runs: what Follow hears in time, and that it falls
// silent, not permissive, when Redis is gone.
func TestFollowFallsSilent(t *testing.T) {
	client := startRedis(t)
	var store ledger
	p, f := NewPublisher(client, issuer), NewFollower(client, issuer)
	must(t, p.Publish(t.Context(), store.source))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Follow(ctx)
	}()
	eventually(t, f.Ready)
	store.revoke("one")
	must(t, p.Publish(t.Context(), store.source))
	eventually(t, func() error {
		if yes, err := f.Revoked("one"); !yes {
			return fmt.Errorf("not heard: %w", errors.Join(err, errIncomplete))
		}
		return nil
	})
	_ = client.ShutdownNoSave(t.Context())
	eventually(t, func() error {
		if err := f.Ready(); !errors.Is(err, ErrSilent) {
			return fmt.Errorf("ready: %v", err)
		}
		return nil
	})
	f.cannotSay(t, "one")
	if err := p.Publish(t.Context(), store.source); err == nil {
		t.Error("published to nobody")
	}
	cancel()
	<-done
}
