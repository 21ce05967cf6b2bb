package wire

import (
	"net"
	"sync"
)

// Seats bounds how many connections of ln are open at a time. One too many is
// closed at once, so that those who are in go on undisturbed; full, which may
// be nil, is told of it.
func Seats(ln net.Listener, most int, full func(peer net.Addr)) net.Listener {
	return &seats{Listener: ln, taken: make(chan struct{}, most), full: full}
}

type seats struct {
	net.Listener
	taken chan struct{}
	full  func(net.Addr)
}

func (s *seats) Accept() (net.Conn, error) {
	for {
		c, err := s.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case s.taken <- struct{}{}:
			return &seat{Conn: c, leave: sync.OnceFunc(func() { <-s.taken })}, nil
		default:
			_ = c.Close()
		}
		if s.full != nil {
			s.full(c.RemoteAddr())
		}
	}
}

type seat struct {
	net.Conn
	leave func()
}

func (s *seat) Close() error {
	defer s.leave()
	return s.Conn.Close()
}

// CloseWrite shuts the sending side, as net/http does before it closes.
func (s *seat) CloseWrite() error { return closeWrite(s.Conn) }
