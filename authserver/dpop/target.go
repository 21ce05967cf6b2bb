package dpop

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// maxTargetLength bounds a URI before it is taken apart, in bytes.
const maxTargetLength = 8 << 10

// Target is a request URI in the normal form of RFC 3986 §6.2.2–6.2.3 without
// query and fragment. Targets compare with ==; the zero value is no target.
type Target struct{ uri string }

func (t Target) String() string { return t.uri }

// ParseTarget normalises an absolute http(s) URI; userinfo is refused, and so
// is every character that RFC 3986 does not allow where it stands. Query and
// fragment are dropped unread (D12). A host outside ASCII must come in its
// A-label form. A URI that is already normal is returned as it is.
func ParseTarget(uri string) (Target, error) {
	if len(uri) > maxTargetLength {
		return Target{}, fmt.Errorf("URI over %d bytes", maxTargetLength)
	}
	if end := strings.IndexAny(uri, "?#"); end >= 0 {
		uri = uri[:end]
	}
	sentScheme, rest, found := strings.Cut(uri, "://")
	if !found {
		return Target{}, errors.New("not an absolute URI")
	}
	scheme := strings.ToLower(sentScheme)
	if scheme != "http" && scheme != "https" {
		return Target{}, errors.New("neither http nor https")
	}
	sentAuthority, sentPath := rest, ""
	if slash := strings.IndexByte(rest, '/'); slash >= 0 {
		sentAuthority, sentPath = rest[:slash], rest[slash:]
	}
	authority, err := normalAuthority(scheme, sentAuthority)
	if err != nil {
		return Target{}, err
	}
	path, err := normalPath(sentPath)
	if err != nil {
		return Target{}, err
	}
	if scheme == sentScheme && authority == sentAuthority && path == sentPath {
		return Target{uri}, nil
	}
	return Target{scheme + "://" + authority + path}, nil
}

func normalAuthority(scheme, sent string) (string, error) {
	host, port := sent, ""
	if colon := strings.LastIndexByte(sent, ':'); colon > strings.LastIndexByte(sent, ']') {
		host, port = sent[:colon], sent[colon+1:]
	}
	host, err := normalHost(host)
	if err != nil {
		return "", err
	}
	port, err = normalPort(scheme, port)
	if err != nil {
		return "", err
	}
	if port == "" {
		return host, nil
	}
	return host + ":" + port, nil
}

// normalHost leaves out what no host of ours can have: userinfo, percent
// encoding, zones and sub-delimiters.
func normalHost(host string) (string, error) {
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		ip, err := netip.ParseAddr(host[1 : len(host)-1])
		if err != nil || !ip.Is6() || ip.Zone() != "" {
			return "", errors.New("not an IPv6 address")
		}
		return "[" + ip.String() + "]", nil
	}
	if host == "" {
		return "", errors.New("no host")
	}
	for _, c := range []byte(host) {
		if !isAlphanumeric(c) && c != '-' && c != '.' && c != '_' {
			return "", fmt.Errorf("host with %q", c)
		}
	}
	return strings.ToLower(host), nil // RFC 3986 §6.2.2.1
}

// normalPort drops the scheme's own port (RFC 3986 §6.2.3).
func normalPort(scheme, port string) (string, error) {
	if port == "" {
		return "", nil
	}
	if strings.Trim(port, "0123456789") != "" {
		return "", errors.New("port is not a number")
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return "", errors.New("port out of range")
	}
	if scheme == "http" && number == 80 || scheme == "https" && number == 443 {
		return "", nil
	}
	if port[0] == '0' {
		return strconv.FormatUint(number, 10), nil
	}
	return port, nil
}

func normalPath(path string) (string, error) {
	if path == "" {
		return "/", nil // RFC 3986 §6.2.3
	}
	for _, c := range []byte(path) {
		if !isUnreserved(c) && strings.IndexByte("%/!$&'()*+,;=:@", c) < 0 {
			return "", fmt.Errorf("path with %q", c)
		}
	}
	path, err := normalEscapes(path)
	if err != nil {
		return "", err
	}
	return withoutDotSegments(path), nil
}

// normalEscapes writes %XX in upper case, and unreserved characters as
// themselves (RFC 3986 §6.2.2.1–2). %2F stays what it is: no separator.
func normalEscapes(path string) (string, error) {
	if strings.IndexByte(path, '%') < 0 {
		return path, nil
	}
	out := make([]byte, 0, len(path))
	for i := 0; i < len(path); i++ {
		if path[i] != '%' {
			out = append(out, path[i])
			continue
		}
		if i+2 >= len(path) {
			return "", errors.New("cut-off percent encoding")
		}
		c, err := strconv.ParseUint(path[i+1:i+3], 16, 8)
		if err != nil {
			return "", errors.New("percent encoding of no byte")
		}
		if isUnreserved(byte(c)) {
			out = append(out, byte(c))
		} else {
			out = append(out, strings.ToUpper(path[i:i+3])...)
		}
		i += 2
	}
	return string(out), nil
}

// withoutDotSegments takes an absolute path (RFC 3986 §5.2.4). Empty segments stay.
func withoutDotSegments(path string) string {
	if !strings.Contains(path, "/.") {
		return path
	}
	segments := strings.Split(path[1:], "/")
	kept := segments[:0]
	for i, s := range segments {
		last := i == len(segments)-1
		if s == ".." && len(kept) > 0 {
			kept = kept[:len(kept)-1]
		}
		if s != "." && s != ".." {
			kept = append(kept, s)
		} else if last {
			kept = append(kept, "")
		}
	}
	return "/" + strings.Join(kept, "/")
}

// RFC 3986 §2.3
func isUnreserved(c byte) bool {
	return isAlphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~'
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
