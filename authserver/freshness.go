package authserver

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
)

var prompts = []string{"none", "login", "consent", "select_account"}

// demands is how a person must have signed in, and what may be shown.
type demands struct {
	silent bool
	ask    bool
	since  time.Time // zero: whenever
	level  level     // "": any
}

func readDemands(p params, now time.Time) (demands, error) {
	d, err := readPrompt(p["prompt"], now)
	if err != nil {
		return demands{}, err
	}
	since, err := readMaxAge(p["max_age"], now)
	if err != nil {
		return demands{}, err
	}
	if since.After(d.since) {
		d.since = since
	}
	d.level, err = readACR(p["acr_values"])
	return d, err
}

// readPrompt: OpenID Connect Core §3.1.2.1.
func readPrompt(prompt string, now time.Time) (demands, error) {
	var d demands
	words := strings.Fields(prompt)
	for _, w := range words {
		if !slices.Contains(prompts, w) {
			return demands{}, refuse(BadPrompt)
		}
		switch w {
		case "none":
			d.silent = true
		case "consent":
			d.ask = true
		default:
			d.since = now
		}
	}
	if d.silent && len(words) > 1 {
		return demands{}, refuse(BadPrompt)
	}
	return d, nil
}

// maxAgeLimit is far longer than any session.
const maxAgeLimit = 1 << 31

// readMaxAge: RFC 9470 §4: seconds since the person signed in.
func readMaxAge(age string, now time.Time) (since time.Time, err error) {
	if age == "" {
		return time.Time{}, nil
	}
	seconds, err := strconv.ParseUint(age, 10, 64)
	if err != nil {
		return time.Time{}, refuseFor(BadMaxAge, err)
	}
	return now.Add(-time.Duration(min(seconds, maxAgeLimit)) * time.Second), nil
}

// since is the earliest sign-in that is good enough; zero: whenever it was,
// known or not.
func (p pending) since() time.Time {
	if p.SignedIn <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(p.SignedIn)
}

// told is a request with what a resource server said a moment ago of this
// client and person: a client that passes nothing of that on gets a good token
// all the same.
func (s *Server) told(p pending, v store.Session) pending {
	wanted := s.stepUps.demanded(stepUpKey{p.Client, v.UserID, p.Resource}, s.config.Now())
	if wanted.Since.After(p.since()) {
		p.SignedIn = wanted.Since.UnixMilli()
	}
	if !p.Level.meets(wanted.Level) {
		p.Level = wanted.Level
	}
	return p
}
