package clientdoc

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// checkRedirect: OAuth 2.1 §2.3, RFC 8252 §7, OpenID Connect Registration §2
// for what the application types mean.
func checkRedirect(raw, applicationType string, schemes []string) error {
	u, err := url.Parse(raw)
	if err != nil || len(raw) > maxURI || !printable(raw) || strings.Contains(raw, " ") {
		return errors.New("not an absolute URI")
	}
	if strings.Contains(raw, "#") {
		return errors.New("a fragment is not allowed")
	}
	if u.User != nil {
		return errors.New("user information is not allowed")
	}
	if !plainPort(u) {
		return errors.New("the port must be a number from 1 to 65535")
	}
	switch {
	case u.Scheme == "https":
		return checkWebRedirect(u, applicationType)
	case applicationType == web:
		return errors.New("web clients must use https")
	case u.Scheme == "http":
		return checkLoopbackRedirect(u)
	}
	// RFC 8252 §7.1 and §8.4 (B10): a scheme its owner can prove, by a domain
	// turned around, or one the operator answers for.
	if !strings.Contains(u.Scheme, ".") && !slices.Contains(schemes, u.Scheme) {
		return errors.New("a private scheme must be a domain name turned around, such as com.example.app, or one that the operator allows")
	}
	return nil
}

func checkWebRedirect(u *url.URL, applicationType string) error {
	if !hostName(u.Hostname()) || u.Opaque != "" {
		return errors.New("the host must be a name in its ASCII form, or an address")
	}
	if applicationType == web && IsLoopback(u.Hostname()) {
		return errors.New("web clients must not redirect to a loopback host")
	}
	return nil
}

func checkLoopbackRedirect(u *url.URL) error {
	if !IsLoopback(u.Hostname()) || u.Opaque != "" {
		return errors.New("http is for 127.0.0.1, [::1] and localhost only")
	}
	return nil
}

// hostName keeps to the characters of names and addresses: a host is shown to
// people and named in response headers.
func hostName(s string) bool {
	for _, b := range []byte(s) {
		if !('a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || strings.IndexByte("-.:_", b) >= 0) {
			return false
		}
	}
	return s != ""
}

// IsLoopback says whether a host name is one of the three this machine has
// for itself.
func IsLoopback(host string) bool {
	return host == "127.0.0.1" || host == "::1" || host == "localhost"
}

// MatchRedirect compares a requested redirect URI with the registered ones as
// strings; only the port of a loopback URI is left out (RFC 8252 §7.3, A1).
func MatchRedirect(registered []string, asked string) bool {
	if slices.Contains(registered, asked) {
		return true
	}
	bare, ok := withoutPort(asked)
	if !ok {
		return false
	}
	return slices.ContainsFunc(registered, func(r string) bool {
		b, ok := withoutPort(r)
		return ok && b == bare
	})
}

// withoutPort takes the port off an http loopback URI, touching nothing else.
func withoutPort(raw string) (string, bool) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" || u.User != nil || !IsLoopback(u.Hostname()) || strings.Contains(raw, "#") {
		return "", false
	}
	rest, ok := strings.CutPrefix(raw, "http://"+u.Host)
	if !ok || !plainPort(u) {
		return "", false
	}
	return "http://" + strings.TrimSuffix(u.Host, ":"+u.Port()) + rest, true
}

// plainPort: none at all, or one there can be, in its usual digits.
func plainPort(u *url.URL) bool {
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil {
		return !strings.HasSuffix(u.Host, ":") && u.Port() == ""
	}
	return n > 0 && strconv.FormatUint(n, 10) == u.Port()
}
