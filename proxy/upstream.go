package proxy

import (
	"errors"
	"net/http"
	"strings"
)

// NoCredential is for upstreams that ask for none.
type NoCredential struct{}

// Apply writes nothing.
func (NoCredential) Apply(http.Header) error { return nil }

func (NoCredential) String() string { return "none" }

// HeaderCredential is a fixed secret in one header.
type HeaderCredential struct{ name, value string }

// NewHeaderCredential: name must be a header an upstream can be told, value
// (prefix and secret) must not be empty or hold control characters.
func NewHeaderCredential(name, prefix, secret string) (HeaderCredential, error) {
	if secret == "" {
		return HeaderCredential{}, errors.New("the secret is empty")
	}
	if strings.ContainsFunc(prefix+secret, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
		return HeaderCredential{}, errors.New("the secret holds a control character")
	}
	name = http.CanonicalHeaderKey(name)
	if name == "" || carried[name] || strings.HasPrefix(name, "Mcp-") {
		return HeaderCredential{}, errors.New("the header " + name + " is not for credentials")
	}
	return HeaderCredential{name: name, value: prefix + secret}, nil
}

// Apply sets the header.
func (c HeaderCredential) Apply(h http.Header) error {
	h[c.name] = []string{c.value}
	return nil
}

func (c HeaderCredential) String() string { return "header " + c.name }
