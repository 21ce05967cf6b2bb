// Package credential is what the proxy shows upstreams. Its laws:
//
//   - Nothing here passes on a byte of the caller's credential: a caller's
//     token may be exchanged at an issuer, never shown to an upstream.
//   - String never shows a secret.
//   - A credential that cannot be had is an error; there is no going without.
package credential

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/postern-mcp/postern/proxy"
)

// None is for upstreams that ask for no credential, or know the proxy by
// other means, such as its client certificate.
type None struct{}

// Show shows nothing.
func (None) Show(context.Context, proxy.Purpose) (http.Header, error) { return nil, nil }

// Refused: there is nothing else to show.
func (None) Refused(http.Header, http.Header) bool { return false }

func (None) String() string { return "none" }

// Header is a fixed secret in one header.
type Header struct {
	name  string
	shown http.Header
}

// NewHeader: name must be a header an upstream can be told, prefix and secret
// together are its value; secret must not be empty or hold control characters.
func NewHeader(name, prefix, secret string) (Header, error) {
	if secret == "" {
		return Header{}, errors.New("the secret is empty")
	}
	if strings.ContainsFunc(prefix+secret, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
		return Header{}, errors.New("the secret holds a control character")
	}
	name = http.CanonicalHeaderKey(name)
	if err := proxy.CheckCredentialHeader(name); err != nil {
		return Header{}, err
	}
	return Header{name: name, shown: http.Header{name: {prefix + secret}}}, nil
}

// Show shows the header.
func (h Header) Show(context.Context, proxy.Purpose) (http.Header, error) { return h.shown, nil }

// Refused: the secret is what it is.
func (h Header) Refused(http.Header, http.Header) bool { return false }

func (h Header) String() string { return "header " + h.name }
