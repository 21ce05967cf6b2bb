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

func (m *Mistake) Error() string { return fmt.Sprint(m.Key...) + ": " + m.Text }

// Bounds of the rules. Only so many events are there to be counted.
const (
	MostPoints = 1000
	MostEvents = 100
)

// Check returns every *Mistake, joined.
func (r Rules) Check() error {
	return errors.Join(
		checkNetworks(r.Deny, "deny_networks"),
		checkNetworks(r.Allow, "allow_networks"),
		whole(r.V4Bits, 8, 32, "network_bits", "ipv4"),
		whole(r.V6Bits, 16, 128, "network_bits", "ipv6"),
		lasting(r.Remember, time.Hour, 3*365*24*time.Hour, "remember"),
		demand(r.WithoutFactor == Allow || r.WithoutFactor == Refuse, "must be one of: allow, refuse", "without_factor"),
		r.checkWeights(),
		whole(r.StepUp, 1, MostPoints, "thresholds", "step_up"),
		whole(r.Refuse, 1, MostPoints, "thresholds", "refuse"),
		demand(r.Refuse >= r.StepUp, "must not be lower than step_up", "thresholds", "refuse"),
		lasting(r.FailuresWithin, time.Minute, 24*time.Hour, "failures", "within"),
		whole(r.FailuresMost, 1, MostEvents, "failures", "most"),
		demand(r.Speed >= 1 && r.Speed <= 100_000, "must lie between 1 and 100000 km/h", "speed"),
		demand(r.Pace.Number <= MostEvents, fmt.Sprintf("must not be more than %d in its period", MostEvents), "pace"),
		r.checkPlaces(),
	)
}

func (r Rules) checkWeights() error {
	var all []error
	for _, reason := range slices.Sorted(maps.Keys(r.Weights)) {
		if !slices.Contains(Weighed(), reason) {
			all = append(all, demand(false, "has no weight: those that do are "+weighedList(), "weights", string(reason)))
			continue
		}
		all = append(all, whole(r.Weights[reason], 0, MostPoints, "weights", string(reason)))
	}
	for _, reason := range Weighed() {
		if _, ok := r.Weights[reason]; !ok {
			all = append(all, demand(false, "lacks "+string(reason), "weights"))
		}
	}
	return errors.Join(all...)
}

func weighedList() string {
	var names []string
	for _, r := range Weighed() {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}

func (r Rules) checkPlaces() error {
	var all []error
	names, networks := map[string]bool{}, map[netip.Prefix]bool{}
	for i, p := range r.Places {
		all = append(all,
			demand(p.Name != "" && !names[p.Name], "must be there, and named once", "places", i, "name"),
			demand(math.Abs(p.Latitude) <= 90, "must lie between -90 and 90 degrees", "places", i, "latitude"),
			demand(math.Abs(p.Longitude) <= 180, "must lie between -180 and 180 degrees", "places", i, "longitude"),
			demand(len(p.Networks) > 0, "must name at least one network", "places", i, "networks"),
			checkNetworks(p.Networks, "places", i, "networks"))
		names[p.Name] = true
		for j, n := range p.Networks {
			all = append(all, demand(!networks[n], "lies in a place named before", "places", i, "networks", j))
			networks[n] = true
		}
	}
	return errors.Join(all...)
}

// checkNetworks: as written, a network contains exactly what it says.
func checkNetworks(list []netip.Prefix, key ...any) error {
	var all []error
	for i, p := range list {
		good := p.IsValid() && p == p.Masked() && p.Bits() > 0 && !p.Addr().Is4In6()
		all = append(all, demand(good, "must be a network, its host bits zero, and not everybody's", append(slices.Clone(key), i)...))
	}
	return errors.Join(all...)
}

func whole(n, least, most int, key ...any) error {
	return demand(n >= least && n <= most, fmt.Sprintf("must lie between %d and %d", least, most), key...)
}

func lasting(d, least, most time.Duration, key ...any) error {
	return demand(d >= least && d <= most, fmt.Sprintf("must lie between %s and %s", least, most), key...)
}

func demand(ok bool, text string, key ...any) error {
	if ok {
		return nil
	}
	return &Mistake{Key: key, Text: text}
}
