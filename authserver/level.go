package authserver

import (
	"slices"
	"strings"
)

// level is how sure this server is of who a person is: an acr value (RFC 9470
// §3). "" is below all of them.
type level string

const (
	levelPassword  level = "pwd" // one proof
	levelMulti     level = "mfa" // two of different kinds
	levelResistant level = "phr" // one of them cannot be talked out of anybody: a passkey
)

// levels are all there are, the weakest first.
var levels = []level{levelPassword, levelMulti, levelResistant}

// meets: whoever reached a level has reached those below.
func (l level) meets(wanted level) bool {
	return slices.Index(levels, l) >= slices.Index(levels, wanted)
}

// Methods of authentication (RFC 8176 §2).
const (
	amrPassword = "pwd"
	amrCode     = "otp"
	amrHardware = "hwk" // a passkey that stays in its device
	amrSoftware = "swk" // a passkey that is synchronized
	amrMultiple = "mfa" // more than one kind of proof, however many words there are

	amrElsewhere = "fed" // another provider says so; not of RFC 8176, which has no word for it
)

// levelOf is what methods that were really used amount to.
func levelOf(methods []string) level {
	several := slices.Contains(methods, amrMultiple)
	switch {
	case several && (slices.Contains(methods, amrHardware) || slices.Contains(methods, amrSoftware)):
		return levelResistant
	case several:
		return levelMulti
	case len(methods) > 0:
		return levelPassword
	}
	return ""
}

// addMethods is the union, in the order things were done. Proofs of two kinds
// are several.
func addMethods(done []string, more ...string) []string {
	all := slices.Clone(done)
	for _, m := range more {
		if !slices.Contains(all, m) {
			all = append(all, m)
		}
	}
	if !slices.Contains(all, amrMultiple) && kinds(all) > 1 {
		all = append(all, amrMultiple)
	}
	return all
}

// kinds counts what a person knows and what they have.
func kinds(methods []string) int {
	has := slices.ContainsFunc(methods, func(m string) bool { return m == amrCode || m == amrHardware || m == amrSoftware })
	n := 0
	if slices.Contains(methods, amrPassword) || slices.Contains(methods, amrElsewhere) {
		n++
	}
	if has {
		n++
	}
	return n
}

// readACR: RFC 9470 §5: one of the values must be met, so the weakest of those
// there are is demanded. A token of another class than asked for would be
// refused again: where there is none of them, it is an error.
func readACR(values string) (level, error) {
	if values == "" {
		return "", nil
	}
	asked := strings.Fields(values)
	for _, l := range levels {
		if slices.Contains(asked, string(l)) {
			return l, nil
		}
	}
	return "", refuse(UnmetACR)
}

func acrValues() []string {
	all := make([]string, len(levels))
	for i, l := range levels {
		all[i] = string(l)
	}
	return all
}
