package config

import (
	"errors"
	"net/netip"
)

// Network is a range of addresses in CIDR form.
type Network struct{ netip.Prefix }

// UnmarshalText takes a range that says what it means: host bits zero, IPv4
// written as IPv4, and not everybody.
func (n *Network) UnmarshalText(text []byte) error {
	p, err := netip.ParsePrefix(string(text))
	if err != nil {
		return errors.New("must be a network in CIDR form, such as 10.0.0.0/8 or fd00::/8; one address is 192.0.2.1/32")
	}
	if p.Addr().Is4In6() {
		return errors.New("must be written as the IPv4 network it is")
	}
	if p != p.Masked() {
		return errors.New("has bits set beyond its length: write " + p.Masked().String() + " if that is meant")
	}
	if p.Bits() == 0 {
		return errors.New("would be everybody: name the networks that are meant")
	}
	n.Prefix = p
	return nil
}

// Networks are the trusted proxies' ranges.
func (a *AuthServer) Networks() []netip.Prefix {
	return prefixes(a.TrustedProxies)
}
