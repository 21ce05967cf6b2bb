package wire

import (
	"net"
	"net/netip"
	"slices"
	"sync"
)

// Seats are how many connections may be open at a time. One too many is closed
// at once, so that those who are in go on undisturbed.
type Seats struct {
	Most int                 // of all together
	Each int                 // of one address; of an IPv6 /64, which is what one host gets
	Free []netip.Prefix      // whose connections are bounded by Most alone: proxies
	Full func(peer net.Addr) // told of each that is closed; may be nil
}

// Listener returns ln with its connections bounded.
func (s Seats) Listener(ln net.Listener) net.Listener {
	return &seats{Listener: ln, Seats: s, taken: map[netip.Prefix]int{}}
}

type seats struct {
	net.Listener
	Seats

	mu    sync.Mutex
	all   int
	taken map[netip.Prefix]int
}

func (s *seats) Accept() (net.Conn, error) {
	for {
		c, err := s.Listener.Accept()
		if err != nil {
			return nil, err
		}
		host, counted := s.host(c.RemoteAddr())
		if s.take(host, counted) {
			return &seat{Conn: c, leave: sync.OnceFunc(func() { s.leave(host, counted) })}, nil
		}
		_ = c.Close()
		if s.Full != nil {
			s.Full(c.RemoteAddr())
		}
	}
}

// host is what a peer is counted as, unless it is free or has no address.
func (s *seats) host(peer net.Addr) (host netip.Prefix, counted bool) {
	tcp, ok := peer.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}, false
	}
	a := tcp.AddrPort().Addr().Unmap().WithZone("")
	if slices.ContainsFunc(s.Free, func(n netip.Prefix) bool { return n.Contains(a) }) {
		return netip.Prefix{}, false
	}
	bits := 32
	if a.Is6() {
		bits = 64
	}
	host, err := a.Prefix(bits)
	return host, err == nil
}

func (s *seats) take(host netip.Prefix, counted bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= s.Most || counted && s.taken[host] >= s.Each {
		return false
	}
	s.all++
	if counted {
		s.taken[host]++
	}
	return true
}

func (s *seats) leave(host netip.Prefix, counted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if !counted {
		return
	}
	if s.taken[host]--; s.taken[host] == 0 {
		delete(s.taken, host)
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
