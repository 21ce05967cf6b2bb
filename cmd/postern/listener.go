package main

import (
	"errors"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/postern-mcp/postern/proxy/wire"
)

// seldom logs what comes in floods: at most one line in ten seconds, which says
// how many there would have been more.
type seldom struct {
	log *slog.Logger

	mu      sync.Mutex
	last    time.Time
	skipped int
}

const seldomEvery = 10 * time.Second

func (s *seldom) warn(message string, fields ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); now.Sub(s.last) >= seldomEvery {
		s.log.Warn(message, append(fields, "more_before", s.skipped)...)
		s.last, s.skipped = now, 0
		return
	}
	s.skipped++
}

// heard says in the log when no connection can be accepted, which net/http
// and package handshake try again in silence.
type heard struct {
	net.Listener
	seldom *seldom
}

func (h *heard) Accept() (net.Conn, error) {
	c, err := h.Listener.Accept()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		h.seldom.warn("connections.not_accepted", "address", h.Addr().String(), "cause", err.Error())
	}
	return c, err
}

// framed guards a listener of plain HTTP/1, as the public port of the proxy is.
func framed(ln net.Listener, log *slog.Logger) net.Listener { return guardOf(log).Listener(ln) }

func guardOf(log *slog.Logger) wire.Guard {
	refused := &seldom{log: log}
	return wire.Guard{MaxHeader: maxHeader, Refused: func(peer net.Addr, reason string) {
		refused.warn("framing.refused", "peer", peer.String(), "reason", reason)
	}}
}

// withinFiles keeps half of the files that this process may open for what is
// no connection of a caller.
func withinFiles(s wire.Seats, log *slog.Logger) wire.Seats {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return s
	}
	return bounded(s, files.Cur, log)
}

func bounded(s wire.Seats, files uint64, log *slog.Logger) wire.Seats {
	if uint64(s.Most) <= files/2 {
		return s
	}
	log.Warn("fewer connections are taken than limits say: raise the number of open files (ulimit -n, LimitNOFILE)",
		"connections", s.Most, "taken", files/2, "files", files)
	s.Most = max(int(files/2), 1)
	s.Each = min(s.Each, max(s.Most/2, 1))
	return s
}
