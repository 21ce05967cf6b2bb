// Package redistest runs a real Redis for tests.
package redistest

import (
	"net"
	"os/exec"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const patience = 10 * time.Second

// Server is a Redis on a port of its own, without persistence.
type Server struct {
	Address string
	folder  string
	running *exec.Cmd
}

// Start runs a server until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Address: ln.Addr().String(), folder: t.TempDir()}
	_ = ln.Close() // nothing was sent
	s.Restart(t)
	t.Cleanup(func() { s.Stop(t) })
	return s
}

// Restart runs a server that was stopped, which knows nothing any more.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	_, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		t.Fatal(err)
	}
	s.running = exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", s.folder, "--save", "", "--appendonly", "no")
	if err := s.running.Start(); err != nil {
		t.Fatal("redis-server is missing: install the Debian package redis-server: ", err)
	}
	client := s.Client()
	defer client.Close()
	for until := time.Now().Add(patience); client.Ping(t.Context()).Err() != nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("redis-server does not answer")
		}
	}
}

// Stop ends the server, if it runs.
func (s *Server) Stop(testing.TB) {
	if s.running != nil {
		_ = s.running.Process.Kill()
		_ = s.running.Wait() // killed
		s.running = nil
	}
}

// Client is one that gives up at once. The caller closes it.
func (s *Server) Client() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: s.Address, MaxRetries: -1, DialerRetries: 1})
}
