package replay

import (
	"context"
	"errors"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const server = "/usr/bin/redis-server"

// startRedis runs a Redis of the test's own and returns its address and a way to end it early.
func startRedis(t *testing.T) (address string, stop func()) {
	t.Helper()
	if _, err := exec.LookPath(server); err != nil {
		t.Fatalf("%s is missing: apt-get install redis-server", server)
	}
	_, port, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(server, "--bind", "127.0.0.1", "--port", port, "--dir", t.TempDir(), "--save", "", "--appendonly", "no")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	t.Cleanup(stop)
	address = "127.0.0.1:" + port
	client := redis.NewClient(&redis.Options{Addr: address})
	defer client.Close()
	for range 200 {
		if client.Ping(t.Context()).Err() == nil {
			return address, stop
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("redis-server does not answer at %s", address)
	return "", nil
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func open(t *testing.T, address string, timeout time.Duration) (*Redis, *redis.Client) {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: address})
	t.Cleanup(func() { _ = client.Close() })
	return NewRedis(client, "replay:", timeout), client
}

func TestRedis(t *testing.T) {
	address, stop := startRedis(t)
	one, client := open(t, address, 5*time.Second)
	two, _ := open(t, address, 5*time.Second)
	suite(t, one)
	born, err := one.Born(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	t.Run("used at one replica, refused at the other", func(t *testing.T) {
		now := time.Now()
		if first, err := one.Use(t.Context(), keyOf("shared"), born, now, now.Add(time.Minute)); !first || err != nil {
			t.Fatalf("%v, %v", first, err)
		}
		if first, err := two.Use(t.Context(), keyOf("shared"), born, now, now.Add(time.Minute)); first || err != nil {
			t.Errorf("%v, %v", first, err)
		}
	})
	t.Run("only prefixed keys, each with the life asked for", func(t *testing.T) {
		now := time.Now()
		if _, err := one.Use(t.Context(), keyOf("life"), born, now, now.Add(90*time.Second+time.Microsecond)); err != nil {
			t.Fatal(err)
		}
		for _, name := range client.Keys(t.Context(), "*").Val() {
			life := client.PTTL(t.Context(), name).Val()
			if name == one.marker() {
				continue
			}
			if !strings.HasPrefix(name, "replay:") || life <= 0 || life > 90*time.Second+time.Millisecond {
				t.Errorf("%s lives %v", name, life)
			}
		}
	})
	t.Run("a life under a millisecond is rounded up", func(t *testing.T) {
		now := time.Now()
		if first, err := one.Use(t.Context(), keyOf("short"), born, now, now.Add(time.Nanosecond)); !first || err != nil {
			t.Errorf("%v, %v", first, err)
		}
	})
	t.Run("a memory that was lost is noticed by all", func(t *testing.T) {
		if _, err := two.Born(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := client.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		for _, m := range []*Redis{one, two} {
			if first, err := m.Use(t.Context(), keyOf("shared"), born, now, now.Add(time.Minute)); first || !errors.Is(err, ErrForgot) {
				t.Errorf("%v, %v", first, err)
			}
		}
		anew, err := one.Born(t.Context())
		if other, _ := two.Born(t.Context()); err != nil || !anew.After(born) || !other.Equal(anew) {
			t.Fatalf("born %v and %v, %v", anew, other, err)
		}
		if first, err := two.Use(t.Context(), keyOf("fresh"), anew, now, now.Add(time.Minute)); !first || err != nil {
			t.Errorf("%v, %v", first, err)
		}
		born = anew
	})
	t.Run("one that may evict is refused", func(t *testing.T) {
		for key, value := range map[string]string{"maxmemory": "100mb", "maxmemory-policy": "volatile-ttl"} {
			if err := client.ConfigSet(t.Context(), key, value).Err(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := NewRedis(client, "other:", time.Second).Born(t.Context()); err == nil || !strings.Contains(err.Error(), "noeviction") {
			t.Errorf("%v", err)
		}
		if err := client.ConfigSet(t.Context(), "maxmemory-policy", "noeviction").Err(); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("an answer that is an error is no pass", func(t *testing.T) {
		if err := client.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		if first, err := one.Use(t.Context(), keyOf("oom"), born, now, now.Add(time.Minute)); first || err == nil {
			t.Errorf("%v, %v", first, err)
		}
	})
	t.Run("gone", func(t *testing.T) {
		stop()
		now := time.Now()
		if first, err := one.Use(t.Context(), keyOf("gone"), born, now, now.Add(time.Minute)); first || err == nil {
			t.Errorf("%v, %v", first, err)
		}
	})
}

// A server that takes connections and never answers holds a call for the
// memory's timeout, not for the client's own.
func TestHungRedis(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(io.Discard, conn) }()
		}
	}()
	client := redis.NewClient(&redis.Options{Addr: l.Addr().String(), ReadTimeout: time.Hour, WriteTimeout: time.Hour})
	defer client.Close()
	now := time.Now()
	first, err := NewRedis(client, "replay:", 20*time.Millisecond).Use(t.Context(), keyOf("hung"), time.Unix(1, 0), now, now.Add(time.Minute))
	if first || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, %v", first, err)
	}
}
