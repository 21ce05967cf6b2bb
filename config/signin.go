package config

import (
	"net/netip"
	"time"

	"github.com/postern-mcp/postern/authserver/risk"
	"github.com/postern-mcp/postern/policy/rate"
)

// SignIn says how sign-ins of people are judged; what is absent is as in
// risk.Defaults.
type SignIn struct {
	Deny          []Network      `yaml:"deny_networks"`  // nobody signs in from there
	Allow         []Network      `yaml:"allow_networks"` // when there are any, nobody signs in from elsewhere
	Bits          NetworkBits    `yaml:"network_bits"`
	Remember      *time.Duration `yaml:"remember"`       // how long a network and browser stay known
	WithoutFactor *string        `yaml:"without_factor"` // allow (default) or refuse whom a second factor cannot be asked of
	Weights       map[string]int `yaml:"weights"`        // points of each reason
	Thresholds    Thresholds     `yaml:"thresholds"`
	Failures      Failures       `yaml:"failures"`
	Speed         *float64       `yaml:"speed"` // km/h, above which nobody travels
	Pace          *rate.Rate     `yaml:"pace"`  // of sign-ins of one person
	Places        []Place        `yaml:"places"`
}

// NetworkBits is how much of an address is its network.
type NetworkBits struct {
	V4 *int `yaml:"ipv4"`
	V6 *int `yaml:"ipv6"`
}

// Thresholds are from how many points on what happens.
type Thresholds struct {
	StepUp *int `yaml:"step_up"`
	Refuse *int `yaml:"refuse"`
}

// Failures says how long a failed sign-in counts, and how many count.
type Failures struct {
	Within *time.Duration `yaml:"within"`
	Most   *int           `yaml:"most"`
}

// Place is where some networks are.
type Place struct {
	Name      string    `yaml:"name"`
	Networks  []Network `yaml:"networks"`
	Latitude  *float64  `yaml:"latitude"`
	Longitude *float64  `yaml:"longitude"`
}

// Rules are the defaults with everything that is configured.
func (s SignIn) Rules() risk.Rules {
	r := risk.Defaults()
	r.Deny, r.Allow = prefixes(s.Deny), prefixes(s.Allow)
	set(&r.V4Bits, s.Bits.V4)
	set(&r.V6Bits, s.Bits.V6)
	set(&r.Remember, s.Remember)
	set((*string)(&r.WithoutFactor), s.WithoutFactor)
	for reason, points := range s.Weights {
		r.Weights[risk.Reason(reason)] = points
	}
	set(&r.StepUp, s.Thresholds.StepUp)
	set(&r.Refuse, s.Thresholds.Refuse)
	set(&r.FailuresWithin, s.Failures.Within)
	set(&r.FailuresMost, s.Failures.Most)
	set(&r.Speed, s.Speed)
	set(&r.Pace, s.Pace)
	for _, p := range s.Places {
		place := risk.Place{Name: p.Name, Networks: prefixes(p.Networks)}
		set(&place.Latitude, p.Latitude)
		set(&place.Longitude, p.Longitude)
		r.Places = append(r.Places, place)
	}
	return r
}

func set[T any](value *T, configured *T) {
	if configured != nil {
		*value = *configured
	}
}

func prefixes(list []Network) []netip.Prefix {
	var all []netip.Prefix
	for _, n := range list {
		all = append(all, n.Prefix)
	}
	return all
}

func (s SignIn) validate(c *check, at ...any) {
	for i, p := range s.Places {
		if p.Latitude == nil || p.Longitude == nil {
			c.fail("latitude and longitude are required, in degrees", append(at, "places", i)...)
		}
	}
	for _, m := range s.Rules().Mistakes() {
		c.fail(m.Text, append(at, m.Key...)...)
	}
}
