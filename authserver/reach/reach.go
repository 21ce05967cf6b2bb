// Package reach says which addresses this server may call when somebody else
// named the host. Its law: the address decides, at the dial, after names are
// resolved.
package reach

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// ErrForbidden says that an address is not one that may be called.
var ErrForbidden = errors.New("not an address that may be called")

// Control is what a net.Dialer asks before it connects.
type Control = func(network, address string, c syscall.RawConn) error

// special are the IPv4 blocks, and the IPv6 blocks inside global unicast, that
// are no public host (IANA special-purpose registries, RFC 6890).
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24",
	"192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
	"224.0.0.0/4", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
)

// globalUnicast is all of IPv6 that is handed out; loopback, link-local,
// unique local, multicast, NAT64 and mapped addresses lie outside.
var globalUnicast = netip.MustParsePrefix("2000::/3")

func prefixes(list ...string) []netip.Prefix {
	p := make([]netip.Prefix, len(list))
	for i, s := range list {
		p[i] = netip.MustParsePrefix(s)
	}
	return p
}

// Public says whether an address can be a public host's.
func Public(a netip.Addr) bool {
	a = a.Unmap()
	if a.Zone() != "" || (a.Is6() && !globalUnicast.Contains(a)) {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return a.IsValid()
}

// Only refuses a connection by its address: after names are resolved, so
// that no name and no second answer of a resolver leads inside.
func Only(allowed func(netip.Addr) bool) Control {
	return func(network, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("%w: address %q", ErrForbidden, address)
		}
		if !allowed(ap.Addr()) {
			return fmt.Errorf("%w: %s", ErrForbidden, ap.Addr())
		}
		return nil
	}
}
