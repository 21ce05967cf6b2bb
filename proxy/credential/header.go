package credential

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/postern-mcp/postern/proxy"
	"github.com/postern-mcp/postern/proxy/watched"
)

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
func (h Header) Refused(proxy.Purpose, http.Header, http.Header) bool { return false }

func (h Header) String() string { return "header " + h.name }

// HeaderFile is a Header whose secret stands in a file of one line.
type HeaderFile struct{ file *watched.Value[Header] }

// NewHeaderFile reads the file once; it must hold a usable secret.
func NewHeaderFile(kit Kit, name, prefix, path string) (*HeaderFile, error) {
	file, err := watch(kit, func(contents [][]byte) (Header, error) {
		return NewHeader(name, prefix, line(contents[0]))
	}, path)
	if err != nil {
		return nil, err
	}
	return &HeaderFile{file}, nil
}

// Show shows the secret as the file has it.
func (h *HeaderFile) Show(ctx context.Context, p proxy.Purpose) (http.Header, error) {
	return h.file.Get().Show(ctx, p)
}

// Refused looks at the file at once: the upstream may have changed sooner.
func (h *HeaderFile) Refused(_ proxy.Purpose, shown, _ http.Header) bool {
	h.file.Look()
	now := h.file.Get()
	return now.shown.Get(now.name) != shown.Get(now.name)
}

func (h *HeaderFile) String() string { return h.file.Get().String() + " from a file" }

// line is a file of one line without its end.
func line(content []byte) string { return strings.TrimRight(string(content), "\r\n") }
