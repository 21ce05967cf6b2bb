package risk

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-mcp/postern/policy/rate"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

const (
	firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
	safari  = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15"

	home   = "203.0.113.7"     // Lisbon
	office = "198.51.100.20"   // Lisbon
	tokyo  = "2001:db8:81::1"  // Tokyo
	porto  = "2001:db8:351::1" // Porto
	hotel  = "192.0.2.99"      // nobody knows where
	prison = "10.66.1.1"       // denied
)

func testRules() Rules {
	r := Defaults()
	r.Deny = prefixes("10.66.0.0/16", "2001:db8:bad::/48")
	r.Places = []Place{
		{"Lisbon", prefixes("203.0.113.0/24", "198.51.100.0/24"), 38.72, -9.14},
		{"Porto", prefixes("2001:db8:351::/48"), 41.15, -8.61},
		{"Tokyo", prefixes("2001:db8:81::/48", "203.0.113.128/25"), 35.68, 139.69},
	}
	return r
}

func prefixes(list ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, p := range list {
		all = append(all, netip.MustParsePrefix(p))
	}
	return all
}

// who is a person with a history; each method adds to it.
type who struct{ h History }

func stranger() who { return who{} }

// ada has a second factor, and signs in with Firefox from home and from the office.
func ada() who {
	return who{History{Before: true, Factor: true}}.knows(home, firefox, 48*time.Hour).knows(office, firefox, 72*time.Hour)
}

func (w who) withoutFactor() who { w.h.Factor = false; return w }
func (w who) withFactor() who    { w.h.Factor = true; return w }

func (w who) knows(address, agent string, ago time.Duration) who {
	w.h.Contexts = append(slices.Clip(w.h.Contexts), Context{
		Network: Defaults().Network(addr(address)), Agent: ReadAgent(agent).String(), Last: noon.Add(-ago)})
	return w
}

func event(address, agent, browser string, ago time.Duration) Event {
	return Event{At: noon.Add(-ago), Address: addr(address), Agent: ReadAgent(agent).String(), Browser: browser}
}

func (w who) signedIn(address string, ago time.Duration, times int) who {
	for range times {
		w.h.SignIns = append(slices.Clip(w.h.SignIns), event(address, firefox, "", ago))
	}
	return w
}

func (w who) failed(address, agent, browser string, ago time.Duration, times int) who {
	for range times {
		w.h.Failures = append(slices.Clip(w.h.Failures), event(address, agent, browser, ago))
	}
	return w
}

func addr(s string) netip.Addr {
	a, _ := netip.ParseAddr(s)
	return a
}

type truth struct {
	name    string
	who     who
	at      Attempt
	outcome Outcome
	score   int
	reasons string
}

func from(address, agent string) Attempt {
	return Attempt{At: noon, Address: addr(address), Agent: ReadAgent(agent)}
}

func (a Attempt) in(browser string) Attempt { a.Browser = browser; return a }

func yes(name string, w who, a Attempt, score int, reasons string) truth {
	return truth{name, w, a, Allow, score, reasons}
}

func more(name string, w who, a Attempt, score int, reasons string) truth {
	return truth{name, w, a, StepUp, score, reasons}
}

func no(name string, w who, a Attempt, score int, reasons string) truth {
	return truth{name, w, a, Refuse, score, reasons}
}

func judged(t *testing.T, rules Rules, table []truth) {
	t.Helper()
	if err := rules.Check(); err != nil {
		t.Fatal(err)
	}
	for _, row := range table {
		v := Judge(rules, row.at, row.who.h)
		var reasons []string
		for _, r := range v.Reasons() {
			reasons = append(reasons, string(r))
		}
		if v.Outcome != row.outcome || v.Score != row.score || strings.Join(reasons, " ") != row.reasons {
			t.Errorf("%s: %s %d %q, want %s %d %q", row.name, v.Outcome, v.Score, reasons, row.outcome, row.score, row.reasons)
		}
	}
}

const day = 24 * time.Hour

func TestJudge(t *testing.T) {
	judged(t, testRules(), []truth{
		yes("a known pair", ada(), from(home, firefox), 0, ""),
		yes("the same browser after an update", ada(), from(home, strings.ReplaceAll(firefox, "128", "129")), 0, ""),
		yes("a neighbour in the network", ada(), from("203.0.113.99", firefox), 0, ""),
		yes("IPv4 in the clothes of IPv6", ada(), from("::ffff:203.0.113.99", firefox), 0, ""),
		yes("a neighbour in the /48", ada().knows(tokyo, firefox, time.Hour), from("2001:db8:81:ff::9", firefox), 0, ""),
		more("the next /48", ada().knows(tokyo, firefox, time.Hour), from("2001:db8:82::1", firefox), 30, "new_network"),
		more("the next /24", ada(), from("203.0.114.7", firefox), 30, "new_network"),
		more("another network", ada(), from(hotel, firefox), 30, "new_network"),
		more("another browser", ada(), from(home, safari), 30, "new_agent"),
		more("no User-Agent at all", ada(), from(home, ""), 30, "new_agent"),
		no("no address at all", ada(), Attempt{At: noon, Agent: ReadAgent(firefox)}, 0, "denied_network"),
		more("both new", ada(), from(hotel, safari), 60, "new_network new_agent"),
		more("both known, not together", ada().knows(hotel, safari, day), from(home, safari), 30, "new_context"),

		yes("a pair still remembered", ada().knows(hotel, safari, 180*day), from(hotel, safari), 0, ""),
		more("a pair too long ago", ada().knows(hotel, safari, 180*day+1), from(hotel, safari), 60, "new_network new_agent"),

		yes("the first time, without a factor", stranger(), from(home, firefox), 30, "first_sign_in no_second_factor"),
		more("the first time, with one", stranger().withFactor(), from(home, firefox), 30, "first_sign_in"),
		more("everything forgotten is not the first time", who{History{Before: true, Factor: true}}, from(home, firefox), 60, "new_network new_agent"),
		yes("a known pair needs no factor", ada().withoutFactor(), from(home, firefox), 0, ""),
		yes("another network, without a factor", ada().withoutFactor(), from(hotel, firefox), 30, "new_network no_second_factor"),

		no("a denied network", ada(), from(prison, firefox), 0, "denied_network"),
		no("a denied network that is known", ada().knows(prison, firefox, time.Hour), from(prison, firefox), 0, "denied_network"),
		no("a denied network in other clothes", ada(), from("::ffff:10.66.1.1", firefox), 0, "denied_network"),
		no("a denied network of IPv6", ada(), from("2001:db8:bad::1", firefox), 0, "denied_network"),
		no("a denied network, the first time", stranger(), from(prison, firefox), 0, "denied_network"),
	})
}

func TestFailures(t *testing.T) {
	judged(t, testRules(), []truth{
		yes("two at the pair", ada().failed(home, firefox, "", time.Minute, 2), from(home, firefox), 20, "recent_failures"),
		more("three at the pair", ada().failed(home, firefox, "", time.Minute, 3), from(home, firefox), 30, "recent_failures"),
		more("a known pair is never refused", ada().failed(home, firefox, "", time.Minute, 50).signedIn(tokyo, time.Minute, 20), from(home, firefox), 130, "recent_failures impossible_travel pace"),
		yes("a stranger elsewhere", ada().failed(hotel, firefox, "", time.Minute, 50), from(home, firefox), 0, ""),
		yes("a stranger in the same network with another browser", ada().failed(home, safari, "", time.Minute, 50), from(home, firefox), 0, ""),
		yes("a stranger in the same network with the same browser", ada().failed(home, firefox, "", time.Minute, 50), from(home, firefox).in("mine"), 0, ""),
		more("this very browser, wherever", ada().failed(hotel, safari, "mine", time.Minute, 3), from(home, firefox).in("mine"), 30, "recent_failures"),
		yes("another of the person's browsers", ada().failed(home, firefox, "other", time.Minute, 5), from(home, firefox).in("mine"), 0, ""),
		more("a stranger elsewhere, and a new network", ada().failed(tokyo, firefox, "", time.Minute, 50), from(hotel, firefox), 30, "new_network"),
		more("some in that network", ada().failed(hotel, safari, "", time.Minute, 3), from(hotel, firefox), 60, "new_network recent_failures"),
		no("many in that network", ada().failed(hotel, safari, "", time.Minute, 5), from(hotel, safari), 110, "new_network new_agent recent_failures"),
		no("as many as count make it exactly", ada().failed(hotel, safari, "", time.Minute, 4), from(hotel, safari), 100, "new_network new_agent recent_failures"),
		more("no more than so many count", ada().failed(hotel, safari, "", time.Minute, 100), from(hotel, firefox), 80, "new_network recent_failures"),
		yes("an hour ago", ada().failed(home, firefox, "", time.Hour+1, 5), from(home, firefox), 0, ""),
		more("within the hour", ada().failed(home, firefox, "", time.Hour, 5), from(home, firefox), 50, "recent_failures"),
		yes("after this one", ada().failed(home, firefox, "", -1, 5), from(home, firefox), 0, ""),
		no("without a factor there is still too much", ada().withoutFactor().failed(hotel, safari, "", 0, 5), from(hotel, safari), 110, "new_network new_agent recent_failures"),
	})
}

func TestTravel(t *testing.T) {
	lisbonAnd := func(address string) who { return ada().knows(address, firefox, day) }
	judged(t, testRules(), []truth{
		more("to Tokyo in an hour", lisbonAnd(tokyo).signedIn(home, time.Hour, 1), from(tokyo, firefox), 50, "impossible_travel"),
		yes("to Tokyo in a day", lisbonAnd(tokyo).signedIn(home, day, 1), from(tokyo, firefox), 0, ""),
		yes("to Porto in an hour", lisbonAnd(porto).signedIn(home, time.Hour, 1), from(porto, firefox), 0, ""),
		more("to Porto at once", lisbonAnd(porto).signedIn(home, 0, 1), from(porto, firefox), 50, "impossible_travel"),
		yes("across the town at once", ada().signedIn(home, 0, 1), from(office, firefox), 0, ""),
		yes("from nowhere", lisbonAnd(tokyo).signedIn(hotel, time.Minute, 1), from(tokyo, firefox), 0, ""),
		yes("to nowhere", lisbonAnd(hotel).signedIn(home, time.Minute, 1), from(hotel, firefox), 0, ""),
		more("by way of nowhere", lisbonAnd(tokyo).signedIn(home, time.Hour, 1).signedIn(hotel, time.Minute, 1), from(tokyo, firefox), 50, "impossible_travel"),
		yes("only the last place counts", lisbonAnd(tokyo).signedIn(home, time.Hour, 1).signedIn(tokyo, time.Minute, 1), from(tokyo, firefox), 0, ""),
		yes("what comes later does not", lisbonAnd(tokyo).signedIn(home, -time.Hour, 1), from(tokyo, firefox), 0, ""),
		more("the narrower network has the place", ada().signedIn(home, time.Hour, 1), from("203.0.113.200", firefox), 50, "impossible_travel"),
		no("and everything new", ada().signedIn(home, time.Hour, 1), from(tokyo, safari), 110, "new_network new_agent impossible_travel"),
		more("and the network new", ada().signedIn(home, time.Hour, 1), from(tokyo, firefox), 80, "new_network impossible_travel"),
	})
}

func TestPace(t *testing.T) {
	judged(t, testRules(), []truth{
		yes("nineteen in the hour", ada().signedIn(home, time.Minute, 19), from(home, firefox), 0, ""),
		more("twenty", ada().signedIn(home, time.Hour-1, 20), from(home, firefox), 30, "pace"),
		yes("twenty an hour ago", ada().signedIn(home, time.Hour, 20), from(home, firefox), 0, ""),
		yes("failures are no sign-ins", ada().failed(hotel, firefox, "", time.Minute, 90), from(home, firefox), 0, ""),
	})
}

// Every rule is a setting, and each has an effect.
func TestRules(t *testing.T) {
	for _, row := range []struct {
		change func(*Rules)
		truth
	}{
		{func(r *Rules) { r.Deny = prefixes("203.0.113.0/24") }, no("deny_networks", ada(), from(home, firefox), 0, "denied_network")},
		{func(r *Rules) { r.Deny = nil }, more("nothing is denied", ada(), from(prison, firefox), 30, "new_network")},
		{func(r *Rules) { r.Deny = nil }, more("no address, nothing denied", ada(), Attempt{At: noon, Agent: ReadAgent(firefox)}, 30, "new_network")},
		{func(r *Rules) { r.Allow = prefixes("203.0.113.0/24") }, yes("allow_networks: inside", ada(), from(home, firefox), 0, "")},
		{func(r *Rules) { r.Allow = prefixes("203.0.113.0/24") }, no("allow_networks: outside", ada(), from(office, firefox), 0, "denied_network")},
		{func(r *Rules) { r.Deny, r.Allow = nil, prefixes("203.0.113.0/24") }, no("allow_networks: no address", ada(), Attempt{At: noon}, 0, "denied_network")},
		{func(r *Rules) { r.Allow = prefixes("10.0.0.0/8") }, no("deny is stronger than allow", ada(), from(prison, firefox), 0, "denied_network")},
		{func(r *Rules) { r.V4Bits = 16 }, more("network_bits.ipv4", ada(), from(home, firefox), 30, "new_network")},
		{func(r *Rules) { r.V6Bits = 64 }, more("network_bits.ipv6", ada().knows(tokyo, firefox, day), from(tokyo, firefox), 30, "new_network")},
		{func(r *Rules) { r.Remember = time.Hour }, more("remember", ada(), from(home, firefox), 60, "new_network new_agent")},
		{func(r *Rules) { r.WithoutFactor = Refuse }, no("without_factor", ada().withoutFactor(), from(hotel, firefox), 30, "new_network no_second_factor")},
		{func(r *Rules) { r.WithoutFactor = Refuse }, more("without_factor is not for who has one", ada(), from(hotel, firefox), 30, "new_network")},
		{func(r *Rules) { r.WithoutFactor = Refuse }, yes("without_factor, the first time", stranger(), from(hotel, firefox), 30, "first_sign_in no_second_factor")},
		{func(r *Rules) { r.Weights[RecentFailures] = 20 }, no("the first time after many failures", stranger().failed(hotel, firefox, "", 0, 9), from(hotel, firefox), 130, "first_sign_in recent_failures")},
		{func(r *Rules) { r.Weights[FirstSignIn] = 0 }, yes("weights.first_sign_in", stranger().withFactor(), from(home, firefox), 0, "first_sign_in")},
		{func(r *Rules) { r.Weights[NewNetwork] = 0 }, yes("weights.new_network", ada(), from(hotel, firefox), 0, "new_network")},
		{func(r *Rules) { r.Weights[NewAgent] = 100 }, no("weights.new_agent", ada(), from(home, safari), 100, "new_agent")},
		{func(r *Rules) { r.Weights[NewContext] = 29 }, yes("weights.new_context", ada().knows(hotel, safari, day), from(home, safari), 29, "new_context")},
		{func(r *Rules) { r.Weights[RecentFailures] = 9 }, yes("weights.recent_failures", ada().failed(home, firefox, "", 0, 3), from(home, firefox), 27, "recent_failures")},
		{func(r *Rules) { r.Weights[ImpossibleTravel] = 70 }, no("weights.impossible_travel", ada().signedIn(home, time.Hour, 1), from(tokyo, firefox), 100, "new_network impossible_travel")},
		{func(r *Rules) { r.Weights[Pace] = 1 }, yes("weights.pace", ada().signedIn(home, 0, 20), from(home, firefox), 1, "pace")},
		{func(r *Rules) { r.StepUp = 31 }, yes("thresholds.step_up", ada(), from(hotel, firefox), 30, "new_network")},
		{func(r *Rules) { r.Refuse = 30 }, no("thresholds.refuse", ada(), from(hotel, firefox), 30, "new_network")},
		{func(r *Rules) { r.Refuse = 30 }, more("and yet no known pair", ada().failed(home, firefox, "", 0, 5), from(home, firefox), 50, "recent_failures")},
		{func(r *Rules) { r.FailuresWithin = time.Minute }, yes("failures.within", ada().failed(home, firefox, "", time.Minute+1, 5), from(home, firefox), 0, "")},
		{func(r *Rules) { r.FailuresMost = 2 }, yes("failures.most", ada().failed(home, firefox, "", 0, 5), from(home, firefox), 20, "recent_failures")},
		{func(r *Rules) { r.Speed = 20_000 }, yes("speed", ada().knows(tokyo, firefox, day).signedIn(home, time.Hour, 1), from(tokyo, firefox), 0, "")},
		{func(r *Rules) { r.Pace = rate.Rate{Number: 2, Per: time.Minute} }, more("pace", ada().signedIn(home, 0, 2), from(home, firefox), 30, "pace")},
		{func(r *Rules) { r.Pace = rate.Rate{} }, yes("pace: off", ada().signedIn(home, 0, 99), from(home, firefox), 0, "")},
		{func(r *Rules) { r.Places = nil }, yes("places", ada().knows(tokyo, firefox, day).signedIn(home, 0, 1), from(tokyo, firefox), 0, "")},
	} {
		rules := testRules()
		row.change(&rules)
		judged(t, rules, []truth{row.truth})
	}
}

func TestVerdictSaysWhatWasCompared(t *testing.T) {
	v := Judge(testRules(), from("2001:db8:81:ff::9", safari), ada().h)
	if v.Network != "2001:db8:81::/48" || v.Agent != "Safari on macOS" || v.Place != "Tokyo" || v.Known {
		t.Errorf("%+v", v)
	}
	if v := Judge(testRules(), from(home, firefox), ada().h); !v.Known || v.Place != "Lisbon" || v.Network != "203.0.113.0/24" {
		t.Errorf("%+v", v)
	}
	for _, a := range []string{"", "fe80::1%eth0"} {
		if n := Defaults().Network(addr(a)); n != map[string]string{"": "unknown", "fe80::1%eth0": "fe80::/48"}[a] {
			t.Errorf("%q: %s", a, n)
		}
	}
}

func TestEveryReasonHasWords(t *testing.T) {
	all := append(Weighed(), DeniedNetwork, NoSecondFactor)
	if len(words) != len(all) {
		t.Errorf("%d sentences for %d reasons", len(words), len(all))
	}
	for _, r := range all {
		if !strings.HasSuffix(Words(r), ".") {
			t.Errorf("%s: %q", r, Words(r))
		}
	}
}

func TestDistance(t *testing.T) {
	at := func(lat, long float64) Place { return Place{Latitude: lat, Longitude: long} }
	for _, row := range []struct {
		a, b Place
		km   float64
	}{
		{at(0, 0), at(0, 0), 0}, {at(0, 0), at(0, 180), 20015}, {at(90, 0), at(-90, 0), 20015},
		{at(0, 179), at(0, -179), 222}, {at(38.72, -9.14), at(35.68, 139.69), 11144}, {at(90, 17), at(90, -170), 0},
	} {
		for _, km := range []float64{distance(row.a, row.b), distance(row.b, row.a)} {
			if km < row.km-2 || km > row.km+2 {
				t.Errorf("%v %v: %.0f km, want %.0f", row.a, row.b, km, row.km)
			}
		}
	}
}

func TestMistakesInRules(t *testing.T) {
	for _, row := range []struct {
		want   string
		change func(*Rules)
	}{
		{"[deny_networks 0]", func(r *Rules) { r.Deny = prefixes("10.0.0.1/8") }},
		{"[deny_networks 1]", func(r *Rules) { r.Deny = prefixes("10.0.0.0/8", "0.0.0.0/0") }},
		{"[allow_networks 0]", func(r *Rules) { r.Allow = []netip.Prefix{{}} }},
		{"[allow_networks 0]", func(r *Rules) { r.Allow = prefixes("::ffff:10.0.0.0/104") }},
		{"[network_bits ipv4]", func(r *Rules) { r.V4Bits = 0 }},
		{"[network_bits ipv4]", func(r *Rules) { r.V4Bits = 33 }},
		{"[network_bits ipv6]", func(r *Rules) { r.V6Bits = 129 }},
		{"[remember]", func(r *Rules) { r.Remember = 0 }},
		{"[without_factor]", func(r *Rules) { r.WithoutFactor = StepUp }},
		{"[without_factor]", func(r *Rules) { r.WithoutFactor = "" }},
		{"[weights new_network]", func(r *Rules) { r.Weights[NewNetwork] = -1 }},
		{"[weights pace]", func(r *Rules) { r.Weights[Pace] = 1001 }},
		{"[weights denied_network]", func(r *Rules) { r.Weights[DeniedNetwork] = 1 }},
		{"[weights]", func(r *Rules) { delete(r.Weights, Pace) }},
		{"[thresholds step_up]", func(r *Rules) { r.StepUp = 0 }},
		{"[thresholds refuse]", func(r *Rules) { r.Refuse = 29 }},
		{"[thresholds refuse]", func(r *Rules) { r.Refuse = 1001 }},
		{"[failures within]", func(r *Rules) { r.FailuresWithin = 0 }},
		{"[failures most]", func(r *Rules) { r.FailuresMost = 0 }},
		{"[speed]", func(r *Rules) { r.Speed = 0 }},
		{"[pace]", func(r *Rules) { r.Pace.Number = 101 }},
		{"[places 1 name]", func(r *Rules) { r.Places[1].Name = "Lisbon" }},
		{"[places 0 name]", func(r *Rules) { r.Places[0].Name = "" }},
		{"[places 0 latitude]", func(r *Rules) { r.Places[0].Latitude = -91 }},
		{"[places 2 longitude]", func(r *Rules) { r.Places[2].Longitude = 181 }},
		{"[places 0 networks]", func(r *Rules) { r.Places[0].Networks = nil }},
		{"[places 0 networks 1]", func(r *Rules) { r.Places[0].Networks[1] = netip.MustParsePrefix("::/0") }},
		{"[places 1 networks 0]", func(r *Rules) { r.Places[1].Networks[0] = netip.MustParsePrefix("203.0.113.0/24") }},
	} {
		rules := testRules()
		row.change(&rules)
		var keys []string
		for _, m := range rules.Mistakes() {
			keys = append(keys, fmt.Sprint(m.Key))
		}
		if rules.Check() == nil || !slices.Contains(keys, row.want) {
			t.Errorf("want a mistake at %s, not %s", row.want, keys)
		}
	}
}
