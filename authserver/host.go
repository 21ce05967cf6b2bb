package authserver

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/postern-mcp/postern/authserver/clientdoc"
)

// hosts are the values of Host that are answered: a page whose name was made to
// point here (DNS rebinding) is not read by its own scripts.
type hosts []string

// newHosts are the issuer's own, for an issuer on loopback every name loopback
// has, and further ones that the operator names.
func newHosts(issuer string, more []string) hosts {
	u, err := url.Parse(issuer)
	if err != nil {
		return more // unreachable: validate parsed it
	}
	own := []string{u.Hostname()}
	if clientdoc.IsLoopback(u.Hostname()) {
		own = []string{"127.0.0.1", "localhost", "::1"}
	}
	all := hosts(slices.Clone(more))
	for _, name := range own {
		all = append(all, withPort(strings.ToLower(name), u.Port()))
		// RFC 9110 §4.2.3: the scheme's own port may be written or left out.
		if usual := usualPort[u.Scheme]; u.Port() == "" || u.Port() == usual {
			all = append(all, withPort(strings.ToLower(name), ""), net.JoinHostPort(strings.ToLower(name), usual))
		}
	}
	return all
}

var usualPort = map[string]string{"https": "443", "http": "80"}

func withPort(name, port string) string {
	if port != "" {
		return net.JoinHostPort(name, port)
	}
	if strings.Contains(name, ":") {
		return "[" + name + "]"
	}
	return name
}

// wrongHost says whose address is meant, and where an operator names another.
func (s *Server) wrongHost() error {
	return refuseWith(WrongHost, "That is "+s.config.Issuer+"; another name has to stand in authserver.hosts.")
}

// answers says whether a request with this Host is for here.
func (h hosts) answers(host string) bool { return slices.Contains(h, strings.ToLower(host)) }

func checkHosts(list []string) error {
	for _, host := range list {
		if host == "" || host != strings.ToLower(host) || strings.ContainsAny(host, "/*@ ") {
			return demand(false, fmt.Sprintf("Hosts: %q is no Host in lower case", host))
		}
	}
	return nil
}
