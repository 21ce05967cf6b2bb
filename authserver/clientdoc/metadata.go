// Package clientdoc reads what clients say about themselves: client metadata
// (RFC 7591 §2) sent to the registration endpoint or fetched from the URL that
// is the client's id (draft-ietf-oauth-client-id-metadata-document), and the
// rules for redirect URIs that go with it. Nothing it reads is proven, except
// that a document fetched over https is that host's.
package clientdoc

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
)

// Why metadata is refused (RFC 7591 §3.2.2): the error text names the member
// and the rule, and never repeats what was sent.
var (
	ErrMetadata = errors.New("client metadata")
	ErrRedirect = errors.New("redirect URI")
)

// Metadata is what a client says about itself, checked by Parse.
type Metadata struct {
	ClientID   string   `json:"client_id"` // of a document; not of a registration
	Name       string   `json:"client_name"`
	URI        string   `json:"client_uri"`
	Redirects  []string `json:"redirect_uris"`
	AuthMethod string   `json:"token_endpoint_auth_method"`
	Grants     []string `json:"grant_types"`
	Responses  []string `json:"response_types"`
	ScopeText  string   `json:"scope"`
	Type       string   `json:"application_type"` // native or web; derived from the redirect URIs when absent
	DPoPBound  bool     `json:"dpop_bound_access_tokens"`
}

// Scope is the scope member as a list.
func (m Metadata) Scope() []string { return strings.Fields(m.ScopeText) }

const (
	native = "native"
	web    = "web"

	maxRedirects = 10
	maxURI       = 2000
	maxName      = 100
	maxScope     = 4000
)

// Parse reads client metadata, strictly: one JSON object, no member twice, no
// member of the wrong type. Members it does not know are passed over (RFC 7591
// §2). Redirect URIs may have the given private-use schemes without a dot. It
// does not check the authentication method: callers differ in that.
func Parse(doc []byte, schemes []string) (Metadata, error) {
	var m Metadata
	if err := json.Unmarshal(doc, &m); err != nil {
		return Metadata{}, fmt.Errorf("%w: must be one JSON object with members of the registered types, none twice", ErrMetadata)
	}
	if err := m.checkWords(); err != nil {
		return Metadata{}, err
	}
	if err := m.checkFlows(); err != nil {
		return Metadata{}, err
	}
	if err := m.checkRedirects(schemes); err != nil {
		return Metadata{}, err
	}
	return m, nil
}

func (m Metadata) checkWords() error {
	if utf8.RuneCountInString(m.Name) > maxName || !plain(m.Name) {
		return fmt.Errorf("%w: client_name must be at most %d visible characters, without spaces at its ends", ErrMetadata, maxName)
	}
	if m.URI != "" && !webPage(m.URI) {
		return fmt.Errorf("%w: client_uri must be an https URL", ErrMetadata)
	}
	if len(m.ScopeText) > maxScope || !printable(m.ScopeText) {
		return fmt.Errorf("%w: scope must be space-separated scope tokens", ErrMetadata)
	}
	return nil
}

func printable(s string) bool {
	for _, b := range []byte(s) {
		if b < 0x20 || b > 0x7e || b == '"' || b == '\\' {
			return false
		}
	}
	return true
}

func webPage(s string) bool {
	u, err := url.Parse(s)
	return err == nil && len(s) <= maxURI && printable(s) && u.Scheme == "https" && hostName(u.Hostname()) && u.User == nil
}

func (m Metadata) checkFlows() error {
	for _, g := range m.Grants {
		if g != "authorization_code" && g != "refresh_token" {
			return fmt.Errorf("%w: grant_types may hold authorization_code and refresh_token; an operator creates machine clients", ErrMetadata)
		}
	}
	if len(m.Grants) > 0 && !slices.Contains(m.Grants, "authorization_code") {
		return fmt.Errorf("%w: grant_types must hold authorization_code", ErrMetadata)
	}
	for _, r := range m.Responses {
		if r != "code" {
			return fmt.Errorf("%w: response_types may hold code only", ErrMetadata)
		}
	}
	return nil
}

func (m *Metadata) checkRedirects(schemes []string) error {
	if len(m.Redirects) == 0 || len(m.Redirects) > maxRedirects {
		return fmt.Errorf("%w: redirect_uris must hold 1 to %d URIs", ErrRedirect, maxRedirects)
	}
	if m.Type == "" {
		m.Type = m.impliedType()
	}
	if m.Type != native && m.Type != web {
		return fmt.Errorf("%w: application_type must be native or web", ErrMetadata)
	}
	for i, r := range m.Redirects {
		if err := checkRedirect(r, m.Type, schemes); err != nil {
			return fmt.Errorf("%w: redirect_uris[%d]: %w", ErrRedirect, i, err)
		}
	}
	return nil
}

// impliedType: RFC 7591 clients of before SEP-837 send no application_type,
// desktop applications with loopback redirects among them.
func (m Metadata) impliedType() string {
	for _, r := range m.Redirects {
		if !strings.HasPrefix(r, "https://") {
			return native
		}
	}
	return web
}
