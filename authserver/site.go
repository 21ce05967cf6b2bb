package authserver

import (
	"net/url"
	"strings"
)

// site is where this server lives, from its issuer and nothing else: no
// header of a request ever decides a URL.
type site struct {
	issuer string
	origin string // scheme://host[:port]
	path   string // of the issuer: "" or "/tenant"
	secure bool
}

func newSite(issuer string) site {
	u, err := url.Parse(issuer)
	if err != nil {
		return site{issuer: issuer} // unreachable: validate parsed it
	}
	origin := u.Scheme + "://" + u.Host
	return site{issuer: issuer, origin: origin, path: strings.TrimPrefix(issuer, origin), secure: u.Scheme == "https"}
}

func (s site) url(path string) string { return s.issuer + path }

func (s site) local(path string) string { return s.path + path }

// cookie is the session cookie's name: __Host- pins it to this host, and needs https.
func (s site) cookie(name string) string {
	if s.secure {
		return "__Host-postern-" + name
	}
	return "postern-" + name
}

// name is what apps and people call this place: the host.
func (s site) name() string {
	return strings.TrimPrefix(strings.TrimPrefix(s.origin, "https://"), "http://")
}
