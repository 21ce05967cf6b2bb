package risk

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/postern-mcp/postern/policy/rate"
)

// Rules say how sign-ins are judged.
type Rules struct {
	Deny           []netip.Prefix // nobody signs in from there
	Allow          []netip.Prefix // when there are any, nobody signs in from anywhere else
	V4Bits, V6Bits int            // how much of an address is its network
	Remember       time.Duration  // how long a pair stays known that is not used
	WithoutFactor  Outcome        // instead of StepUp for people who have no second factor: Allow or Refuse
	Weights        map[Reason]int // points; every reason of Weighed has some
	StepUp, Refuse int            // from how many points on
	FailuresWithin time.Duration  // how long a failure counts
	FailuresMost   int            // how many count
	Speed          float64        // km/h, above which nobody travels
	Pace           rate.Rate      // of sign-ins; more are too many
	Places         []Place
}

// Weighed are the reasons that have points; the others decide by themselves.
func Weighed() []Reason {
	return []Reason{FirstSignIn, NewNetwork, NewAgent, NewContext, RecentFailures, ImpossibleTravel, Pace}
}

// Defaults are the rules of whoever sets none: a pair that is not known asks
// for a second factor, and so does anything else that is odd; only several odd
// things together refuse.
func Defaults() Rules {
	return Rules{
		V4Bits: 24, V6Bits: 48,
		Remember:      180 * 24 * time.Hour,
		WithoutFactor: Allow,
		Weights: map[Reason]int{
			FirstSignIn: 30, NewNetwork: 30, NewAgent: 30, NewContext: 30,
			RecentFailures: 10, ImpossibleTravel: 50, Pace: 30,
		},
		StepUp: 30, Refuse: 100,
		FailuresWithin: time.Hour, FailuresMost: 5,
		Speed: 1000,
		Pace:  rate.Rate{Number: 20, Per: time.Hour},
	}
}

// Mistake is what is wrong with one of the rules.
type Mistake struct {
	Key  []any // where it stands in the configuration: names and indexes
	Text string
}

func (m Mistake) Error() string { return fmt.Sprint(m.Key...) + ": " + m.Text }

// Bounds of the rules. Only so many events are there to be counted.
const (
	MostPoints = 1000
	MostEvents = 100
)

// Check joins all mistakes there are.
func (r Rules) Check() error {
	var all []error
	for _, m := range r.Mistakes() {
		all = append(all, m)
	}
	return errors.Join(all...)
}

// Mistakes are everything that is wrong with the rules.
func (r Rules) Mistakes() []Mistake {
	var c check
	c.networks(r.Deny, "deny_networks")
	c.networks(r.Allow, "allow_networks")
	c.whole(r.V4Bits, 8, 32, "network_bits", "ipv4")
	c.whole(r.V6Bits, 16, 128, "network_bits", "ipv6")
	c.lasting(r.Remember, time.Hour, 3*365*24*time.Hour, "remember")
	c.demand(r.WithoutFactor == Allow || r.WithoutFactor == Refuse, "must be one of: allow, refuse", "without_factor")
	c.weights(r.Weights)
	c.whole(r.StepUp, 1, MostPoints, "thresholds", "step_up")
	c.whole(r.Refuse, 1, MostPoints, "thresholds", "refuse")
	c.demand(r.Refuse >= r.StepUp, "must not be lower than step_up", "thresholds", "refuse")
	c.lasting(r.FailuresWithin, time.Minute, 24*time.Hour, "failures", "within")
	c.whole(r.FailuresMost, 1, MostEvents, "failures", "most")
	c.demand(r.Speed >= 1 && r.Speed <= 100_000, "must lie between 1 and 100000 km/h", "speed")
	c.demand(r.Pace.Number <= MostEvents, fmt.Sprintf("must not be more than %d in its period", MostEvents), "pace")
	c.places(r.Places)
	return c.found
}

// check gathers mistakes.
type check struct{ found []Mistake }

func (c *check) demand(ok bool, text string, key ...any) {
	if !ok {
		c.found = append(c.found, Mistake{Key: key, Text: text})
	}
}

func (c *check) whole(n, least, most int, key ...any) {
	c.demand(n >= least && n <= most, fmt.Sprintf("must lie between %d and %d", least, most), key...)
}

func (c *check) lasting(d, least, most time.Duration, key ...any) {
	c.demand(d >= least && d <= most, fmt.Sprintf("must lie between %s and %s", least, most), key...)
}

// networks: as written, a network contains exactly what it says.
func (c *check) networks(list []netip.Prefix, key ...any) {
	for i, p := range list {
		good := p.IsValid() && p == p.Masked() && p.Bits() > 0 && !p.Addr().Is4In6()
		c.demand(good, "must be a network, its host bits zero, and not everybody's", append(slices.Clone(key), i)...)
	}
}

func (c *check) weights(weights map[Reason]int) {
	for _, reason := range slices.Sorted(maps.Keys(weights)) {
		if !slices.Contains(Weighed(), reason) {
			c.demand(false, "has no weight: those that do are "+weighedList(), "weights", string(reason))
			continue
		}
		c.whole(weights[reason], 0, MostPoints, "weights", string(reason))
	}
	for _, reason := range Weighed() {
		_, ok := weights[reason]
		c.demand(ok, "lacks "+string(reason), "weights")
	}
}

func weighedList() string {
	var names []string
	for _, r := range Weighed() {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}

func (c *check) places(places []Place) {
	names, networks := map[string]bool{}, map[netip.Prefix]bool{}
	for i, p := range places {
		c.demand(p.Name != "" && !names[p.Name], "must be there, and named once", "places", i, "name")
		c.demand(math.Abs(p.Latitude) <= 90, "must lie between -90 and 90 degrees", "places", i, "latitude")
		c.demand(math.Abs(p.Longitude) <= 180, "must lie between -180 and 180 degrees", "places", i, "longitude")
		c.demand(len(p.Networks) > 0, "must name at least one network", "places", i, "networks")
		c.networks(p.Networks, "places", i, "networks")
		names[p.Name] = true
		for j, n := range p.Networks {
			c.demand(!networks[n], "lies in a place named before", "places", i, "networks", j)
			networks[n] = true
		}
	}
}
