package wire

import (
	"net"
	"net/netip"
	"slices"
	"testing"
)

// door lets in whoever waits, from whatever address they say.
type door struct {
	net.Listener
	waiting []*visitor
}

func (d *door) Accept() (net.Conn, error) {
	if len(d.waiting) == 0 {
		return nil, net.ErrClosed
	}
	v := d.waiting[0]
	d.waiting = d.waiting[1:]
	v.closed = false
	return v, nil
}

type visitor struct {
	net.Conn
	from   net.Addr
	closed bool
}

func (v *visitor) RemoteAddr() net.Addr { return v.from }
func (v *visitor) Close() error         { v.closed = true; return nil }

func from(address string) *visitor {
	return &visitor{from: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address))}
}

func TestSeatsAreShared(t *testing.T) {
	for _, row := range []struct {
		name string
		from []*visitor
		in   []bool
	}{
		{"one address has its share", []*visitor{from("192.0.2.1:1"), from("192.0.2.1:2"), from("192.0.2.1:3"), from("192.0.2.2:1")}, []bool{true, true, false, true}},
		{"in other clothes", []*visitor{from("192.0.2.1:1"), from("[::ffff:192.0.2.1]:2"), from("192.0.2.1:3")}, []bool{true, true, false}},
		{"one network of IPv6", []*visitor{from("[2001:db8::1]:1"), from("[2001:db8::2]:1"), from("[2001:db8::3]:1"), from("[2001:db8:0:1::1]:1")}, []bool{true, true, false, true}},
		{"proxies share all", []*visitor{from("10.0.0.1:1"), from("10.0.0.1:2"), from("10.0.0.1:3"), from("10.0.0.1:4"), from("10.0.0.1:5")}, []bool{true, true, true, true, false}},
		{"no address", []*visitor{{from: &net.UnixAddr{}}, {from: &net.UnixAddr{}}, {from: &net.UnixAddr{}}}, []bool{true, true, true}},
		{"all are taken", []*visitor{from("192.0.2.1:1"), from("192.0.2.2:1"), from("192.0.2.3:1"), from("192.0.2.4:1"), from("192.0.2.5:1")}, []bool{true, true, true, true, false}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var turned []net.Addr
			d := &door{}
			ln := Seats{Most: 4, Each: 2, Free: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Full: func(a net.Addr) { turned = append(turned, a) }}.Listener(d)
			for range 2 { // seats that were left are there again
				d.waiting = row.from
				open := acceptAll(ln)
				for i, v := range row.from {
					if v.closed == row.in[i] {
						t.Errorf("%d from %v: in: %v", i, v.from, !v.closed)
					}
				}
				for _, c := range slices.Concat(open, open) { // closing twice leaves once
					_ = c.Close()
				}
			}
			if want := 2 * (len(row.in) - count(row.in)); len(turned) != want {
				t.Errorf("told of %v", turned)
			}
			if s := ln.(*seats); s.all != 0 || len(s.taken) != 0 {
				t.Errorf("%d and %v are taken by nobody", s.all, s.taken)
			}
		})
	}
}

func count(in []bool) (n int) {
	for _, yes := range in {
		if yes {
			n++
		}
	}
	return n
}

func acceptAll(ln net.Listener) (open []net.Conn) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return open
		}
		open = append(open, c)
	}
}
