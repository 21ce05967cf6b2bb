package risk

import (
	"math"
	"net/netip"
	"time"
)

// Place is where some networks are.
type Place struct {
	Name                string
	Networks            []netip.Prefix
	Latitude, Longitude float64 // degrees
}

// Denies says whether nobody may sign in from an address. It is the one rule
// that needs to know nobody, so it can be asked before anything is proven.
func (r Rules) Denies(a netip.Addr) bool {
	a = bare(a)
	if !a.IsValid() {
		return len(r.Deny) > 0 || len(r.Allow) > 0
	}
	return contains(r.Deny, a) || len(r.Allow) > 0 && !contains(r.Allow, a)
}

func contains(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// bare is the address alone: an IPv4 address in IPv6 clothes is that address.
func bare(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// Network is what an address is compared by: its first bits, such as
// 203.0.113.0/24; "unknown" for the zero address.
func (r Rules) Network(a netip.Addr) string {
	a = bare(a)
	bits := r.V6Bits
	if a.Is4() {
		bits = r.V4Bits
	}
	p, err := a.Prefix(bits)
	if err != nil || !p.IsValid() {
		return "unknown"
	}
	return p.String()
}

// place is the one with the narrowest network around an address.
func (r Rules) place(a netip.Addr) (found Place, ok bool) {
	a = bare(a)
	bits := 0
	for _, p := range r.Places {
		for _, n := range p.Networks {
			if n.Contains(a) && n.Bits() > bits {
				found, ok, bits = p, true, n.Bits()
			}
		}
	}
	return found, ok
}

// near is a distance in km that says nothing: places are not that exact.
const near = 100

// tooFar compares with the last sign-in before this one whose place is known.
func (r Rules) tooFar(a Attempt, signIns []Event) bool {
	here, ok := r.place(a.Address)
	if !ok {
		return false
	}
	var last time.Time
	var there Place
	for _, e := range signIns {
		if p, ok := r.place(e.Address); ok && !e.At.After(a.At) && e.At.After(last) {
			there, last = p, e.At
		}
	}
	if last.IsZero() {
		return false
	}
	km := distance(here, there)
	return km > near && km > r.Speed*a.At.Sub(last).Hours()
}

const earthRadius = 6371 // km

// distance is that of the great circle, in km (haversine formula).
func distance(a, b Place) float64 {
	const degree = math.Pi / 180
	lat, long := (b.Latitude-a.Latitude)*degree, (b.Longitude-a.Longitude)*degree
	h := square(math.Sin(lat/2)) + math.Cos(a.Latitude*degree)*math.Cos(b.Latitude*degree)*square(math.Sin(long/2))
	return 2 * earthRadius * math.Asin(math.Sqrt(min(h, 1)))
}

func square(x float64) float64 { return x * x }
