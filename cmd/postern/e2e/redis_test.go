package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
)

// redisServer is a real one on a port of its own, without persistence.
type redisServer struct {
	*process
	port int
	dir  string
}

func newRedis(t *testing.T) *redisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal("redis-server is missing: install the Debian package redis-server")
	}
	r := &redisServer{port: freePort(t), dir: t.TempDir()}
	r.start(t)
	return r
}

func (r *redisServer) start(t *testing.T) {
	t.Helper()
	r.process = start(t, "redis-server", "--port", strconv.Itoa(r.port), "--bind", "127.0.0.1",
		"--dir", r.dir, "--save", "", "--appendonly", "no")
	eventually(t, func() error {
		conn, err := net.Dial("tcp", loopback(r.port))
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

func (r *redisServer) stop(t *testing.T) {
	t.Helper()
	r.signal(syscall.SIGTERM)
	r.exit(t)
}

func (r *redisServer) url() string { return "redis://" + loopback(r.port) + "/0" }

// replicas are two proxies with one public URL, one secret and one Redis.
type replicas struct {
	redis  *redisServer
	issuer *issuer
	first  *sidecar
	second *sidecar
	key    signer
}

func newReplicas(t *testing.T, handler http.HandlerFunc) *replicas {
	t.Helper()
	up := newUpstream(t, handler)
	r := &replicas{redis: newRedis(t), issuer: newIssuer(t), key: newSigner(t)}
	s := settings{
		issuer: r.issuer.url, upstream: up.url, redis: r.redis.url(),
		publicURL: "http://" + loopback(freePort(t)), // of the load balancer in front of both
		secret:    newSecret(t, t.TempDir()),
	}
	r.first, r.second = startProxy(t, s), startProxy(t, s)
	return r
}

// caller of one of the two, with a token good at both.
func (r *replicas) caller(at *sidecar) *caller {
	token := r.issuer.token("ada", at.resource, "use", &r.key)
	return &caller{url: at.resource, address: at.address, token: token, key: &r.key}
}

func echo(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, `{"jsonrpc":"2.0","id":7,"result":{"resultType":"complete","content":[{"type":"text","text":"done"}]}}`)
}

func TestProofIsGoodForOneReplica(t *testing.T) {
	r := newReplicas(t, echo)
	first := r.caller(r.first)
	first.send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
	second := *first
	second.address = r.second.address

	call := modernCall("echo", `{"n":1}`)
	proof := first.proof(call.method)
	read(t, first.present(t, call, proof)).expect(t, http.StatusOK)
	for name, at := range map[string]*caller{"the other replica": &second, "the same replica": first} {
		got := read(t, at.present(t, call, proof)).expect(t, http.StatusUnauthorized)
		if c := challenges(t, got.header); c["DPoP"]["error"] != "invalid_dpop_proof" {
			t.Errorf("at %s: challenges %v, want invalid_dpop_proof", name, c)
		}
	}
	second.send(t, call).expect(t, http.StatusOK)
}

// TestSessionIsGoodAtEveryReplica: whose it is can be told without shared memory.
func TestSessionIsGoodAtEveryReplica(t *testing.T) {
	r := newReplicas(t, sessions)
	first := r.caller(r.first)
	first.session = first.send(t, initialize()).expect(t, http.StatusOK).header.Get("Mcp-Session-Id")
	second := *first
	second.address = r.second.address
	second.send(t, legacyCall("echo", `{}`)).expect(t, http.StatusOK)
	second.token = r.issuer.token("eve", r.second.resource, "use", &r.key)
	second.send(t, legacyCall("echo", `{}`)).expect(t, http.StatusNotFound)
}

func TestConcurrentUsesOfOneProofLetOnePass(t *testing.T) {
	r := newReplicas(t, echo)
	first := r.caller(r.first)
	first.send(t, modernCall("echo", `{}`)).expect(t, http.StatusOK)
	second := *first
	second.address = r.second.address

	const rounds, uses = 5, 8
	for range rounds {
		call := modernCall("echo", `{}`)
		proof := first.proof(call.method)
		statuses := make([]int, uses)
		var uses sync.WaitGroup
		for i := range statuses {
			at := []*caller{first, &second}[i%2]
			uses.Go(func() { statuses[i] = statusOf(at, call, proof) })
		}
		uses.Wait()
		if passed := count(statuses, http.StatusOK); passed != 1 || count(statuses, http.StatusUnauthorized) != len(statuses)-1 {
			t.Fatalf("statuses %v, want one 200 and 401 otherwise", statuses)
		}
	}
}

func statusOf(c *caller, m message, proof string) int {
	resp, err := c.attempt(m, proof)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

func count(statuses []int, status int) (n int) {
	for _, s := range statuses {
		if s == status {
			n++
		}
	}
	return n
}

func TestRedisAwayRefusesAndRecovers(t *testing.T) {
	r := newReplicas(t, echo)
	c := r.caller(r.first)
	call := modernCall("echo", `{}`)
	c.send(t, call).expect(t, http.StatusOK)
	used := c.proof(call.method)
	read(t, c.present(t, call, used)).expect(t, http.StatusOK)

	r.redis.stop(t)
	for range 5 {
		got := c.send(t, call).expect(t, http.StatusServiceUnavailable)
		if got.header.Get("Retry-After") == "" {
			t.Fatalf("503 without Retry-After: %v", got.header)
		}
	}
	read(t, c.present(t, call, used)).expect(t, http.StatusServiceUnavailable)

	r.redis.start(t)
	eventually(t, func() error {
		resp := c.open(t, call) // learns the nonce of the new memory
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("status %d", resp.StatusCode)
		}
		return nil
	})
	// The new Redis knows nothing of it; its nonce is of the memory that was lost.
	read(t, c.present(t, call, used)).expect(t, http.StatusUnauthorized)
}
