package authserver

import (
	"net/http"
	"net/netip"
	"strings"
)

// proxies are the networks whose word about an address counts: X-Forwarded-For
// is whatever the sender of a request writes, so only a trusted sender's is read.
type proxies []netip.Prefix

// caller is who sent a request: the peer of the connection or, when that is a
// trusted proxy, the nearest address before it that is none. Anything in the
// way that is no address ends the search at the peer. The zero address means
// that not even the peer has one.
func (p proxies) caller(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	from := bare(peer.Addr())
	if !p.contains(from) {
		return from
	}
	// RFC 9110 §5.3: several lines are one list. Every proxy appends on the right.
	list := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(list) - 1; i >= 0; i-- {
		a, ok := forwarded(strings.TrimSpace(list[i]))
		if !ok {
			return from
		}
		if !p.contains(a) {
			return a
		}
	}
	return from
}

func (p proxies) contains(a netip.Addr) bool {
	for _, network := range p {
		if network.Contains(a) {
			return true
		}
	}
	return false
}

// forwarded reads one element: an address, which some proxies give with a port.
func forwarded(element string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(element); err == nil {
		return bare(a), a.Zone() == ""
	}
	ap, err := netip.ParseAddrPort(element)
	return bare(ap.Addr()), err == nil && ap.Addr().Zone() == ""
}

// bare is the address alone: an IPv4 address in IPv6 clothes is that address.
func bare(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// address names the caller in the log.
func (s *Server) address(r *http.Request) string {
	if a := proxies(s.config.TrustedProxies).caller(r); a.IsValid() {
		return a.String()
	}
	return "unknown"
}

// network is what the caller is counted as: an address, for IPv6 its /64, which
// is what one host gets.
func (s *Server) network(r *http.Request) string {
	a := proxies(s.config.TrustedProxies).caller(r)
	if !a.Is6() {
		return s.address(r)
	}
	p, err := a.Prefix(64)
	if err != nil {
		return "unknown" // unreachable: 64 is a valid length for IPv6
	}
	return p.String()
}

const widths = 2

// networksAround are the networks around what network counts a caller as, the
// nearer first: what a site gets, and what a provider has. None for anything else.
func networksAround(key string) (around []string) {
	p, err := netip.ParsePrefix(key)
	if a, failed := netip.ParseAddr(key); failed == nil {
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	if err != nil {
		return nil
	}
	bits := [widths]int{24, 16}
	if p.Addr().Is6() {
		bits = [widths]int{48, 32}
	}
	for _, n := range bits {
		around = append(around, netip.PrefixFrom(p.Addr(), n).Masked().String())
	}
	return around
}

func checkProxies(list []netip.Prefix) error {
	for _, p := range list {
		if !p.IsValid() || p != p.Masked() || p.Bits() == 0 || p.Addr().Is4In6() {
			return demand(false, "TrustedProxies: "+p.String()+" must be a network, its host bits zero, and not everybody's")
		}
	}
	return nil
}
