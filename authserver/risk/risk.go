// Package risk judges sign-ins by what is known of a person's earlier ones.
//
// Its laws: the judgement is a pure function of rules, attempt and history,
// and it says every reason it has. A denied network is refused whatever else
// is known. A pair of network and browser that the person signed in from
// before is never refused by points: whoever fails elsewhere, or flies, can
// make its owner show a second factor at most, and failures elsewhere do not
// even do that.
package risk

import (
	"net/netip"
	"time"
)

// Outcome is what becomes of a sign-in.
type Outcome string

// Every outcome there is.
const (
	Allow  Outcome = "allow"
	StepUp Outcome = "step_up" // a second factor first
	Refuse Outcome = "refuse"
)

// Reason is why a sign-in is judged as it is: a closed set, safe for logs.
type Reason string

// Every reason there is; Words says what each means.
const (
	DeniedNetwork    Reason = "denied_network"
	FirstSignIn      Reason = "first_sign_in"
	NewNetwork       Reason = "new_network"
	NewAgent         Reason = "new_agent"
	NewContext       Reason = "new_context"
	RecentFailures   Reason = "recent_failures"
	ImpossibleTravel Reason = "impossible_travel"
	Pace             Reason = "pace"
	NoSecondFactor   Reason = "no_second_factor"
)

var words = map[Reason]string{
	DeniedNetwork:    "Nobody may sign in from this network.",
	FirstSignIn:      "It is this person's first sign-in.",
	NewNetwork:       "The person did not sign in from this network before, or not since the password last changed.",
	NewAgent:         "The person did not sign in with this browser and system before, or not since the password last changed.",
	NewContext:       "Network and browser are both known, but not together.",
	RecentFailures:   "Somebody just failed to sign in from here.",
	ImpossibleTravel: "The last sign-in was too far away for the time between.",
	Pace:             "There were too many sign-ins in a short time.",
	NoSecondFactor:   "The person has no second factor that could be asked for.",
}

// Words is one sentence about a reason, "" for one there is not.
func Words(r Reason) string { return words[r] }

// Attempt is a sign-in that somebody wants.
type Attempt struct {
	At      time.Time
	Address netip.Addr // of who wants it; the zero address lies in every denied network
	Agent   Agent
	Browser string // names a browser that this person signed in at before, "" for any other
}

// Context is a pair of network and browser that a person signed in from.
type Context struct {
	Network string // as Rules.Network writes it
	Agent   string // as Agent.String writes it
	Last    time.Time
}

// Event is an earlier sign-in, or an earlier failure.
type Event struct {
	At      time.Time
	Address netip.Addr
	Agent   string
	Browser string
}

// History is what is known of a person. Order does not matter.
type History struct {
	Before   bool // the person has signed in before
	Factor   bool // there is a second factor to ask for
	Contexts []Context
	SignIns  []Event // that came to their end
	Failures []Event // where nothing was proven
}

// Finding is one reason and the points it adds.
type Finding struct {
	Reason Reason
	Points int
}

// Verdict is the judgement with everything that led to it.
type Verdict struct {
	Outcome  Outcome
	Score    int // the sum of all points
	Known    bool
	Network  string // as it was compared
	Agent    string
	Place    string // the name of the configured place the network lies in, or ""
	Findings []Finding
}

// Reasons are the reasons of all findings.
func (v Verdict) Reasons() []Reason {
	var list []Reason
	for _, f := range v.Findings {
		list = append(list, f.Reason)
	}
	return list
}

// Judge says what becomes of a sign-in. Rules must have passed Check.
func Judge(rules Rules, a Attempt, h History) Verdict {
	v := Verdict{Network: rules.Network(a.Address), Agent: a.Agent.String()}
	if p, ok := rules.place(a.Address); ok {
		v.Place = p.Name
	}
	if rules.Denies(a.Address) {
		v.Outcome, v.Findings = Refuse, []Finding{{Reason: DeniedNetwork}}
		return v
	}
	v.Known = v.compare(rules, a, h)
	v.add(rules, RecentFailures, min(v.failures(rules, a, h), rules.FailuresMost))
	v.add(rules, ImpossibleTravel, once(rules.tooFar(a, h.SignIns)))
	v.add(rules, Pace, once(rules.tooMany(a, h.SignIns)))
	v.decide(rules, h)
	return v
}

// add finds a reason so many times.
func (v *Verdict) add(rules Rules, r Reason, times int) {
	if times == 0 {
		return
	}
	points := times * rules.Weights[r]
	v.Score += points
	v.Findings = append(v.Findings, Finding{Reason: r, Points: points})
}

func once(found bool) int {
	if found {
		return 1
	}
	return 0
}

// compare looks for the pair among those that are remembered.
func (v *Verdict) compare(rules Rules, a Attempt, h History) (known bool) {
	var network, agent bool
	for _, c := range h.Contexts {
		if a.At.Sub(c.Last) > rules.Remember {
			continue
		}
		if c.Network == v.Network && c.Agent == v.Agent {
			return true
		}
		network = network || c.Network == v.Network
		agent = agent || c.Agent == v.Agent
	}
	if !h.Before {
		v.add(rules, FirstSignIn, 1)
		return false
	}
	v.add(rules, NewNetwork, once(!network))
	v.add(rules, NewAgent, once(!agent))
	v.add(rules, NewContext, once(network && agent))
	return false
}

// failures counts those that tell of whoever is here now. A browser the person
// signed in at before answers for its own alone; so does, within its network,
// a pair that is known; anybody else for all of the network.
func (v *Verdict) failures(rules Rules, a Attempt, h History) (n int) {
	for _, f := range h.Failures {
		if age := a.At.Sub(f.At); age < 0 || age > rules.FailuresWithin || f.Browser != a.Browser {
			continue
		}
		here := rules.Network(f.Address) == v.Network
		if v.Known {
			here = here && f.Agent == v.Agent
		}
		if here || a.Browser != "" {
			n++
		}
	}
	return n
}

func (r Rules) tooMany(a Attempt, signIns []Event) bool {
	if !r.Pace.Limits() {
		return false
	}
	n := 0
	for _, e := range signIns {
		if age := a.At.Sub(e.At); age >= 0 && age < r.Pace.Per {
			n++
		}
	}
	return n >= r.Pace.Number
}

func (v *Verdict) decide(rules Rules, h History) {
	switch {
	case v.Score >= rules.Refuse && !v.Known:
		v.Outcome = Refuse
	case v.Score < rules.StepUp:
		v.Outcome = Allow
	case h.Factor:
		v.Outcome = StepUp
	default:
		v.Findings = append(v.Findings, Finding{Reason: NoSecondFactor})
		v.Outcome = rules.WithoutFactor
		// Nobody can set up a factor without signing in once.
		if !h.Before {
			v.Outcome = Allow
		}
	}
}
